import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Seen {
  readonly method: string;
  readonly target: string;
  readonly headers: http.IncomingHttpHeaders;
}

export type Script = (request: IncomingMessage, response: ServerResponse, nth: number) => void;

export interface ScriptedOrigin {
  readonly url: string;
  readonly port: number;
  readonly seen: Seen[];
  /** What is answered from now on. */
  script: Script;
  /** Resolves when `count` requests have been seen. */
  reached(count: number): Promise<void>;
}

interface Teardown {
  teardown(callback: () => void | Promise<void>): void;
}

/** A real HTTP server that does what the test says and remembers what it was asked. */
export const scriptedOrigin = async (t: Teardown, script: Script): Promise<ScriptedOrigin> => {
  const seen: Seen[] = [];
  let waiting: { count: number; resolve: () => void }[] = [];
  const server = http.createServer((request, response) => {
    seen.push({ method: request.method!, target: request.url!, headers: request.headers });
    const nth = seen.length;
    waiting = waiting.filter((wait) => {
      if (wait.count > nth) return true;
      wait.resolve();
      return false;
    });
    origin.script(request, response, nth);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const origin: ScriptedOrigin = {
    url: `http://127.0.0.1:${port}`,
    port,
    seen,
    script,
    reached: (count) =>
      seen.length >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve })),
  };
  t.teardown(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return origin;
};

/** Something the test opens when it wants the others to go on. */
export const barrier = (): { readonly opened: Promise<void>; open(): void } => {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
};

/** Resolves once `condition` holds, looked at once per turn of the event loop; the test's own time limit bounds it. */
export const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
};
