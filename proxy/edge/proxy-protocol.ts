import { isIPv4, isIPv6, type Socket } from 'node:net';
import { plainAddress } from './networks.ts';

/** What a PROXY protocol header says; `address` undefined where it speaks for itself (LOCAL, UNKNOWN) or of no address. */
export interface ProxyHeader {
  readonly kind: 'header';
  readonly address: string | undefined;
  readonly length: number;
}

const V1_MAX = 107;
const V2_FIXED = 16;
/** Address block and extensions; HAProxy and AWS send well below 1 kB. */
const V2_MAX = 4096;
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V1_START = Buffer.from('PROXY ', 'latin1');

/**
 * Versions 1 and 2 of HAProxy's PROXY protocol (proxy-protocol.txt) at the start of `bytes`. 'more': incomplete so far;
 * 'bad': not such a header, and the connection is of no use, for its peer is not who it says.
 */
export const parseProxyHeader = (bytes: Buffer): ProxyHeader | 'more' | 'bad' => {
  if (beginsAlike(bytes, V2_SIGNATURE)) return bytes.length < V2_FIXED ? 'more' : version2(bytes);
  if (beginsAlike(bytes, V1_START)) return version1(bytes);
  return 'bad';
};

/** `bytes` begins with `start`, or is the beginning of it. */
const beginsAlike = (bytes: Buffer, start: Buffer): boolean => {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
};

const version1 = (bytes: Buffer): ProxyHeader | 'more' | 'bad' => {
  const end = bytes.subarray(0, V1_MAX).indexOf('\r\n');
  if (end < 0) return bytes.length < V1_MAX ? 'more' : 'bad';
  const [, family, source, destination, sourcePort, destinationPort, ...more] = bytes
    .toString('latin1', 0, end)
    .split(' ');
  if (family === 'UNKNOWN') return { kind: 'header', address: undefined, length: end + 2 };
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : () => false;
  if (
    more.length > 0 ||
    !isAddress(source ?? '') ||
    !isAddress(destination ?? '') ||
    !isPort(sourcePort) ||
    !isPort(destinationPort)
  )
    return 'bad';
  return { kind: 'header', address: plainAddress(source!), length: end + 2 };
};

const isPort = (text: string | undefined): boolean =>
  text !== undefined && /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) < 65_536;

const version2 = (bytes: Buffer): ProxyHeader | 'more' | 'bad' => {
  const [command, family] = [bytes[12]!, bytes[13]! >> 4];
  const length = V2_FIXED + bytes.readUInt16BE(14);
  if (command >> 4 !== 2 || length > V2_MAX) return 'bad';
  if (bytes.length < length) return 'more';
  if ((command & 15) === 0) return { kind: 'header', address: undefined, length };
  if ((command & 15) !== 1) return 'bad';
  const block = length - V2_FIXED;
  if (family === 1) return block < 12 ? 'bad' : { kind: 'header', address: bytes.subarray(16, 20).join('.'), length };
  if (family === 2) return block < 36 ? 'bad' : { kind: 'header', address: v6(bytes.subarray(16, 32)), length };
  return { kind: 'header', address: undefined, length };
};

const v6 = (bytes: Buffer): string => {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  // ::ffff:0:0/96 as URL and sockets write it; any other form is compared through isIP and BlockList, which take all
  return /^(0:){5}ffff:/.test(groups.join(':'))
    ? bytes.subarray(12).join('.')
    : new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
};

/**
 * Reads the header off a connection whose peer is known to send one, then puts the bytes behind it back. `done` is called
 * once: with the client's address (undefined: the peer's own), or with 'bad' or 'late', after which the socket is to be closed.
 */
export const readProxyHeader = (
  socket: Socket,
  timeoutMs: number,
  done: (result: { address: string | undefined } | 'bad' | 'late') => void,
): void => {
  let seen: Buffer = Buffer.alloc(0);
  const finish = (result: { address: string | undefined } | 'bad' | 'late') => {
    clearTimeout(timer);
    socket.off('readable', read).off('close', gone).off('end', gone);
    done(result);
  };
  const gone = () => finish('bad');
  const read = () => {
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const header = parseProxyHeader(seen);
      if (header === 'more') continue;
      if (header === 'bad') return finish('bad');
      if (header.length < seen.length) socket.unshift(seen.subarray(header.length));
      return finish({ address: header.address });
    }
  };
  const timer = setTimeout(() => finish('late'), timeoutMs);
  timer.unref();
  socket.on('readable', read).on('close', gone).on('end', gone);
};
