/** By what a file is seen to have changed: its name, number, size and times, without reading it. */
import { stat, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { type Steps, waitFor } from './steps.ts';

const statLater = promisify(stat);
/** A file system may give one time to two changes that are so far apart. */
const YOUNG_MS = 2000;

export interface FileState {
  /** Another one when the file has changed. */
  readonly stamp: string;
  readonly kind: 'file' | 'folder' | 'other';
  /** Changed a moment ago: it may change again without being seen to, and somebody may still be writing it. */
  readonly isYoung: boolean;
}

/** Whether what was read in the state `before` need not be read again. */
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
