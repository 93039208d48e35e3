import { date, NOON } from './made.ts';

// Where http-cache-semantics ("there", "they") decides otherwise than this cache, each with the clause or the reason.

export type Headers = Record<string, string>;
export interface Case {
  readonly status: number;
  readonly first: Headers;
  readonly response: Headers;
  readonly second: Headers;
  readonly delaySeconds: number;
}

const of = (headers: Headers, name: string) => headers[name] ?? '';
const directive = (headers: Headers, name: string) =>
  new RegExp(`(^|,)\\s*${name}(\\s*[=,]|\\s*$)`).test(of(headers, 'cache-control'));
const dateOf = (value: string) => Date.parse(value);

/** `reuses`: which of the two says yes. */
interface Gap {
  readonly name: string;
  readonly reuses: 'we' | 'they' | 'either';
  readonly applies: (c: Case) => boolean;
  readonly example: Partial<Case>;
}

const cc = (value: string): Headers => ({ 'cache-control': value });
export const GAPS: readonly Gap[] = [
  {
    name: 'directive names are case-insensitive (RFC 9111 5.2); there they are not',
    reuses: 'either',
    applies: (c) => /[A-Z]/.test(of(c.response, 'cache-control').replace(/"[^"]*"/g, '')),
    example: { response: cc('Max-Age=60') },
  },
  {
    name: 'of duplicates the first, or stale; there the last',
    reuses: 'either',
    applies: (c) => /(?:^|, )([a-z-]+)=.*, \1=/.test(of(c.response, 'cache-control')),
    example: { response: cc('max-age=1, max-age=600'), delaySeconds: 5.5 },
  },
  {
    name: 'a number of seconds is digits only; there anything parseInt takes, or none at all',
    reuses: 'either',
    applies: (c) => /(max-age|s-maxage|stale-while-revalidate)=(?!"?\d+"?\s*(,|$))/.test(of(c.response, 'cache-control')),
    example: { response: cc('max-age=60x') },
  },
  {
    name: 'commas and equal signs inside quotes belong to the string; there they split',
    reuses: 'either',
    applies: (c) => /="[^"]*[,=]/.test(of(c.response, 'cache-control')),
    example: { response: cc('max-age=1, x="a, max-age=600"'), delaySeconds: 5.5 },
  },
  {
    name: 'Date counts for the age (RFC 9111 4.2.3); there it is ignored',
    reuses: 'they',
    applies: (c) => dateOf(of(c.response, 'date')) < NOON,
    example: { response: { ...cc('max-age=60'), date: date(-100) } },
  },
  {
    name: 'must-understand overrides no-store, and needs a status that is known; there it means nothing',
    reuses: 'either',
    applies: (c) => directive(c.response, 'must-understand'),
    example: { response: cc('no-store, must-understand, max-age=60') },
  },
  {
    name: 'no-cache and private with field names are about these fields; there about all',
    reuses: 'we',
    applies: (c) => /(no-cache|private)="/.test(of(c.response, 'cache-control')),
    example: { response: cc('max-age=60, private="x"') },
  },
  {
    name: 'explicit freshness makes any final status storable; there only some',
    reuses: 'we',
    applies: (c) => [201, 299, 400, 418, 429, 500, 503, 599].includes(c.status),
    example: { status: 503, response: cc('max-age=60') },
  },
  {
    name: 'must-revalidate and proxy-revalidate are about staleness (RFC 9111 5.2.2.2); there nothing fresh is reused either',
    reuses: 'we',
    applies: (c) => directive(c.response, 'must-revalidate') || directive(c.response, 'proxy-revalidate'),
    example: { response: cc('max-age=60, must-revalidate') },
  },
  {
    name: 'immutable gives no lifetime (RFC 8246); there at least a day',
    reuses: 'they',
    applies: (c) => directive(c.response, 'immutable'),
    example: { response: cc('immutable') },
  },
  {
    name: 'immutable spares a reload its question',
    reuses: 'we',
    applies: (c) => directive(c.response, 'immutable') && directive(c.second, 'max-age'),
    example: { response: cc('max-age=60, immutable'), second: cc('max-age=0'), delaySeconds: 1.5 },
  },
  {
    name: 'Set-Cookie needs a rule; there `public` or `immutable` is enough',
    reuses: 'they',
    applies: (c) => 'set-cookie' in c.response,
    example: { response: { ...cc('public, max-age=60'), 'set-cookie': 'a=b' } },
  },
  {
    name: 'Vary compares normalised values; there raw ones',
    reuses: 'we',
    applies: (c) => 'vary' in c.response,
    example: { response: { ...cc('max-age=60'), vary: 'accept-encoding' }, first: { 'accept-encoding': 'gzip, br' }, second: { 'accept-encoding': 'br,gzip' } },
  },
  {
    name: 'CDN-Cache-Control replaces Cache-Control and Expires; there it is unknown',
    reuses: 'either',
    applies: (c) => 'cdn-cache-control' in c.response,
    example: { response: { ...cc('no-store'), 'cdn-cache-control': 'max-age=60' } },
  },
  {
    name: 'an Age that is no number is ignored; there parseInt reads its beginning, and a negative one makes younger',
    reuses: 'either',
    applies: (c) => /^-|^\d+[^\d,]/.test(of(c.response, 'age')),
    example: { response: { ...cc('max-age=60'), age: '7200.0' } },
  },
  {
    name: 'an Age past 2^31 is stale whatever the lifetime; there it is a number like others',
    reuses: 'they',
    applies: (c) => Number(of(c.response, 'age')) >= 2 ** 31,
    example: { response: { ...cc('max-age=99999999999'), age: '2147483648' } },
  },
  {
    name: 'Pragma means nothing in a response (RFC 9111 5.4); there no-cache',
    reuses: 'we',
    applies: (c) => 'pragma' in c.response,
    example: { response: { expires: date(60), date: date(0), pragma: 'no-cache' } },
  },
  {
    name: 'Pragma of a request counts only without Cache-Control; there always',
    reuses: 'we',
    applies: (c) => 'pragma' in c.second && 'cache-control' in c.second,
    example: { response: cc('max-age=60'), second: { ...cc('max-age=90'), pragma: 'no-cache' } },
  },
  {
    name: 'directives of a request are read as those of a response are: case, numbers, several',
    reuses: 'either',
    applies: (c) => /[A-Z]|=(?!\d+\s*(,|$))|(max-age|min-fresh|max-stale).*, \2/.test(of(c.second, 'cache-control')) || /[A-Z]/.test(of(c.first, 'cache-control')),
    example: { response: cc('max-age=60'), second: cc('No-Cache') },
  },
  {
    name: 'max-age=0 of a request asks again however young the response; there age 0 passes',
    reuses: 'they',
    applies: (c) => c.delaySeconds === 0 && /max-age=0/.test(of(c.second, 'cache-control')),
    example: { response: cc('max-age=60'), second: cc('max-age=0'), delaySeconds: 0 },
  },
  {
    name: 'a request with no-store goes to the origin; there it is served from the cache',
    reuses: 'they',
    applies: (c) => directive(c.second, 'no-store'),
    example: { response: cc('max-age=60'), second: cc('no-store') },
  },
  {
    name: 'a request with Authorization gets a shared response only where the response allows it; there always',
    reuses: 'they',
    applies: (c) => 'authorization' in c.second,
    example: { response: cc('max-age=60'), second: { authorization: 'x' } },
  },
  {
    name: 'no-cache and s-maxage forbid stale answers (RFC 9111 4.2.4); there max-stale and stale-while-revalidate win',
    reuses: 'they',
    applies: (c) => ['no-cache', 's-maxage', 'proxy-revalidate'].some((name) => directive(c.response, name)),
    example: { response: cc('s-maxage=1, stale-while-revalidate=60'), delaySeconds: 5.5 },
  },
  {
    name: 'a request with max-age or min-fresh and no max-stale wants nothing stale; there stale-while-revalidate wins',
    reuses: 'they',
    applies: (c) => /max-age|min-fresh/.test(of(c.second, 'cache-control')) && directive(c.response, 'stale-while-revalidate'),
    example: { response: cc('max-age=1, stale-while-revalidate=60'), second: cc('max-age=90'), delaySeconds: 5.5 },
  },
  {
    name: 'what has no lifetime at all is not stored; there max-stale and stale-while-revalidate find it',
    reuses: 'they',
    applies: (c) =>
      (directive(c.second, 'max-stale') || directive(c.response, 'stale-while-revalidate')) &&
      !('expires' in c.response || directive(c.response, 'max-age') || directive(c.response, 's-maxage')),
    example: { response: {}, second: cc('max-stale=100') },
  },
  {
    name: 'what is stale from the start and has no validator is not stored, and keep ends everything; there max-stale finds it',
    reuses: 'they',
    applies: (c) => directive(c.second, 'max-stale') && (!('etag' in c.response || 'last-modified' in c.response) || Number(of(c.response, 'age')) > 3600),
    example: { response: cc('max-age=0'), second: cc('max-stale=100') },
  },
  {
    name: 'max-stale is "no more than" (RFC 9111 5.2.1.2); there less than',
    reuses: 'we',
    applies: (c) => c.delaySeconds === 0 && /max-stale=\d/.test(of(c.second, 'cache-control')),
    example: { response: { ...cc('max-age=10'), age: '14' }, second: cc('max-stale=4'), delaySeconds: 0 },
  },
  {
    name: 'dates are HTTP-dates; there whatever Date.parse takes',
    reuses: 'either',
    applies: (c) => /^\d{4}-|^\d+$/.test(of(c.response, 'expires')) || /^\d{4}-/.test(of(c.response, 'date')),
    example: { response: { expires: '2030-01-01', date: date(0) } },
  },
  {
    name: 'a guess is never longer than a week; there it has no bound',
    reuses: 'they',
    applies: (c) => NOON - dateOf(of(c.response, 'last-modified')) > 70 * 86400_000,
    example: { response: { 'last-modified': date(-3650 * 86400), date: date(0) }, delaySeconds: 8 * 86400 },
  },
]; // biome-ignore format: a table

export const explained = (c: Case, we: boolean, they: boolean) =>
  we === they || GAPS.some((gap) => gap.applies(c) && (gap.reuses === 'either' || gap.reuses === (we ? 'we' : 'they')));
