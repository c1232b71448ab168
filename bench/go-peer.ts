/** The Go programs in peers: built once a run, asked round by round. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decodePayload, decodeResponse } from '../src/evidence/messages.ts';
import type { Evidence } from './evidence.ts';

const run = promisify(execFile);
const ROUND_MS = 40;

/** Microseconds of processor time. */
export interface GoFigures {
  /** Certificate chain, credential and quote. */
  readonly first: number;
}

/** The executable of the program of that name, or the sentence that says why there is none. */
export async function buildGoPeer(
  root: URL,
  folder: string,
  program: 'go-attestation' | 'crypto-x509' | 'event-log',
): Promise<{ readonly path: string } | string> {
  const path = join(folder, program);
  const source = new URL(`bench/peers/${program}/`, root).pathname;
  try {
    await run('go', ['build', '-o', path, '.'], { cwd: source, timeout: 300_000 });
    return { path };
  } catch (error) {
    const { code, stderr = '' } = error as { code?: unknown; stderr?: string };
    return code === 'ENOENT' ? 'Go is not installed' : `the Go program cannot be built: ${stderr.trim().slice(0, 200)}`;
  }
}

/** Writes what the Go program reads. */
export function writeVector(
  path: string,
  { now, anchors, leaf, intermediates, payload, pending, response }: Evidence,
): void {
  const { akPublic } = decodePayload(payload);
  const { quoted, signature, pcrValues } = decodeResponse(response);
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const vector = {
    now,
    anchors: anchors.map(base64),
    certificates: [leaf, ...intermediates].map(base64),
    ak_public: base64(akPublic),
    quoted: base64(quoted),
    signature: base64(signature),
    extra_data: base64(pending.commitment),
    pcr_values: pcrValues.map(base64),
  };
  writeFileSync(path, JSON.stringify(vector));
}

/** What a program prints of the vector that it reads from that file. */
export async function askGoPeer<Figures = GoFigures>(executable: string, vectorPath: string): Promise<Figures> {
  const { stdout } = await run(executable, [vectorPath, `${ROUND_MS}`], { timeout: 60_000 });
  return JSON.parse(stdout) as Figures;
}
