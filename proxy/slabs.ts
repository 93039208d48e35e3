/**
 * Cuts small buffers out of larger ones: each buffer of its own is three more objects that a hit has to find in memory and
 * the collector has to look after. A slab goes when its last piece has gone, so pieces that go in the order in which they came
 * hold no more than one slab too much.
 */
export const openSlabs = (slabBytes: number) => {
  let slab = Buffer.alloc(0);
  let used = 0;
  return (length: number): Buffer => {
    if (length > slabBytes / 16) return Buffer.allocUnsafeSlow(length);
    if (used + length > slab.length) {
      slab = Buffer.allocUnsafeSlow(slabBytes);
      used = 0;
    }
    const piece = slab.subarray(used, used + length);
    used += length;
    return piece;
  };
};
