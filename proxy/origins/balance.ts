/** FNV-1a with a final mix (murmur3's), so that names differing in one digit spread evenly. */
const hash = (text: string): number => {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
};

/**
 * Rendezvous hashing: the candidate with the highest score for `key`. When one leaves, only its keys move, and they
 * spread over all others. `names` is not empty.
 */
export const byHash = (key: string, names: readonly string[]): number => {
  let best = 0;
  let bestScore = -1;
  for (const [i, name] of names.entries()) {
    const score = hash(`${key} ${name}`);
    if (score > bestScore) [best, bestScore] = [i, score];
  }
  return best;
};
