/** Classes of bytes in an HTTP/1.1 head; a table look-up each, shared by the scanner and the guard. */
const table = (test: (byte: number) => boolean): Uint8Array =>
  Uint8Array.from({ length: 256 }, (_, byte) => (test(byte) ? 1 : 0));

/** tchar, RFC 9110 5.6.2. */
export const TOKEN = table((byte) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(byte)));

/** What a request target may hold on its way through: visible ASCII but `#` (RFC 9112 3.2: no fragment). */
export const TARGET = table((byte) => byte >= 0x21 && byte <= 0x7e && byte !== 0x23);

/** field-value with obs-text, RFC 9110 5.5: no control but HTAB, so no bare CR, LF or NUL. */
export const VALUE = table((byte) => byte === 0x09 || (byte >= 0x20 && byte !== 0x7f));

export const CR = 13;
export const LF = 10;
export const SP = 32;
export const HTAB = 9;
export const COLON = 58;
