import { lstatSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';

/**
 * Binds `host:port`, `:port`, `[v6]:port`, `unix:/path` or `fd:N`; resolves to the address as bound. Rejects with the
 * system's error. A socket file that nobody listens on was left by a process that was killed, and is replaced.
 */
export const listenOn = async (server: Server, address: string): Promise<string> => {
  const path = address.startsWith('unix:') ? address.slice('unix:'.length) : undefined;
  await bind(server, address).catch(async (error: unknown) => {
    const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
    if (path === undefined || !isTaken || !(await isLeftBehind(path))) throw error;
    unlinkSync(path);
    await bind(server, address);
  });
  const bound = server.address();
  if (typeof bound === 'string') return `unix:${bound}`;
  if (bound === null) return address;
  return bound.family === 'IPv6' ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
};

const bind = (server: Server, address: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(optionsOf(address), () => {
      server.off('error', reject);
      resolve();
    });
  });

const optionsOf = (address: string) => {
  if (address.startsWith('fd:')) return { fd: Number(address.slice('fd:'.length)) };
  if (address.startsWith('unix:')) return { path: address.slice('unix:'.length) };
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[|\]$/g, '');
  return { port: Number(address.slice(at + 1)), ...(host ? { host } : {}) };
};

const isLeftBehind = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return resolve(false);
    const probe = connect(path);
    probe.on('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.on('error', () => resolve(true));
  });
