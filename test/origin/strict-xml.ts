/**
 * A strict check that a text is one well-formed XML element (XML 1.0, fifth edition, without DTD and processing
 * instructions). Throws with the place of the first fault. Returns the names of elements and attributes seen.
 */
export const parseStrictly = (text: string): { elements: string[]; attributes: string[] } => {
  const CHAR = /^(?:[\t\n\r\u0020-\ud7ff\ue000-\ufffd]|[\ud800-\udbff][\udc00-\udfff])*$/;
  if (!CHAR.test(text)) throw new Error('a character that XML does not know');
  const elements: string[] = [];
  const attributes: string[] = [];
  const open: string[] = [];
  let at = 0;
  const fail = (what: string): never => {
    throw new Error(`${what} at ${at}: ${text.slice(Math.max(0, at - 20), at + 40)}`);
  };
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at = pattern.lastIndex;
    return match ?? undefined;
  };
  const checkReferences = (part: string) => {
    for (const [reference] of part.matchAll(/&[^;]*;?/g)) {
      if (!/^&(amp|lt|gt|quot|apos|#[0-9]+|#x[0-9a-fA-F]+);$/.test(reference)) fail(`reference ${reference}`);
    }
  };
  while (at < text.length) {
    if (take(/<\/([A-Za-z_][\w.:-]*)\s*>/y)) {
      const name = /<\/([\w.:-]+)\s*>$/.exec(text.slice(0, at))![1];
      if (open.pop() !== name) fail(`end of ${name}`);
      continue;
    }
    const start = take(/<([A-Za-z_][\w.:-]*)/y);
    if (start) {
      if (open.length === 0 && elements.length > 0) fail('a second root');
      elements.push(start[1]!);
      const own = new Set<string>();
      for (;;) {
        const attribute = take(/\s+([A-Za-z_][\w.:-]*)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y);
        if (!attribute) break;
        if (own.has(attribute[1]!)) fail(`attribute ${attribute[1]} twice`);
        own.add(attribute[1]!);
        attributes.push(attribute[1]!);
        checkReferences(attribute[2] ?? attribute[3]!);
      }
      const end = take(/\s*(\/?)>/y) ?? fail('a tag that does not end');
      if (end[1] === '') open.push(start[1]!);
      continue;
    }
    const data = take(/[^<]+/y) ?? fail('markup that is none');
    if (data[0].includes(']]>')) fail(']]> in text');
    if (open.length === 0 && data[0].trim() !== '') fail('text outside');
    checkReferences(data[0]);
  }
  if (open.length > 0 || elements.length === 0) fail('not closed');
  return { elements, attributes };
};
