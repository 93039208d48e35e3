import t from 'tap';
import { startProxy } from '../proxy/main.ts';
import { readCases } from './conformance/case-file.ts';
import { casesFolder, playAll } from './conformance/run.ts';

t.test('the wire-level cases hold', async (t) => {
  const cases = readCases(casesFolder);
  t.ok(cases.length >= 150, `${cases.length} cases`);
  await playAll(cases, startProxy, ({ case: one, problems }) => {
    t.same(problems, [], `${one.id}: ${one.title}`);
  });
});
