import { parseDuration } from '../../config/units.ts';
import type { Case, Step } from './case-file.ts';
import { connectTo, type WireClient } from './client.ts';
import { expand, mismatches, parsePattern, requestMismatches } from './expect.ts';
import { type Message, statusOf } from './message.ts';
import type { ProxyUnderTest } from './proxies.ts';
import type { ScriptedOrigin } from './scripted-origin.ts';

const EVENTUALLY_MS = 2000;

/** Plays one case; the result is what went otherwise than it says, empty when nothing did. */
export const play = async (one: Case, proxy: ProxyUnderTest, origin: ScriptedOrigin): Promise<string[]> => {
  const host = `${one.id}.example`;
  const fill = (text: string) =>
    text
      .replace(/\{now([+-]\d+)?\}/g, (_, delta?: string) =>
        new Date(proxy.clock.now() + Number(delta ?? 0) * 1000).toUTCString(),
      )
      .replaceAll('{host}', host);
  origin.begin(one.origin, host, fill);
  const stage: Stage = { proxy, origin, fill, host, clients: new Map(), started: new Map() };
  const problems: string[] = [];
  for (const [i, step] of one.steps.entries()) {
    const found = await perform(step, stage).catch((error: Error) => [error.message]);
    if (found.length > 0) {
      problems.push(...found.map((text) => `step ${i + 1}: ${text}`));
      break;
    }
  }
  if (origin.unexpected.length > 0)
    problems.push(`the origin was asked once more than the script knows: ${origin.unexpected[0]!.line}`);
  for (const client of stage.clients.values()) client.leave();
  return problems;
};

interface Stage {
  readonly proxy: ProxyUnderTest;
  readonly origin: ScriptedOrigin;
  readonly fill: (text: string) => string;
  readonly host: string;
  readonly clients: Map<string, WireClient>;
  readonly started: Map<string, { client: WireClient; answer: Promise<string[]> }>;
}

const perform = async (step: Step, stage: Stage): Promise<string[]> => {
  const { proxy, origin } = stage;
  if (step.advance !== undefined) proxy.clock.advance(parseDuration(step.advance)!);
  if (step.release !== undefined) origin.release(step.release);
  if (step.leave !== undefined) stage.started.get(step.leave)!.client.leave();
  if (step.arrived !== undefined)
    await within(
      origin.arrived(step.arrived),
      `the origin has not seen ${step.arrived} requests, but ${origin.seen.length}`,
    );
  if (step.purge) {
    const tag = step.purge.tag === undefined ? undefined : stage.fill(step.purge.tag);
    const count = await proxy.purge({ ...step.purge, tag }, stage.host);
    if (count !== step.purge.count) return [`purged ${count}, not ${step.purge.count}`];
  }
  const problems = [
    ...(await exchanges(step, stage)),
    ...(step.await === undefined ? [] : await stage.started.get(step.await)!.answer),
  ];
  if (step.fetches !== undefined && origin.seen.length !== step.fetches)
    problems.push(`the origin has seen ${origin.seen.length} requests, not ${step.fetches}`);
  if (step.saw !== undefined) problems.push(...checkSeen(step.saw, stage));
  return problems;
};

const within = (event: Promise<void>, complaint: string) => {
  let timer: NodeJS.Timeout;
  const late = new Promise<void>((_, reject) => {
    timer = setTimeout(() => reject(new Error(complaint)), 3000);
  });
  return Promise.race([event, late]).finally(() => clearTimeout(timer));
};

