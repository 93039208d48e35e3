import t from 'tap';
import { responseFacts } from '../../../proxy/policy/parse-facts.ts';
import { decide, decideAbsent, isFailure, mayShare, mayStandIn } from '../../../proxy/policy/reuse.ts';
import { entry, NOON, request, rule } from './made.ts';

/** decision word for a response with this Cache-Control, so many seconds old. */
const decided = (
  control: string,
  ageSeconds: number,
  headers: Record<string, string> = {},
  settings: object = {},
  extra: object = {},
): string => {
  const under = rule(settings);
  const decision = decide(
    request(headers, 'GET', under),
    entry({ 'Cache-Control': control }, extra),
    under,
    NOON + ageSeconds * 1000,
  );
  return 'why' in decision ? `${decision.kind} ${decision.why}` : decision.kind;
};
const asks = (control: string) => ({ 'Cache-Control': control });

t.test('by age alone', async (t) => {
  t.equal(decided('max-age=10', 0), 'hit');
  t.equal(decided('max-age=10', 9.999), 'hit');
  t.equal(decided('max-age=10', 10), 'revalidate expired');
  t.equal(decided('max-age=10', 3609), 'revalidate expired');
  t.equal(decided('max-age=10', 3610), 'miss expired');
  t.equal(decided('max-age=10, stale-while-revalidate=5', 14), 'grace');
  t.equal(decided('max-age=10', 14, {}, { grace: '5s' }), 'grace');
  t.equal(decided('max-age=10', 15, {}, { grace: '5s' }), 'revalidate expired');
  t.equal(decided('max-age=10, must-revalidate', 14, {}, { grace: '5s' }), 'revalidate must-revalidate');
  t.equal(decided('s-maxage=10', 14, {}, { grace: '5s' }), 'revalidate must-revalidate');
  t.equal(decided('no-cache, max-age=10', 0), 'revalidate no-cache');
  t.equal(decided('no-cache', 0, {}, { ttl: '1h' }), 'hit', "a rule's ttl is the lifetime here");
  t.equal(decided('no-cache="x", max-age=10', 0), 'hit');
  t.equal(decided('max-age=10', 14, {}, {}, { status: 404 }), 'revalidate negative-expired');
  t.equal(decided('max-age=10', 40, {}, { errorTtl: '30s' }, { status: 404 }), 'miss negative-expired');
  t.equal(decided('max-age=100', 50, {}, {}, { purgedAtMs: NOON + 40_000 }), 'revalidate purged');
  t.equal(decided('max-age=100', 50, {}, { grace: '20s' }, { purgedAtMs: NOON + 40_000 }), 'grace');
  t.equal(decided('max-age=100', 4000, {}, {}, { purgedAtMs: NOON + 40_000 }), 'miss purged');
});

t.test('directives of the request', async (t) => {
  t.equal(decided('max-age=100', 5, asks('no-cache')), 'revalidate request-no-cache');
  t.equal(decided('max-age=100', 5, { Pragma: 'no-cache' }), 'revalidate request-no-cache');
  t.equal(decided('max-age=100', 5, { Pragma: 'no-cache', 'Cache-Control': 'max-age=50' }), 'hit');
  t.equal(decided('max-age=100', 5, asks('no-store')), 'miss request-no-store');
  t.equal(decided('max-age=100', 5, asks('max-age=0')), 'revalidate request-max-age');
  t.equal(decided('max-age=100', 0, asks('max-age=0')), 'revalidate request-max-age');
  t.equal(decided('max-age=100', 5, asks('max-age=5')), 'hit');
  t.equal(decided('max-age=100', 5.1, asks('max-age=5')), 'revalidate request-max-age');
  t.equal(decided('max-age=100', 50, asks('min-fresh=50')), 'hit');
  t.equal(decided('max-age=100', 50, asks('min-fresh=51')), 'revalidate request-min-fresh');
  t.equal(decided('max-age=10', 14, asks('max-stale')), 'hit');
  t.equal(decided('max-age=10', 14, asks('max-stale=4')), 'hit');
  t.equal(decided('max-age=10', 14, asks('max-stale=3')), 'revalidate expired');
  t.equal(decided('max-age=10, must-revalidate', 14, asks('max-stale')), 'revalidate must-revalidate');
  t.equal(decided('s-maxage=10', 14, asks('max-stale')), 'revalidate must-revalidate');
  t.equal(
    decided('max-age=100', 50, asks('max-stale=9'), {}, { purgedAtMs: NOON + 45_000 }),
    'revalidate purged',
    'nobody may ask for what was purged',
  );
  t.equal(
    decided('max-age=10', 14, asks('max-age=60'), { grace: '9s' }),
    'revalidate expired',
    'max-age without max-stale wants nothing stale',
  );
  t.equal(
    decided('max-age=100, immutable', 5, asks('max-age=0')),
    'hit',
    'a reload does not ask again for what never changes',
  );
  t.equal(decided('max-age=100, immutable', 5, asks('no-cache')), 'revalidate request-no-cache');
  t.equal(decided('max-age=100, immutable', 101, asks('max-age=0')), 'revalidate request-max-age');
  for (const control of ['no-cache', 'no-store', 'max-age=0', 'min-fresh=1000', 'only-if-cached'])
    t.equal(
      decided('max-age=100', 5, asks(control), { clientControl: 'ignore' }),
      'hit',
      `ignored where the rule says so: ${control}`,
    );
});

