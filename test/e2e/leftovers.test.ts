/** An agent that ends, at any moment, leaves the TPM as it found it. The TPM has no resource manager and is slow. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type PluginHost, startPlugin } from '../../src/testing/plugin-host/plugin-host.ts';
import { TPM_SE } from '../../src/tpm/structures/constants.ts';
import { begin, finish } from '../../src/verifier/verify.ts';
import '../support/cli.ts';
import { policyFor, TRUST_DOMAIN } from '../support/agent-attestation.ts';
import { AK, EK } from '../support/open-tpm.ts';
import { leaveInTpm, loadedInTpm, type Other } from '../support/others-in-tpm.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';
import { interpose } from '../support/tpm-interposer.ts';

const AGENT = fileURLToPath(new URL('../../dist/bin/tpm-attestor-agent.cjs', import.meta.url));
const SLOW_MS = 60;
/** They wait far more than they work. */
const LANES = 10;

type End = 'SIGTERM' | 'Shutdown' | 'SIGKILL';

interface KillPoint {
  readonly end: End;
  readonly attestation: 'cold' | 'warm';
  /** When the TPM gets its n-th command of this attestation, or while the agent waits for the challenge. */
  readonly at: number | 'wait';
  /** After that moment: a command takes 60. */
  readonly laterMs: number;
}

/** A warm attestation sends the TPM 8 commands here, a cold one several times as many. */
const MOMENTS: Readonly<Record<End, Readonly<Record<KillPoint['attestation'], readonly KillPoint['at'][]>>>> = {
  SIGKILL: { cold: [1, 5, 9, 11, 13, 15, 16, 18, 20, 'wait', 22, 23, 25, 27], warm: ['wait', 1, 2, 3, 4, 5, 6, 7] },
  SIGTERM: { cold: [3, 10, 14, 17, 'wait', 23], warm: ['wait', 2, 4] },
  Shutdown: { cold: [7, 11, 15, 19, 'wait', 24], warm: ['wait', 3, 5] },
};

const POINTS: readonly KillPoint[] = Object.entries(MOMENTS).flatMap(([end, moments]) =>
  Object.entries(moments).flatMap(([attestation, ats]) =>
    ats.map((at, i) => ({ end, attestation, at, laterMs: [0, 30, 65][i % 3] }) as KillPoint),
  ),
);

/** Other software's, in different order; the agent needs two of the three slots. */
const OTHERS: readonly (readonly Other[])[] = [
  [],
  [EK.inPublic, TPM_SE.POLICY],
  [TPM_SE.HMAC, AK.inPublic],
  [TPM_SE.POLICY, EK.inPublic],
  [AK.inPublic, TPM_SE.HMAC],
];

interface SlowTpm {
  readonly tcti: string;
  /** Called when a command comes, before the TPM has it. */
  onCommand: () => void;
  stop(): Promise<void>;
}

async function slowTpm(software: SoftwareTpm): Promise<SlowTpm> {
  const slow = { onCommand: (): void => {} };
  const bus = await interpose(software, async (_, command, transmit) => {
    slow.onCommand();
    await sleep(SLOW_MS);
    return transmit(command);
  });
  return Object.assign(slow, bus);
}

async function startAgent({ tcti }: SlowTpm): Promise<PluginHost<'agent'>> {
  const agent = await startPlugin({ kind: 'agent', command: AGENT });
  await agent.configure(`tcti = "${tcti}"`, TRUST_DOMAIN);
  return agent;
}

async function attest(agent: PluginHost<'agent'>, software: SoftwareTpm, onPayload = async () => {}): Promise<string> {
  const stream = agent.openAttestation();
  const payload = await stream.next();
  await onPayload();
  const random = (bytes: number): Uint8Array => Uint8Array.from(randomBytes(bytes));
  const begun = begin(payload.bytes, policyFor(software), random, new Date());
  if (begun.outcome === 'rejected') return begun.verdict.verdict;
  stream.sendChallenge(begun.challenge);
  const response = await stream.next();
  await stream.close();
  return finish(begun.pending, response.bytes, new Date()).verdict;
}

async function endAgent(agent: PluginHost<'agent'>, end: End): Promise<void> {
  if (end === 'Shutdown') {
    expect(await agent.stop()).toMatchObject({ graceful: true });
    return;
  }
  process.kill(agent.pid, end);
  expect(await agent.exited).toEqual(end === 'SIGKILL' ? { code: null, signal: end } : { code: 0, signal: null });
}

async function endedAt({ end, attestation, at, laterMs }: KillPoint, others: readonly Other[]): Promise<void> {
  const software = await startSwtpm({ templates: ['L-1'] });
  const slow = await slowTpm(software);
  try {
    await leaveInTpm(software, others);
    const before = await loadedInTpm(software);
    const agent = await startAgent(slow);
    if (attestation === 'warm') expect(await attest(agent, software)).toBe('trusted');
    let ended: Promise<void> | undefined;
    const endLater = async (): Promise<void> => {
      await sleep(laterMs);
      await endAgent(agent, end);
    };
    let commands = 0;
    slow.onCommand = () => {
      commands++;
      if (commands === at) ended ??= endLater();
    };
    await attest(agent, software, async () => {
      if (at !== 'wait') return;
      ended = endLater();
      await ended;
    }).catch(() => {});
    expect(ended).toBeDefined();
    await ended;
    await agent.stop();
    if (end === 'SIGKILL') {
      const next = await startAgent(slow);
      expect(await attest(next, software)).toBe('trusted');
      expect(await next.stop()).toMatchObject({ graceful: true });
    }
    expect(await loadedInTpm(software)).toEqual(before);
  } finally {
    await slow.stop();
    await software.stop();
  }
}

test(`at ${POINTS.length} moments: what it loaded is flushed, and what others loaded stays`, async () => {
  const waiting = [...POINTS.entries()];
  const failed: string[] = [];
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [i, point] = next;
      await endedAt(point, OTHERS[i % OTHERS.length] ?? []).catch((error: Error) => {
        failed.push(`${JSON.stringify(point)}: ${error.message}`);
      });
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  expect(failed).toEqual([]);
}, 300_000);
