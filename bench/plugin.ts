/** Measures the start of a plugin until its handshake line, and its resident memory after the start and after use. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { measureMemory } from './memory.ts';
import { type Row, withRatios } from './row.ts';

const ROUNDS = 15;
/** Time for the plugin to load what it loads after the handshake line. */
const SETTLED_MS = 500;
const HOST = { NodeAttestor: 'NodeAttestor', PLUGIN_PROTOCOL_VERSIONS: '1' };
const KIB = 1024;

interface Start {
  /** Milliseconds from the start of the process to its first line. */
  readonly ms: number;
  /** MiB. */
  readonly resident: number;
}

async function start(file: string, args: readonly string[]): Promise<Start> {
  const began = performance.now();
  const child = spawn(file, args, { env: { ...process.env, ...HOST }, stdio: ['ignore', 'pipe', 'ignore'] });
  await once(child.stdout, 'data');
  const ms = performance.now() - began;
  await sleep(SETTLED_MS);
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  child.kill('SIGTERM');
  await once(child, 'exit');
  return { ms, resident: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / KIB };
}

export async function measure({
  root,
  folder,
}: {
  readonly root: URL;
  readonly folder: string;
}): Promise<readonly Row[]> {
  return [...(await measureStart(root)), ...(await measureMemory(root, folder))];
}

async function measureStart(root: URL): Promise<readonly Row[]> {
  const plugin = (kind: string): string => fileURLToPath(new URL(`dist/bin/tpm-attestor-${kind}.cjs`, root));
  const programs: Readonly<Record<string, readonly [string, ...string[]]>> = {
    'a bare Node that prints one line': [process.execPath, '-e', 'console.log(1); setInterval(() => {}, 1000)'],
    'the agent plugin': [plugin('agent')],
    'the server plugin': [plugin('server')],
  };
  const starts = new Map<string, Start[]>();
  // The programs take turns, so that other load of the machine affects them equally.
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, [file, ...args]] of Object.entries(programs)) {
      starts.set(name, [...(starts.get(name) ?? []), await start(file, args)]);
    }
  }
  const [bare = '', ...plugins] = Object.keys(programs);
  const until = (name: string): string => `${name}: until its first line`;
  const resident = (name: string): string => `${name}: resident`;
  const figure = (name: string, of: keyof Start): { readonly value: number; readonly best: number } => {
    const sorted = (starts.get(name) ?? []).map((one) => one[of]).sort((a, b) => a - b);
    const [best = Number.NaN] = sorted;
    return { best, value: sorted[sorted.length >> 1] ?? best };
  };
  const { value: bareMiB } = figure(bare, 'resident');
  return withRatios([
    { name: until(bare), unit: 'ms', of: null, ...figure(bare, 'ms') },
    ...plugins.map((name) => ({
      name: until(name),
      unit: 'ms',
      of: until(bare),
      target: { most: 1.5, otherwise: 'a machine that does other things as well makes it more' },
      ...figure(name, 'ms'),
    })),
    { name: resident(bare), unit: 'MiB', of: null, ...figure(bare, 'resident') },
    ...plugins.map((name) => ({
      name: resident(name),
      unit: 'MiB',
      of: resident(bare),
      target: { most: (bareMiB + 15) / bareMiB, otherwise: '15 MiB more than a bare Node' },
      ...figure(name, 'resident'),
    })),
  ]);
}
