import { type Command, InvalidArgumentError } from 'commander';
import { loadConfig } from '../config/load.ts';
import { type Explanation, explain, headForUrl, type Remaining } from '../proxy/policy/explain.ts';
import type { FieldEffect } from '../proxy/policy/field-effects.ts';
import type { Lifetime } from '../proxy/policy/lifetime.ts';
import type { Decision } from '../proxy/policy/reuse.ts';
import { compileRules } from '../proxy/rules.ts';
import { askAdmin } from './admin-client.ts';
import { type CliIo, processIo } from './log-io.ts';
import { orderly, WrongInput } from './orderly.ts';

interface ExplainOptions {
  config?: string;
  header: string[];
  request: string;
  responseHeader?: string[];
  status: number;
  stored?: boolean;
  json?: boolean;
}

/** `lacquer explain URL`: a dry run of the policy; neither origin nor cache is touched. */
export const addExplainCommand = (program: Command, io: CliIo = processIo()): void => {
  program
    .command('explain')
    .description('dry run: key, rule, what each header does, the decision and its reason')
    .argument('<url>', 'URL, or a path with -H "Host: name"')
    .option('-H, --header <line>', 'a request header, "Name: value"; may be repeated', collect, [])
    .option('-X, --request <method>', 'method', methodName, 'GET')
    .option('--response-header <line>', 'what the origin would answer; may be repeated', collect)
    .option('--status <code>', 'with which status', statusCode, 200)
    .option('--stored', 'also what the running cache holds for it, by its admin listener')
    .option('-c, --config <file>', 'configuration (YAML); default: the badge profile')
    .option('--json', 'print one JSON document')
    .action(orderly(io, (url: string, options: ExplainOptions) => run(url, options, io)));
};

const collect = (value: string, before: string[] = []) => [...before, value];

const methodName = (text: string): string => {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text)) throw new InvalidArgumentError('expected a method such as GET');
  return text;
};

const statusCode = (text: string): number => {
  if (!/^[1-5]\d\d$/.test(text)) throw new InvalidArgumentError('expected a status from 100 to 599');
  return Number(text);
};

const run = async (url: string, options: ExplainOptions, io: CliIo): Promise<void> => {
  const { config } = loadConfig(options.config, process.env);
  const headers = options.header.flatMap(pairOf);
  const response = options.responseHeader && {
    status: options.status,
    headers: options.responseHeader.flatMap(pairOf),
  };
  const head = headFor(url, options, headers, config);
  const explanation = explain(head, io.nowMs(), { response });
  const stored = options.stored ? await askStored(config, url, options) : undefined;
  const whole: Explanation = stored === undefined ? explanation : { ...explanation, stored };
  io.out(options.json ? `${JSON.stringify(whole)}\n` : `${asText(whole, options.stored === true)}\n`);
};

const headFor = (
  url: string,
  { request }: ExplainOptions,
  headers: string[],
  config: Parameters<typeof compileRules>[0],
) => {
  try {
    return headForUrl(url, request, headers, compileRules(config));
  } catch (error) {
    if (error instanceof RangeError) throw new WrongInput(`explain: ${error.message}`);
    throw error;
  }
};

const askStored = async (config: Parameters<typeof askAdmin>[0], url: string, options: ExplainOptions) => {
  const query = new URLSearchParams({ url });
  for (const line of options.header) query.append('header', line);
  return ((await askAdmin(config, 'GET', `/explain?${query}`)) as Explanation).stored;
};

const pairOf = (line: string): [string, string] => {
  const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
  if (!match) throw new WrongInput(`explain: expected "Name: value", not ${JSON.stringify(line)}`);
  return [match[1]!, match[2]!];
};

const asText = (it: Explanation, askedStored: boolean): string => {
  const settings = Object.entries(it.rule.settings).map(([name, value]) => `${name}=${value}`);
  const params = Object.entries(it.rule.params).map(([name, value]) => `${name}=${value}`);
  const lines = [
    `${it.request.method} ${it.request.url}`,
    `key       ${it.key.id}`,
    ...it.key.steps.map((step) => `          ${step}`),
    `rule      ${it.rule.name} (number ${it.rule.index + 1})${params.length > 0 ? `, ${params.join(', ')}` : ''}`,
    `          ${settings.join(' ')}`,
    ...fields('request', it.request.fields),
    `decision  with nothing stored: ${decisionText(it.decision)}`,
  ];
  if (it.response) {
    lines.push(
      `response  status ${it.response.status}: ${it.response.store ? 'stored' : `not stored, ${it.response.reason}`}`,
      ...fields('fields', it.response.fields),
      ...lifetimeText(it.response.lifetime, it.response.remaining),
    );
    if (it.response.clientControl !== undefined)
      lines.push(`          sent downstream: Cache-Control: ${it.response.clientControl}`);
  }
  if (it.stored) {
    const forms = it.stored.forms.map(({ coding, bytes }) => `${coding} ${bytes} B`);
    lines.push(
      `stored    status ${it.stored.status}, since ${it.stored.storedAt}, ${forms.join(', ')}${it.stored.purged ? ', softly purged' : ''}`,
      `          decision: ${decisionText(it.stored.decision)}`,
      ...lifetimeText(it.stored.lifetime, it.stored.remaining),
    );
  } else if (askedStored) lines.push('stored    nothing');
  return lines.join('\n');
};

const fields = (title: string, all: readonly FieldEffect[]): string[] =>
  all.map(
    ({ name, value, effect }, i) => `${(i === 0 ? title : '').padEnd(10)}${name}: ${value}\n            ${effect}`,
  );

const decisionText = (decision: Decision): string => {
  const words: Record<Decision['kind'], string> = {
    hit: 'answered from the store',
    grace: 'answered stale, one fetch in the background',
    revalidate: 'asked about at the origin',
    miss: 'fetched from the origin',
    bypass: 'goes past the cache',
    unsatisfied: '504, only-if-cached',
  };
  return 'why' in decision
    ? `${words[decision.kind]} (${decision.kind}, ${decision.why})`
    : `${words[decision.kind]} (${decision.kind})`;
};

const lifetimeText = (life: Lifetime, left: Remaining): string[] => [
  `lifetime  ttl ${life.ttlSeconds} s (${life.source}), grace ${life.graceSeconds} s, keep ${life.keepSeconds} s, stale-if-error ${life.staleIfErrorSeconds} s`,
  `          now ${left.phase}, age ${left.ageSeconds} s; left: ttl ${left.ttlSeconds} s, grace ${left.graceSeconds} s, keep ${left.keepSeconds} s, stale-if-error ${left.staleIfErrorSeconds} s`,
];
