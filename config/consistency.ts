import type { Problem } from './problem.ts';
import type { Config } from './schema.ts';

/** What no single key can tell: keys that contradict or need each other. */
export const inconsistencies = (config: Config): Problem[] => [
  ...listenerProblems(config),
  ...adminProblems(config),
  ...ruleProblems(config),
];

const problem = (path: Problem['path'], value: unknown, expected: string): Problem => ({
  path,
  value,
  expected,
  unknownKey: false,
});

const listenerProblems = ({ proxy, origin }: Config): Problem[] => {
  const found: Problem[] = [];
  const seen = new Set<string>(proxy.admin === 'off' ? [] : [proxy.admin]);
  for (const [i, { address }] of proxy.listen.entries()) {
    const path = ['proxy', 'listen', i];
    // Port 0 is a different port each time.
    if (seen.has(address) && !address.endsWith(':0'))
      found.push(problem(path, address, 'expected an address no other listener has'));
    seen.add(address);
  }
  const addresses: [Problem['path'], string][] = [
    ...proxy.listen.map(({ address }, i): [Problem['path'], string] => [['proxy', 'listen', i], address]),
    [['proxy', 'admin'], proxy.admin],
    [['origin', 'listen'], origin.listen],
  ];
  for (const [path, address] of addresses) {
    const port = /:(\d+)$/.exec(address);
    if (!address.startsWith('unix:') && port && Number(port[1]) > 65_535)
      found.push(problem(path, address, 'expected a port up to 65535'));
  }
  return found;
};

/** Loopback and unix sockets are reached by users of the machine only. */
export const isLocalAddress = (address: string): boolean =>
  address.startsWith('unix:') || /^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d+$/.test(address);

const adminProblems = ({ proxy: { admin, adminToken } }: Config): Problem[] => {
  if (admin === 'off' || adminToken !== undefined || isLocalAddress(admin)) return [];
  return [
    problem(['proxy', 'admin'], admin, 'expected a loopback address or unix socket, or a proxy.adminToken beside it'),
  ];
};

const ruleProblems = ({ rules }: Config): Problem[] => {
  const found: Problem[] = [];
  const names = new Set<string>();
  for (const [i, rule] of rules.entries()) {
    const named = [...rule.match.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const params = new Set(named);
    if (params.size < named.length)
      found.push(problem(['rules', i, 'match'], rule.match, 'expected every {name} once'));
    const used: [Problem['path'], string][] = rule.tags.map((tag, j) => [['rules', i, 'tags', j], tag]);
    if (rule.name !== undefined) used.push([['rules', i, 'name'], rule.name]);
    for (const [path, text] of used)
      for (const [, name] of text.matchAll(/\{(\w+)\}/g))
        if (!params.has(name)) found.push(problem(path, text, `expected only names that match has, not {${name}}`));
    if (rule.name !== undefined && names.has(rule.name))
      found.push(problem(['rules', i, 'name'], rule.name, 'expected a name no other rule has'));
    if (rule.name !== undefined) names.add(rule.name);
  }
  return found;
};
