/** Builds the Go programs in `peers` once for each run, and runs them in each round. */
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
  /** A first attestation: certificate chain, credential and quote. */
  readonly first: number;
}

/** The executable of the program, or a sentence why it cannot be built. */
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

/** Writes the input file of the Go program. */
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

/** Runs a Go program on a vector file, and returns the figures that it prints. */
export async function askGoPeer<Figures = GoFigures>(executable: string, vectorPath: string): Promise<Figures> {
  const { stdout } = await run(executable, [vectorPath, `${ROUND_MS}`], { timeout: 60_000 });
  return JSON.parse(stdout) as Figures;
}
