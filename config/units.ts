const DURATION_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const SIZE_BYTES: Record<string, number> = {
  B: 1, k: 1e3, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12,
  KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4,
}; // biome-ignore format: one row per family

/** `90s`, `10m`, `1h30m`, `3500ms`, `0` to milliseconds; undefined when it is none of these. */
export const parseDuration = (text: string): number | undefined => {
  if (text === '0') return 0;
  if (!/^(\d+(\.\d+)?(ms|[smhdw]))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g))
    total += Number(amount) * DURATION_MS[unit!]!;
  return Math.round(total);
};

/** `64MiB`, `1GB`, `512` to bytes; undefined when it is none of these. */
export const parseSize = (text: string): number | undefined => {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text);
  const factor = match && (match[2] === '' ? 1 : SIZE_BYTES[match[2]!]);
  return match && factor ? Math.round(Number(match[1]) * factor) : undefined;
};

/** Milliseconds as the shortest exact text that `parseDuration` reads back. */
export const formatDuration = (ms: number): string => {
  if (ms === 0) return '0s';
  for (const unit of ['d', 'h', 'm', 's'] as const)
    if (ms % DURATION_MS[unit]! === 0) return `${ms / DURATION_MS[unit]!}${unit}`;
  return `${ms}ms`;
};

/** Bytes as the shortest exact text that `parseSize` reads back. */
export const formatSize = (bytes: number): string => {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB'] as const)
    if (bytes > 0 && bytes % SIZE_BYTES[unit]! === 0) return `${bytes / SIZE_BYTES[unit]!}${unit}`;
  return String(bytes);
};
