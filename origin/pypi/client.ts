import type { Agent } from 'node:http';
import type { Fetched, Source } from '../known.ts';
import { UpstreamError } from '../upstream/error.ts';
import { agentFor, type Exchange, exchange } from '../upstream/exchange.ts';
import { Gate } from '../upstream/gate.ts';
import { MemberPicker } from './pick.ts';
import { type Project, parseProject } from './project.ts';
import { highestVersion } from './version.ts';

export interface PypiClient {
  /** Of a normalised name. */
  readonly project: Source<Project>;
  /** The highest version of all that were released, pre-releases too. */
  readonly highest: Source<string>;
  /** Throws UpstreamError when no HTTP answer comes back at all. */
  readonly probe: (timeoutMs: number) => Promise<void>;
  readonly close: () => void;
}

export interface PypiLimits {
  readonly timeout: number;
  readonly parallel: number;
  readonly perSecond: number;
  readonly maxSize: number;
}

const SIMPLE_JSON = 'application/vnd.pypi.simple.v1+json';
const MAX_VERSIONS = 20_000;
const PATIENCE_MS = 10_000;

/**
 * PyPI, or an index with its JSON API, over HTTP. All questions go through one gate.
 * @param base without a trailing slash, such as https://pypi.org
 */
export const httpPypi = (base: string, limits: PypiLimits, userAgent: string, clock: () => number): PypiClient => {
  const agent = agentFor(base, limits.parallel);
  const gate = new Gate({
    parallel: limits.parallel,
    perSecond: limits.perSecond,
    burst: Math.max(1, limits.perSecond),
    patienceMs: PATIENCE_MS,
    clock,
  });
  const ask =
    <T>(
      path: string,
      accept: string,
      members: readonly string[],
      read: (document: Readonly<Record<string, unknown>>) => T,
    ) =>
    async (etag: string | undefined): Promise<Fetched<T>> =>
      gate.run(async () => {
        const picker = new MemberPicker(members);
        const headers = { accept, 'user-agent': userAgent, ...(etag === undefined ? {} : { 'if-none-match': etag }) };
        const { status, headers: answered } = await exchange(
          new URL(base + path),
          options(limits, agent, headers),
          (piece) => picker.take(piece),
        );
        if (status === 304) return { kind: 'unchanged' };
        if (status === 404) return { kind: 'missing' };
        return { kind: 'found', value: read(picker.end()), etag: answered.etag, serial: serialOf(answered) };
      });
  return {
    project: (name, etag) => ask(`/pypi/${name}/json`, 'application/json', ['info', 'urls'], parseProject)(etag),
    highest: (name, etag) => ask(`/simple/${name}/`, SIMPLE_JSON, ['versions'], parseHighest)(etag),
    probe: async (timeoutMs) => {
      const headers = { accept: 'application/json', 'user-agent': userAgent };
      // any status is an answer; what matters here is that something speaks HTTP at that address
      await exchange(
        new URL(`${base}/pypi/pip/json`),
        { ...options(limits, agent, headers), timeoutMs },
        () => undefined,
      ).catch((error: unknown) => {
        if (error instanceof UpstreamError && (error.code === 'refused' || error.code === 'timeout')) throw error;
      });
    },
    close: () => {
      gate.close();
      agent.destroy();
    },
  };
};

const options = (limits: PypiLimits, agent: Agent, headers: Record<string, string>) => ({
  headers,
  agent,
  timeoutMs: limits.timeout,
  maxSize: limits.maxSize,
});

const serialOf = (headers: Exchange['headers']): number | undefined => {
  const value = headers['x-pypi-last-serial'];
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
};

/** PEP 700: `versions` of the simple API. */
export const parseHighest = (document: Readonly<Record<string, unknown>>): string => {
  const { versions } = document;
  if (!Array.isArray(versions)) throw new UpstreamError('bad-answer', 'no versions');
  const highest = highestVersion(versions.slice(0, MAX_VERSIONS).filter((version) => typeof version === 'string'));
  if (highest === undefined) throw new UpstreamError('bad-answer', 'no version by PEP 440');
  return highest;
};
