/** Numbers and tables for people. Pure; widths count UTF-16 units, which is right for what is shown here. */

export const count = (n: number): string => Math.round(n).toLocaleString('en-US');
/** `1 line`, `2 lines`; `many` where it is not the word with an s. */
export const counted = (n: number, word: string, many = `${word}s`): string => `${count(n)} ${n === 1 ? word : many}`;
export const percent = (share: number, digits = 2): string => `${(share * 100).toFixed(digits)} %`;

export const bytesText = (n: number): string => {
  if (n < 1000) return `${Math.round(n)} B`;
  const units = ['kB', 'MB', 'GB', 'TB', 'PB'];
  let value = n;
  let unit = -1;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0)} ${units[unit]}`;
};

/** Microseconds as 214 µs, 3.1 ms, 1.24 s. */
export const microsText = (us: number): string => {
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 1e6) return `${(us / 1000).toFixed(us < 1e4 ? 2 : us < 1e5 ? 1 : 0)} ms`;
  return us < 6e7 ? `${(us / 1e6).toFixed(2)} s` : secondsText(us / 1e6);
};

/** Seconds as 45s, 12.5m, 3h, 2.1d. */
export const secondsText = (seconds: number): string => {
  const short = (value: number) => String(Number(value.toFixed(1)));
  if (seconds > 0 && seconds % 86_400 === 0 && seconds > 86_400) return `${seconds / 86_400}d`;
  if (seconds > 0 && seconds % 3600 === 0 && seconds < 172_800) return `${seconds / 3600}h`;
  if (seconds === 0) return '0s';
  if (seconds < 1) return `${Math.round(seconds * 1000)}ms`;
  if (seconds < 120) return `${short(seconds)}s`;
  if (seconds < 7200) return `${short(seconds / 60)}m`;
  if (seconds < 172_800) return `${short(seconds / 3600)}h`;
  return `${short(seconds / 86_400)}d`;
};

export const momentText = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

const BARS = '▁▂▃▄▅▆▇█';
/** One character a value, scaled to `max` (default: the largest). */
export const sparkline = (values: readonly number[], max = Math.max(0, ...values)): string =>
  values.map((value) => (max <= 0 ? BARS[0] : BARS[Math.max(0, Math.min(7, Math.round((value / max) * 7)))])).join('');

/** At most `width` values: neighbours are averaged. */
export const squeeze = (values: readonly number[], width: number): readonly number[] => {
  if (values.length <= width) return values;
  return Array.from({ length: width }, (_, i) => {
    const from = Math.floor((i * values.length) / width);
    const to = Math.max(from + 1, Math.floor(((i + 1) * values.length) / width));
    return values.slice(from, to).reduce((a, b) => a + b, 0) / (to - from);
  });
};

export interface Column {
  readonly title: string;
  /** Numbers stand right, text left. */
  readonly right?: boolean;
  readonly max?: number;
}

/** Rows under a head, columns two spaces apart; a column without any cell is left out. */
export const table = (columns: readonly Column[], rows: readonly (readonly string[])[]): string => {
  const used = columns
    .map((column, i) => ({ ...column, i }))
    .filter(({ i }) => rows.some((row) => (row[i] ?? '') !== ''));
  const clip = (text: string, max = 100) => (text.length > max ? `${text.slice(0, max - 1)}…` : text);
  const cells = [
    used.map(({ title }) => title),
    ...rows.map((row) => used.map(({ i, max }) => clip(printable(row[i] ?? ''), max))),
  ];
  const widths = used.map((_, c) => Math.max(...cells.map((row) => row[c]!.length)));
  return cells
    .map((row) =>
      row
        .map((cell, c) => (used[c]!.right ? cell.padStart(widths[c]!) : cell.padEnd(widths[c]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
};

/** Log text on a terminal: control characters, also those of a hostile URL, are shown, not obeyed. */
export const printable = (text: string): string =>
  text.replace(
    /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
