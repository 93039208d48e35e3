import { fieldOf, type Message, statusOf } from './message.ts';

/** One side of a comparison as the cases write it: a first line, field lines, an empty line and a body. */
export interface Pattern {
  readonly first: string;
  readonly fields: readonly FieldPattern[];
  /** undefined: any body. */
  readonly body: string | undefined;
}
type FieldPattern = { readonly name: string; readonly test: (value: string | undefined) => string | undefined };

/** `Name: value` is equal, `Name ~ regex` matches, `Name !~ regex` does not, `!Name` is absent; a body follows an empty line, `~ regex` there too. */
export const parsePattern = (source: string): Pattern => {
  const [head = '', ...rest] = source.replace(/\n$/, '').split('\n\n');
  const [first = '', ...lines] = head.split('\n');
  return {
    first,
    fields: lines.filter(Boolean).map(fieldPattern),
    body: rest.length > 0 ? rest.join('\n\n') : undefined,
  };
};

const fieldPattern = (line: string): FieldPattern => {
  if (line.startsWith('!')) {
    const name = line.slice(1).trim();
    return { name, test: (value) => (value === undefined ? undefined : `${name} is there: ${value}`) };
  }
  const [, name = line, operator = ':', wanted = ''] = /^([^\s:~]+?)\s*(:|!?~)\s?(.*)$/.exec(line) ?? [];
  if (operator === '!~') {
    const regex = new RegExp(wanted);
    return { name, test: (value) => (value !== undefined && regex.test(value) ? `${name} is ${value}` : undefined) };
  }
  if (operator === '~') {
    const regex = new RegExp(wanted);
    return {
      name,
      test: (value) =>
        value !== undefined && regex.test(value) ? undefined : `${name} is ${value}, not like ${wanted}`,
    };
  }
  return { name, test: (value) => (value === wanted ? undefined : `${name} is ${value}, not ${wanted}`) };
};

const checkFields = (pattern: Pattern, message: Message): string[] =>
  pattern.fields.flatMap(({ name, test }) => test(fieldOf(message, name)) ?? []);

/** What in `message`, a response, contradicts the pattern; empty when nothing does. */
export const mismatches = (pattern: Pattern, message: Message): string[] => {
  const [status = '', ...flags] = pattern.first.split(' ');
  const found = checkFields(pattern, message);
  // An origin that breaks off: cut off where the head had been passed on, 502 where it had not.
  if (status === 'cut')
    return message.broken || /^50[24]$/.test(String(statusOf(message))) ? found : [...found, `a clean ${message.line}`];
  const actual = String(statusOf(message));
  if (!new RegExp(`^(${status.replaceAll('x', '.')})$`).test(actual)) found.unshift(`status ${actual}, not ${status}`);
  if (message.broken !== flags.includes('broken'))
    found.push(message.broken ? 'the message is cut off' : 'the message ends cleanly');
  return [...found, ...checkBody(pattern, message)];
};

/** As `mismatches`, for a request the origin has seen. */
export const requestMismatches = (pattern: Pattern, message: Message): string[] => {
  const found = checkFields(pattern, message);
  if (!message.line.startsWith(`${pattern.first} `))
    found.unshift(`the origin saw ${message.line}, not ${pattern.first}`);
  return [...found, ...checkBody(pattern, message)];
};

const checkBody = (pattern: Pattern, message: Message): string[] => {
  if (pattern.body === undefined) return [];
  const body = message.body.toString('latin1');
  if (pattern.body.startsWith('~ '))
    return new RegExp(pattern.body.slice(2)).test(body) ? [] : [`body is ${brief(body)}`];
  const wanted = Buffer.from(expand(pattern.body)).toString('latin1');
  return body === wanted ? [] : [`body is ${brief(body)}, not ${brief(wanted)}`];
};

/** `{x*1000}` is a thousand x. */
export const expand = (text: string): string =>
  text.replace(/\{(.)\*(\d+)\}/g, (_, char: string, times: string) => char.repeat(Number(times)));

const brief = (text: string) => JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}… (${text.length})` : text);
