import { VERDICTS } from './model.ts';
import { count, counted, momentText, percent, table } from './text.ts';
import type { Agreement } from './verify.ts';

/** Agreement class by class. */
export const verifyText = (a: Agreement): string => {
  if (a.compared === 0) return 'Nothing to compare: the log has no dispositions.';
  const parts = [
    `agreement ${percent(a.share, 3)}: ${count(a.agreed)} of ${count(a.compared)} requests, ${counted(a.keys, 'key')}`,
    table(
      [{ title: 'predicted' }, ...VERDICTS.map((word) => ({ title: `logged ${word}`, right: true }))],
      VERDICTS.map((predicted) => [predicted, ...VERDICTS.map((logged) => count(a.matrix[predicted][logged]))]),
    ),
  ];
  if (a.classes.length > 0) {
    parts.push(
      table(
        [
          { title: 'disagreements', right: true },
          { title: 'predicted' },
          { title: 'logged' },
          { title: 'reason in the log' },
        ],
        a.classes.map((one) => [count(one.count), one.predicted, one.logged, one.why || '-']),
      ),
      table(
        [{ title: 'the first of them' }, { title: 'predicted' }, { title: 'logged' }, { title: 'url', max: 80 }],
        a.first.slice(0, 5).map((one) => [momentText(one.startMs), one.predicted, one.logged, one.url]),
      ),
    );
  }
  const notes = [
    `${count(a.adopted)} first requests of keys cached before the log began were taken over, not compared`,
  ];
  if (a.undecided > 0)
    notes.push(
      `${count(a.undecided)} requests came so close to the end of a fetch or a lifetime that the log does not tell which side; not compared`,
    );
  if (a.unknown > 0) notes.push(`${count(a.unknown)} requests of unknown lifetime`);
  if (a.configs > 1) notes.push(`${a.configs} configurations`);
  if (a.outOfOrder > 0) notes.push(`${count(a.outOfOrder)} lines put back into order of arrival`);
  return [...parts, notes.map((note) => `- ${note}`).join('\n')].join('\n\n');
};
