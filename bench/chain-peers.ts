/** Times other programs that build and check a chain, each in its own process: openssl, crypto/x509, @peculiar/x509. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { pem } from '../test/support/pki.ts';
import type { EkChain } from './ek-chain.ts';
import { askGoPeer, type buildGoPeer } from './go-peer.ts';
import { PECULIAR_ROWS, type PeculiarAnswer } from './peculiar-builder.ts';

const run = promisify(execFile);

export interface Peer {
  /** Titles of its rows. */
  readonly rows: readonly string[];
  /** Runs one round. Returns microseconds of processor time for each row. Throws when the peer refuses the chain. */
  readonly measure: () => Promise<readonly number[]>;
  readonly end?: () => void;
}

/** More leaves in one command. The difference to a command with one leaf gives the time for a leaf. */
const LEAVES = 200;
const COMMANDS = 5;

/** openssl reads the CAs once for each command, and each leaf from its file. It does not check the root's signature. */
export function opensslProgram({ leaf, intermediates, root, now }: EkChain, folder: string): Peer {
  const file = (name: string, ...certificates: readonly Uint8Array[]): string => {
    const path = join(folder, `${name}.pem`);
    writeFileSync(path, pem(...certificates));
    return path;
  };
  const files = {
    root: file('root', root),
    leaf: file('leaf', leaf),
    intermediates: intermediates.length > 0 ? ['-untrusted', file('intermediates', ...intermediates)] : [],
  };
  const time = ['-attime', `${Math.floor(now.getTime() / 1000)}`];
  const verify = ['verify', '-partial_chain', '-no-CApath', ...time, '-CAfile', files.root, ...files.intermediates];
  const measure = async (): Promise<readonly number[]> => {
    const one = await commandTime(['openssl', ...verify, files.leaf], COMMANDS);
    const many = await commandTime(['openssl', ...verify, ...Array<string>(LEAVES + 1).fill(files.leaf)], 1);
    return [one, (many - one) / LEAVES];
  };
  return {
    rows: ['openssl verify, the whole command', `openssl verify, each of ${LEAVES} more leaves in one command`],
    measure,
  };
}

/** Microseconds of processor time for one run of the command, measured by the shell's `time`. */
export async function commandTime(command: readonly string[], times: number): Promise<number> {
  const loop = `for ((i = 0; i < ${times}; i++)); do "$@" > /dev/null || exit; done`;
  const script = `TIMEFORMAT='%3U %3S'; time ${loop}`;
  const { stderr } = await run('bash', ['-c', script, 'bash', ...command]).catch((error: { stderr?: string }) => {
    throw new Error(error.stderr?.trim().split('\n').at(-1) || 'bash is not installed');
  });
  const [user = Number.NaN, system = Number.NaN] = stderr.trim().split(' ').map(Number);
  return ((user + system) * 1e6) / times;
}

export function goProgram(
  { leaf, intermediates, root, now }: EkChain,
  folder: string,
  go: Awaited<ReturnType<typeof buildGoPeer>>,
): Peer {
  const path = join(folder, 'chain.json');
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  writeFileSync(
    path,
    JSON.stringify({ leaf: base64(leaf), intermediates: intermediates.map(base64), root: base64(root), now }),
  );
  return {
    rows: ['crypto/x509, cold', 'crypto/x509, CAs in pools', 'crypto/x509, all parsed'],
    measure: async () => {
      if (typeof go === 'string') throw new Error(go);
      const { cold, loaded, parsed } = await askGoPeer<Record<'cold' | 'loaded' | 'parsed', number>>(go.path, path);
      return [cold, loaded, parsed];
    },
  };
}

/** A process for all rounds, so that its code stays compiled, and its garbage collection is not in our time. */
export function peculiarProcess(chain: EkChain, root: URL, bundle: string): Peer {
  const load = `const { answerRounds } = await import(${JSON.stringify(pathToFileURL(bundle).href)}); answerRounds();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', load], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  return {
    rows: PECULIAR_ROWS,
    measure: async () => {
      child.send({ chain, root: root.href });
      const [answer] = (await once(child, 'message', { signal: AbortSignal.timeout(60_000) })) as [PeculiarAnswer];
      if (typeof answer === 'string') throw new Error(answer);
      return answer;
    },
    end: () => child.kill(),
  };
}
