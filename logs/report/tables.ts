import type { Tally } from '../top-keys.ts';
import { esc } from './svg.ts';

/** Text; a URL, which may break anywhere; or text with small tags behind it. */
export type Cell = string | { readonly url: string } | { readonly text: string; readonly tags: readonly string[] };
type Row = readonly Cell[] | { readonly className: string; readonly cells: readonly Cell[] };

/** Columns whose name begins with # hold numbers and stand right; a column that is empty throughout is left out. */
export const dataTable = (names: readonly string[], rows: readonly Row[]): string => {
  if (rows.length === 0) return '';
  const all = rows.map((row) => ('cells' in row ? row : { className: '', cells: row }));
  const used = names
    .map((name, i) => ({ name: name.replace(/^#/, ''), isNumber: name.startsWith('#'), i }))
    .filter(({ i }) => all.some(({ cells }) => cells[i] !== ''));
  const head = used
    .map(({ name, isNumber }) => `<th scope="col"${isNumber ? ' class="n"' : ''}>${esc(name)}</th>`)
    .join('');
  const body = all.map(
    ({ className, cells }) =>
      `<tr${className === '' ? '' : ` class="${className}"`}>${used.map(({ i, isNumber }) => cellHtml(cells[i] ?? '', isNumber)).join('')}</tr>`,
  );
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table></div>`;
};

const cellHtml = (cell: Cell, isNumber: boolean): string => {
  if (typeof cell === 'string') return `<td${isNumber ? ' class="n"' : ''}>${esc(cell)}</td>`;
  if ('url' in cell) return `<td class="u">${esc(short(cell.url))}</td>`;
  return `<td>${esc(cell.text)}${cell.tags.map((tag) => `<span class="tag">${esc(tag)}</span>`).join('')}</td>`;
};

const short = (text: string) => (text.length > 160 ? `${text.slice(0, 159)}…` : text);

/** A ranking with a bar behind each name. */
export const rankingTable = (
  tallies: readonly Tally[],
  by: (tally: Tally) => number,
  figures: (tally: Tally) => readonly string[],
  names: readonly string[],
): string => {
  if (tallies.length === 0) return '<p class="sub">None.</p>';
  const max = Math.max(1, ...tallies.map(by));
  const head = `<th scope="col"></th>${names.map((name) => `<th scope="col" class="n">${esc(name.replace(/^#/, ''))}</th>`).join('')}`;
  const body = tallies.map(
    (tally) =>
      `<tr><td class="u bar" style="--w:${((100 * by(tally)) / max).toFixed(1)}%">${esc(short(tally.name))}</td>${figures(
        tally,
      )
        .map((figure) => `<td class="n">${esc(figure)}</td>`)
        .join('')}</tr>`,
  );
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table></div>`;
};
