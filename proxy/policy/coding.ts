import { members, trimOws } from './lines.ts';

export type StoredCoding = 'br' | 'gzip' | 'identity';

/** Taken in this order where the client likes them equally. */
const PREFERRED: readonly StoredCoding[] = ['br', 'gzip', 'identity'];
const IDENTITY_ONLY: readonly StoredCoding[] = Object.freeze(['identity' as const]);

/**
 * Codings of stored forms that a client takes, best first (RFC 9110 12.5.3). Without the field only identity, since whoever does
 * not ask may not know how to decode. Empty: the client forbids all of them.
 */
export const acceptedCodings = (lines: readonly string[]): readonly StoredCoding[] => {
  if (lines.length === 0) return IDENTITY_ONLY;
  const weights = new Map<string, number>();
  for (const member of members(lines)) {
    const [name = '', ...parameters] = member.split(';').map((part) => trimOws(part).toLowerCase());
    const coding = name === 'x-gzip' ? 'gzip' : name;
    if (!weights.has(coding)) weights.set(coding, weightOf(parameters));
  }
  const any = weights.get('*');
  // Identity is acceptable unless forbidden by name or by `*;q=0`; unnamed, it comes after every coding that is.
  const weight = (coding: StoredCoding) =>
    weights.get(coding) ?? (coding === 'identity' ? (any === 0 ? 0 : MENTIONED_BY_NOBODY) : (any ?? 0));
  return PREFERRED.filter((coding) => weight(coding) > 0).sort((a, b) => weight(b) - weight(a));
};

/** Below every weight that can be written. */
const MENTIONED_BY_NOBODY = 0.0001;

const weightOf = (parameters: readonly string[]): number => {
  const quality = parameters.find((parameter) => parameter.startsWith('q='));
  if (quality === undefined) return 1;
  // A weight that is none is taken for a refusal: the body must not come in a coding the client may not have meant.
  return /^q=(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)$/.test(quality) ? Number(quality.slice(2)) : 0;
};
