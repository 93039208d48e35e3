import fc from 'fast-check';
import CachePolicy from 'http-cache-semantics';
import t from 'tap';
import { initialAgeSeconds } from '../../../proxy/policy/lifetime.ts';
import { requestFacts, responseFacts } from '../../../proxy/policy/parse-facts.ts';
import { decide } from '../../../proxy/policy/reuse.ts';
import { storable } from '../../../proxy/policy/storable.ts';
import { variantMatches, varyOf } from '../../../proxy/policy/vary.ts';
import { cases } from './generated-cases.ts';
import { type Case, explained, GAPS } from './known-gaps.ts';
import { NOON, pairs, rule } from './made.ts';

/*
 * Another reading of the same RFCs, http-cache-semantics, is asked the same question: may what this response left behind answer that
 * request, so many seconds later, without asking the origin? Where the two differ, one of the known gaps must explain it.
 */

const RFC = rule();

const ours = ({ status, first, response, second, delaySeconds }: Case): boolean => {
  const asked = requestFacts('GET', pairs(first), RFC);
  const facts = responseFacts(status, pairs(response));
  if (!storable(asked, facts, RFC).store) return false;
  const later = requestFacts('GET', pairs(second), RFC);
  if (!variantMatches(varyOf(facts, asked.field, RFC), later)) return false;
  const entry = { facts, storedAtMs: NOON, initialAgeSeconds: initialAgeSeconds(facts, NOON, NOON) };
  const { kind } = decide(later, entry, RFC, NOON + delaySeconds * 1000);
  return kind === 'hit' || kind === 'grace';
};

class Clocked extends CachePolicy {
  static ms = NOON;
  override now() {
    return Clocked.ms;
  }
}

const theirs = ({ status, first, response, second, delaySeconds }: Case): boolean => {
  Clocked.ms = NOON;
  const policy = new Clocked(
    { method: 'GET', url: '/', headers: first },
    { status, headers: response },
    { shared: true },
  );
  if (!policy.storable()) return false;
  Clocked.ms = NOON + delaySeconds * 1000;
  return policy.evaluateRequest({ method: 'GET', url: '/', headers: second }).response !== undefined;
};

const BASE: Case = { status: 200, first: {}, response: {}, second: {}, delaySeconds: 0.5 };

t.test('every known gap is one still', async (t) => {
  for (const gap of GAPS) {
    const example = { ...BASE, ...gap.example };
    t.not(ours(example), theirs(example), gap.name);
    t.ok(gap.applies(example) && explained(example, ours(example), theirs(example)), 'and is told by its own test');
  }
});

t.test('elsewhere both agree', async (t) => {
  let total = 0;
  const decisive = { yes: 0, no: 0 };
  fc.assert(
    fc.property(cases, (c) => {
      const [we, they] = [ours(c), theirs(c)];
      total++;
      // Had we answered otherwise, no gap would have excused it
      if (we === they && !explained(c, !we, they)) decisive[we ? 'yes' : 'no']++;
      return explained(c, we, they);
    }),
    { numRuns: 10_000, interruptAfterTimeLimit: 4000 },
  );
  t.comment(`${total} cases; in ${decisive.yes} reuse and in ${decisive.no} no reuse is the only answer that passes`);
  t.ok(total > 2000, 'enough were tried');
  t.ok(decisive.yes > total / 30 && decisive.no > total / 10, 'the gaps do not swallow the question');
});
