import type { Histogram } from '../histogram.ts';
import type { GroupRow, SummaryResult } from '../summary.ts';
import { STATUS_WORDS } from '../summary.ts';
import { count, microsText, percent } from '../text.ts';
import { drawing, esc, linear, rect, roundTicks, rule, text } from './svg.ts';

const W = 1080;

/** Service times on a log scale: what came from the cache above the line, what waited for the origin below, as varnishhist would. */
export const latencyHistogram = (hits: Histogram, misses: Histogram): string => {
  const H = 280;
  const [LEFT, RIGHT, top, bottom] = [56, 16, 14, H - 30];
  const bins = (h: Histogram) => {
    const counts = new Map<number, number>();
    h.forEach((value, n) => {
      const bin = Math.round(Math.log10(Math.max(1, value)) * PER_DECADE);
      counts.set(bin, (counts.get(bin) ?? 0) + n);
    });
    return counts;
  };
  const [a, b] = [bins(hits), bins(misses)];
  const all = [...a.keys(), ...b.keys()];
  const [first, last] = [Math.min(...all, PER_DECADE * 2), Math.max(...all, PER_DECADE * 3)];
  // shares of their own kind: a thousand hits for every miss would hide the misses
  const share = (counts: Map<number, number>, h: Histogram, bin: number) =>
    (counts.get(bin) ?? 0) / Math.max(1, h.count);
  const max = Math.max(
    0.01,
    ...[...a.keys()].map((bin) => share(a, hits, bin)),
    ...[...b.keys()].map((bin) => share(b, misses, bin)),
  );
  const x = linear(first - 1, last + 1, LEFT, W - RIGHT);
  const base = (top + bottom) / 2;
  const height = linear(0, max, 0, base - top - 4);
  const width = x(1) - x(0) - 1;
  const bars = (counts: Map<number, number>, h: Histogram, up: boolean, name: string) =>
    [...counts].map(([bin, n]) => {
      const size = height(share(counts, h, bin));
      const about = 10 ** (bin / PER_DECADE);
      return rect(
        x(bin) - width / 2,
        up ? base - size : base,
        width,
        size,
        `fill="var(--${up ? 'hit' : 'miss'})" rx="1"`,
        `${microsText(about)}: ${count(n)} ${name} (${percent(n / Math.max(1, h.count), 1)})`,
      );
    });
  const decades = Array.from({ length: 10 }, (_, i) => i).filter(
    (decade) => decade * PER_DECADE >= first && decade * PER_DECADE <= last,
  );
  return drawing(
    W,
    H,
    'Service times of hits and of misses',
    [
      ...decades.map(
        (decade) =>
          rule(x(decade * PER_DECADE), top, x(decade * PER_DECADE), bottom, 'grid') +
          text(x(decade * PER_DECADE), bottom + 18, microsText(10 ** decade), { anchor: 'middle' }),
      ),
      rule(LEFT, base, W - RIGHT, base, 'axis'),
      text(LEFT - 8, top + 14, 'hits', { anchor: 'end', className: 'hitlabel' }),
      text(LEFT - 8, bottom - 4, 'misses', { anchor: 'end', className: 'misslabel' }),
      ...bars(a, hits, true, 'from the cache'),
      ...bars(b, misses, false, 'waited for the origin'),
      ...[0.5, 0.99].flatMap((p) => [
        ...(hits.count > 0
          ? [mark(x(Math.log10(Math.max(1, hits.percentile(p))) * PER_DECADE), top, base, `p${p * 100}`)]
          : []),
        ...(misses.count > 0
          ? [mark(x(Math.log10(Math.max(1, misses.percentile(p))) * PER_DECADE), base, bottom, `p${p * 100}`)]
          : []),
      ]),
    ].join(''),
  );
};
const PER_DECADE = 16;
const mark = (x: number, from: number, to: number, label: string) =>
  rule(x, from, x, to, 'mark') + text(x + 4, from + 12, label, { className: 'small' });

