import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AkMaker } from '../../src/agent/ak-maker.ts';
import { Attestor } from '../../src/agent/attest.ts';
import { decodeChallenge, encodeChallenge } from '../../src/evidence/messages.ts';
import { ESYS_TR } from '../../src/tpm/device/handles.ts';
import { TPMA_OBJECT } from '../../src/tpm/structures/attributes.ts';
import { encode } from '../../src/tpm/structures/codec.ts';
import { TPM_ALG } from '../../src/tpm/structures/constants.ts';
import { pcrSelection, tpmlPcrSelection } from '../../src/tpm/structures/pcr.ts';
import { tpmtPublic } from '../../src/tpm/structures/public.ts';
import { akTemplate } from '../../src/tpm/templates.ts';
import { begin } from '../../src/verifier/verify.ts';
import { attestTo, pcrs, policyFor, TRUST_DOMAIN } from '../support/agent-attestation.ts';
import { commandsInPcap } from '../support/pcap.ts';
import { type SoftwareEkTemplate, type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';
import { readTraffic } from '../support/tpm-traffic.ts';

let tpm: SoftwareTpm;
let recording: string;

function attestorFor(options: Partial<ConstructorParameters<typeof Attestor>[0]> = {}): Attestor {
  return new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => tpm.tcti, ...options });
}

/** Each recording counts from here. */
function record(): () => string {
  recording = join(tpm.folder, `${Math.random().toString(36).slice(2)}.pcap`);
  process.env['TCTI_PCAP_FILE'] = recording;
  return () => `pcap:${tpm.tcti}`;
}

async function loadedHandles(): Promise<string> {
  const kinds = ['handles-transient', 'handles-loaded-session', 'handles-saved-session'];
  const listed: string[] = [];
  for (const kind of kinds) listed.push((await tpm.tpm2('tpm2_getcap', [kind])).stdout.trim());
  return listed.filter((text) => text !== '').join();
}

afterEach(() => {
  delete process.env['TCTI_PCAP_FILE'];
});

const TEMPLATES: readonly SoftwareEkTemplate[] = ['L-1', 'L-2', 'H-1', 'H-2', 'H-3', 'H-4', 'H-6'];

describe.each(TEMPLATES)('the EK of template %s', (template) => {
  beforeEach(async () => {
    tpm = await startSwtpm({ templates: [template] });
  });
  afterEach(() => tpm.stop());

  test.each(['ecc', 'rsa'] as const)(
    'attests with an %s AK, leaves nothing loaded, never fills the TPM',
    async (ak) => {
      const attestor = attestorFor({ ak, tcti: record() });
      for (const warm of [false, true]) {
        const { verdict, endorsement, akAlgorithm, ...attestation } = await attestTo(attestor, policyFor(tpm));
        expect(verdict).toMatchObject({ verdict: 'trusted', device: { ek: { template, admittedBy: 'certificate' } } });
        expect(endorsement).toMatchObject({ template: { name: template }, persistentHandle: undefined, notes: [] });
        expect(akAlgorithm).toBe(ak === 'ecc' ? 'ecc-P-256' : 'rsa-2048');
        expect(attestation.warm).toBe(warm);
      }
      const traffic = readTraffic(recording);
      expect(traffic.mostTransients).toBeLessThanOrEqual(3);
      expect(traffic.mostSessions).toBe(1);
      expect(traffic.left).toEqual([]);
      expect(await loadedHandles()).toBe('');
    },
  );
});

