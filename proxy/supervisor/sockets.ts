import { chmodSync, unlinkSync } from 'node:fs';
import net from 'node:net';

declare module 'node:net' {
  /**
   * What node:cluster binds with (Node 20 to 26; not in its documentation): a socket bound but not listening. `address`
   * null: every address. Type 4 or 6; -1 with port -1: a unix socket. A negative number is an error of libuv.
   */
  function _createServerHandle(address: string | null, port: number, type: 4 | 6 | -1): BoundHandle | number;
}

interface BoundHandle {
  readonly fd: number;
  getsockname?(out: { address?: string; port?: number }): number;
  close(): void;
}

/** A listening address held by the primary for as long as the service lives. */
export interface HeldSocket {
  /** As configured. */
  readonly address: string;
  /** As bound: `127.0.0.1:43211` where port 0 was asked for. */
  readonly shown: string;
  readonly fd: number;
  close(): void;
}

export class ListenError extends Error {
  override readonly name = 'ListenError';
}

const ERRNO_WORDS: Record<number, string> = {
  [-98]: 'the address is in use by another program',
  [-99]: 'this machine has no such address',
  [-13]: 'not allowed; ports below 1024 need root, CAP_NET_BIND_SERVICE or systemd socket activation',
};

/**
 * Binds `address` (see `listenAddress` of the schema) and keeps the socket open without ever accepting: children listen
 * on copies of it. While no child lives, connections wait in the kernel's queue instead of being refused, and a child
 * that goes takes no waiting connection along (docs/decisions/listening.md). Throws ListenError.
 */
export const holdSocket = async (address: string): Promise<HeldSocket> => {
  if (address.startsWith('fd:')) {
    const fd = Number(address.slice(3));
    return { address, shown: address, fd, close: () => undefined };
  }
  if (address.startsWith('unix:')) return holdUnix(address, address.slice(5));
  const { host, port } = splitAddress(address);
  const numeric = host === '' || net.isIP(host) ? host : await resolved(host, address);
  const handle = net._createServerHandle(numeric === '' ? null : numeric, port, net.isIPv6(numeric) ? 6 : 4);
  if (typeof handle === 'number') throw listenError(address, handle);
  const bound: { address?: string; port?: number } = {};
  // libuv keeps EADDRINUSE to itself until the socket is used.
  const code = handle.getsockname?.(bound) ?? 0;
  if (code < 0) throw listenError(address, code);
  const shown = `${bound.address?.includes(':') ? `[${bound.address}]` : bound.address}:${bound.port}`;
  return { address, shown, fd: handle.fd, close: () => handle.close() };
};

/** `host:port`, `:port`, `[v6]:port` to its parts; an empty host is every address. */
export const splitAddress = (address: string): { host: string; port: number } => {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
};

const holdUnix = async (address: string, path: string): Promise<HeldSocket> => {
  await freeSocketFile(address);
  const handle = net._createServerHandle(path, -1, -1);
  if (typeof handle === 'number') throw listenError(address, handle);
  chmodSync(path, 0o660);
  return { address, shown: address, fd: handle.fd, close: () => handle.close() };
};

/** Removes the socket file of `unix:PATH` that a killed process left behind; throws ListenError where somebody answers. */
export const freeSocketFile = async (address: string): Promise<void> => {
  const path = address.slice(5);
  if (await isAnswered(path)) throw new ListenError(`cannot listen on ${address}: another program answers there`);
  removeSocketFile(path);
};

const isAnswered = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = net.connect(path, () => resolve(true)).on('error', () => resolve(false));
    probe.once('connect', () => probe.destroy());
  });

const removeSocketFile = (path: string): void => {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new ListenError(`cannot listen on unix:${path}: ${(error as Error).message}`);
  }
};

const resolved = async (host: string, address: string): Promise<string> => {
  const { lookup } = await import('node:dns/promises');
  const found = await lookup(host).catch(() => undefined);
  if (!found) throw new ListenError(`cannot listen on ${address}: the name ${host} has no address`);
  return found.address;
};

/** In words; `code` is the system's number, negative. */
export const listenError = (address: string, code: number) =>
  new ListenError(`cannot listen on ${address}: ${ERRNO_WORDS[code] ?? `error ${code}`}`);
