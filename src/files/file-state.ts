/** Tells whether a file has changed, by its device, inode, size and times, without reading it. */
import { stat, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { type Steps, waitFor } from './steps.ts';

const statLater = promisify(stat);
/** A file system may record the same time for two changes within this interval. */
const YOUNG_MS = 2000;

export interface FileState {
  /** Differs when the file has changed. */
  readonly stamp: string;
  readonly kind: 'file' | 'folder' | 'other';
  /** Changed less than YOUNG_MS ago: another change may leave the stamp equal, and a writer may not have finished. */
  readonly isYoung: boolean;
}

/** True when the file need not be read again since it was read in the state `before`. */
export function isStill(
  before: Pick<FileState, 'stamp' | 'isYoung'>,
  now: Pick<FileState, 'stamp' | 'isYoung'>,
): boolean {
  return before.stamp === now.stamp && (now.isYoung || !before.isYoung);
}

/** @throws Error of node:fs */
export function* stateOf(path: string): Steps<FileState> {
  const found = yield* waitFor({
    atOnce: () => statSync(path, { bigint: true }),
    later: () => statLater(path, { bigint: true }),
  });
  const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = found;
  if (found.isDirectory()) return { stamp: 'folder', kind: 'folder', isYoung: false };
  const isYoung = Math.abs(Date.now() - Number(ctimeMs)) < YOUNG_MS;
  const stamp = [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  return { stamp, kind: found.isFile() ? 'file' : 'other', isYoung };
}
