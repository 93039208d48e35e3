import { isIP } from 'node:net';
import { SharedLines } from '../policy/shared-lines.ts';
import { type Networks, plainAddress } from './networks.ts';

export interface Arrival {
  /** The client's address as far as trusted proxies vouch for it. */
  readonly address: string;
  readonly scheme: 'http' | 'https';
}

/** One hop as a forwarding field tells of it. */
interface Hop {
  /** '' when it is hidden (`unknown`, `_name`) or not an address. */
  readonly address: string;
  readonly proto: string | undefined;
}

/** Hops believed at most; a longer chain is cut, oldest first. */
const MAX_HOPS = 32;

/**
 * Who asks, and over what. Fields count only from a peer that is trusted, and only the one named by `field`: a proxy that
 * writes one of them passes the other on as the client sent it. The chain is read from its end: the first address that is
 * no trusted proxy is the client (RFC 7239 8.1).
 */
export const arrivalOf = (
  peer: { readonly address: string; readonly tls: boolean },
  rawHeaders: readonly string[],
  trusted: Networks,
  field: 'x-forwarded-for' | 'forwarded',
): Arrival => {
  const scheme = peer.tls ? 'https' : 'http';
  if (!trusted(peer.address)) return { address: peer.address, scheme };
  const hops = (
    field === 'forwarded' ? parseForwarded(valuesOf(rawHeaders, 'forwarded')) : xForwarded(rawHeaders)
  ).slice(-MAX_HOPS);
  let address = peer.address;
  let proto: string | undefined;
  for (const hop of hops.reverse()) {
    if (!trusted(address)) break;
    proto = hop.proto ?? proto;
    if (hop.address === '') break;
    address = hop.address;
  }
  return { address, scheme: proto === 'https' || proto === 'http' ? proto : scheme };
};

/**
 * The forwarding fields a request carries on to the origin, as raw pairs. The incoming chain is kept only where it was
 * believed, which is where the client's address differs from its peer's.
 */
export const forwardedFields = (
  head: { readonly rawHeaders: readonly string[]; readonly scheme: string; readonly host: string },
  client: { readonly remoteAddress: string; readonly peerAddress: string },
): string[] => {
  const believed = client.remoteAddress !== client.peerAddress;
  const chain = believed ? valuesOf(head.rawHeaders, 'x-forwarded-for') : '';
  const forwarded = believed ? valuesOf(head.rawHeaders, 'forwarded') : '';
  const hops =
    chain === ''
      ? client.remoteAddress + (believed ? `, ${client.peerAddress}` : '')
      : `${chain}, ${client.peerAddress}`;
  const own = `for=${node(client.peerAddress)};host="${head.host}";proto=${head.scheme}`;
  return [
    'X-Forwarded-For', hops,
    'X-Forwarded-Proto', head.scheme,
    'X-Forwarded-Host', head.host,
    'Forwarded', forwarded === '' ? own : `${forwarded}, ${own}`,
  ]; // biome-ignore format: pairs
};

type Forwarder = (...of: Parameters<typeof forwardedFields>) => SharedLines;

/** Clients whose lines are remembered. */
const KNOWN = 1024;

/** `forwardedFields`, made once for a client that asks again; a believed chain is read each time. */
export const openForwarded = (): Forwarder => {
  const known = new Map<string, SharedLines>(); // at most KNOWN
  return (head, client) => {
    const { remoteAddress } = client;
    if (remoteAddress !== client.peerAddress) return new SharedLines(forwardedFields(head, client));
    const name = `${remoteAddress} ${head.scheme} ${head.host}`;
    let lines = known.get(name);
    if (lines === undefined) {
      lines = new SharedLines(forwardedFields(head, client));
      if (known.size >= KNOWN) known.clear();
      known.set(name, lines);
    }
    return lines;
  };
};

/** Every value of a field, lines joined as RFC 9110 5.3 says. */
const valuesOf = (rawHeaders: readonly string[], name: string): string => {
  let joined = '';
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() === name)
      joined = joined === '' ? rawHeaders[i + 1]! : `${joined}, ${rawHeaders[i + 1]!}`;
  }
  return joined;
};

const xForwarded = (rawHeaders: readonly string[]): Hop[] => {
  const chain = valuesOf(rawHeaders, 'x-forwarded-for');
  const protos = list(valuesOf(rawHeaders, 'x-forwarded-proto'));
  const addresses = chain === '' ? [] : list(chain);
  // proxies either hand one value through or add one each; then they stand side by side
  const protoOf = (i: number) => (protos.length === addresses.length ? protos[i] : protos.at(-1));
  if (addresses.length === 0) return protos.length === 0 ? [] : [{ address: '', proto: protos.at(-1)!.toLowerCase() }];
  return addresses.map((text, i) => ({ address: nodeAddress(text), proto: protoOf(i)?.toLowerCase() }));
};

const list = (value: string): string[] => (value === '' ? [] : value.split(',').map((part) => part.trim()));

/** One pair of RFC 7239 4 and what follows it. */
const PAIR = /[\t ]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)|"((?:[^"\\]|\\.)*)")[\t ]*(;|,|$)/y;

/** An element that does not parse becomes a hop without an address, which hides those before it: it could hold a forged one. */
const parseForwarded = (value: string): Hop[] => {
  const hops: Hop[] = [];
  let hop: { address: string; proto: string | undefined } = { address: '', proto: undefined };
  let at = 0;
  while (at < value.length) {
    PAIR.lastIndex = at;
    const found = PAIR.exec(value);
    const [, name, token, quoted, end] = found ?? [];
    const comma = value.indexOf(',', at);
    at = found ? PAIR.lastIndex : comma < 0 ? value.length : comma + 1;
    if (!found) hop = { address: '', proto: undefined };
    const text = token ?? quoted?.replace(/\\(.)/g, '$1') ?? '';
    if (name?.toLowerCase() === 'for') hop.address = nodeAddress(text);
    if (name?.toLowerCase() === 'proto') hop.proto = text.toLowerCase();
    if (end === ';') continue;
    hops.push(hop);
    hop = { address: '', proto: undefined };
  }
  return hops;
};

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80` to the address alone; anything else to ''. */
const nodeAddress = (text: string): string => {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+)(?::\d+)?$/.exec(text)?.[1] ?? text;
  return isIP(bare) === 0 ? '' : plainAddress(bare);
};

/** RFC 7239 6: IPv6 in brackets and quotes; a socket file has no address. */
const node = (address: string): string =>
  isIP(address) === 6 ? `"[${address}]"` : isIP(address) === 4 ? address : 'unknown';
