import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import type { ConfigInput } from '../../config/schema.ts';

/** What the origin does when a request arrives: a text in the notation of README.md, or that text and how it is sent. */
const answer = z.union([
  z.string(),
  z.strictObject({
    answer: z.string().optional(),
    /** Exact bytes in place of `answer`. */
    raw: z.string().optional(),
    /** Sent only when a step releases this gate; `hold body` gates hold what follows the head. */
    hold: z.string().optional(),
    holdBody: z.string().optional(),
    /** What becomes of the connection afterwards. */
    after: z.enum(['keep', 'close', 'reset']).default('keep'),
    times: z.number().int().default(1),
  }),
]);

const expectation = z.union([z.string(), z.array(z.string())]);

const step = z.strictObject({
  note: z.string().optional(),
  send: z.string().optional(),
  /** Exact request bytes. */
  raw: z.string().optional(),
  expect: expectation.optional(),
  /** How many clients send it at once; all of them are to see `expect`. */
  clients: z.coerce.number().int().default(1),
  /** Does not wait for the answer; `await` of a later step does. */
  as: z.string().optional(),
  await: z.string().optional(),
  /** Sent on a connection that stays open under this name. */
  on: z.string().optional(),
  /** Closes the client connection of an `as`. */
  leave: z.string().optional(),
  /** Waits until the origin has seen this many requests of the case. */
  arrived: z.number().int().optional(),
  release: z.string().optional(),
  /** Moves the proxy's clock. */
  advance: z.string().optional(),
  /** Repeats `send` until it sees `expect` (2 s at most): the effect of work in the background. */
  eventually: z.boolean().default(false),
  /** Requests the origin has seen since the case began. */
  fetches: z.coerce.number().int().optional(),
  /** The last request the origin has seen, or the one of that number. */
  saw: z.union([z.string(), z.record(z.string(), z.string())]).optional(),
  purge: z
    .strictObject({
      tag: z.string().optional(),
      prefix: z.string().optional(),
      soft: z.boolean().default(false),
      count: z.number().int(),
    })
    .optional(),
});

const caseSchema = z.strictObject({
  title: z.string(),
  clause: z.string(),
  note: z.string().optional(),
  config: z.custom<ConfigInput>().optional(),
  origin: z.array(answer).default([]),
  steps: z.array(step).min(1),
});

const fileSchema = z.strictObject({
  about: z.string(),
  config: z.custom<ConfigInput>().optional(),
  cases: z.array(caseSchema),
});

/** A case with a table `each` is played once per row, with `<name>` replaced by the row's value. */
const rowsOf = (one: unknown): unknown[] => {
  const { each, ...rest } = z.looseObject({ each: z.array(z.record(z.string(), z.unknown())).optional() }).parse(one);
  if (!each) return [rest];
  const source = JSON.stringify(rest);
  return each.map((row) =>
    JSON.parse(
      source.replace(/<(\w+)>/g, (whole, name: string) =>
        name in row ? JSON.stringify(String(row[name])).slice(1, -1) : whole,
      ),
    ),
  );
};

export type Answer = z.output<typeof answer>;
export type Step = z.output<typeof step>;
export interface Case extends Omit<z.output<typeof caseSchema>, 'config'> {
  /** file/number, stable as long as cases are appended. */
  readonly id: string;
  readonly file: string;
  readonly config: ConfigInput;
}

/** All cases of a folder, in the order of files and of cases in them. Throws on the first that is not well-formed. */
export const readCases = (folder: string): Case[] => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml')).sort(); // biome-ignore format: one chain
  return files.flatMap((name) => {
    const file = basename(name, '.yaml');
    const source = z
      .looseObject({ cases: z.array(z.unknown()) })
      .parse(parse(readFileSync(join(folder, name), 'utf8')));
    const parsed = fileSchema.safeParse({ ...source, cases: source.cases.flatMap(rowsOf) });
    if (!parsed.success) throw new Error(`${name}: ${z.prettifyError(parsed.error)}`);
    const { cases, config: shared } = parsed.data;
    return cases.map((one, i) => ({ ...one, id: `${file}-${i + 1}`, file, config: one.config ?? shared ?? {} }));
  });
};
