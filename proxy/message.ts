import { STATUS_CODES } from 'node:http';

/** Status line and header lines of an HTTP/1.1 message, without the empty line behind them. `headers` are raw pairs. */
export const headText = (status: number, headers: readonly string[]): string => {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n${fieldText(headers)}`;
};

export const fieldText = (headers: readonly string[]): string => {
  let text = '';
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return text;
};

/** RFC 9110 6.4.1: these never have content, whatever their fields say. */
export const isBodiless = (status: number): boolean =>
  status === 204 || status === 304 || (status >= 100 && status < 200);

export const hasField = (headers: readonly string[], lowerName: string): boolean => {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.length === lowerName.length && headers[i]!.toLowerCase() === lowerName) return true;
  }
  return false;
};

/** A made message, with `Connection: close` put behind its status line. */
export const withClose = (message: Buffer): Buffer => {
  const lineEnd = message.indexOf(10) + 1;
  return Buffer.concat([message.subarray(0, lineEnd), CLOSE, message.subarray(lineEnd)]);
};
const CLOSE = Buffer.from('Connection: close\r\n');
