import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { ConfigError } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';

/** Reads every certificate a worker will need, so that a bad file is refused before any worker hears of it. */
export const checkCertificates = ({ proxy }: Config, file: string): void => {
  const problems = (proxy.tls?.certificates ?? []).flatMap(({ cert, key }, i) => {
    try {
      createSecureContext({ cert: readFileSync(cert), key: readFileSync(key) });
      return [];
    } catch (error) {
      const { message } = error as Error;
      return [
        `${file}: proxy.tls.certificates.${i}: ${JSON.stringify({ cert, key })}: expected a certificate and its key (${message})`,
      ];
    }
  });
  if (problems.length > 0) throw new ConfigError(problems);
};
