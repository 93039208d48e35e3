import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import t from 'tap';
import { watchConfig } from '../../config/watch.ts';

/** Makes the change, again where it came before the first look at the file, until it was noticed. */
const noticed = async (file: string, change: (time: number) => void): Promise<number> => {
  let calls = 0;
  const unwatch = watchConfig(file, () => calls++);
  for (let time = 0; calls === 0 && time < 10; time++) {
    change(time);
    for (let waited = 0; calls === 0 && waited < 10; waited++) await later(100);
  }
  unwatch();
  return calls;
};

t.test('a changed configuration is noticed, however it is replaced', async (t) => {
  const folder = t.testdir({ 'a.yaml': 'first', 'b.yaml': 'first', one: { 'c.yaml': 'first' } });
  const path = (name: string) => join(folder, name);
  symlinkSync('one', path('data'));
  symlinkSync('data/c.yaml', path('c.yaml'));
  const all = await Promise.all([
    noticed(path('a.yaml'), (time) => writeFileSync(path('a.yaml'), `in place ${time}`)),
    noticed(path('b.yaml'), (time) => {
      writeFileSync(path('b.new'), `beside ${time}`);
      renameSync(path('b.new'), path('b.yaml'));
    }),
    // as Kubernetes does it: the link to the folder is swapped, the file's own name stays what it was
    noticed(path('c.yaml'), (time) => {
      mkdirSync(path(`next${time}`));
      writeFileSync(path(`next${time}/c.yaml`), `swapped ${time}`);
      symlinkSync(`next${time}`, path('data.new'));
      renameSync(path('data.new'), path('data'));
    }),
  ]);
  t.same(all, [1, 1, 1]);
});
