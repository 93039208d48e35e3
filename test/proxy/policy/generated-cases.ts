import fc from 'fast-check';
import type { Case, Headers } from './known-gaps.ts';
import { date } from './made.ts';

const oneOf = <T>(...values: T[]) => fc.constantFrom(...values);
/** Mostly what is plain, now and then what only one of the two reads right. */
const rarely = <T>(plain: fc.Arbitrary<T>, odd: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 12, arbitrary: plain }, { weight: 1, arbitrary: odd });

const secondsText = rarely(
  oneOf('0', '1', '5', '60', '3600', '007'),
  oneOf('60x', '1.5', '-5', '', '"60"', "'60'", 'a', '99999999999'),
);
const flag = rarely(
  oneOf('public', 'no-transform', 'foo', 'foo=bar', 'public', 'private', 'no-store', 'no-cache'),
  oneOf(
    'must-revalidate',
    'proxy-revalidate',
    'immutable',
    'must-understand',
    'no-cache="x"',
    'private="x, y"',
    'No-Store',
    'x="a, max-age=600"',
    'Max-Age=60',
  ),
);
const numbered = fc
  .tuple(oneOf('max-age', 'max-age', 's-maxage', 'stale-while-revalidate'), secondsText)
  .map(([name, value]) => `${name}=${value}`);
const responseControl = fc
  .tuple(fc.array(numbered, { maxLength: 2 }), fc.array(flag, { maxLength: 1 }))
  .map(([numbers, flags]) => [...numbers, ...flags].join(', '));
const requestControl = fc
  .array(
    oneOf(
      'max-age=0',
      'max-age=3',
      'max-age=500',
      'min-fresh=2',
      'min-fresh=100',
      'max-stale',
      'max-stale=4',
      'no-cache',
      'no-store',
      'only-if-cached',
      'No-Cache',
      'max-age=x',
    ),
    { minLength: 1, maxLength: 2 },
  )
  .map((list) => list.join(', '));

/** `percent` of a hundred cases have the field. */
const maybe = (arbitrary: fc.Arbitrary<string>, percent: number): fc.Arbitrary<string | undefined> =>
  fc.oneof({ weight: percent, arbitrary }, { weight: 100 - percent, arbitrary: fc.constant(undefined) });
const headers = (shape: Record<string, fc.Arbitrary<string | undefined>>): fc.Arbitrary<Headers> =>
  fc
    .record(shape)
    .map((all) =>
      Object.fromEntries(Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined)),
    );

export const cases: fc.Arbitrary<Case> = fc.record({
  status: rarely(oneOf(200, 200, 203, 204, 301, 302, 307, 404, 410, 501), oneOf(201, 299, 400, 500, 503, 599)),
  first: headers({ foo: maybe(oneOf('1', '2'), 66), authorization: maybe(oneOf('x'), 6), 'cache-control': maybe(oneOf('no-store', 'max-age=0'), 6) }),
  response: headers({
    'cache-control': maybe(responseControl.filter((text) => text !== ''), 88),
    expires: maybe(rarely(oneOf(date(60), date(5), date(0), date(-60)), oneOf('0', 'soon', '2030-01-01')), 30),
    date: maybe(rarely(oneOf(date(0), date(20)), oneOf(date(-4), date(-100))), 66),
    age: maybe(rarely(oneOf('0', '4', '59', '7200'), oneOf('abc', '-1', '7200.0', '0, 7200', '2147483648')), 30),
    'last-modified': maybe(oneOf(date(-100), date(-40_000), date(-90 * 86400)), 35),
    etag: maybe(oneOf('"a"', 'W/"a"'), 50),
    vary: maybe(oneOf('foo', 'Foo, Bar', '*', 'foo, *'), 12),
    'set-cookie': maybe(oneOf('a=b'), 4),
    pragma: maybe(oneOf('no-cache'), 4),
    'cdn-cache-control': maybe(oneOf('max-age=60', 'no-store', 'max-age="x"'), 3),
  }),
  second: headers({
    foo: maybe(oneOf('1', '2'), 66),
    authorization: maybe(oneOf('x'), 4),
    'cache-control': maybe(requestControl, 30),
    pragma: maybe(oneOf('no-cache', 'foo'), 4),
  }),
  // Halves, so that no case lies exactly on a limit where "up to" and "less than" part
  delaySeconds: oneOf(0, 0.5, 3.5, 30.5, 100.5, 3000.5),
}); // biome-ignore format: a table
