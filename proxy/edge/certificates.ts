import { constants, X509Certificate } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import tls, { type SecureContext, type SecureContextOptions } from 'node:tls';
import type { Config } from '../../config/schema.ts';

export type TlsConfig = NonNullable<Config['proxy']['tls']>;

export interface Certificates {
  /** The context for a server name; that of the first certificate where none has the name, or none was sent. */
  contextFor(servername: string | undefined): SecureContext;
  /** The first certificate, for handshakes that name no server. */
  readonly standard: SecureContextOptions;
  /** When the first of them runs out, epoch milliseconds. */
  readonly expiresMs: number;
  /** Reads all files again, all or nothing: with one bad file the old ones stay, and false is returned. */
  reload(config: TlsConfig): boolean;
  /** Session tickets from now on, and none of older keys. 48 bytes. */
  setTicketKeys(keys: Buffer): void;
  /** Called when `standard` is another. */
  onReload(callback: () => void): void;
  close(): void;
}

export interface CertificatesContext {
  readonly log: { info(fields: object, message: string): void; error(fields: object, message: string): void };
  readonly count: (name: string) => void;
  /** 48 bytes, shared by all workers, so that a session begun with one can go on with another; without them each has its own. */
  readonly ticketKeys?: Buffer | undefined;
}

/** A certificate as read from its files. */
interface Pair {
  readonly options: SecureContextOptions;
  readonly names: readonly string[];
  readonly expiresMs: number;
}

/** Node's default is a hash of the command line, by which two workers could differ. */
const SESSION_ID_CONTEXT = 'lacquer';
const SESSION_SECONDS = 3600;

interface Loaded {
  readonly standard: SecureContextOptions;
  readonly first: SecureContext;
  /** Lower-case names, `*.example.org` too. Bounded by the certificates in the configuration. */
  readonly byName: ReadonlyMap<string, SecureContext>;
  readonly expiresMs: number;
}

/**
 * The certificates a listener shows, chosen by server name (SNI) and read again when a file changes. Handshakes from then
 * on use the new ones; connections that are open are not touched. Throws when a file is missing, broken or does not fit.
 */
export const openCertificates = (
  config: TlsConfig,
  { log, count, ticketKeys }: CertificatesContext,
  pollMs = 2000,
): Certificates => {
  let current = config;
  let keys = ticketKeys;
  let pairs = read(config);
  let loaded = contextsOf(pairs, keys);
  let reloaded = () => {};
  let settle: NodeJS.Timeout | undefined;

  const reload = (next: TlsConfig): boolean => {
    try {
      const fresh = read(next);
      loaded = contextsOf(fresh, keys);
      pairs = fresh;
    } catch (error) {
      count('tls_reload_failures');
      log.error({ err: error }, 'certificates not reloaded; the old ones stay');
      return false;
    }
    count('tls_reloads');
    reloaded();
    log.info(
      { names: [...loaded.byName.keys()].slice(0, 100), expires: new Date(loaded.expiresMs).toISOString() },
      'certificates reloaded',
    );
    watch(false);
    current = next;
    watch(true);
    return true;
  };
  // certificate and key are two files, written one after the other
  const changed = () => {
    clearTimeout(settle);
    settle = setTimeout(() => reload(current), Math.min(pollMs, 500));
    settle.unref();
  };
  // asking for the file's state, not inotify: certbot and Kubernetes swap links far from the name, and network disks tell nothing
  const watch = (on: boolean) => {
    for (const file of new Set(current.certificates.flatMap(({ cert, key }) => [cert, key]))) {
      if (on) watchFile(file, { interval: pollMs, persistent: false }, changed);
      else unwatchFile(file, changed);
    }
  };
  watch(true);

  return {
    contextFor: (servername) => {
      if (servername === undefined || servername === '') return loaded.first;
      const name = servername.toLowerCase().replace(/\.$/, '');
      return loaded.byName.get(name) ?? loaded.byName.get(name.replace(/^[^.]+/, '*')) ?? loaded.first;
    },
    get standard() {
      return loaded.standard;
    },
    get expiresMs() {
      return loaded.expiresMs;
    },
    reload,
    setTicketKeys: (next) => {
      keys = next;
      loaded = contextsOf(pairs, keys);
      reloaded();
    },
    onReload: (callback) => {
      reloaded = callback;
    },
    close: () => {
      clearTimeout(settle);
      watch(false);
    },
  };
};

/** Throws when a file is missing or broken. */
const read = (config: TlsConfig): Pair[] =>
  config.certificates.map(({ cert, key, names }) => {
    const pem = readFileSync(cert);
    const certificate = new X509Certificate(pem);
    return {
      options: {
        cert: pem,
        key: readFileSync(key),
        minVersion: config.minVersion,
        maxVersion: 'TLSv1.3',
        honorCipherOrder: true,
        // renegotiation is work for the asking, and TLS 1.3 and HTTP/2 have none
        secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      },
      names: (names.length > 0 ? names : namesIn(certificate)).map((name) => name.toLowerCase()),
      expiresMs: Date.parse(certificate.validTo),
    };
  });

/** Throws when a certificate and its key do not fit. */
const contextsOf = (pairs: readonly Pair[], ticketKeys: Buffer | undefined): Loaded => {
  const byName = new Map<string, SecureContext>();
  const contexts = pairs.map(({ options, names }) => {
    const complete = {
      ...options,
      sessionIdContext: SESSION_ID_CONTEXT,
      sessionTimeout: SESSION_SECONDS,
      ...(ticketKeys && { ticketKeys }),
    };
    const context = tls.createSecureContext(complete);
    // the first certificate of a name has it, so that the order in the file is the order of choice
    for (const name of names) if (!byName.has(name)) byName.set(name, context);
    return { options: complete, context };
  });
  const { options, context } = contexts[0]!;
  return { standard: options, first: context, byName, expiresMs: Math.min(...pairs.map(({ expiresMs }) => expiresMs)) };
};

/** DNS names of the subjectAltName extension; those with odd characters (Node quotes them) are left out. */
const namesIn = (certificate: X509Certificate): string[] =>
  (certificate.subjectAltName ?? '').split(', ').flatMap((entry) => /^DNS:([A-Za-z0-9*._-]+)$/.exec(entry)?.[1] ?? []);
