import t from 'tap';
import { startProxy } from '../proxy/main.ts';
import { readCases } from './conformance/case-file.ts';
import { casesFolder, playAll } from './conformance/run.ts';
import { storm } from './conformance/storm.ts';

t.test('the wire-level cases hold', async (t) => {
  const cases = readCases(casesFolder);
  t.ok(cases.length >= 150, `${cases.length} cases`);
  await playAll(cases, startProxy, ({ case: one, problems }) => {
    t.same(problems, [], `${one.id}: ${one.title}`);
  });
});

t.test('no answer in a storm is one that no cache may give', async (t) => {
  const { answers, violations } = await storm(startProxy, { seed: 5, seconds: 1.5, keys: 5 });
  t.same(violations, []);
  t.ok((answers['200'] ?? 0) > 20, `${answers['200']} answers with 200`);
});
