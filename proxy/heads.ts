import type { HeadParts } from './front.ts';
import { type Asked, askedOf, joined, type Place, placeOf, type RequestHead } from './request-head.ts';
import type { Rule, Rules } from './rules.ts';

/** Targets whose meaning is kept, the one longest there goes first. */
const PLACES = 16_384;
/** Longer ones are worked out each time, so that the map stays below about 20 MB. */
const TARGET_LENGTH = 512;

/**
 * Heads under one set of rules and one scheme. Many clients ask for one target and one client sends the same header lines
 * with every target, so both halves of a head are kept and most heads are put together from what is there (bench/hit.ts).
 */
export const openHeads = (rules: Rules): ((parts: HeadParts) => RequestHead) => {
  const places = new Map<string, Place>(); // bounded by PLACES
  // By the array itself: a road hands in the same one for the same bytes, and it goes when the road forgets it.
  const asked = new WeakMap<readonly string[], Kept[]>();

  const placeFor = ({ scheme, authority, target }: HeadParts): Place => {
    if (target.length > TARGET_LENGTH) return placeOf(scheme, authority, target, rules);
    const name = `${authority} ${target}`;
    const known = places.get(name);
    if (known) return known;
    const place = placeOf(scheme, authority, target, rules);
    if (places.size >= PLACES) places.delete(places.keys().next().value!);
    places.set(name, place);
    return place;
  };

  const askedFor = ({ method, rawHeaders }: HeadParts, rule: Rule): Asked => {
    const list = asked.get(rawHeaders);
    if (list) for (const kept of list) if (kept.rule === rule && kept.method === method) return kept.asked;
    const made = askedOf(method, rawHeaders, rule);
    const kept: Kept = { method, rule, asked: made };
    if (list)
      list.push(kept); // bounded by methods of the fast road times rules
    else asked.set(rawHeaders, [kept]);
    return made;
  };

  return (parts) => {
    const place = placeFor(parts);
    return joined(parts, place, askedFor(parts, place.rule));
  };
};

interface Kept {
  readonly method: string;
  readonly rule: Rule;
  readonly asked: Asked;
}
