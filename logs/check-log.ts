import { LineCutter } from './lines.ts';
import { logRecord } from './record.ts';
import { readPieces, type Source } from './sources.ts';

export interface LogFinding {
  readonly file: string;
  readonly line: number;
  readonly problem: string;
}

export interface LogCheck {
  lines: number;
  records: { access: number; refresh: number; config: number };
  /** JSON that is no record of ours. */
  other: number;
  invalid: number;
  /** Valid but with members the schema does not know: written by a newer version. */
  unknownMembers: number;
  /** Stretches without any line. */
  gaps: { fromMs: number; toMs: number }[];
  /** Times that go back by more than a second: the clock was set, or files are in the wrong order. */
  clockSteps: number;
  longestDelayMs: number;
  unfinished: number;
  readonly findings: LogFinding[];
}

const MAX_FINDINGS = 20;
const MAX_GAPS = 100;
const STEP_MS = 1000;

/** Every line against the schema, and what the times say. A gap is longer than `gapMs`. */
export const checkLogs = async (sources: readonly Source[], gapMs: number): Promise<LogCheck> => {
  const check: LogCheck = {
    lines: 0,
    records: { access: 0, refresh: 0, config: 0 },
    other: 0,
    invalid: 0,
    unknownMembers: 0,
    gaps: [],
    clockSteps: 0,
    longestDelayMs: 0,
    unfinished: 0,
    findings: [],
  };
  let lastMs: number | undefined;
  for (const { path, bytes } of sources) {
    let line = 0;
    const find = (problem: string) => {
      if (check.findings.length < MAX_FINDINGS) check.findings.push({ file: path, line, problem });
    };
    const take = (text: string) => {
      line++;
      if (text === '') return;
      check.lines++;
      const json = parse(text);
      if (json === undefined) {
        check.invalid++;
        return find('no JSON');
      }
      if (!isOurs(json)) {
        check.other++;
        return;
      }
      const result = logRecord.safeParse(json);
      if (!result.success) {
        const { issues } = result.error;
        if (issues.every(({ code }) => code === 'unrecognized_keys')) check.unknownMembers++;
        else check.invalid++;
        const issue = issues[0]!;
        return find(`${issue.path.join('.') || '(line)'}: ${issue.message}`);
      }
      const record = result.data;
      check.records[record.type]++;
      if (record.type === 'access') check.longestDelayMs = Math.max(check.longestDelayMs, record.time - record.start);
      if (lastMs !== undefined && record.time - lastMs > gapMs && check.gaps.length < MAX_GAPS)
        check.gaps.push({ fromMs: lastMs, toMs: record.time });
      if (lastMs !== undefined && lastMs - record.time > STEP_MS) {
        check.clockSteps++;
        find(`time goes back by ${((lastMs - record.time) / 1000).toFixed(1)} s`);
      }
      lastMs = record.time;
    };
    const cutter = new LineCutter(
      (buffer, start, end) => take(buffer.toString('utf8', start, end).trimEnd()),
      () => {
        line++;
        check.invalid++;
        find('a line without end');
      },
    );
    await readPieces({ path, bytes }, (piece) => cutter.push(piece));
    const tail = cutter.unfinished();
    if (tail && parse(tail.toString('utf8')) === undefined) {
      check.unfinished++;
      line++;
      find('the last line is unfinished: still being written, or cut off by a crash');
    } else if (tail) take(tail.toString('utf8').trimEnd());
  }
  return check;
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the caller says so, with its line
  }
};

const isOurs = (json: unknown): boolean =>
  typeof json === 'object' &&
  json !== null &&
  'type' in json &&
  (json.type === 'access' || json.type === 'refresh' || json.type === 'config');
