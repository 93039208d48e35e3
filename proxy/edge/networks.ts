import { BlockList, isIP } from 'node:net';

/** Whether an address is within a configured set of networks. */
export type Networks = (address: string) => boolean;

/** `10.0.0.0/8`, `::1`, `unix` … as in the configuration. Throws a RangeError on a prefix that does not fit. */
export const networksOf = (list: readonly string[]): Networks => {
  if (list.length === 0) return () => false;
  const blocks = new BlockList();
  for (const text of list.filter((entry) => entry !== 'unix')) {
    const [address = '', bits] = text.split('/');
    const version = isIP(address);
    if (version === 0 || Number(bits ?? 0) > (version === 4 ? 32 : 128)) throw new RangeError(`not a network: ${text}`);
    blocks.addSubnet(address, Number(bits ?? (version === 4 ? 32 : 128)), version === 4 ? 'ipv4' : 'ipv6');
  }
  const unix = list.includes('unix');
  return (address) => {
    if (address === 'unix') return unix;
    const version = isIP(address);
    return version !== 0 && blocks.check(address, version === 4 ? 'ipv4' : 'ipv6');
  };
};

/** `::ffff:192.0.2.1`, as a socket listening on both families reports it, is 192.0.2.1; a zone index is dropped. */
export const plainAddress = (address: string): string => {
  if (address.startsWith('::ffff:') && address.includes('.')) return address.slice(7);
  const zone = address.indexOf('%');
  return zone < 0 ? address : address.slice(0, zone);
};

/** The first `bits` of an address, rest zero: 203.0.113.7 at 24 is 203.0.113.0; not an address: unchanged. */
export const truncateAddress = (address: string, v4Bits: number, v6Bits: number): string => {
  const version = isIP(address);
  if (version === 4) {
    const parts = address.split('.').map(Number);
    return parts.map((part, i) => part & maskByte(v4Bits - 8 * i, 8)).join('.');
  }
  if (version !== 6) return address;
  const groups = groupsOf(address).map((group, i) => group & maskByte(v6Bits - 16 * i, 16));
  return shortest(groups);
};

const maskByte = (bits: number, width: 8 | 16): number => {
  const kept = Math.min(Math.max(bits, 0), width);
  return ((1 << width) - 1) & ~((1 << (width - kept)) - 1);
};

/** The eight groups of a valid IPv6 address. */
const groupsOf = (address: string): number[] => {
  const v4 = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const text = v4
    ? `${v4[1]}${((+v4[2]! << 8) | +v4[3]!).toString(16)}:${((+v4[4]! << 8) | +v4[5]!).toString(16)}`
    : address;
  const [head = '', tail] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  return [...left, ...Array<string>(zeros).fill('0'), ...right].map((group) => Number.parseInt(group, 16));
};

/** RFC 5952: lower case, the longest run of zeros (two or more) as `::`. */
const shortest = (groups: readonly number[]): string => {
  let best = { at: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > best.length) best = { at: i, length: end - i };
  }
  const hex = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
  if (best.at < 0) return hex(groups);
  return `${hex(groups.slice(0, best.at))}::${hex(groups.slice(best.at + best.length))}`;
};
