import { parseDuration } from '../config/units.ts';
import { agentClass } from './agent.ts';
import { InputError } from './input-error.ts';
import type { Row } from './row.ts';

export type Test = (row: Row) => boolean;

/** Names usable in --where and --by, and what they mean. */
export const FIELDS: Readonly<Record<string, (row: Row) => string | number>> = {
  type: (row) => row.type,
  method: (row) => row.method,
  url: (row) => row.url,
  path: (row) => pathOf(row.url),
  host: (row) => row.host,
  route: (row) => row.route || kindOf(row.url),
  kind: (row) => row.route || kindOf(row.url),
  package: (row) => row.package,
  pkg: (row) => row.package,
  status: (row) => row.status,
  cache: (row) => row.cacheStatus || 'none',
  fwd: (row) => row.fwd,
  why: (row) => row.why,
  tier: (row) => row.tier,
  key: (row) => row.key,
  agent: (row) => row.agent,
  ua: (row) => row.agent,
  bot: (row) => agentClass(row.agent),
  referer: (row) => row.referer,
  client: (row) => row.remoteAddress,
  cfg: (row) => row.cfg,
  id: (row) => row.id,
  us: (row) => row.us,
  bytes: (row) => row.bytes,
  origin: (row) => row.originUs,
  age: (row) => row.ageSeconds,
  collapsed: (row) => String(row.collapsed),
  aborted: (row) => String(row.aborted),
  hour: (row) => new Date(row.startMs).toISOString().slice(0, 13),
};

export const pathOf = (url: string): string => {
  const mark = url.indexOf('?');
  return mark < 0 ? url : url.slice(0, mark);
};

/** For logs without routes: the first path segment, so that there is something to group by. */
export const kindOf = (url: string): string => {
  const end = url.indexOf('/', 1);
  const segment = end < 0 ? pathOf(url).slice(1) : url.slice(1, end);
  return end < 0 && segment.includes('.') ? '(root)' : segment || '(root)';
};

/**
 * `route=version status>=500 url~/badge` to a test; terms are joined by and. Operators: = != < <= > >= and ~ (contains, without
 * regard to case). Values: commas mean any of them.
 */
export const parseWhere = (text: string): Test => {
  const tests = text.split(/\s+/).filter(Boolean).map(parseTerm);
  return (row) => tests.every((test) => test(row));
};

const parseTerm = (term: string): Test => {
  const match = /^([a-z]+)(!=|<=|>=|=|<|>|~)(.*)$/.exec(term);
  const field = match && fieldOf(match[1]!);
  if (!match || !field) {
    throw new InputError(
      `--where: '${term}' is not NAME=VALUE with = != < <= > >= or ~ and a name of: ${fieldNames().join(' ')}`,
    );
  }
  const operator = match[2]!;
  const values = match[3]!.split(',');
  if (operator === '=') return (row) => values.includes(String(field(row)));
  if (operator === '!=') return (row) => !values.includes(String(field(row)));
  if (operator === '~') {
    const wanted = values.map((value) => value.toLowerCase());
    return (row) => {
      const text = String(field(row)).toLowerCase();
      return wanted.some((value) => text.includes(value));
    };
  }
  const limit = Number(values[0]);
  if (!Number.isFinite(limit)) throw new InputError(`--where: '${term}' compares with ${values[0]}, expected a number`);
  if (operator === '<') return (row) => Number(field(row)) < limit;
  if (operator === '<=') return (row) => Number(field(row)) <= limit;
  if (operator === '>') return (row) => Number(field(row)) > limit;
  return (row) => Number(field(row)) >= limit;
};

/** undefined: no field of that name. */
export const fieldOf = (name: string): ((row: Row) => string | number) | undefined =>
  Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;

export const fieldNames = (): readonly string[] => Object.keys(FIELDS);

/** A moment: ISO date, epoch seconds or ms, or a duration before `nowMs`. Epoch ms. */
export const parseMoment = (text: string, nowMs: number, option: string): number => {
  const ago = parseDuration(text);
  if (ago !== undefined && text !== '0') return nowMs - ago;
  if (/^\d{9,14}(\.\d+)?$/.test(text)) return Number(text) * (text.split('.')[0]!.length <= 11 ? 1000 : 1);
  // Date.parse alone takes 'foo 1' for a day in 2001
  const ms = /^\d{4}-\d\d(-\d\d([T ]\S+)?)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw new InputError(`${option}: '${text}' is no time; expected 1h (ago), 2025-01-31T10:00:00Z or epoch seconds`);
  return ms;
};
