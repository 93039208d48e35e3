const COLOURS: Readonly<Record<string, number>> = { fatal: 31, error: 31, warn: 33, info: 32, debug: 34, trace: 90 };
/** Said by every line, or part of the text. */
const SILENT = new Set(['level', 'severity', 'time', 'pid', 'msg', 'err']);

/**
 * A log line as a person on a terminal reads it: `12:03:04 warn PyPI cannot be reached … pypi=https://pypi.org`. Control
 * characters stay escaped, whoever they came from. Files and pipes get the JSON.
 */
export const plainLine = (json: string): string => {
  const record = JSON.parse(json) as Record<string, unknown>;
  const level = String(record.severity ?? 'info');
  const time = new Date(Number(record.time)).toTimeString().slice(0, 8);
  const fields = Object.entries(record)
    .filter(([name]) => !SILENT.has(name))
    .map(([name, value]) => dim(`${name}=${typeof value === 'string' ? shown(value) : JSON.stringify(value)}`));
  const error = record.err as { message?: string; code?: string } | undefined;
  const reason = error ? [`(${shown(error.message ?? error.code ?? 'error')})`] : [];
  return `${[dim(time), `\u001b[${COLOURS[level] ?? 0}m${level.padEnd(5)}\u001b[0m`, shown(String(record.msg ?? '')), ...reason, ...fields].join(' ')}\n`;
};

const dim = (text: string) => `\u001b[2m${text}\u001b[0m`;
const shown = (text: string) => JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"');
