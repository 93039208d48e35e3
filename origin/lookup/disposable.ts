import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isAlive } from '../../config/process-state.ts';

/** So many starts without a clean end within the window, and what the folder holds is believed to be the reason. */
const UNCLEAN_STARTS = 5;
const WINDOW_MS = 60_000;

/**
 * Opens native storage that is worth less than the process: a damaged LMDB file does not throw, it ends the process
 * (SIGSEGV). A marker beside the folder tells the next start that the last one died while opening, or that several died
 * soon after; then the folder is moved to `PATH.bad` (one is kept) and a new one begun.
 */
export const openDisposable = <T>(
  path: string,
  nowMs: number,
  open: () => T,
): { readonly opened: T; readonly closed: () => void } => {
  const marker = `${path}.starts`;
  const { opening, starts } = readMarker(marker);
  const recent = starts.filter((startMs) => startMs > nowMs - WINDOW_MS && startMs <= nowMs);
  const isSuspect =
    (opening !== undefined && (opening === process.pid || !isAlive(opening))) || recent.length >= UNCLEAN_STARTS;
  const kept = isSuspect ? [] : recent;
  if (isSuspect) putAside(path);
  mkdirSync(path, { recursive: true });
  writeFileSync(marker, `opening ${process.pid}\n${kept.join('\n')}`);
  let opened: T;
  try {
    opened = open();
  } catch {
    // damaged in a way it noticed itself
    putAside(path);
    mkdirSync(path, { recursive: true });
    opened = open();
  }
  writeFileSync(marker, [...kept, nowMs].join('\n'));
  return { opened, closed: () => rmSync(marker, { force: true }) };
};

const readMarker = (marker: string): { opening: number | undefined; starts: readonly number[] } => {
  let text = '';
  try {
    text = readFileSync(marker, 'utf8');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  const pid = /^opening (\d+)$/m.exec(text)?.[1];
  return {
    opening: pid === undefined ? undefined : Number(pid),
    starts: text
      .split('\n')
      .filter((line) => /^\d+$/.test(line))
      .map(Number),
  };
};

const putAside = (path: string): void => {
  rmSync(`${path}.bad`, { recursive: true, force: true });
  try {
    renameSync(path, `${path}.bad`);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
};
