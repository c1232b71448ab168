/** What the log may not hold, whatever happens: it is read by more people than may attest as a machine. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { concat } from '../../src/bytes/bytes.ts';
import { decodeChallenge } from '../../src/evidence/messages.ts';
import type { Forger } from '../support/forger.ts';
import { forger } from '../support/forger.ts';
import { useJudge } from '../support/judge.ts';
import { mintEkChain, pem } from '../support/pki.ts';
import { pluginForger } from '../support/plugin-forger.ts';
import { softwareDevice } from '../support/software-device.ts';
import { spellingsIn } from '../support/traces.ts';

const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const caPath = join(folder, 'ca.pem');
const { root, intermediate } = mintEkChain();
writeFileSync(caPath, pem(root.der, intermediate.der));

const judge = useJudge({ caPath, config: 'wire = "spire-tpm-plugin"' });
const machine = softwareDevice();

test('A76 writes no secret, nonce or message into the log of the server, after any verdict', async () => {
  const secrets: Uint8Array[] = [];
  const keep = <Bytes extends Uint8Array>(bytes: Bytes): Bytes => {
    secrets.push(bytes);
    return bytes;
  };
  const watched = ({ payload, answer }: Forger): Forger => ({
    payload: keep(payload),
    answer: (challenge) => keep(answer(keep(challenge))),
  });
  const flipped = (bytes: Uint8Array): Uint8Array => keep(bytes.with(0, (bytes[0] ?? 0) ^ 1));
  const exchanges: readonly (readonly [Forger, 'admitted' | 'refused'])[] = [
    [forger(machine, { secret: keep }), 'admitted'],
    [forger(machine, { secret: (honest) => flipped(keep(honest)) }), 'refused'],
    [forger(machine, { secret: keep, responseBytes: (bytes) => concat(bytes, Uint8Array.of(0)) }), 'refused'],
    [forger(machine, { payloadBytes: (bytes) => concat(bytes, Uint8Array.of(0)) }), 'refused'],
    [pluginForger(machine, { secret: keep }), 'admitted'],
    [pluginForger(machine, { secret: (honest) => flipped(keep(honest)) }), 'refused'],
    [pluginForger(machine, { secret: keep, responseBytes: (bytes) => concat(bytes, Uint8Array.of(0x20)) }), 'refused'],
  ];
  for (const [attestation, outcome] of exchanges)
    expect(await judge.judge(watched(attestation))).toMatchObject({ outcome });
  const nonces = secrets.flatMap((bytes) => {
    try {
      return [decodeChallenge(bytes).nonce];
    } catch {
      return [];
    }
  });
  expect(nonces.length).toBeGreaterThan(2);
  await judge.until(() => judge.records.filter(({ message }) => message === 'node attested').length === 2);

  const log = JSON.stringify(judge.records);
  // The search finds what is there.
  const known = await judge.judge(forger(machine));
  const pubHash = known.outcome === 'admitted' ? (known.agentId.split('/').at(-1) ?? '') : '';
  expect(spellingsIn(log, Buffer.from(pubHash, 'hex'))).toEqual(['hex']);
  const found = [...secrets, ...nonces]
    .filter((bytes) => bytes.length >= 16)
    .flatMap((bytes) => spellingsIn(log, bytes));
  expect(found).toEqual([]);
});
