import { afterEach, describe, expect, test } from 'vitest';
import { Attestor } from '../../src/agent/attest.ts';
import { attestTo, policyFor, TRUST_DOMAIN } from '../support/agent-attestation.ts';
import { type SoftwareTpm, type SwtpmOptions, startSwtpm } from '../support/swtpm.ts';
import { interpose, type OnCommand, pcrExtend, refusal, type TpmInterposer } from '../support/tpm-interposer.ts';

let tpm: SoftwareTpm;
let bus: TpmInterposer;

async function attestorBehind(onCommand: OnCommand, options: SwtpmOptions = {}): Promise<Attestor> {
  tpm = await startSwtpm(options);
  bus = await interpose(tpm, onCommand);
  return new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => bus.tcti });
}

afterEach(async () => {
  await bus.stop();
  await tpm.stop();
});

const TPM_RC_HANDLE_1 = 0x18b;
const TPM_RC_FAILURE = 0x101;
const TPM_RC_NV_UNINITIALIZED = 0x14a;
const L1_CERTIFICATE = 0x01c00002;
/** A response of TPM2_PCR_Read: update counter 1, no selection, no value. */
const NO_PCRS = Buffer.from('80010000001600000000' + '00000001' + '00000000' + '00000000', 'hex');
const DIGEST = new Uint8Array(32).fill(7);

describe('the endorsement certificate', () => {
  const answering = (code: number): OnCommand => {
    return async (name, command, transmit) =>
      name === 'TPM2_NV_ReadPublic' && command.readUInt32BE(10) === L1_CERTIFICATE ? refusal(code) : transmit(command);
  };

  test('is taken from the next template where its index does not exist', async () => {
    const attestor = await attestorBehind(answering(TPM_RC_HANDLE_1));
    expect((await attestTo(attestor, policyFor(tpm))).endorsement.template.name).toBe('H-3');
  });

  test.each([TPM_RC_FAILURE, TPM_RC_NV_UNINITIALIZED])(
    'is not taken from the next template when its index answers 0x%i',
    async (code) => {
      const attestor = await attestorBehind(answering(code));
      await expect(attestTo(attestor, policyFor(tpm))).rejects.toMatchObject({ code: 'ERR_TPM', rc: code });
    },
  );
});

describe('PCRs', () => {
  test('that a TPM never answers are not asked for without end', async () => {
    let asked = 0;
    const attestor = await attestorBehind(async (name, command, transmit) => {
      if (name !== 'TPM2_PCR_Read') return transmit(command);
      asked += 1;
      if (asked > 3) throw new Error('asked again without end');
      return NO_PCRS;
    });
    await expect(attestTo(attestor, policyFor(tpm))).rejects.toMatchObject({
      code: 'ERR_PCR',
      message: 'the TPM does not answer PCR 0, 1, 2, 3, 4, 5, 6, 7 of the requested bank',
    });
    expect(asked).toBe(1);
  });

  test('that change between reading and quoting are read again', async () => {
    let extended = false;
    const attestor = await attestorBehind(async (name, command, transmit) => {
      if (name === 'TPM2_Quote' && !extended) {
        extended = true;
        expect((await transmit(pcrExtend(5, DIGEST))).readUInt32BE(6)).toBe(0);
      }
      return transmit(command);
    });
    const { verdict, commands } = await attestTo(attestor, policyFor(tpm));
    expect(verdict.verdict).toBe('trusted');
    expect([commands.get('TPM2_Quote'), commands.get('TPM2_PCR_Read')]).toEqual([1, 2]);
  });

  test('that change once more while they are read again are quoted again', async () => {
    let left = 2;
    const attestor = await attestorBehind(async (name, command, transmit) => {
      // Before the first quote, and before the reading after it.
      if ((name === 'TPM2_Quote' && left === 2) || (name === 'TPM2_PCR_Read' && left === 1)) {
        left -= 1;
        await transmit(pcrExtend(5, DIGEST));
      }
      return transmit(command);
    });
    const { verdict, commands } = await attestTo(attestor, policyFor(tpm));
    expect(verdict.verdict).toBe('trusted');
    expect([commands.get('TPM2_Quote'), commands.get('TPM2_PCR_Read')]).toEqual([2, 2]);
  });

  test('that never rest are given up after three quotes', async () => {
    let quotes = 0;
    const attestor = await attestorBehind(async (name, command, transmit) => {
      if (name === 'TPM2_Quote') quotes += 1;
      if (name === 'TPM2_Quote' || name === 'TPM2_PCR_Read') await transmit(pcrExtend(5, DIGEST));
      return transmit(command);
    });
    await expect(attestTo(attestor, policyFor(tpm))).rejects.toMatchObject({ code: 'ERR_PCR' });
    expect(quotes).toBe(3);
  });
});

describe('an interposer', () => {
  const L1_HANDLE = 0x81010001;
  const H3_HANDLE = 0x81010016;

  test.each([1, 2, 3])('that shows another key at reading %i of the EK learns no secret', async (reading) => {
    let readings = 0;
    let activated = false;
    const attestor = await attestorBehind(
      async (name, command, transmit) => {
        if (name === 'TPM2_ActivateCredential') activated = true;
        if (name === 'TPM2_ReadPublic' && command.readUInt32BE(10) === L1_HANDLE) {
          readings += 1;
          if (readings === reading) command.writeUInt32BE(H3_HANDLE, 10);
        }
        return transmit(command);
      },
      { persistentEks: true },
    );
    const outcome = await attestTo(attestor, policyFor(tpm)).catch((error: unknown) => error);
    // Reading 1 is ESYS's and unused; reading 2 makes the handle a foreign one, so that the key is created instead.
    if (reading === 3) {
      expect(outcome).toMatchObject({ code: 'ERR_ENDORSEMENT' });
      expect(activated).toBe(false);
    } else {
      expect(outcome).toMatchObject({ verdict: { verdict: 'trusted' } });
    }
    expect(readings).toBeGreaterThanOrEqual(reading);
  });
});

describe('a TPM that does not answer', () => {
  test('holds up the attestations after it until it does, but nobody who gave up', async () => {
    let answerNow: () => void = () => {};
    const silence = new Promise<void>((resolve) => {
      answerNow = resolve;
    });
    const controller = new AbortController();
    const attestor = await attestorBehind(async (name, command, transmit) => {
      if (name === 'TPM2_CreatePrimary' && !controller.signal.aborted) {
        controller.abort(new Error('gave up'));
        await silence;
      }
      return transmit(command);
    });
    const given = attestor.attest(async () => new Uint8Array(), { signal: controller.signal });
    await expect(given).rejects.toThrow('gave up');
    const impatient = AbortSignal.timeout(50);
    await expect(attestor.attest(async () => new Uint8Array(), { signal: impatient })).rejects.toThrow('timeout');

    const next = attestTo(attestor, policyFor(tpm));
    answerNow();
    expect((await next).verdict.verdict).toBe('trusted');
    // What the abandoned TPM2_CreatePrimary made was flushed.
    expect((await tpm.tpm2('tpm2_getcap', ['handles-transient'])).stdout.trim()).toBe('');
  });
});