/** Horizontal bars with their names and counts. */
export const bars = (
  items: readonly { readonly name: string; readonly n: number; readonly colour?: string; readonly shown?: string }[],
  label: string,
): string => {
  const ROW = 26;
  const [LEFT, RIGHT] = [150, 90];
  const max = Math.max(1, ...items.map(({ n }) => n));
  const total = Math.max(
    1,
    items.reduce((sum, { n }) => sum + n, 0),
  );
  const width = 520;
  const x = linear(0, max, 0, width - LEFT - RIGHT);
  return drawing(
    width,
    Math.max(ROW, items.length * ROW),
    label,
    items
      .map(({ name, n, colour, shown }, i) =>
        [
          text(LEFT - 10, i * ROW + 17, name.length > 20 ? `${name.slice(0, 19)}…` : name, { anchor: 'end' }),
          rect(
            LEFT,
            i * ROW + 5,
            Math.max(1.5, x(n)),
            ROW - 10,
            `rx="2" fill="var(--${colour ?? 'accent'})"`,
            `${name}: ${count(n)} (${percent(n / total)})`,
          ),
          text(LEFT + Math.max(1.5, x(n)) + 8, i * ROW + 17, shown ?? count(n), { className: 'value' }),
        ].join(''),
      )
      .join(''),
  );
};

/** Routes by disposition: the darker, the larger the share of that route. */
export const routeHeatMap = (s: SummaryResult, groups: readonly GroupRow[]): string => {
  const words = STATUS_WORDS.filter((word) => groups.some(({ byStatus }) => (byStatus[word] ?? 0) > 0));
  const head = `<tr><th scope="col">${esc(s.by)}</th>${words.map((word) => `<th scope="col" class="n">${word}</th>`).join('')}<th scope="col" class="n">requests</th></tr>`;
  const rows = groups.map((group) => {
    const cells = words.map((word) => {
      const share = (group.byStatus[word] ?? 0) / Math.max(1, group.requests);
      return `<td class="n heat" style="--c:var(--${word.toLowerCase()});--s:${Math.round(share * 100)}%" title="${count(group.byStatus[word] ?? 0)}">${share === 0 ? '' : percent(share, share < 0.1 ? 1 : 0)}</td>`;
    });
    return `<tr><th scope="row">${esc(group.name)}</th>${cells.join('')}<td class="n">${count(group.requests)}</td></tr>`;
  });
  return `<div class="scroll"><table class="heatmap">${head}${rows.join('')}</table></div>`;
};

/** Age of what was served from the cache as a share of its ttl. */
export const ageHistogram = (shares: readonly number[]): string => {
  const [width, H, LEFT, top, bottom] = [520, 230, 50, 12, 190];
  const total = Math.max(
    1,
    shares.reduce((a, b) => a + b, 0),
  );
  const ticks = roundTicks(Math.max(...shares) / total, 3);
  const y = linear(0, ticks.at(-1)!, bottom, top);
  const step = (width - LEFT - 10) / shares.length;
  return drawing(
    width,
    H,
    'Age at serve as a share of the ttl',
    [
      ...ticks.map(
        (tick) =>
          rule(LEFT, y(tick), width - 10, y(tick), 'grid') +
          text(LEFT - 8, y(tick) + 4, percent(tick, 0), { anchor: 'end' }),
      ),
      ...shares.map((n, i) =>
        rect(
          LEFT + i * step + 2,
          y(n / total),
          step - 4,
          bottom - y(n / total),
          `rx="2" fill="var(--${i < 10 ? 'hit' : 'stale'})"`,
          `${i < 10 ? `${i * 10} to ${i * 10 + 10} % of the ttl` : 'past the ttl'}: ${count(n)}`,
        ),
      ),
      ...shares.map((_, i) =>
        i % 2 === 0 || i === 10
          ? text(LEFT + (i === 10 ? i + 0.5 : i) * step, bottom + 18, i === 10 ? 'stale' : `${i * 10} %`, {
              anchor: 'middle',
            })
          : '',
      ),
      text((LEFT + width) / 2, H - 4, 'age at serve, share of ttl', { anchor: 'middle', className: 'small' }),
    ].join(''),
  );
};
