/** The one row that every batch replaces; its version guards the batch against other writers. */
export interface State {
  /** Number of the last purge. */
  purgeSeq: number;
  /** Purges up to this one are forgotten: a fill begun before it cannot be judged and is not stored. */
  purgeFloor: number;
  /** Number of the last row of `changes`; counts on with several workers only. */
  changeSeq: number;
  /** Bytes on disk below `bodies`, in whole blocks. */
  bodyBytes: number;
  /** The same for shields. */
  shieldBytes: number;
  /** Objects that show a shield, and the bytes they would hold by themselves. */
  shieldUris: number;
  shownBytes: number;
}

export const EMPTY_STATE: State = {
  purgeSeq: 0,
  purgeFloor: 0,
  changeSeq: 0,
  bodyBytes: 0,
  shieldBytes: 0,
  shieldUris: 0,
  shownBytes: 0,
};
const FIELDS = ['purgeSeq', 'purgeFloor', 'changeSeq', 'bodyBytes', 'shieldBytes', 'shieldUris', 'shownBytes'] as const;

export const encodeState = (state: State): Buffer => {
  const bytes = Buffer.allocUnsafe(FIELDS.length * 8);
  for (const [i, field] of FIELDS.entries()) bytes.writeDoubleLE(state[field], i * 8);
  return bytes;
};

/** Fields added later are nothing in an older row. */
export const decodeState = (bytes: Buffer): State => {
  if (bytes.length % 8 !== 0 || bytes.length < 5 * 8) throw new RangeError('state row of another length');
  const state = { ...EMPTY_STATE };
  for (const [i, field] of FIELDS.entries()) if (i * 8 < bytes.length) state[field] = bytes.readDoubleLE(i * 8);
  return state;
};
