/**
 * Measures how a server plugin reads changed files while machines attest: the longest turn of its event loop, the time
 * of attestations, and its memory. Compares with a server whose files do not change.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type HashList, readHashList } from '../src/policy/hash-list.ts';
import type { HostedLogRecord } from '../src/testing/plugin-host/hclog-reader.ts';
import { type PluginHost, startPlugin } from '../src/testing/plugin-host/plugin-host.ts';
import { forger } from '../test/support/forger.ts';
import { keyPair, mintAuthority, mintEkChain, pem } from '../test/support/pki.ts';
import { pubHashOf, softwareDevice, TRUST_DOMAIN } from '../test/support/software-device.ts';
import { type Row, withRatios } from './row.ts';
import { Stopwatch } from './stopwatch.ts';

const CAS = 2500;
const HASHES = 1_000_000;
/** Long enough for the server to look at the files several times. */
const QUIET_MS = 12_000;
/** Time for V8 to compile the code, and for the server to read newly written files once more. */
const WARM_UP_MS = 8000;
const MOST_MS = 60_000;
const KIB = 1024;
const LOOK_UP_ROUNDS = 9;
const TURN = 'longest turn';

const device = softwareDevice();

interface Scene {
  readonly title: string;
  /** Writes the files, and returns the server's options. */
  readonly files: (folder: string) => string;
  /** What the operator changes while machines attest. */
  readonly change?: (folder: string) => void;
  /** Matches the log record by which the server reports the change. */
  readonly told?: RegExp;
}

const option = (name: string, ...path: readonly string[]): string => `${name} = ${JSON.stringify(join(...path))}\n`;
const IN_FORCE = /^files of the configuration changed and are in force/;
const NOT_USED = /^files of the configuration changed and are not used/;

const manyCas = (folder: string): string => {
  writeCas(join(folder, 'cas'), 'of the first year');
  return option('ca_path', folder, 'cas');
};
const aMillion = (folder: string): string => {
  writeHashes(join(folder, 'hashes'), 'first');
  return option('hash_path', folder, 'hashes');
};

const QUIET: Scene = {
  title: 'one CA, nothing changes',
  files(folder) {
    writeFileSync(join(folder, 'ca.pem'), pem(mintEkChain().root.der));
    return option('ca_path', folder, 'ca.pem');
  },
};
const SCENES: readonly Scene[] = [
  { title: `${CAS} CAs, nothing changes`, files: manyCas },
  {
    title: `${CAS} CAs, one changes`,
    files: manyCas,
    change: (folder) => writeFileSync(join(folder, 'cas/7.der'), authority(7, 'of the second year')),
    told: IN_FORCE,
  },
  {
    title: `${CAS} CAs, all change`,
    files(folder) {
      writeCas(join(folder, 'next'), 'of the second year');
      return manyCas(folder);
    },
    change(folder) {
      renameSync(join(folder, 'cas'), join(folder, 'before'));
      renameSync(join(folder, 'next'), join(folder, 'cas'));
    },
    told: IN_FORCE,
  },
  {
    title: `${CAS} CAs, one is broken and stays so`,
    files: manyCas,
    change: (folder) => writeFileSync(join(folder, 'cas/7.der'), 'rubbish'),
    told: NOT_USED,
  },
  {
    title: `a bundle of ${CAS} CAs is half written`,
    files(folder) {
      const others = Array.from({ length: CAS - 1 }, (_, i) => authority(i, 'of the first year'));
      writeFileSync(join(folder, 'cas.pem'), pem(mintEkChain().root.der, ...others));
      return option('ca_path', folder, 'cas.pem');
    },
    change: (folder) => truncateSync(join(folder, 'cas.pem'), statSync(join(folder, 'cas.pem')).size - 300),
    told: NOT_USED,
  },
  {
    title: `of ${CAS} CAs with one name one changes`,
    files(folder) {
      mkdirSync(join(folder, 'cas'));
      writeFileSync(join(folder, 'cas/root.der'), mintEkChain().root.der);
      for (let i = 1; i < CAS; i++) writeFileSync(join(folder, `cas/${i}.der`), namesake(i));
      return option('ca_path', folder, 'cas');
    },
    change: (folder) => writeFileSync(join(folder, 'cas/7.der'), namesake(CAS)),
    told: IN_FORCE,
  },
  {
    title: `a list of ${HASHES} hashes changes`,
    files(folder) {
      writeHashes(join(folder, 'next'), 'second');
      return aMillion(folder);
    },
    change: (folder) => renameSync(join(folder, 'next'), join(folder, 'hashes')),
    told: IN_FORCE,
  },
];

