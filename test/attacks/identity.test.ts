/** Identity: it follows from the endorsement key alone, and nothing the node says of itself is in it. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { concat } from '../../src/bytes/bytes.ts';
import { publicKeyOf } from '../../src/tpm/public-key.ts';
import { forger, protobufField } from '../support/forger.ts';
import { useJudge } from '../support/judge.ts';
import { eccAk, type SoftwareDevice, softwareDevice } from '../support/software-device.ts';

const judge = useJudge({ config: 'ek_algorithms = ["rsa", "ecc"]' });

/** Without the product's own hashing. */
function hashOf(device: SoftwareDevice): string {
  const key = publicKeyOf(device.ek.publicArea);
  const spki = key?.export({ format: 'der', type: 'spki' }) ?? '';
  return createHash('sha256').update(spki).digest('hex');
}

test('A70 refuses a payload in which the node states its own ID', async () => {
  for (const name of ['host-7', '4f6f2c1e-0000-4000-8000-000000000000', hashOf(softwareDevice({ label: 'victim' }))])
    await judge.refuses({ payloadBytes: (bytes) => concat(bytes, protobufField(8, name)) }, 'evidence.malformed');
});

test('A70 puts the whole hash of the endorsement key into the ID, another for each key', async () => {
  const devices = [softwareDevice(), softwareDevice({ label: 'second' }), softwareDevice({ ek: 'L-2' })];
  for (const device of devices) {
    const judgement = await judge.judge(forger(device));
    expect(judgement).toEqual({
      outcome: 'admitted',
      agentId: `spiffe://example.org/spire/agent/tpm/${hashOf(device)}`,
      selectors: expect.arrayContaining([`pub_hash:${hashOf(device)}`]),
    });
  }
  expect(new Set(devices.map(hashOf)).size).toBe(devices.length);
});

test('A70 keeps the ID when the attestation key changes', async () => {
  const one = await judge.admits(softwareDevice());
  expect(await judge.admits(softwareDevice({ ak: eccAk({ label: 'new AK' }) }))).toBe(one);
});
