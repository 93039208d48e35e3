import { type Arrival, arrivalOf } from '../../logs/arrival.ts';
import { readLogs } from '../../logs/read.ts';
import { Reorder } from '../../logs/reorder.ts';
import { findSources } from '../../logs/sources.ts';

const NASA = new URL('../fixtures/logs/nasa-1995-08-01.tsv.gz', import.meta.url).pathname;

/** The 30,297 cacheable requests of the NASA trace, in order. */
export const nasaArrivals = async (): Promise<readonly Arrival[]> => {
  const arrivals: Arrival[] = [];
  const order = new Reorder<Arrival>((arrival) => arrivals.push(arrival));
  await readLogs(await findSources([NASA], 'tsv'), { format: 'tsv' }, (row) => {
    const arrival = arrivalOf(row, false);
    if (arrival) order.add(arrival.startMs, arrival);
  });
  order.end();
  return arrivals;
};
