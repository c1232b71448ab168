/** Unpacks a Microsoft cabinet with the program `cabextract`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeScratchFolder, removeScratchFolder } from '../../files/scratch-folder.ts';
import { UsageError } from '../terminal/failure.ts';
import { CabinetError, readCabinetTable } from './cabinet-table.ts';

export interface UnpackedFile {
  /** An untrusted label, never a path to write to. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Far more than Microsoft's collection needs, which is unpacked in a fraction of a second. */
const DEADLINE_MS = 60_000;
const MAX_COMPLAINT_CHARS = 300;

/**
 * The files of a cabinet, in its order. cabextract writes them into a pipe, one after another, and the sizes in the
 * cabinet's list separate them. So the untrusted names in a cabinet never reach the file system.
 *
 * @throws CabinetError if the cabinet is damaged, or longer than its list says
 * @throws UsageError if cabextract is not installed
 */
export async function unpackCabinet(cabinet: Uint8Array): Promise<readonly UnpackedFile[]> {
  const entries = readCabinetTable(cabinet);
  const folder = makeScratchFolder('cabinet-');
  try {
    const file = join(folder, 'source.cab');
    writeFileSync(file, cabinet, { mode: 0o600 });
    const length = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    const contents = await extract(file, length);
    let start = 0;
    return entries.map(({ name, bytes }) => {
      start += bytes;
      return { name, bytes: contents.subarray(start - bytes, start) };
    });
  } finally {
    await removeScratchFolder(folder);
  }
}

/** The output of cabextract, which must have exactly this length. If it writes more, it is killed. */
async function extract(file: string, length: number): Promise<Uint8Array> {
  const child = spawn('cabextract', ['--quiet', '--single', '--pipe', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  const end = (): unknown => child.kill('SIGKILL');
  process.once('exit', end);
  const deadline = setTimeout(end, DEADLINE_MS);
  try {
    const chunks: Uint8Array[] = [];
    let read = 0;
    let complaint = '';
    child.stdout.on('data', (chunk: Uint8Array) => {
      read += chunk.length;
      if (read > length) end();
      else chunks.push(chunk);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = `${complaint}${text}`.slice(0, MAX_COMPLAINT_CHARS);
    });
    const [code, signal] = await once(child, 'close');
    if (read > length) throw new CabinetError('it holds more than its list of files says');
    if (code !== 0 || read < length) throw new CabinetError(`cabextract: ${reasonOf(complaint, file, signal)}`);
    return Buffer.concat(chunks);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    throw new UsageError('a cabinet needs cabextract, which is not installed; run apt-get install cabextract', {
      cause,
    });
  } finally {
    clearTimeout(deadline);
    process.removeListener('exit', end);
  }
}

/** The error text of cabextract, without the name of the temporary file. */
function reasonOf(complaint: string, file: string, signal: NodeJS.Signals | null): string {
  if (signal !== null) return `took longer than ${DEADLINE_MS} ms`;
  const lines = complaint.split('\n').map((line) => line.replace(`${file}: `, '').trim());
  return lines.filter(Boolean).join('; ') || 'it ended before its last file';
}
