import { randomBytes } from 'node:crypto';

/** What node:tls takes: a name, a key to encrypt and a key to sign, 16 bytes each. */
const KEY_BYTES = 48;
/**
 * A stolen key opens what was said over TLS 1.2 on sessions of its time, so its time is short. Node knows one key at once:
 * when it changes, clients that come back make one full handshake.
 */
const ROTATE_MS = 12 * 3_600_000;

/**
 * The keys of TLS session tickets, the same for all workers, so that a client is known whichever of them accepts it. They
 * are in memory only, that of the primary and of the workers, and live on when workers are replaced.
 */
export class TicketKeys {
  /** Base64. */
  keys = made();
  readonly #timer: NodeJS.Timeout;

  constructor(changed: (keys: string) => void, everyMs = ROTATE_MS) {
    this.#timer = setInterval(() => {
      this.keys = made();
      changed(this.keys);
    }, everyMs);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

const made = (): string => randomBytes(KEY_BYTES).toString('base64');
