import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Attestor } from '../../src/agent/attest.ts';
import { concat } from '../../src/bytes/bytes.ts';
import { decodePayload } from '../../src/evidence/messages.ts';
import { encode } from '../../src/tpm/structures/codec.ts';
import { TPM_SE } from '../../src/tpm/structures/constants.ts';
import { tpmtPublic } from '../../src/tpm/structures/public.ts';
import { akTemplate } from '../../src/tpm/templates.ts';
import { attestTo, policyFor, TRUST_DOMAIN } from '../support/agent-attestation.ts';
import { CLI } from '../support/cli.ts';
import { AK, EK } from '../support/open-tpm.ts';
import { leaveInTpm, loadedInTpm, type Other } from '../support/others-in-tpm.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';
import { interpose } from '../support/tpm-interposer.ts';

const OWN_AK = encode(tpmtPublic, akTemplate('ecc', TRUST_DOMAIN));
const AK_OF_ANOTHER_DOMAIN = encode(tpmtPublic, akTemplate('ecc', 'other.org'));

let tpm: SoftwareTpm;
const attestor = (): Attestor => new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => tpm.tcti });

beforeEach(async () => {
  tpm = await startSwtpm({ templates: ['L-1'] });
});
afterEach(() => tpm.stop());

describe('an attestation key of its own that was left', () => {
  test('is flushed, and nothing else', async () => {
    await leaveInTpm(tpm, [OWN_AK, TPM_SE.POLICY]);
    const [, session] = await loadedInTpm(tpm);
    expect((await attestTo(attestor(), policyFor(tpm))).verdict.verdict).toBe('trusted');
    expect(await loadedInTpm(tpm)).toEqual([session]);
  });

  test('makes room, also where only one slot is free', async () => {
    await leaveInTpm(tpm, [EK.inPublic, OWN_AK]);
    const [ek] = await loadedInTpm(tpm);
    expect((await attestTo(attestor(), policyFor(tpm))).verdict.verdict).toBe('trusted');
    expect(await loadedInTpm(tpm)).toEqual([ek]);
  });

  test.each<readonly [string, Other]>([
    ['endorsement key', EK.inPublic],
    ['attestation key of another trust domain', AK_OF_ANOTHER_DOMAIN],
    ['other key', AK.inPublic],
    ['session', TPM_SE.HMAC],
  ])('is told from an %s', async (_, other) => {
    await leaveInTpm(tpm, [other]);
    const before = await loadedInTpm(tpm);
    expect((await attestTo(attestor(), policyFor(tpm))).verdict.verdict).toBe('trusted');
    expect(await loadedInTpm(tpm)).toEqual(before);
  });

  test('is told from its public part, which somebody loaded to verify with', async () => {
    const { payload } = await attestTo(attestor(), policyFor(tpm));
    await loadPublic(decodePayload(payload).akPublic);
    const before = await loadedInTpm(tpm);
    expect(before).toHaveLength(1);
    expect((await attestTo(attestor(), policyFor(tpm))).verdict.verdict).toBe('trusted');
    expect(await loadedInTpm(tpm)).toEqual(before);
  });
});

/** TPMT_PUBLIC. */
async function loadPublic(area: Uint8Array): Promise<void> {
  await writeFile(join(tpm.folder, 'ak.pub'), concat(Uint8Array.of(area.length >> 8, area.length), area));
  await tpm.tpm2('tpm2_loadexternal', ['-C', 'e', '-u', 'ak.pub', '-c', 'ak.ctx']);
}

test('while an agent waits for the challenge the TPM is closed and empty, and a warm one has not opened it', async () => {
  let commands = 0;
  const bus = await interpose(tpm, (_, command, transmit) => {
    commands++;
    return transmit(command);
  });
  try {
    const agent = new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => bus.tcti });
    for (const warm of [false, true]) {
      const sent = commands;
      let atChallenge = 0;
      const attested = await attestTo(agent, policyFor(tpm), async () => {
        atChallenge = commands;
        expect(await loadedInTpm(tpm)).toEqual([]);
      });
      expect(attested).toMatchObject({ warm, verdict: { verdict: 'trusted' }, total: commands - sent });
      expect(atChallenge > sent).toBe(!warm);
    }
  } finally {
    await bus.stop();
  }
});

describe('between payload and challenge', () => {
  test('a reset TPM makes the same keys, and the challenge is answered', async () => {
    const answered = await attestTo(attestor(), policyFor(tpm), () => tpm.powerCycle());
    expect(answered).toMatchObject({ warm: false, verdict: { verdict: 'trusted' } });
    expect(await loadedInTpm(tpm)).toEqual([]);
  });

  test('a TPM whose endorsement seed was changed is told, and the next attestation has the new keys', async () => {
    const agent = attestor();
    const failed = attestTo(agent, policyFor(tpm), () => changeEndorsementSeed());
    await expect(failed).rejects.toMatchObject({
      code: 'ERR_ENDORSEMENT',
      message: expect.stringMatching(/no longer has the keys/),
    });
    expect(await loadedInTpm(tpm)).toEqual([]);
  });

  test('a TPM that others fill is waited for, and told when it stays full', async () => {
    const agent = attestor();
    const full = attestTo(agent, policyFor(tpm), () => leaveInTpm(tpm, [AK.inPublic, AK.inPublic]));
    await expect(full).rejects.toMatchObject({ name: 'TPM_RC_OBJECT_MEMORY' });
    expect(await loadedInTpm(tpm)).toHaveLength(2);
    await tpm.tpm2('tpm2_flushcontext', ['-t']);
    expect((await attestTo(agent, policyFor(tpm))).warm).toBe(true);
  });
});

/** TPM2_ChangeEPS, which only platform firmware sends. */
async function changeEndorsementSeed(): Promise<void> {
  await tpm.tpm2('tpm2_changeeps', ['-p', '']);
}

test.each(['SIGINT', 'SIGTERM'] as const)('a command that %s ends leaves nothing', async (signal) => {
  let onCreate: () => void = () => {};
  const creating = new Promise<void>((resolve) => {
    onCreate = resolve;
  });
  const bus = await interpose(tpm, async (name, command, transmit) => {
    if (name === 'TPM2_CreatePrimary') onCreate();
    await new Promise((resolve) => setTimeout(resolve, 60));
    return transmit(command);
  });
  try {
    const doctor = spawn(process.execPath, [CLI, 'ek', 'doctor', '--tcti', bus.tcti], { stdio: 'ignore' });
    const exited = once(doctor, 'exit');
    await creating;
    doctor.kill(signal);
    const [code] = await exited;
    expect(code).toBe(signal === 'SIGINT' ? 130 : 143);
    expect(await loadedInTpm(tpm)).toEqual([]);
  } finally {
    await bus.stop();
  }
});
