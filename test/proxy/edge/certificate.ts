import { execFileSync } from 'node:child_process';

/** A self-signed certificate for `names`, made on the spot: `PATH.pem` and `PATH.key`. */
export const selfSigned = (path: string, names: readonly string[]): { cert: string; key: string } => {
  const [cert, key] = [`${path}.pem`, `${path}.key`];
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
    '-subj',
    `/CN=${names[0]}`,
  ];
  execFileSync(
    'openssl',
    [
      ...args,
      '-addext',
      `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`,
      '-keyout',
      key,
      '-out',
      cert,
    ],
    { stdio: 'pipe' },
  );
  return { cert, key };
};
