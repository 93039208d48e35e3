import { Prediction, type PredictResult, type PredictSettings } from '../logs/predict.ts';
import type { Place, ReadStats } from '../logs/read.ts';
import { TooManyKeys } from '../logs/replay.ts';
import type { Row } from '../logs/row.ts';
import { type CliIo, type LogOptions, readFiles } from './log-io.ts';

/**
 * Reads and replays. A log with more keys than there is room for is read again for half of them, and so on; stdin cannot be read
 * again and must be told its --sample. `observe` is called for each reading and gives what sees every row beside the replay.
 */
export const replayed = async (
  files: readonly string[],
  options: LogOptions,
  io: CliIo,
  settings: PredictSettings,
  observe: () => (row: Row, place: Place) => void,
): Promise<{ readonly forecast: PredictResult; readonly read: ReadStats }> => {
  for (let sample = settings.sample; ; sample /= 2) {
    const prediction = new Prediction({ ...settings, sample });
    const onRow = observe();
    try {
      const read = await readFiles(files, options, io, (row, place) => {
        onRow(row, place);
        prediction.add(row);
      });
      return { forecast: prediction.end(), read };
    } catch (error) {
      if (!(error instanceof TooManyKeys) || files.includes('-')) throw error;
      io.err(`lacquer: many keys; replaying ${sample * 50} % of them\n`);
    }
  }
};