t.test('only-if-cached is answered here or not at all', async (t) => {
  t.equal(decided('max-age=100', 5, asks('only-if-cached')), 'hit');
  t.equal(decided('max-age=100', 101, asks('only-if-cached')), 'unsatisfied');
  t.equal(decided('max-age=100', 101, asks('only-if-cached'), { grace: '9s' }), 'grace');
  t.equal(decided('max-age=100', 5, asks('only-if-cached, no-cache')), 'unsatisfied');
  t.equal(decided('max-age=100', 99999, asks('only-if-cached')), 'unsatisfied');
  t.equal(decideAbsent(request(asks('only-if-cached'))).kind, 'unsatisfied');
  t.same(decideAbsent(request()), { kind: 'miss', why: 'first-seen' });
  t.same(decideAbsent(request(asks('no-store'))), { kind: 'miss', why: 'request-no-store' });
});

t.test('Authorization and conditions of the origin', async (t) => {
  const authorized = { Authorization: 'Basic eA==' };
  t.equal(decided('max-age=10', 1, authorized), 'miss authorization');
  t.equal(decided('max-age=10', 1, authorized, { ttl: '1h' }), 'miss authorization', 'a rule does not change that');
  for (const control of ['public, max-age=10', 's-maxage=10', 'max-age=10, must-revalidate'])
    t.equal(decided(control, 1, authorized), 'hit', control);
  t.equal(decided('max-age=10', 1, { 'If-Match': '"a"' }), 'bypass precondition');
  t.equal(decided('max-age=10', 1, { 'If-Unmodified-Since': 'x' }), 'bypass precondition');
  t.equal(decideAbsent(request({ 'If-Match': '"a"' })).kind, 'bypass');
  t.equal(decided('max-age=10', 1, { Cookie: 'a=b' }), 'hit', 'a cookie alone stops nothing');
});

t.test('decisions are made once', async (t) => {
  const under = rule();
  const fresh = entry({ 'Cache-Control': 'max-age=10' });
  t.equal(decide(request(), fresh, under, NOON), decide(request(), fresh, under, NOON + 1));
  t.ok(Object.isFrozen(decide(request(), fresh, under, NOON)));
});

t.test('who may stand in for an error', async (t) => {
  const may = (
    control: string,
    age: number,
    settings: object = {},
    headers: Record<string, string> = {},
    unreachable = false,
    extra: object = {},
  ) =>
    mayStandIn(
      entry({ 'Cache-Control': control }, extra),
      rule(settings),
      NOON + age * 1000,
      request(headers),
      unreachable,
    );
  t.equal(may('max-age=10', 11), false, 'not unless somebody allowed it');
  t.equal(may('max-age=10, stale-if-error=60', 69), true);
  t.equal(may('max-age=10, stale-if-error=60', 70), false);
  t.equal(may('max-age=10, stale-while-revalidate=60', 69), true);
  t.equal(may('max-age=10', 19, { grace: '10s' }), true);
  t.equal(may('max-age=10', 21, { grace: '10s' }), false);
  t.equal(may('max-age=10', 29, { grace: '10s', staleIfError: '20s' }), true);
  t.equal(may('max-age=10', 11, {}, asks('stale-if-error=5')), true, 'the client may');
  t.equal(may('max-age=10', 16, {}, asks('stale-if-error=5')), false);
  t.equal(may('max-age=10, must-revalidate', 11, {}, asks('stale-if-error=5')), false);
  for (const forbidden of [
    'max-age=10, must-revalidate',
    'max-age=10, proxy-revalidate',
    'max-age=10, no-cache',
    's-maxage=10',
  ])
    t.equal(
      may(`${forbidden}, stale-if-error=60`, 11, { grace: '10s', staleIfError: '60s' }, {}, true),
      false,
      forbidden,
    );
  t.equal(may('max-age=10', 11, {}, {}, true), true, 'an origin that cannot be reached: as long as keep');
  t.equal(may('max-age=10', 3611, {}, {}, true), false);
  t.equal(may('max-age=10', 34, { grace: '10s', keep: '15s' }, {}, true), true);
  t.equal(may('max-age=10', 35, { grace: '10s', keep: '15s' }, {}, true), false, 'keep comes behind grace');
  t.equal(
    may('max-age=10, no-cache', 5, { staleIfError: '1h' }, {}, true),
    false,
    'fresh, but to be asked about each time',
  );
  t.equal(
    may('max-age=10, stale-if-error=5', 16, {}, {}, true),
    false,
    'but a stale-if-error that was named is kept to',
  );
  t.equal(may('max-age=10', 5, {}, asks('no-cache')), false, 'a client that demands validation gets the error');
  t.equal(may('max-age=10', 5, {}, asks('max-age=0')), true);
  t.equal(
    may('max-age=10', 40, { ttl: '9s', grace: '5m', errorTtl: '30s' }, {}, true, { status: 404 }),
    false,
    'an error stands in for nothing',
  );
});

t.test('failures and what may be shared', async (t) => {
  t.equal(isFailure(responseFacts(503, [])), true);
  t.equal(isFailure(responseFacts(404, [])), false, 'a 404 is news');
  t.equal(isFailure(responseFacts(200, ['Lacquer-Badge', 'error'])), true);
  t.equal(isFailure(responseFacts(200, ['Lacquer-Badge', 'stale'])), false);
  const shared = (control: string, settings: object = {}) =>
    mayShare(entry({ 'Cache-Control': control }), rule(settings), NOON);
  t.equal(shared('max-age=1'), true);
  t.equal(shared('max-age=0'), false);
  t.equal(shared('max-age=0, stale-while-revalidate=9'), true);
  t.equal(shared('no-cache, max-age=9'), false);
  t.equal(shared('no-cache', { ttl: '1h' }), true);
});
