import { request } from 'node:http';
import type { Config } from '../config/schema.ts';
import { splitAddress } from '../proxy/supervisor/sockets.ts';

export class AdminError extends Error {
  override readonly name = 'AdminError';
}

const TIMEOUT_MS = 90_000;

/** One exchange with the admin listener of a running lacquer; resolves to the JSON it answered. Throws AdminError. */
export const askAdmin = (config: Config, method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> => {
  const { admin, adminToken } = config.proxy;
  if (admin === 'off') throw new AdminError('proxy.admin is off in this configuration');
  const to = admin.startsWith('unix:') ? { socketPath: admin.slice(5) } : toPort(admin);
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new AdminError(`${admin}: ${why}`));
    const asked = request(
      {
        ...to,
        method,
        path,
        timeout: TIMEOUT_MS,
        headers: adminToken === undefined ? {} : { authorization: `Bearer ${adminToken}` },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.once('error', (error) => fail(error.message));
        response.once('end', () => {
          const answer = parsed(text);
          if (response.statusCode === 200) return resolve(answer);
          const { error } = (answer ?? {}) as { error?: string };
          fail(error ?? `answered ${response.statusCode}`);
        });
      },
    );
    asked.once('timeout', () => asked.destroy(new Error('no answer in time')));
    asked.once('error', (error: NodeJS.ErrnoException) =>
      fail(
        error.code === 'ECONNREFUSED' || error.code === 'ENOENT'
          ? 'nobody listens there; is lacquer running with this configuration?'
          : error.message,
      ),
    );
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
};

const toPort = (admin: string) => {
  const { host, port } = splitAddress(admin);
  return { host: host === '' || host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host, port };
};

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    throw new AdminError('what answered there is not lacquer');
  }
};