interface Measured {
  /** Milliseconds of processor time. */
  readonly turn: number;
  /** Milliseconds, ascending. */
  readonly latencies: readonly number[];
  /** MiB at the end of the scene; `peak` is the maximum. */
  readonly resident: number;
  readonly peak: number;
  /** Milliseconds from the change to the record that reports it. */
  readonly seenAfterMs: number | undefined;
}

export async function measure({
  root,
  folder,
}: {
  readonly root: URL;
  readonly folder: string;
}): Promise<readonly Row[]> {
  const rows: Parameters<typeof withRatios>[0][number][] = [];
  const add = (name: string, value: number, unit: string, of: string | null = null): void => {
    rows.push({ name, value, best: value, unit, of });
  };
  const quantile = ({ latencies }: Measured, part: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * part))] ?? Number.NaN;
  for (const scene of [QUIET, ...SCENES]) {
    const measured = await play(scene, root, folder);
    const of = (what: string): string | null => (scene === QUIET ? null : `${QUIET.title}: ${what}`);
    add(`${scene.title}: ${TURN}`, measured.turn, 'ms', of(TURN));
    for (const [name, part] of [
      ['attestation, p50', 0.5],
      ['attestation, p99', 0.99],
    ] as const)
      add(`${scene.title}: ${name}`, quantile(measured, part), 'ms', of(name));
    if (measured.seenAfterMs !== undefined) add(`${scene.title}: told after`, measured.seenAfterMs, 'ms');
    add(`${scene.title}: resident`, measured.resident, 'MiB', of('resident'));
    add(`${scene.title}: resident at most`, measured.peak, 'MiB', of('resident at most'));
  }
  return withRatios([...rows, ...lookUps(folder), ...(await denial(root, folder))]);
}

/** Times finding a hash in a long list and in a short one. */
function lookUps(folder: string): Parameters<typeof withRatios>[0] {
  const [few, many] = [1000, HASHES];
  const lists = new Map([few, many].map((count) => [count, listOf(join(folder, 'look-up'), count)]));
  const name = (count: number): string => `look-up in a list of ${count} hashes`;
  const own = pubHashOf(device);
  const watch = new Stopwatch(
    Object.fromEntries(Array.from(lists, ([count, { isListed }]) => [name(count), () => void isListed(own)])),
  );
  for (let round = 0; round < LOOK_UP_ROUNDS; round++) watch.round();
  return [few, many].map((count) => ({
    ...{ name: name(count), ...watch.timing(name(count)), unit: 'µs', of: count === few ? null : name(few) },
    target: { most: 3, otherwise: 'a long list is not in the caches of the processor' },
  }));
}

function listOf(path: string, count: number): HashList {
  writeHashes(path, 'look-up', count);
  return readHashList(path);
}

