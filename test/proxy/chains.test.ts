import t from 'tap';
import { Chains, type Link } from '../../proxy/chains.ts';

interface Thing extends Link<Thing> {
  readonly name: string;
}
const thing = (name: string, number: number): Thing => ({ name, number, next: undefined });
const chain = (chains: Chains<Thing>, number: number): string => {
  let names = '';
  for (let at = chains.latest(number); at !== undefined; at = at.next) names += at.name;
  return names;
};

t.test('things of one chain are found, the latest first, whichever of them goes', async (t) => {
  for (const [leaving, left] of [['a', 'cb'], ['b', 'ca'], ['c', 'ba']] as const) {
    const chains = new Chains<Thing>(8);
    const things = [thing('a', 3), thing('b', 11), thing('c', 3)];
    for (const one of things) chains.add(one);
    chains.add(thing('x', 4));
    t.equal(chain(chains, 3), 'cba');
    const gone = things.find(({ name }) => name === leaving)!;
    chains.remove(gone);
    t.equal(chain(chains, 11), left);
    t.equal(gone.next, undefined, 'it holds nothing any more');
    t.equal(chains.size, 3);
    chains.remove(gone);
    chains.remove(thing('never there', 3));
    t.equal(chains.size, 3);
    t.equal(chain(chains, 3), left);
    chains.add(gone);
    t.equal(chain(chains, 3), leaving + left);
    t.same(chains.all().map(({ name }) => name).sort(), ['a', 'b', 'c', 'x']);
  }
}); // biome-ignore format: rows
