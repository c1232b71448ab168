/** One attestation beside everything else that the plugin's process does. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { attest, type Standing } from '../../src/server-plugin/attestation.ts';
import { OpenChallenges } from '../../src/server-plugin/open-challenges.ts';
import { Tolerances } from '../../src/server-plugin/tolerance-counts.ts';
import { createLogger } from '../../src/spire/log/logger.ts';
import type { AttestationChallenge, AttestationStream } from '../../src/spire/plugin/attestation-stream.ts';
import { KnownMachines } from '../../src/verifier/known-machines.ts';
import { LinkedKeys } from '../../src/verifier/linked-keys.ts';
import type { Policy } from '../../src/verifier/policy.ts';
import { anchorsOf } from '../../src/x509/file/trust-store.ts';
import { costlyChains } from '../support/costly-chains.ts';
import { forger } from '../support/forger.ts';
import { type Issuer, keyPair, mintAuthority, mintEkChain, spkiOf } from '../support/pki.ts';
import { bundle, testPolicy } from '../support/policy.ts';
import { eccAk, publicHalf, softwareDevice } from '../support/software-device.ts';

const ANCHOR: Issuer = { issuer: 'Costly Root CA', key: keyPair('p384', 'costly root') };

const standingUnder = (policy: Policy): Standing => ({
  lists: () => policy,
  challenges: new OpenChallenges(),
  collections: new OpenChallenges(),
  tolerances: new Tolerances(),
  linked: new LinkedKeys(),
  maxMessageBytes: 256 * 1024,
});

/** The dearest payload of a stranger, and the log of how it was answered. */
function strangersAttestation(signal: AbortSignal) {
  const device = softwareDevice();
  const ek = spkiOf(publicHalf(device.ek.privateKey));
  const chain = costlyChains(ek, ANCHOR, 'p384').find(({ name }) => name.startsWith('four CAs of an anchor'));
  const { payload } = forger({ ...device, certificates: chain?.certificates ?? [] });
  const stream: AttestationStream<'server'> = {
    id: '00000000',
    signal,
    metadata: new Map(),
    receive: async () => ({ kind: 'payload', bytes: payload }),
    send: () => expect.unreachable('nothing is to be said'),
  };
  const anchors = anchorsOf([mintAuthority(ANCHOR.issuer, ANCHOR.key, ANCHOR).certificate]);
  const policy = testPolicy({ mode: 'certificate', bundles: [bundle(anchors)] });
  const messages: string[] = [];
  const logger = createLogger({ write: ({ message }) => messages.push(message) });
  const inForce = { policy, known: new KnownMachines(policy) };
  return { answer: attest(stream, inForce, logger, standingUnder(policy)), messages };
}

test('of attestations whose messages come together each is judged in a turn of its own', async () => {
  const policy = testPolicy({ mode: 'certificate', bundles: [bundle(mintEkChain().anchors)] });
  const [inForce, standing] = [{ policy, known: new KnownMachines(policy) }, standingUnder(policy)];
  const logger = createLogger({ write: () => {} });
  const challenges: AttestationChallenge[] = [];
  let start: () => void = () => {};
  const allChallenged = new Promise<void>((resolve) => {
    start = resolve;
  });
  let now = 0;
  const admittedIn: number[] = [];
  const machine = (label: string, _: number, { length }: readonly string[]): Promise<void> => {
    const { payload, answer } = forger(softwareDevice({ ak: eccAk({ label }) }));
    let challenge: Uint8Array | undefined;
    const stream: AttestationStream<'server'> = {
      id: label,
      signal: new AbortController().signal,
      metadata: new Map(),
      receive: async () => {
        if (challenge === undefined) return { kind: 'payload', bytes: payload };
        const bytes = answer(challenge);
        await allChallenged;
        return { kind: 'challenge_response', bytes };
      },
      send: (message) => {
        if (message.kind === 'agent_attributes') admittedIn.push(now);
        else {
          challenge = message.bytes;
          if (challenges.push(message) === length) start();
        }
      },
    };
    return attest(stream, inForce, logger, standing);
  };
  const all = Promise.all(['a', 'b', 'c', 'd'].map(machine));
  for (; admittedIn.length < 4; now++) await Promise.race([all, turn()]);
  await all;
  expect(new Set(admittedIn).size).toBe(4);
});

test('others have their turn while the chain of a stranger is looked at', async () => {
  const { answer, messages } = strangersAttestation(new AbortController().signal);
  let [turns, isOver] = [0, false];
  const over = answer
    .catch((error: unknown) => error)
    .finally(() => {
      isOver = true;
    });
  for (; !isOver; turns++) await turn();
  expect(await over).toMatchObject({ message: expect.stringContaining('00000000') });
  expect(messages.at(-1)).toContain('gave up');
  // A dozen signatures take several slices on any machine; at once it would be one.
  expect(turns).toBeGreaterThan(3);
});

test('a stranger who goes away costs nothing more', async () => {
  const ending = new AbortController();
  const { answer, messages } = strangersAttestation(ending.signal);
  await turn();
  ending.abort(new Error('gone'));
  await expect(answer).rejects.toThrow('gone');
  expect(messages).toEqual([]);
});
