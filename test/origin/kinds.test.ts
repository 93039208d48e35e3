import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { packageFile } from '../../config/package-root.ts';
import { countWords } from '../../origin/count-words.ts';
import { KINDS, type KindName, type KindOptions, kindOf } from '../../origin/kinds.ts';
import { licenseOf } from '../../origin/license.ts';
import { normalizeName } from '../../origin/pypi/name.ts';
import { type Project, parseProject } from '../../origin/pypi/project.ts';
import { compareVersions, highestVersion, isPrerelease, parseVersion } from '../../origin/pypi/version.ts';

const OPTIONS: KindOptions = { period: 'month', text: 'pypi', versionColors: 'semantic' };
const FIXTURES = packageFile('test/fixtures/pypi');
const documents = readdirSync(FIXTURES).map((file) => [
  file.replace('.json', ''),
  JSON.parse(readFileSync(join(FIXTURES, file), 'utf8')) as Record<string, unknown>,
]) as [string, Record<string, unknown>][];

const project = (fields: Partial<Project>): Project => ({
  name: 'x',
  version: '1.0',
  license: '',
  licenseExpression: '',
  classifiers: [],
  requiresPython: '',
  yanked: false,
  fileTypes: [],
  downloads: undefined,
  ...fields,
});
const badge = (kind: KindName, fields: Partial<Project>, options: Partial<KindOptions> = {}) => {
  const facts = project(fields);
  return KINDS[kind]
    .badge({ project: facts, downloads: facts.downloads, version: facts.version }, { ...OPTIONS, ...options })
    .join(' | ');
};

t.test('every kind over every real document is as reviewed', async (t) => {
  t.equal(documents.length, 64);
  const rows = documents.map(([name, document]) => {
    const facts = parseProject(document);
    const cells = (Object.keys(KINDS) as KindName[]).map((kind) => {
      const [message, color] = KINDS[kind].badge(
        { project: facts, downloads: facts.downloads, version: facts.version },
        OPTIONS,
      );
      return `${kind}: ${message} (${color})`;
    });
    return `${name}\n  ${cells.join('\n  ')}`;
  });
  t.matchSnapshot(rows.join('\n'), 'badges');
});

t.test('the documents keep the facts that made them worth having', async (t) => {
  const of = (name: string) => parseProject(documents.find(([other]) => other === name)![1]);
  t.equal(licenseOf(of('flask')), 'BSD-3-Clause', 'PEP 639 comes first');
  t.equal(licenseOf(of('numpy')), 'BSD', 'a whole text gives way to the classifier');
  t.equal(licenseOf(of('pyliblinear')), 'Apache-2.0', 'the heading of a text, where classifiers name none');
  t.equal(licenseOf(of('pymysql')), 'MIT', 'quotes are no part of a name');
  t.equal(licenseOf(of('rdflib')), 'BSD', 'an address is no name');
  t.equal(licenseOf(of('lxml')), 'BSD', 'UNKNOWN says nothing');
  t.equal(licenseOf(of('deptry')), 'MIT', 'null breaks nothing');
  t.equal(licenseOf(of('todo-placeholder')), undefined);
  t.same(of('cage').fileTypes, [], 'a release without files');
  t.equal(of('pylint').fileTypes, undefined, 'a document that tells nothing of files');
});

t.test('licences', async (t) => {
  const cases: [Partial<Project>, string | undefined][] = [
    [
      { licenseExpression: 'MIT AND (Apache-2.0 OR BSD-2-Clause)', license: 'other' },
      'MIT AND (Apache-2.0 OR BSD-2-Clause)',
    ],
    [
      { license: ' GPLv3 ', classifiers: ['License :: OSI Approved :: GNU General Public License v3 (GPLv3)'] },
      'GPLv3',
    ],
    [{ license: '"MIT"' }, 'MIT'],
    [{ license: 'unknown' }, undefined],
    [{ license: 'hac.__license__' }, undefined],
    [{ license: 'https://example.org/LICENSE', classifiers: ['License :: OSI Approved'] }, undefined],
    [{ classifiers: ['License :: OSI Approved'] }, undefined],
    [
      {
        classifiers: [
          'License :: OSI Approved :: MIT License',
          'License :: OSI Approved :: Apache Software License',
          'License :: OSI Approved :: MIT License',
        ],
      },
      'MIT, Apache-2.0',
    ],
    [{ classifiers: ['License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)'] }, 'LGPLv3'],
    [{ classifiers: ['License :: Public Domain'] }, 'Public Domain'],
    [{ license: 'The MIT License (MIT)\r\n\r\nCopyright…' }, 'MIT'],
    [{ license: '                 Apache License\n           Version 2.0, January 2004' }, 'Apache-2.0'],
    [
      {
        license: 'BSD 3-Clause License\n\nCopyright (c) 2020, somebody whose name is not short at all, and more words',
      },
      'BSD-3-Clause',
    ],
    [{ license: 'Copyright 2014 Somebody\n\nPermission is hereby granted' }, 'custom'],
    [{ license: 'Copyright 2014\nSomebody\nThe MIT License\nmore' }, 'MIT'],
    [{ license: 'Copyright 2014\nSomebody\nAnd others\nThe MIT License' }, 'custom'],
    [{ license: '-' }, undefined],
    [{ license: '---', classifiers: ['License :: Public Domain'] }, 'Public Domain'],
    [{ license: '\u6728\u862d' }, '\u6728\u862d'],
    [{ license: 'x'.repeat(65) }, 'custom'],
    [{ license: 'x'.repeat(64) }, 'x'.repeat(64)],
  ];
  for (const [fields, expected] of cases) t.equal(licenseOf(project(fields)), expected, JSON.stringify(fields));
});

