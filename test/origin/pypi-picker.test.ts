import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { packageFile } from '../../config/package-root.ts';
import { MemberPicker } from '../../origin/pypi/pick.ts';

const picked = (text: string | Buffer, members: string[], pieces: number[] = []) => {
  const picker = new MemberPicker(members);
  const bytes = Buffer.from(text);
  let at = 0;
  for (const size of pieces) {
    picker.take(bytes.subarray(at, at + size));
    at += size;
  }
  picker.take(bytes.subarray(at));
  return picker.end();
};

t.test('the picker reads what JSON.parse reads, however the bytes are cut', async (t) => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.oneof(fc.constantFrom('info', 'urls', 'releases', 'a"b\\'), fc.string()),
        fc.jsonValue({ maxDepth: 4 }),
      ),
      fc.array(fc.nat(20), { maxLength: 50 }),
      fc.boolean(),
      (value, pieces, pretty) => {
        const json = JSON.stringify(value, null, pretty ? 2 : undefined);
        const parsed = JSON.parse(json) as Record<string, unknown>;
        const wanted = ['info', 'urls', 'a"b\\'];
        const expected = Object.fromEntries(
          wanted.filter((name) => Object.hasOwn(parsed, name)).map((name) => [name, parsed[name]]),
        );
        const found = picked(json, wanted, pieces);
        return (
          JSON.stringify(
            Object.fromEntries(wanted.filter((name) => Object.hasOwn(found, name)).map((name) => [name, found[name]])),
          ) === JSON.stringify(expected)
        );
      },
    ),
    { numRuns: 500 },
  );
  const dir = packageFile('test/fixtures/pypi');
  for (const file of readdirSync(dir)) {
    const text = readFileSync(join(dir, file), 'utf8');
    const whole = JSON.parse(text) as Record<string, unknown>;
    const found = picked(text, ['info', 'urls'], Array(40).fill(97));
    t.same([found.info, found.urls], [whole.info, whole.urls], file);
  }
});

t.test('the picker takes no document that breaks off or is none', async (t) => {
  const whole = '{"info": {"version": "1", "x": "}\\""}, "releases": [[{"a": "]"}]], "urls": []}';
  t.match(picked(whole, ['info', 'urls']), { info: { version: '1' }, urls: [] });
  for (let end = 0; end < whole.length; end++)
    t.throws(() => picked(whole.slice(0, end), ['info', 'urls']), { code: 'bad-answer' });
  for (const bad of [
    '[]',
    'null',
    '<html>',
    '{"info": {}} x',
    '{"a": [}]',
    '{"a": 1}}',
    '{"info": tru}',
    '{"info"}',
    '{"info": 1 2}',
    '{"a" 1}',
    `{"a": ${'['.repeat(300)}`,
    '\u0000',
    '{"info": {}}{',
  ]) {
    t.throws(() => picked(bad, ['info', 'urls']), { code: 'bad-answer' }, bad.slice(0, 30));
  }
  t.throws(() => picked(`{"info": "${'x'.repeat(9_000_000)}"}`, ['info']), { code: 'too-large' });
  t.match(
    picked(`{"releases": "${'x'.repeat(9_000_000)}", "info": 1}`, ['info']),
    { info: 1 },
    'what is not wanted is not held',
  );
});
