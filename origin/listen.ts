import { rmSync } from 'node:fs';
import type { Server } from 'node:net';

/** Binds `host:port`, `:port`, `[v6]:port`, `unix:/path` or `fd:N`; resolves to the address as bound. Rejects with the system's error. */
export const listenOn = async (server: Server, address: string): Promise<string> => {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(optionsOf(address), () => {
      server.off('error', reject);
      resolve();
    });
  });
  const bound = server.address();
  if (typeof bound === 'string') return `unix:${bound}`;
  if (bound === null) return address;
  return bound.family === 'IPv6' ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
};

const optionsOf = (address: string) => {
  if (address.startsWith('fd:')) return { fd: Number(address.slice(3)) };
  if (address.startsWith('unix:')) {
    const path = address.slice(5);
    // left over from a process that was killed
    rmSync(path, { force: true });
    return { path };
  }
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[|\]$/g, '');
  return { port: Number(address.slice(at + 1)), ...(host ? { host } : {}) };
};
