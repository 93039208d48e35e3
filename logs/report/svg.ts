/** SVG and HTML as text. Colours come from the page's style by class or variable, so that one drawing serves light and dark. */

export const esc = (text: string): string =>
  text.replace(/[&<>"'\u0000-\u0008\u000b-\u001f]/g, (char) => ESCAPES[char] ?? '\ufffd');
const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export type Scale = (value: number) => number;

export const linear =
  (from: number, to: number, start: number, end: number): Scale =>
  (value) =>
    to === from ? start : start + ((value - from) / (to - from)) * (end - start);

export const logarithmic = (from: number, to: number, start: number, end: number): Scale => {
  const inner = linear(Math.log(from), Math.log(to), start, end);
  return (value) => inner(Math.log(Math.max(value, from)));
};

/** About `n` round values from 0 up to at least `max`. */
export const roundTicks = (max: number, n = 4): number[] => {
  if (!(max > 0)) return [0];
  const raw = max / n;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw)!;
  return Array.from({ length: Math.ceil(max / step - 1e-9) + 1 }, (_, i) => Number((i * step).toPrecision(12)));
};

const r = (n: number) => String(Math.round(n * 10) / 10);

export type Point = readonly [x: number, y: number];

export const linePath = (points: readonly Point[]): string =>
  points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${r(x)} ${r(y)}`).join('');

/** Closed area between an upper and a lower line over the same x. */
export const areaPath = (upper: readonly Point[], lower: readonly Point[]): string =>
  upper.length === 0 ? '' : `${linePath([...upper, ...[...lower].reverse()])}Z`;

export const text = (
  x: number,
  y: number,
  content: string,
  options: { anchor?: 'start' | 'middle' | 'end'; className?: string } = {},
): string =>
  `<text x="${r(x)}" y="${r(y)}"${options.anchor && options.anchor !== 'start' ? ` text-anchor="${options.anchor}"` : ''}${options.className ? ` class="${options.className}"` : ''}>${esc(content)}</text>`;

export const rule = (x1: number, y1: number, x2: number, y2: number, className: string): string =>
  `<line x1="${r(x1)}" y1="${r(y1)}" x2="${r(x2)}" y2="${r(y2)}" class="${className}"/>`;

export const rect = (x: number, y: number, width: number, height: number, attributes: string, title = ''): string =>
  `<rect x="${r(x)}" y="${r(y)}" width="${r(Math.max(0, width))}" height="${r(Math.max(0, height))}" ${attributes}${title === '' ? '/>' : `><title>${esc(title)}</title></rect>`}`;

export const path = (d: string, attributes: string, title = ''): string =>
  d === '' ? '' : `<path d="${d}" ${attributes}${title === '' ? '/>' : `><title>${esc(title)}</title></path>`}`;

/** A drawing that fills the width it is given; `label` is what a screen reader says. */
export const drawing = (width: number, height: number, label: string, body: string): string =>
  `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${esc(label)}" preserveAspectRatio="xMidYMid meet">${body}</svg>`;

/** Ticks of a time axis at round hours and minutes, about `n`. */
export const timeTicks = (fromMs: number, toMs: number, n = 8): { ms: number; label: string }[] => {
  const steps = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
    2_592_000,
  ].map((s) => s * 1000);
  const step = steps.find((candidate) => (toMs - fromMs) / candidate <= n) ?? steps.at(-1)!;
  const ticks: { ms: number; label: string }[] = [];
  for (let ms = Math.ceil(fromMs / step) * step; ms <= toMs && ticks.length < 50; ms += step) {
    const iso = new Date(ms).toISOString();
    const label =
      step >= 86_400_000
        ? iso.slice(5, 10)
        : ms % 86_400_000 === 0
          ? iso.slice(5, 10)
          : step < 60_000
            ? iso.slice(11, 19)
            : iso.slice(11, 16);
    ticks.push({ ms, label });
  }
  return ticks;
};
