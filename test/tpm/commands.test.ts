import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { TpmError } from '../../src/tpm/device/errors.ts';
import { ESYS_TR } from '../../src/tpm/device/handles.ts';
import { withPrimary } from '../../src/tpm/device/scope.ts';
import { tpmsAttest } from '../../src/tpm/structures/attest.ts';
import { decode, encode } from '../../src/tpm/structures/codec.ts';
import { TPM_ALG } from '../../src/tpm/structures/constants.ts';
import { objectName } from '../../src/tpm/structures/name.ts';
import { type TpmtPublic, tpmtPublic } from '../../src/tpm/structures/public.ts';
import { tpmtSignature } from '../../src/tpm/structures/signature.ts';
import { akTemplate } from '../../src/tpm/templates.ts';
import { AK, EK, ekTemplate, leftInTpm, openTpm, PASSWORD, PCRS, withEkPolicy } from '../support/open-tpm.ts';
import { startSwtpm } from '../support/swtpm.ts';

describe('commands', () => {
  test('fifty asked at once are answered in turn', async () => {
    const tpm = await openTpm(await startSwtpm());
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => tpm.exclusive((run) => run.getRandom({ bytesRequested: 8 }))),
    );
    expect(new Set(answers.map(({ randomBytes }) => randomBytes.join())).size).toBe(50);
    expect(tpm.commandCounts().get('TPM2_GetRandom')).toBe(50);
  });

  test('within one operation, too', async () => {
    const tpm = await openTpm(await startSwtpm());
    const answers = await tpm.exclusive((run) =>
      Promise.all(Array.from({ length: 10 }, () => run.getRandom({ bytesRequested: 8 }))),
    );
    expect(answers).toHaveLength(10);
  });

  test('a key quotes PCRs, and its quote decodes', async () => {
    const tpm = await openTpm(await startSwtpm());
    await tpm.exclusive((run) =>
      withPrimary(run, AK, async ({ objectHandle }) => {
        const qualifyingData = randomBytes(32);
        const { quoted, signature } = await run.quote({
          signHandle: objectHandle,
          sessions: PASSWORD,
          qualifyingData,
          pcrSelect: PCRS,
        });
        const attest = decode(tpmsAttest, quoted);
        expect(attest.type).toBe('quote');
        expect(Buffer.from(attest.extraData).equals(qualifyingData)).toBe(true);
        expect(signature.length).toBeGreaterThan(64);
        const { pcrValues, pcrSelectionOut } = await run.pcrRead({ pcrSelectionIn: PCRS });
        expect(pcrValues.map((value) => value.length)).toEqual([32, 32, 32]);
        expect(Buffer.from(pcrSelectionOut).equals(PCRS)).toBe(true);
      }),
    );
  });

  test('a quote with the wrong kind of key is refused with a TpmError that says which argument', async () => {
    const tpm = await openTpm(await startSwtpm());
    const quoting = tpm.exclusive((run) =>
      withPrimary(run, EK, ({ objectHandle }) =>
        withEkPolicy(run, objectHandle, (session) =>
          run.quote({
            signHandle: objectHandle,
            sessions: [session],
            qualifyingData: new Uint8Array(),
            pcrSelect: PCRS,
          }),
        ),
      ),
    );
    await expect(quoting).rejects.toMatchObject({
      code: 'ERR_TPM',
      layer: 'tpm',
      name: 'TPM_RC_KEY',
      command: 'TPM2_Quote',
      argument: { kind: 'handle', index: 1 },
    });
  });

  test('a key certifies its own creation, and not with the ticket or the hash of another', async () => {
    const software = await startSwtpm();
    const tpm = await openTpm(software);
    const other = { ...AK, inPublic: encode(tpmtPublic, akTemplate('ecc', 'other')) };
    const foreign = await tpm.exclusive((run) => withPrimary(run, other, async (made) => made));
    await tpm.exclusive((run) =>
      withPrimary(run, AK, async ({ objectHandle, outPublic, creationData, creationHash, creationTicket }) => {
        const keys = { signHandle: objectHandle, objectHandle, sessions: PASSWORD };
        const qualifyingData = randomBytes(32);
        const { certifyInfo, signature } = await run.certifyCreation({
          ...keys,
          qualifyingData,
          creationHash,
          creationTicket,
        });
        const attest = decode(tpmsAttest, certifyInfo);
        expect(attest).toMatchObject({
          type: 'creation',
          extraData: Uint8Array.from(qualifyingData),
          attested: {
            objectName: objectName(decode(tpmtPublic, outPublic)),
            creationHash: Uint8Array.from(createHash('sha256').update(creationData).digest()),
          },
        });
        expect(decode(tpmtSignature, signature)).toMatchObject({ sigAlg: 'ecdsa', hash: TPM_ALG.SHA256 });
        const silent = await run.certifyCreation({ ...keys, creationHash, creationTicket });
        expect(decode(tpmsAttest, silent.certifyInfo).extraData).toEqual(new Uint8Array());

        for (const wrong of [{ creationTicket: foreign.creationTicket }, { creationHash: new Uint8Array(32) }])
          await expect(run.certifyCreation({ ...keys, creationHash, creationTicket, ...wrong })).rejects.toMatchObject({
            name: 'TPM_RC_TICKET',
            command: 'TPM2_CertifyCreation',
          });
      }),
    );
    expect(tpm.commandCounts().get('TPM2_CertifyCreation')).toBe(4);
    await tpm.close();
    expect(await leftInTpm(software)).toEqual([]);
  });

  test('what no creation certificate can be asked with is refused before it reaches the TPM', async () => {
    const tpm = await openTpm(await startSwtpm());
    await tpm.exclusive((run) =>
      withPrimary(run, AK, async ({ objectHandle, creationHash, creationTicket }) => {
        const input = { signHandle: objectHandle, objectHandle, sessions: PASSWORD, creationHash, creationTicket };
        const longer = new Uint8Array([...creationTicket, 0]);
        for (const ticket of [new Uint8Array(), creationTicket.subarray(0, -1), longer])
          await expect(run.certifyCreation({ ...input, creationTicket: ticket })).rejects.toMatchObject({
            command: 'TPM2_CertifyCreation',
            message: expect.stringContaining('creationTicket'),
          });
        for (const field of ['creationHash', 'qualifyingData'])
          await expect(run.certifyCreation({ ...input, [field]: new Uint8Array(67) })).rejects.toThrow(
            new RegExp(`TPM2_CertifyCreation: ${field} has 67 bytes`),
          );
      }),
    );
    expect(tpm.commandCounts().has('TPM2_CertifyCreation')).toBe(false);
  });

  test('a child key is created under a primary, loaded, saved, flushed, loaded from its context', async () => {
    const software = await startSwtpm();
    const tpm = await openTpm(software);
    const storage: TpmtPublic = { ...ekTemplate('L-2'), authPolicy: new Uint8Array() };
    const parent = { ...EK, inPublic: encode(tpmtPublic, { ...storage, objectAttributes: 0x00030472 }) };
    const names = await tpm.exclusive((run) =>
      withPrimary(run, parent, async ({ objectHandle: parentHandle }) => {
        const { outPrivate, outPublic } = await run.create({ parentHandle, sessions: PASSWORD, inPublic: AK.inPublic });
        const child = await run.load({ parentHandle, sessions: PASSWORD, inPrivate: outPrivate, inPublic: outPublic });
        const { context } = await run.contextSave({ saveHandle: child.objectHandle });
        const before = await run.trGetName({ object: child.objectHandle });
        await run.flushContext({ flushHandle: child.objectHandle });
        const { loadedHandle } = await run.contextLoad({ context });
        const after = (await run.readPublic({ objectHandle: loadedHandle })).name;
        await run.release(loadedHandle);
        return { before, after };
      }),
    );
    expect(names.after).toEqual(names.before);
    await tpm.close();
    expect(await leftInTpm(software)).toEqual([]);
  });

  test('the context of something else is refused before it reaches the TPM', async () => {
    const tpm = await openTpm(await startSwtpm());
    const session = new Uint8Array(40);
    session[8] = 0x03;
    await expect(tpm.exclusive((run) => run.contextLoad({ context: session }))).rejects.toThrow(RangeError);
    await expect(tpm.exclusive((run) => run.contextLoad({ context: new Uint8Array(4) }))).rejects.toThrow(RangeError);
    expect(tpm.commandCounts().size).toBe(0);
  });

  test('loads an external public key, whose Name is the one we compute', async () => {
    const tpm = await openTpm(await startSwtpm());
    await tpm.exclusive(async (run) => {
      const { outPublic, name } = await withPrimary(run, AK, ({ objectHandle }) => run.readPublic({ objectHandle }));
      const { objectHandle } = await run.loadExternal({ hierarchy: ESYS_TR.RH_NULL, inPublic: outPublic });
      expect(await run.trGetName({ object: objectHandle })).toEqual(name);
      await run.release(objectHandle);
    });
  });

  test('reads a certificate from NV, and says so when there is no such index', async () => {
    const tpm = await openTpm(await startSwtpm());
    await tpm.exclusive(async (run) => {
      const nvIndex = await run.nvFromTpm({ nvIndex: 0x01c00002 });
      const { nvPublic, nvName } = await run.nvReadPublic({ nvIndex });
      expect(await run.trGetName({ object: nvIndex })).toEqual(nvName);
      const size = (nvPublic.at(-2) ?? 0) * 256 + (nvPublic.at(-1) ?? 0);
      const { data } = await run.nvRead({
        authHandle: ESYS_TR.RH_OWNER,
        nvIndex,
        sessions: PASSWORD,
        size: Math.min(size, 512),
      });
      expect(data[0]).toBe(0x30);
      await run.trClose({ object: nvIndex });
    });
    const missing = tpm.exclusive((run) => run.nvFromTpm({ nvIndex: 0x01c0ffff }));
    await expect(missing).rejects.toMatchObject({ name: 'TPM_RC_HANDLE', argument: { kind: 'handle', index: 1 } });
    await expect(tpm.exclusive((run) => run.nvFromTpm({ nvIndex: 0x81010001 }))).rejects.toThrow(RangeError);
  });

  test('a persistent key, once serialized, needs no TPM2_ReadPublic again', async () => {
    const software = await startSwtpm({ persistentEks: true });
    const first = await openTpm(software);
    const { serialized, name } = await first.exclusive(async (run) => {
      const object = await run.keyFromTpm({ tpmHandle: 0x81010001 });
      return { serialized: await run.trSerialize({ object }), name: await run.trGetName({ object }) };
    });
    await first.close();
    expect(first.commandCounts()).toEqual(new Map([['TPM2_ReadPublic', 1]]));

    const second = await openTpm(software);
    await second.exclusive(async (run) => {
      const object = await run.keyFromSerialized({ serialized });
      expect(await run.trGetName({ object })).toEqual(name);
      expect(await run.trGetTpmHandle({ object })).toBe(0x81010001);
      await withEkPolicy(run, object, async () => {});
    });
    expect(second.commandCounts().has('TPM2_ReadPublic')).toBe(false);
  });
});

test('a structure that tpm2-tss cannot read is a TpmError of its marshalling layer that names the field', async () => {
  const tpm = await openTpm(await startSwtpm());
  const creating = tpm.exclusive((run) => run.createPrimary({ ...AK, inPublic: new Uint8Array([0, 0xff]) }));
  await expect(creating).rejects.toBeInstanceOf(TpmError);
  await expect(creating).rejects.toMatchObject({ layer: 'mu', message: expect.stringContaining('inPublic') });
});