describe('a later attestation', () => {
  afterEach(() => tpm.stop());

  // Commands of the warm sequence: PolicyOR for H templates; a created EK is loaded and flushed each time.
  test.each([
    { template: 'L-1', persistentEks: true, most: 6 },
    { template: 'L-1', persistentEks: false, most: 8 },
    { template: 'H-3', persistentEks: true, most: 7 },
    { template: 'H-3', persistentEks: false, most: 9 },
  ] as const)(
    'sends $most commands with EK $template, persistent: $persistentEks',
    async ({ template, most, ...rest }) => {
      tpm = await startSwtpm({ templates: [template], ...rest });
      const attestor = attestorFor({ tcti: record() });
      await attestTo(attestor, policyFor(tpm));
      for (let round = 2; round <= 3; round++) {
        record();
        const { verdict, commands, total, warm } = await attestTo(attestor, policyFor(tpm));
        expect(verdict.verdict).toBe('trusted');
        expect(warm).toBe(true);
        expect(total).toBe(most);
        expect(commandsInPcap(readFileSync(recording))).toEqual(commands);
      }
      expect(await loadedHandles()).toBe('');
    },
  );

  test('reads PCRs again when they changed, and no more often', async () => {
    tpm = await startSwtpm();
    const attestor = attestorFor();
    await attestTo(attestor, policyFor(tpm));
    await extend(7);
    const changed = await attestTo(attestor, policyFor(tpm));
    expect(changed.verdict.verdict).toBe('trusted');
    expect(changed.commands.get('TPM2_PCR_Read')).toBe(1);
    expect((await attestTo(attestor, policyFor(tpm))).commands.get('TPM2_PCR_Read')).toBeUndefined();
  });

  test('takes PCRs in parts of eight, and another selection anew', async () => {
    tpm = await startSwtpm();
    const attestor = attestorFor();
    await attestTo(attestor, policyFor(tpm));
    const wide = await attestTo(attestor, policyFor(tpm, { pcrs: [pcrs('sha256:0-15,17-22')] }));
    expect(wide.verdict.verdict).toBe('trusted');
    expect(wide.commands.get('TPM2_PCR_Read')).toBe(3);
  });

  test('starts discovery again, once, after TPM2_Clear', async () => {
    tpm = await startSwtpm();
    const attestor = attestorFor();
    const first = await attestTo(attestor, policyFor(tpm));
    await tpm.tpm2('tpm2_clear', ['-c', 'p']);
    const second = await attestTo(attestor, policyFor(tpm));
    expect(second.verdict.verdict).toBe('trusted');
    expect(second.warm).toBe(false);
    expect(second.commands.get('TPM2_ContextLoad')).toBe(1);
    expect(second.payload).toEqual(first.payload);
    expect((await attestTo(attestor, policyFor(tpm))).warm).toBe(true);
    expect(await loadedHandles()).toBe('');
  });

  test('starts discovery again after a power cycle', async () => {
    tpm = await startSwtpm();
    const attestor = attestorFor();
    await attestTo(attestor, policyFor(tpm));
    await tpm.powerCycle();
    expect(await attestTo(attestor, policyFor(tpm))).toMatchObject({ warm: false, verdict: { verdict: 'trusted' } });
  });

  test('finds the key of a persistent EK that was evicted meanwhile', async () => {
    tpm = await startSwtpm({ templates: ['L-1'], persistentEks: true });
    const attestor = attestorFor();
    expect((await attestTo(attestor, policyFor(tpm))).endorsement.persistentHandle).toBe(0x81010001);
    await tpm.tpm2('tpm2_evictcontrol', ['-C', 'o', '-c', '0x81010001']);
    const second = await attestTo(attestor, policyFor(tpm));
    expect(second).toMatchObject({ warm: false, verdict: { verdict: 'trusted' } });
    expect(second.endorsement.persistentHandle).toBeUndefined();
  });
});

