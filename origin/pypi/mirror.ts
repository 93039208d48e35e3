import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Fetched } from '../known.ts';
import { UpstreamError } from '../upstream/error.ts';
import { type PypiClient, parseHighest } from './client.ts';
import { MemberPicker } from './pick.ts';
import { parseProject } from './project.ts';

/** Where bandersnatch keeps a project's document, from its `directory` or from the `web` folder in it. */
const PROJECT_PATHS = ['web/json/{name}', 'web/pypi/{name}/json', 'json/{name}', 'pypi/{name}/json'];
const SIMPLE_PATHS = ['web/simple/{name}/index.v1_json', 'simple/{name}/index.v1_json'];

/**
 * A mirror's folder read as if it were PyPI; the ETag is made of a file's size and time of change.
 * @param dir absolute; names come normalised, so that none can leave it
 */
export const mirrorPypi = (dir: string, maxSize: number): PypiClient => {
  const ask =
    <T>(
      paths: readonly string[],
      members: readonly string[],
      read: (document: Readonly<Record<string, unknown>>) => T,
    ) =>
    async (name: string, etag: string | undefined): Promise<Fetched<T>> => {
      const file = await firstOf(paths.map((path) => join(dir, path.replace('{name}', name))));
      if (!file) {
        await mustExist(dir);
        return { kind: 'missing' };
      }
      try {
        const { size, mtimeMs } = await file.stat();
        const current = `"${size.toString(16)}-${Math.round(mtimeMs).toString(16)}"`;
        if (current === etag) return { kind: 'unchanged' };
        if (size > maxSize) throw new UpstreamError('too-large', `${size} bytes`);
        const picker = new MemberPicker(members);
        for await (const piece of file.createReadStream({ autoClose: false })) picker.take(piece as Buffer);
        const document = picker.end();
        return {
          kind: 'found',
          value: read(document),
          etag: current,
          serial: typeof document.last_serial === 'number' ? document.last_serial : undefined,
        };
      } finally {
        await file.close();
      }
    };
  return {
    project: ask(PROJECT_PATHS, ['info', 'urls', 'last_serial'], parseProject),
    highest: ask(SIMPLE_PATHS, ['versions'], parseHighest),
    probe: () => mustExist(dir),
    close: () => undefined,
  };
};

const firstOf = async (paths: readonly string[]): Promise<FileHandle | undefined> => {
  for (const path of paths) {
    try {
      return await open(path, 'r');
    } catch (error) {
      if (!isAbsent(error)) throw new UpstreamError('refused', `cannot read ${path}`, { cause: error });
    }
  }
  return undefined;
};

const mustExist = async (dir: string): Promise<void> => {
  try {
    await stat(dir);
  } catch (error) {
    throw new UpstreamError('refused', `cannot read ${dir}`, { cause: error });
  }
};

const isAbsent = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
