import { request } from 'node:http';
import type { Config } from '../config/schema.ts';
import { splitAddress } from '../proxy/supervisor/sockets.ts';

export class AdminError extends Error {
  override readonly name = 'AdminError';
}

const TIMEOUT_MS = 90_000;
/** Of an answer, in characters; statistics have some thousands. */
const MAX_ANSWER = 16 * 1024 * 1024;

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
          if (text.length > MAX_ANSWER) asked.destroy(new Error('answers without end; is that lacquer?'));
        });
        response.once('error', (error) => fail(error.message));
        response.once('end', () => {
          const answer = parsed(text);
          if (answer === undefined)
            return fail(`answered ${response.statusCode}, but not as lacquer does; who listens there?`);
          if (response.statusCode === 200) return resolve(answer);
          fail('error' in answer ? String(answer.error) : `answered ${response.statusCode}`);
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

/** undefined: not a JSON object, which is what the admin listener speaks. */
const parsed = (text: string): object | undefined => {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' && json !== null ? json : undefined;
  } catch {
    return undefined; // the caller says so
  }
};