describe('an attestation', () => {
  beforeEach(async () => {
    tpm = await startSwtpm();
  });
  afterEach(() => tpm.stop());

  test('does not show the activated secret on the bus', async () => {
    const { secret, challenge, verdict } = await attestTo(attestorFor({ tcti: record() }), policyFor(tpm));
    expect(verdict.verdict).toBe('trusted');
    const recorded = readFileSync(recording);
    expect(recorded.includes(Buffer.from(secret))).toBe(false);
    // What is not hidden is there to be found.
    expect(recorded.includes(Buffer.from(decodeChallenge(challenge).encryptedSecret))).toBe(true);
  });

  test('still succeeds while the TPM is in lockout', async () => {
    await tpm.tpm2('tpm2_dictionarylockout', ['-s', '-n', '1', '-t', '1000', '-l', '1000']);
    await tpm.tpm2('tpm2_createprimary', ['-C', 'o', '-p', 'right', '-c', 'key.ctx', '-G', 'ecc']);
    await tpm.tpm2('tpm2_flushcontext', ['-t']);
    const wrong = ['-C', 'key.ctx', '-P', 'wrong', '-u', 'x.pub', '-r', 'x.priv'];
    await expect(tpm.tpm2('tpm2_create', wrong)).rejects.toThrow();
    await tpm.tpm2('tpm2_flushcontext', ['-t']);
    const { stdout } = await tpm.tpm2('tpm2_getcap', ['properties-variable']);
    expect(stdout).toMatch(/inLockout:\s+1/);
    expect((await attestTo(attestorFor(), policyFor(tpm))).verdict.verdict).toBe('trusted');
  });

  test('leaves nothing loaded when the server declines, and keeps what it knows', async () => {
    const attestor = attestorFor();
    const declined = attestor.attest(async () => {
      throw new Error('declined');
    });
    await expect(declined).rejects.toThrow('declined');
    expect(await loadedHandles()).toBe('');
    expect((await attestTo(attestor, policyFor(tpm))).warm).toBe(true);
  });

  test('leaves nothing loaded when the challenge is none', async () => {
    const answer = attestorFor().attest(async () => Uint8Array.of(1, 2, 3));
    await expect(answer).rejects.toMatchObject({ code: 'ERR_MALFORMED' });
    expect(await loadedHandles()).toBe('');
  });

  test('answers no challenge that asks for several banks, one bank twice, none, or no PCR, and leaves nothing loaded', async () => {
    const { SHA256, SHA384 } = TPM_ALG;
    const selections = [
      [
        [SHA256, [0]],
        [SHA384, [0]],
      ],
      [
        [SHA256, [0]],
        [SHA256, [1]],
      ],
      [[SHA256, []]],
      [],
    ] as const;
    for (const banks of selections) {
      const pcrSelect = encode(
        tpmlPcrSelection,
        banks.map(([hash, indices]) => pcrSelection(hash, indices)),
      );
      const answer = attestorFor().attest(async (payload) => {
        const begun = begin(payload, policyFor(tpm), (bytes) => Uint8Array.from(randomBytes(bytes)), new Date());
        if (begun.outcome === 'rejected') throw new Error('no challenge was made');
        return encodeChallenge({ ...decodeChallenge(begun.challenge), pcrSelection: pcrSelect });
      });
      await expect(answer).rejects.toThrow(/Challenge\.pcrSelection.*of one bank/);
    }
    expect(await loadedHandles()).toBe('');
  });

  test('answers no challenge that names a boot log twice', async () => {
    const naming = (logs: readonly number[]) =>
      attestorFor().attest(async (payload) => {
        const begun = begin(payload, policyFor(tpm), (bytes) => Uint8Array.from(randomBytes(bytes)), new Date());
        if (begun.outcome === 'rejected') throw new Error('no challenge was made');
        return encodeChallenge({ ...decodeChallenge(begun.challenge), logs });
      });
    expect((await naming([1, 2])).logs.map(({ number }) => number)).toEqual([1, 2]);
    await expect(naming([1, 1])).rejects.toThrow('a log is named twice');
    expect(await loadedHandles()).toBe('');
  });

  test('leaves nothing loaded when it is aborted while it waits for the server, and lets the next one in', async () => {
    const attestor = attestorFor();
    const controller = new AbortController();
    const aborted = attestor.attest(
      () => {
        controller.abort(new Error('gone'));
        return new Promise(() => {});
      },
      { signal: controller.signal },
    );
    await expect(aborted).rejects.toThrow('gone');
    expect((await attestTo(attestor, policyFor(tpm))).verdict.verdict).toBe('trusted');
    expect(await loadedHandles()).toBe('');
  });

  test('runs after the one before it, never beside it', async () => {
    const attestor = attestorFor();
    const verdicts = await Promise.all([1, 2, 3].map(() => attestTo(attestor, policyFor(tpm))));
    expect(verdicts.map(({ verdict }) => verdict.verdict)).toEqual(['trusted', 'trusted', 'trusted']);
    expect(verdicts.map(({ warm }) => warm)).toEqual([false, true, true]);
  });

  test('with an AK made another way is refused: whoever makes it stands outside the agent', async () => {
    const makeAk: AkMaker = (run, { purpose, passwords, saltKey }) => {
      const restricted = akTemplate('ecc', purpose);
      const objectAttributes = restricted.objectAttributes & ~TPMA_OBJECT.restricted;
      const inPublic = encode(tpmtPublic, { ...restricted, objectAttributes });
      return passwords.authorize(run, 'endorsement', saltKey, (session) =>
        run.createPrimary({ primaryHandle: ESYS_TR.RH_ENDORSEMENT, sessions: [session], inPublic }),
      );
    };
    await expect(attestTo(attestorFor({ makeAk }), policyFor(tpm))).rejects.toThrow('ak.unrestricted');
    expect(await loadedHandles()).toBe('');
  });

  test('of another trust domain has another AK and the same EK', async () => {
    const here = await attestTo(attestorFor(), policyFor(tpm));
    const there = await attestTo(
      attestorFor({ trustDomain: 'other.org' }),
      policyFor(tpm, { trustDomain: 'other.org' }),
    );
    if (here.verdict.verdict !== 'trusted' || there.verdict.verdict !== 'trusted') throw new Error('not trusted');
    expect(there.verdict.device.ek.pubHash).toBe(here.verdict.device.ek.pubHash);
    expect(there.verdict.device.ak.name).not.toBe(here.verdict.device.ak.name);
  });
});

async function extend(index: number): Promise<void> {
  await tpm.tpm2('tpm2_pcrextend', [`${index}:sha256=${'ab'.repeat(32)}`]);
}