const exchanges = async (step: Step, stage: Stage): Promise<string[]> => {
  if (step.send === undefined && step.raw === undefined) return [];
  const bytes =
    step.raw === undefined
      ? requestBytes(stage.fill(step.send!), stage.host)
      : Buffer.from(expand(stage.fill(step.raw)), 'latin1');
  const expected = step.expect === undefined ? [] : [step.expect].flat().map((text) => stage.fill(text));
  if (step.as !== undefined) {
    const runs = await Promise.all(Array.from({ length: step.clients }, () => begin(bytes, expected, step, stage)));
    const answer = Promise.all(runs.map((run) => run.answer)).then((all) => all.flat());
    // The rejection is looked at where the case awaits it.
    answer.catch(() => undefined);
    stage.started.set(step.as, { client: runs[0]!.client, answer });
    return [];
  }
  if (!step.eventually) {
    const all = await Promise.all(
      Array.from({ length: step.clients }, async () => (await begin(bytes, expected, step, stage)).answer),
    );
    return all.flat();
  }
  const deadline = Date.now() + EVENTUALLY_MS;
  for (;;) {
    const found = await (await begin(bytes, expected, step, stage)).answer;
    if (found.length === 0 || Date.now() > deadline) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

const begin = async (bytes: Buffer, expected: readonly string[], step: Step, stage: Stage) => {
  const known = step.on === undefined ? undefined : stage.clients.get(step.on);
  const client = known ?? (await connectTo(stage.proxy.port));
  if (step.on !== undefined) stage.clients.set(step.on, client);
  client.send(bytes);
  return { client, answer: compare(client, bytes, expected, step.on !== undefined) };
};

/** Expectations are messages in order, then perhaps `closed` (the server closes) or `open`. */
const compare = async (
  client: WireClient,
  sent: Buffer,
  expected: readonly string[],
  keep: boolean,
): Promise<string[]> => {
  const patterns = expected.map(parsePattern);
  const wanted = patterns.filter(({ first }) => first !== 'closed');
  const finals = wanted.filter(({ first }) => !/^1\d\d/.test(first)).length;
  const interims = wanted.length - finals;
  const methods = sent.toString('latin1').match(/^[A-Z-]+(?= \S+ HTTP\/)/gm) ?? [];
  const messages = (await client.read(finals, methods)).filter(
    (message) => interims > 0 || statusOf(message) >= 200 || message.broken,
  );
  const problems = wanted.flatMap((pattern, i) => compareOne(pattern, messages[i]));
  if (messages.length > wanted.length) problems.push(`another message: ${messages[wanted.length]!.line}`);
  if (patterns.some(({ first }) => first === 'closed')) await client.closed(2000);
  if (!keep) client.leave();
  return problems;
};

const compareOne = (pattern: ReturnType<typeof parsePattern>, message: Message | undefined): string[] =>
  message === undefined ? [`no answer, where ${pattern.first} was expected`] : mismatches(pattern, message);

/** `GET /x` and field lines to a whole request: HTTP/1.1, Host and Content-Length are added where they are missing. */
const requestBytes = (source: string, host: string): Buffer => {
  const [head = '', ...rest] = source.replace(/\n$/, '').split('\n\n');
  const [first = '', ...lines] = head.split('\n');
  const body = Buffer.from(expand(rest.join('\n\n')));
  const has = (name: string) => lines.some((line) => line.toLowerCase().startsWith(`${name}:`));
  const line = /HTTP\/\d/.test(first) ? first : `${first} HTTP/1.1`;
  if (!has('host') && !line.endsWith('HTTP/1.0')) lines.unshift(`Host: ${host}`);
  if (rest.length > 0 && !has('content-length') && !has('transfer-encoding'))
    lines.push(`Content-Length: ${body.length}`);
  return Buffer.concat([
    Buffer.from(`${[line, ...lines].map((row) => expand(row)).join('\r\n')}\r\n\r\n`, 'latin1'),
    body,
  ]);
};

const checkSeen = (saw: NonNullable<Step['saw']>, { origin, fill }: Stage): string[] => {
  const wanted = typeof saw === 'string' ? { [origin.seen.length]: saw } : saw;
  return Object.entries(wanted).flatMap(([number, text]) => {
    const request = origin.seen[Number(number) - 1];
    return request
      ? requestMismatches(parsePattern(fill(text)), request)
      : [`the origin has not seen request ${number}`];
  });
};
