/** One HTTP/1.x message as bytes on a connection say it, with nothing repaired. */
export interface Message {
  readonly line: string;
  /** Raw pairs in order. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  /** The connection ended before the message did. */
  readonly broken: boolean;
  /** No framing in the head: the end of the connection ended the body. */
  readonly untilClose: boolean;
}

export const statusOf = (message: Message): number => Number(message.line.split(' ')[1]);

/** All lines of one field, joined as RFC 9110 5.3 allows; undefined when there is none. */
export const fieldOf = (message: Pick<Message, 'fields'>, name: string): string | undefined => {
  const lines = message.fields.filter(([own]) => own.toLowerCase() === name.toLowerCase());
  return lines.length === 0 ? undefined : lines.map(([, value]) => value).join(', ');
};

export interface Parsed {
  readonly message: Message;
  /** Bytes of the buffer it took. */
  readonly used: number;
}

/**
 * Reads one message from the start of `bytes`; undefined when more bytes are needed. `bodiless` says that no body follows
 * whatever the head promises (an answer to HEAD). `ended`: nothing more will come, so what is there is all there is.
 */
export const readMessage = (bytes: Buffer, bodiless: boolean, ended: boolean): Parsed | undefined => {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) {
    if (!ended || bytes.length === 0) return undefined;
    return {
      message: { line: text(bytes), fields: [], body: Buffer.alloc(0), broken: true, untilClose: false },
      used: bytes.length,
    };
  }
  const [line = '', ...lines] = text(bytes.subarray(0, headEnd)).split('\r\n');
  const fields = lines.map((row): [string, string] => {
    const colon = row.indexOf(':');
    return [row.slice(0, colon), row.slice(colon + 1).trim()];
  });
  const head = { line, fields };
  const rest = bytes.subarray(headEnd + 4);
  const done = (body: Buffer, used: number, broken = false, untilClose = false): Parsed => ({
    message: { ...head, body, broken, untilClose },
    used: headEnd + 4 + used,
  });
  const isRequest = !line.startsWith('HTTP/');
  const status = isRequest ? 200 : Number(line.split(' ')[1]);
  if (bodiless || status < 200 || status === 204 || status === 304) return done(Buffer.alloc(0), 0);
  if (/chunked/i.test(fieldOf(head, 'transfer-encoding') ?? '')) {
    const chunked = readChunked(rest);
    if (chunked) return done(chunked.body, chunked.used);
    return ended ? done(rest, rest.length, true) : undefined;
  }
  const length = fieldOf(head, 'content-length');
  if (length === undefined) {
    if (isRequest) return done(Buffer.alloc(0), 0);
    return ended ? done(rest, rest.length, false, true) : undefined;
  }
  const wanted = Number(length);
  if (rest.length >= wanted) return done(rest.subarray(0, wanted), wanted);
  return ended ? done(rest, rest.length, true) : undefined;
};

const readChunked = (bytes: Buffer): { body: Buffer; used: number } | undefined => {
  const pieces: Buffer[] = [];
  for (let at = 0; ; ) {
    const eol = bytes.indexOf('\r\n', at);
    if (eol < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, eol), 16);
    if (size === 0) {
      const end = bytes.indexOf('\r\n\r\n', eol);
      return end < 0 ? undefined : { body: Buffer.concat(pieces), used: end + 4 };
    }
    if (bytes.length < eol + 4 + size) return undefined;
    pieces.push(bytes.subarray(eol + 2, eol + 2 + size));
    at = eol + 4 + size;
  }
};

const text = (bytes: Buffer) => bytes.toString('latin1');