t.test('Python versions are ordered as numbers, and never invented', async (t) => {
  const python = (...versions: string[]) => ({
    classifiers: versions.map((version) => `Programming Language :: Python :: ${version}`),
  });
  t.equal(badge('py_versions', python('3.10', '2.7', '3.9', '3.9', '3')), '2.7, 3.9, 3.10 | blue');
  t.equal(badge('py_versions', python('3.8.0', '3.8')), '3.8, 3.8.0 | blue');
  t.equal(badge('py_versions', python('2', '3')), '2, 3 | blue', 'bare ones count where no minor is named');
  t.equal(badge('py_versions', python('2', '3', '3.4')), '2, 3.4 | blue');
  t.equal(badge('py_versions', python('3 :: Only')), '3 | blue');
  t.equal(badge('py_versions', python('3 :: Only', '3.8')), '3.8 | blue');
  t.equal(
    badge('py_versions', { requiresPython: '>=3.8' }),
    '>=3.8 | blue',
    'what requires_python says, where no classifier does',
  );
  t.equal(badge('py_versions', python('Implementation :: PyPy')), 'unknown | lightgrey');
  t.equal(
    badge('implementation', python('Implementation :: PyPy', 'Implementation :: CPython')),
    'pypy, cpython | blue',
  );
  t.equal(badge('implementation', {}), 'unknown | lightgrey');
  t.equal(badge('requires', { requiresPython: '>=2.7, !=3.0.*' }), '>=2.7, !=3.0.* | blue');
});

t.test('the furthest development status wins', async (t) => {
  const status = (...names: string[]) =>
    badge('status', { classifiers: names.map((name) => `Development Status :: ${name}`) });
  t.equal(status('3 - Alpha', '5 - Production/Stable'), 'stable | brightgreen');
  t.equal(status('1 - Planning'), 'planning | red');
  t.equal(status('4 - Beta'), 'beta | yellow');
  t.equal(status('6 - Mature'), 'mature | brightgreen');
  t.equal(status('7 - Inactive'), 'inactive | red');
  t.equal(status('9 - Constructor'), 'unknown | lightgrey');
  t.equal(status(), 'unknown | lightgrey');
});

t.test('files of a release', async (t) => {
  const files = (...fileTypes: string[]) =>
    (['wheel', 'egg', 'format'] as const).map((kind) => badge(kind, { fileTypes }));
  t.same(files('sdist', 'bdist_wheel'), ['yes | brightgreen', 'no | brightgreen', 'wheel | brightgreen']);
  t.same(files('bdist_egg', 'sdist'), ['no | red', 'yes | red', 'egg | red']);
  t.same(files('sdist'), ['no | red', 'no | brightgreen', 'source | yellow']);
  t.same(files('bdist_wininst'), ['no | red', 'no | brightgreen', 'source | yellow']);
  t.same(files(), ['no | red', 'no | brightgreen', 'none | lightgrey'], 'a release without files is no crash');
  for (const kind of ['wheel', 'egg', 'format'] as const) {
    t.equal(badge(kind, { fileTypes: undefined }), 'unknown | lightgrey');
  }
});

t.test('versions are coloured by what PEP 440 makes of them', async (t) => {
  const colors = (version: string) => badge('version', { version });
  t.equal(colors('2.32.4'), '2.32.4 | blue');
  t.equal(colors('0.9'), '0.9 | orange');
  t.equal(colors('1!0.9'), '1!0.9 | blue', 'a new epoch begins behind every 1.0');
  t.equal(colors('1.0rc1'), '1.0rc1 | orange');
  t.equal(colors('1.0.dev3'), '1.0.dev3 | orange');
  t.equal(colors('1.0.post1'), '1.0.post1 | blue');
  t.equal(colors('2.5.2-dev-r45'), '2.5.2-dev-r45 | lightgrey');
  t.equal(badge('version', { version: '0.1' }, { versionColors: 'legacy' }), '0.1 | brightgreen');
  t.equal(KINDS.version.label({ ...OPTIONS, text: 'version' }), 'version');
});

