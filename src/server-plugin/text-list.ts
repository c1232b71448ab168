/** Files with one entry to a line, for `hash_path` and `deny_path`; blank lines and what follows a `#` do not count. */
import { readRegularFile } from './regular-file.ts';

const FILE_BYTES = 64 * 1024 * 1024;
/** Most lines that a problem names. */
const MAX_NAMED = 3;
const MAX_SHOWN_CHARS = 80;

export interface TextList<Entry> {
  readonly entries: readonly Entry[];
  /** Lines that are no entry, told in one sentence; undefined when there are none. */
  readonly problem: string | undefined;
}

/**
 * @param read the entry that a line is, undefined when it is none
 * @throws Error of node:fs, and one for a file of another kind or beyond the size limit
 */
export function readTextList<Entry>(path: string, read: (line: string) => Entry | undefined): TextList<Entry> {
  const entries: Entry[] = [];
  const wrong: string[] = [];
  let count = 0;
  const text = Buffer.from(readRegularFile(path, FILE_BYTES)).toString('utf8');
  for (const [i, line] of text.split('\n').entries()) {
    // A byte order mark is white space to trim().
    const content = line.replace(/#.*/, '').trim();
    if (content === '') continue;
    const entry = read(content);
    if (entry !== undefined) entries.push(entry);
    else if (++count <= MAX_NAMED) wrong.push(`line ${i + 1} (${JSON.stringify(content.slice(0, MAX_SHOWN_CHARS))})`);
  }
  const more = count > MAX_NAMED ? ` and ${count - MAX_NAMED} more` : '';
  return { entries, problem: count === 0 ? undefined : `${wrong.join(', ')}${more}` };
}
