import { linesOf, members, type RawHeaders } from './lines.ts';

/** Two front doors of one name may stand behind each other; a request that has been here so often goes round in circles. */
const MOST_TIMES = 3;

/**
 * Via of a request on its way to the origin (RFC 9110 7.6.3). Where the rule lists the fields that travel and this is not
 * among them, only our own name stays of what was before, to know a loop by: the rest is a client's text that no key holds.
 */
export const viaTo = (
  head: {
    readonly rawHeaders: RawHeaders;
    readonly httpVersion: string;
    readonly rule: { readonly requestHeaders: ReadonlySet<string> | 'all' };
  },
  name: string,
): string => {
  const { requestHeaders } = head.rule;
  const before = linesOf(head.rawHeaders, 'via');
  const travels = requestHeaders === 'all' || requestHeaders.has('via');
  const kept = travels
    ? before
    : members(before).filter((member) => /^\d\.\d \S+$/.test(member) && member.slice(4) === name);
  return [...kept, `${head.httpVersion.slice('HTTP/'.length)} ${name}`].join(', ');
};

/** Whether a request comes from ourselves, by way of an origin that is this proxy. */
export const isLoop = (rawHeaders: RawHeaders, name: string): boolean => {
  let passed = 0;
  // Hardly ever is our name among them, and then nothing is taken apart
  for (const line of linesOf(rawHeaders, 'via'))
    if (line.includes(name)) for (const member of members([line])) if (member.split(/[ \t]+/)[1] === name) passed++;
  return passed >= MOST_TIMES;
};