t.test('versions are ordered by PEP 440', async (t) => {
  // PEP 440, "Summary of permitted suffixes and relative ordering", and packaging's own list
  const ordered = (
    '1.dev0 1.0.dev456 1.0a1 1.0a2.dev456 1.0a12.dev456 1.0a12 1.0b1.dev456 1.0b2 1.0b2.post345.dev456 1.0b2.post345 ' +
    '1.0rc1.dev456 1.0rc1 1.0 1.0+abc.5 1.0+abc.7 1.0+5 1.0.post0 1.0.post456.dev34 1.0.post456 1.0.15 1.1.dev1 1.9 1.10 1!0.1'
  ).split(' ');
  const parsed = ordered.map((text) => ({ text, version: parseVersion(text)! }));
  for (const [i, left] of parsed.entries()) {
    for (const [j, right] of parsed.entries()) {
      const order = Math.sign(compareVersions(left.version, right.version));
      t.equal(order, Math.sign(i - j), `${left.text} and ${right.text}`);
    }
  }
  for (const [one, other] of [
    ['1.0', '1'],
    ['v1.0-beta.2', '1.0b2'],
    ['1.0-1', '1.0.post1'],
    ['1.0rev2', '1.0.post2'],
    ['1.0c1', '1rc1'],
    ['1.0-dev', '1.0.dev0'],
  ] as const) {
    t.equal(compareVersions(parseVersion(one)!, parseVersion(other)!), 0, `${one} is ${other}`);
  }
  for (const text of ['', 'one', '1.0-x', '2.5.2-dev-r45', '1..0', '1.0+', `1${'.0'.repeat(200)}`])
    t.equal(parseVersion(text), undefined, text);
  t.equal(highestVersion(['1.9', '1.10', 'nonsense', '1.10rc1']), '1.10');
  t.equal(highestVersion(['nonsense']), undefined);
  t.equal(isPrerelease(parseVersion('1.0.post1.dev2')!), true);
});

t.test('counts in words carry into the next unit', async (t) => {
  const cases: [number, string][] = [
    [0, '0'], [999, '999'], [1000, '1k'], [1049, '1k'], [1050, '1.1k'], [1500, '1.5k'], [9949, '9.9k'], [9950, '10k'], [9999, '10k'], [10_500, '11k'], [999_499, '999k'], [999_500, '1M'],
    [999_950, '1M'], [1e6, '1M'], [999_950_000, '1G'], [1e12, '1T'], [1e15, '1P'], [1e27, '1000Y'],
  ]; // biome-ignore format: pairs
  for (const [count, words] of cases) t.equal(countWords(count), words, String(count));
  t.equal(
    badge('download', { downloads: { day: 5, week: 1500, month: 2e6 } }, { period: 'week' }),
    '1.5k/week | brightgreen',
  );
  t.equal(badge('download', {}), 'no data | lightgrey');
});

t.test('names meet in one spelling, and what is no name stops here', async (t) => {
  for (const name of ['Flask', 'FLASK', 'flask']) t.equal(normalizeName(name), 'flask');
  for (const name of ['a_b', 'a.b', 'a-b', 'A-._b']) t.equal(normalizeName(name), 'a-b');
  for (const name of ['', '-a', 'a-', '.', '..', '../x', 'a/b', 'a b', 'a\n', 'ä', 'a%2fb', 'x'.repeat(129)])
    t.equal(normalizeName(name), undefined, JSON.stringify(name));
});

t.test('kinds are found by name and alias, not by what objects inherit', async (t) => {
  t.equal(kindOf('v'), 'version');
  t.equal(kindOf('d'), 'download');
  for (const text of ['constructor', '__proto__', 'toString', 'Version', '']) t.equal(kindOf(text), undefined, text);
  t.same(
    Object.entries(KINDS)
      .filter(([, kind]) => !kind.generic)
      .map(([name]) => name),
    ['version', 'download'],
  );
});

t.test('a project needs a name of its version and nothing else', async (t) => {
  t.same(
    parseProject({ info: { version: '1', license: null, classifiers: null, requires_python: 3 } }),
    project({ name: '', version: '1', fileTypes: undefined }),
  );
  for (const document of [{}, { info: null }, { info: [] }, { info: {} }, { info: { version: 3 } }]) {
    t.throws(() => parseProject(document), { code: 'bad-answer' }, JSON.stringify(document));
  }
});
