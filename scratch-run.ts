import { readCases } from './test/conformance/case-file.ts';
import { casesFolder, playAll } from './test/conformance/run.ts';
import { startProxy } from './scratch-main.ts';
const only = process.argv[2] ?? '';
const cases = readCases(casesFolder).filter((c) => c.id === only || c.id.startsWith(only));
let ok = 0; const by = new Map<string, [number, number]>();
await playAll(cases, startProxy as any, ({ case: c, problems }) => { const b = by.get(c.file) ?? [0, 0]; b[1]++; if (!problems.length) { ok++; b[0]++; } by.set(c.file, b); if (problems.length) console.log(`${c.id}: ${c.title}\n    ${problems.join('\n    ')}`); });
console.log(ok, cases.length, [...by].map(([f, [a, b]]) => `${f} ${a}/${b}`).join(', '));
process.exit(0);
