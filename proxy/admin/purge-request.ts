/** What to purge, as the worker is asked. */
export type PurgeWanted = { readonly soft: boolean; readonly dryRun: boolean } & (
  | { readonly url: string }
  | { readonly prefix: string }
  | { readonly tag: string }
);

const TARGETS = ['url', 'prefix', 'tag'] as const;
const FLAGS = ['soft', 'dryRun'] as const;
const MAX_TEXT = 4096;

/** `{"tag": "package:requests", "soft": false, "dryRun": true}` or the same as query parameters; soft unless told otherwise. */
export const parsePurge = (query: URLSearchParams, body: string): PurgeWanted | { error: string } => {
  const fields = body.trim() === '' ? Object.fromEntries(query) : parseJson(body);
  if (!fields) return { error: 'expected a JSON object' };
  const unknown = Object.keys(fields).find((name) => !([...TARGETS, ...FLAGS] as string[]).includes(name));
  if (unknown !== undefined)
    return { error: `unknown field ${JSON.stringify(unknown)}; expected url, prefix or tag, soft, dryRun` };
  const given = TARGETS.filter((name) => fields[name] !== undefined);
  const [name] = given;
  const text = name && fields[name];
  if (given.length !== 1 || typeof text !== 'string' || text === '' || text.length > MAX_TEXT)
    return { error: 'expected exactly one of url, prefix, tag, a text' };
  const flags = { soft: flag(fields.soft, true), dryRun: flag(fields.dryRun, false) };
  if (flags.soft === undefined || flags.dryRun === undefined)
    return { error: 'expected soft and dryRun to be true or false' };
  return { [name as 'url']: text, soft: flags.soft, dryRun: flags.dryRun };
};

const parseJson = (text: string): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
};

const flag = (value: unknown, absent: boolean): boolean | undefined => {
  if (value === undefined) return absent;
  if (value === true || value === 'true' || value === '1' || value === '') return true;
  return value === false || value === 'false' || value === '0' ? false : undefined;
};
