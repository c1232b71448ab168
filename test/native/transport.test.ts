import { describe, expect, onTestFinished, test } from 'vitest';
import { ESYS_TR } from '../../src/tpm/device/handles.ts';
import { Tpm } from '../../src/tpm/device/tpm.ts';
import { encode } from '../../src/tpm/structures/codec.ts';
import { tpmtPublic } from '../../src/tpm/structures/public.ts';
import { akTemplate } from '../../src/tpm/templates.ts';
import { startSwtpm } from '../support/swtpm.ts';
import { relayTo, type TpmRelay } from '../support/tpm-relay.ts';

const AK = {
  primaryHandle: ESYS_TR.RH_ENDORSEMENT,
  sessions: [ESYS_TR.PASSWORD],
  inPublic: encode(tpmtPublic, akTemplate('ecc', 'test')),
} as const;

async function relayed(): Promise<{ relay: TpmRelay; tpm: Tpm }> {
  const relay = await relayTo(await startSwtpm());
  const tpm = await Tpm.open(relay.tcti);
  onTestFinished(async () => {
    await relay.stop();
    await tpm.close();
  });
  return { relay, tpm };
}

const random = (tpm: Tpm): Promise<unknown> => tpm.exclusive((run) => run.getRandom({ bytesRequested: 8 }));

describe('a TCTI that cannot be opened', () => {
  test.each([
    'nonsense',
    'no-such-module:path=/tmp',
    'swtpm:path=/nonexistent/socket',
    'device:/nonexistent',
    'pcap:swtpm:path=/nonexistent/socket',
    'swtpm:port=99999',
  ])('%s is a TpmError of the TCTI layer that names it', async (tcti) => {
    const opening = Tpm.open(tcti);
    await expect(opening).rejects.toMatchObject({ code: 'ERR_TPM', layer: 'tcti' });
    await expect(opening).rejects.toThrow(`open ${tcti}: TSS2_TCTI_RC_`);
  });
});

describe('a connection that dies', () => {
  test.each([0, 4, 12])(
    'after %i bytes of an answer is a TpmError; the next command says the same, and close ends',
    async (bytes) => {
      const { relay, tpm } = await relayed();
      await tpm.exclusive((run) => run.createPrimary(AK));
      relay.cutAfter(bytes);
      const cut = random(tpm);
      await expect(cut).rejects.toMatchObject({ code: 'ERR_TPM', layer: 'tcti', command: 'TPM2_GetRandom' });
      await expect(random(tpm)).rejects.toBe(await cut.catch((error: unknown) => error));
      await tpm.close();
    },
  );

  test('because the TPM is gone is a TpmError', async () => {
    const software = await startSwtpm();
    const tpm = await Tpm.open(software.tcti);
    await random(tpm);
    software.kill();
    await expect(random(tpm)).rejects.toMatchObject({ code: 'ERR_TPM', layer: 'tcti' });
    await tpm.close();
  });
});

describe('an answer that is', () => {
  const header = (size: number, rc: number): Buffer => {
    const bytes = Buffer.alloc(10);
    bytes.writeUInt16BE(0x8001);
    bytes.writeUInt32BE(size, 2);
    bytes.writeUInt32BE(rc, 6);
    return bytes;
  };
  test.each([
    ['without the parameters it owes', header(10, 0)],
    ['a size that lies', Buffer.concat([header(14, 0), Buffer.from([0xff, 0xff, 1, 2])])],
    ['noise', Buffer.concat([Buffer.from([0xa5, 0xa5]), header(20, 0).subarray(2, 6), Buffer.alloc(14, 0xa5)])],
  ])('%s is an error, not a crash', async (_, answer) => {
    const { relay, tpm } = await relayed();
    relay.forge(answer);
    const asking = tpm.exclusive((run) => run.getCapability({ capability: 6, property: 0x100, propertyCount: 1 }));
    await expect(asking).rejects.toMatchObject({ code: 'ERR_TPM', command: 'TPM2_GetCapability' });
  });

  test.each([
    [0x921, 'TPM_RC_LOCKOUT', false],
    [0x902, 'TPM_RC_OBJECT_MEMORY', false],
    [0x101, 'TPM_RC_FAILURE', false],
    [0x923, 'TPM_RC_NV_UNAVAILABLE', true],
  ])('the code %i is %s, and the connection goes on', async (rc, name, retryable) => {
    const { relay, tpm } = await relayed();
    relay.forge(header(10, rc));
    await expect(random(tpm)).rejects.toMatchObject({ layer: 'tpm', rc, name, retryable });
    await expect(random(tpm)).resolves.toBeDefined();
  });

  test('"retry" once is sent again by ESYS, and both are counted', async () => {
    const { relay, tpm } = await relayed();
    relay.forge(header(10, 0x922));
    await random(tpm);
    expect(tpm.commandCounts().get('TPM2_GetRandom')).toBe(2);
    expect(relay.commands).toBe(2);
  });
});