/** Times a denial while another program writes a list of a million lines again and again. */
async function denial(root: URL, parent: string): Promise<Parameters<typeof withRatios>[0]> {
  const folder = mkdtempSync(join(parent, 'denial-'));
  writeFileSync(join(folder, 'denied'), '');
  const server = await start(root, folder, `${aMillion(folder)}${option('deny_path', folder, 'denied')}`);
  writeHashes(join(folder, 'next'), 'next');
  // Another program writes, so that nothing in this process waits for it.
  const writing = 'while :; do cat next > hashes; sleep 0.5; done';
  const writer = spawn('sh', ['-c', writing], { cwd: folder, stdio: 'ignore' });
  try {
    await delay(QUIET_MS);
    const began = performance.now();
    writeFileSync(join(folder, 'denied'), `${pubHashOf(device)}\n`);
    const isTold = (): boolean => server.records.some(({ message }) => message.startsWith('deny_path changed'));
    while (performance.now() - began < MOST_MS && !isTold()) await delay(5);
    const value = performance.now() - began;
    if (await attest(server.host)) throw new Error('the denied machine is admitted');
    const target = { most: 1, otherwise: 'a denial counts within 10 s' };
    return [
      { name: 'what a denial may take', value: 10_000, best: 10_000, unit: 'ms', of: null },
      {
        ...{ name: `a denial while a list of ${HASHES} hashes is written`, value, best: value, unit: 'ms' },
        ...{ of: 'what a denial may take', target },
      },
    ];
  } finally {
    writer.kill();
    await server.host.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function play({ files, change, told }: Scene, root: URL, parent: string): Promise<Measured> {
  const folder = mkdtempSync(join(parent, 'reload-'));
  const server = await start(root, folder, files(folder));
  const { host, records } = server;
  try {
    for (const until = performance.now() + WARM_UP_MS; performance.now() < until; ) await attest(host);
    await server.longestTurn();
    const latencies: number[] = [];
    const began = performance.now();
    change?.(folder);
    let seenAfterMs: number | undefined;
    for (let until = began + QUIET_MS; performance.now() < until; ) {
      const started = performance.now();
      await attest(host);
      latencies.push(performance.now() - started);
      if (told === undefined || seenAfterMs !== undefined) continue;
      const isTold = records.some(({ message }) => told.test(message));
      if (isTold) seenAfterMs = performance.now() - began;
      // After the report, go on for the next looks of the server.
      until = performance.now() + (isTold ? QUIET_MS : 1000);
      if (performance.now() - began > MOST_MS) throw new Error('the server has not reported the change');
    }
    const turn = await server.longestTurn();
    latencies.sort((a, b) => a - b);
    return { turn, latencies, seenAfterMs, resident: memory(host, 'VmRSS'), peak: memory(host, 'VmHWM') };
  } finally {
    await host.stop();
    rmSync(folder, { recursive: true });
  }
}

interface Server {
  readonly host: PluginHost<'server'>;
  readonly records: readonly HostedLogRecord[];
  /** The longest turn since the last call, in milliseconds. */
  readonly longestTurn: () => Promise<number>;
}

async function start(root: URL, folder: string, hcl: string): Promise<Server> {
  const records: HostedLogRecord[] = [];
  const file = join(folder, 'turn');
  const host = await startPlugin({
    kind: 'server',
    command: process.execPath,
    args: ['--require', fileURLToPath(new URL('bench/longest-turn.cjs', root)), executable(root)],
    env: { ...process.env, LONGEST_TURN_FILE: file, MALLOC_ARENA_MAX: '1' },
    onLog: (record) => records.push(record),
  });
  await host.configure(hcl, TRUST_DOMAIN);
  const longestTurn = async (): Promise<number> => {
    rmSync(file, { force: true });
    process.kill(host.pid, 'SIGUSR2');
    while (!existsSync(file) || readFileSync(file, 'utf8') === '') await delay(5);
    return Number(readFileSync(file, 'utf8'));
  };
  return { host, records, longestTurn };
}

function executable(root: URL): string {
  return fileURLToPath(new URL('dist/bin/tpm-attestor-server.cjs', root));
}

/** True when the server admits the machine. */
async function attest(host: PluginHost<'server'>): Promise<boolean> {
  const machine = forger(device);
  const stream = host.openAttestation();
  try {
    stream.sendPayload(machine.payload);
    const challenge = await stream.next();
    if (challenge.kind !== 'challenge') return false;
    stream.sendChallengeResponse(machine.answer(challenge.bytes));
    return (await stream.next()).kind === 'agent_attributes';
  } catch {
    return false;
  } finally {
    await stream.close();
  }
}

function memory({ pid }: PluginHost<'server'>, line: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${line}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / KIB;
}

function writeHashes(path: string, label: string, count = HASHES): void {
  const lines = [pubHashOf(device)];
  let digest = createHash('sha256').update(label).digest();
  // Rotating a digest gives 64 lines, which is faster than computing a million digests.
  for (let i = 1; i < count; i++) {
    if (i % 64 === 0) digest = createHash('sha256').update(digest).digest();
    const at = i % 64;
    const text = digest.toString('hex');
    lines.push(`${text.slice(at)}${text.slice(0, at)}`);
  }
  writeFileSync(path, `${lines.join('\n')}\n`);
}

const KEY = keyPair('p256', 'reload');
function authority(i: number, year: string): Uint8Array {
  const issuer = `Example TPM Manufacturing CA ${i} ${year}`;
  return mintAuthority(issuer, KEY, { issuer, key: KEY }).der;
}

/** A CA with the same name as the others, and its own serial number. */
function namesake(i: number): Uint8Array {
  const issuer = 'Example TPM Manufacturing CA';
  return mintAuthority(issuer, KEY, { issuer, key: KEY }, { serial: Uint8Array.of(1, i >> 8, i & 0xff) }).der;
}

function writeCas(folder: string, year: string): void {
  mkdirSync(folder);
  writeFileSync(join(folder, 'root.der'), mintEkChain().root.der);
  for (let i = 1; i < CAS; i++) writeFileSync(join(folder, `${i}.der`), authority(i, year));
}
