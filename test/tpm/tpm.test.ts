import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import type { TpmCommands } from '../../src/tpm/commands.ts';
import { TpmError } from '../../src/tpm/errors.ts';
import { ESYS_TR, type KeyHandle, type SessionHandle } from '../../src/tpm/handles.ts';
import { makeCredential } from '../../src/tpm/make-credential.ts';
import { withContext, withPrimary, withSession } from '../../src/tpm/scope.ts';
import { tpmsAttest } from '../../src/tpm/structures/attest.ts';
import { TPMA_SESSION } from '../../src/tpm/structures/attributes.ts';
import { tpmsCapabilityData } from '../../src/tpm/structures/capability.ts';
import { decode, encode } from '../../src/tpm/structures/codec.ts';
import { TPM_ALG, TPM_CAP, TPM_HT_FIRST, TPM_SE } from '../../src/tpm/structures/constants.ts';
import { pcrSelection, tpmlPcrSelection } from '../../src/tpm/structures/pcr.ts';
import { type TpmtPublic, tpmtPublic } from '../../src/tpm/structures/public.ts';
import { akTemplate, EK_TEMPLATES } from '../../src/tpm/templates.ts';
import { Tpm } from '../../src/tpm/tpm.ts';
import { commandsInPcap } from '../support/pcap.ts';
import { until } from '../support/processes.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';
import { relayTo } from '../support/tpm-relay.ts';

const PASSWORD = [ESYS_TR.PASSWORD] as const;
const AK = {
  primaryHandle: ESYS_TR.RH_ENDORSEMENT,
  sessions: PASSWORD,
  inPublic: encode(tpmtPublic, akTemplate('ecc', 'test')),
};
const EK = {
  primaryHandle: ESYS_TR.RH_ENDORSEMENT,
  sessions: PASSWORD,
  inPublic: encode(tpmtPublic, ekTemplate('L-1')),
};
const PCRS = encode(tpmlPcrSelection, [pcrSelection(TPM_ALG.SHA256, [0, 1, 2])]);
const ENCRYPTED = TPMA_SESSION.encrypt | TPMA_SESSION.decrypt;

function ekTemplate(name: string): TpmtPublic {
  const template = EK_TEMPLATES.find((candidate) => candidate.name === name);
  if (template === undefined) throw new Error(`no template ${name}`);
  // Which key of the template it is does not matter here.
  const { publicArea } = template;
  return publicArea.type === 'rsa' ? { ...publicArea, unique: new Uint8Array() } : publicArea;
}

const opened: Tpm[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((tpm) => tpm.close()));
});

async function open(software: Pick<SoftwareTpm, 'tcti'>, prefix = ''): Promise<Tpm> {
  const tpm = await Tpm.open(`${prefix}${software.tcti}`);
  opened.push(tpm);
  return tpm;
}

async function handles(run: TpmCommands, first: number): Promise<readonly number[]> {
  const { capabilityData } = await run.getCapability({
    capability: TPM_CAP.HANDLES,
    property: first,
    propertyCount: 64,
  });
  const answer = decode(tpmsCapabilityData, capabilityData);
  return answer.capability === 'handles' ? answer.data : [];
}

/** Transient objects and sessions in the TPM, asked through a connection of its own. */
async function leftInTpm(software: SoftwareTpm): Promise<readonly number[]> {
  const tpm = await Tpm.open(software.tcti);
  try {
    return await tpm.exclusive(async (run) => [
      ...(await handles(run, TPM_HT_FIRST.TRANSIENT)),
      ...(await handles(run, TPM_HT_FIRST.LOADED_SESSION)),
      ...(await handles(run, TPM_HT_FIRST.SAVED_SESSION)),
    ]);
  } finally {
    await tpm.close();
  }
}

/** Records what goes over the wire while `use` runs. */
async function recorded(software: SoftwareTpm, use: (tpm: Tpm) => Promise<void>): Promise<{ file: Buffer; tpm: Tpm }> {
  const path = join(software.folder, `${randomBytes(4).toString('hex')}.pcap`);
  process.env['TCTI_PCAP_FILE'] = path;
  try {
    const tpm = await open(software, 'pcap:');
    await use(tpm);
    await tpm.close();
    return { file: await readFile(path), tpm };
  } finally {
    delete process.env['TCTI_PCAP_FILE'];
    await rm(path, { force: true });
  }
}

/** A policy session that satisfies the policy of the low-range EK templates. */
async function withEkPolicy<T>(
  run: TpmCommands,
  tpmKey: KeyHandle,
  body: (session: SessionHandle) => Promise<T>,
): Promise<T> {
  return withSession(run, { sessionType: TPM_SE.POLICY, tpmKey }, async (session) => {
    await run.policySecret({ authHandle: ESYS_TR.RH_ENDORSEMENT, policySession: session, sessions: PASSWORD });
    return body(session);
  });
}

describe('commands', () => {
  test('fifty asked at once are answered in turn', async () => {
    const tpm = await open(await startSwtpm());
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => tpm.exclusive((run) => run.getRandom({ bytesRequested: 8 }))),
    );
    expect(new Set(answers.map(({ randomBytes }) => randomBytes.join())).size).toBe(50);
    expect(tpm.commandCounts().get('TPM2_GetRandom')).toBe(50);
  });

  test('within one operation, too', async () => {
    const tpm = await open(await startSwtpm());
    const answers = await tpm.exclusive((run) =>
      Promise.all(Array.from({ length: 10 }, () => run.getRandom({ bytesRequested: 8 }))),
    );
    expect(answers).toHaveLength(10);
  });

  test('a key quotes PCRs, and its quote decodes', async () => {
    const tpm = await open(await startSwtpm());
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
    const tpm = await open(await startSwtpm());
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

  test('a child key is created under a primary, loaded, saved, flushed, loaded from its context', async () => {
    const software = await startSwtpm();
    const tpm = await open(software);
    const storage: TpmtPublic = { ...ekTemplate('L-2'), authPolicy: new Uint8Array() };
    const parent = { ...EK, inPublic: encode(tpmtPublic, { ...storage, objectAttributes: 0x00030472 }) };
    const names = await tpm.exclusive((run) =>
      withPrimary(run, parent, async ({ objectHandle: parentHandle }) => {
        const { outPrivate, outPublic } = await run.create({ parentHandle, sessions: PASSWORD, inPublic: AK.inPublic });
        const child = await run.load({ parentHandle, sessions: PASSWORD, inPrivate: outPrivate, inPublic: outPublic });
        const { context } = await run.contextSave({ saveHandle: child.objectHandle });
        const before = await run.trGetName({ object: child.objectHandle });
        await run.flushContext({ flushHandle: child.objectHandle });
        const after = await withContext(
          run,
          context,
          async (object) => (await run.readPublic({ objectHandle: object })).name,
        );
        return { before, after };
      }),
    );
    expect(names.after).toEqual(names.before);
    await tpm.close();
    expect(await leftInTpm(software)).toEqual([]);
  });

  test('the context of something else is refused before it reaches the TPM', async () => {
    const tpm = await open(await startSwtpm());
    const session = new Uint8Array(40);
    session[8] = 0x03;
    await expect(tpm.exclusive((run) => run.contextLoad({ context: session }))).rejects.toThrow(RangeError);
    await expect(tpm.exclusive((run) => run.contextLoad({ context: new Uint8Array(4) }))).rejects.toThrow(RangeError);
    expect(tpm.commandCounts().size).toBe(0);
  });

  test('loads an external public key, whose Name is the one we compute', async () => {
    const tpm = await open(await startSwtpm());
    await tpm.exclusive(async (run) => {
      const { outPublic, name } = await withPrimary(run, AK, ({ objectHandle }) => run.readPublic({ objectHandle }));
      const { objectHandle } = await run.loadExternal({ hierarchy: ESYS_TR.RH_NULL, inPublic: outPublic });
      expect(await run.trGetName({ object: objectHandle })).toEqual(name);
      await run.release(objectHandle);
    });
  });

  test('reads a certificate from NV, and says so when there is no such index', async () => {
    const tpm = await open(await startSwtpm());
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
    const first = await open(software);
    const { serialized, name } = await first.exclusive(async (run) => {
      const object = await run.keyFromTpm({ tpmHandle: 0x81010001 });
      return { serialized: await run.trSerialize({ object }), name: await run.trGetName({ object }) };
    });
    await first.close();
    expect(first.commandCounts()).toEqual(new Map([['TPM2_ReadPublic', 1]]));

    const second = await open(software);
    await second.exclusive(async (run) => {
      const object = await run.keyFromSerialized({ serialized });
      expect(await run.trGetName({ object })).toEqual(name);
      expect(await run.trGetTpmHandle({ object })).toBe(0x81010001);
      await withEkPolicy(run, object, async () => {});
    });
    expect(second.commandCounts().has('TPM2_ReadPublic')).toBe(false);
  });
});

describe('sessions', () => {
  test('a salted session encrypts what the TPM answers; without it the answer is on the wire in clear', async () => {
    const software = await startSwtpm();
    let secret: Uint8Array = new Uint8Array();
    let open: Uint8Array = new Uint8Array();
    const { file } = await recorded(software, (tpm) =>
      tpm.exclusive((run) =>
        withPrimary(run, EK, ({ objectHandle }) =>
          withSession(run, { sessionType: TPM_SE.HMAC, tpmKey: objectHandle }, async (session) => {
            await run.setSessionAttributes({ session, flags: ENCRYPTED, mask: ENCRYPTED });
            expect(await run.sessionAttributes({ session })).toBe(ENCRYPTED | TPMA_SESSION.continueSession);
            // A command with no parameter to encrypt refuses the decrypt attribute.
            await run.setSessionAttributes({ session, flags: TPMA_SESSION.encrypt, mask: ENCRYPTED });
            secret = (await run.getRandom({ bytesRequested: 16, sessions: [session] })).randomBytes;
            open = (await run.getRandom({ bytesRequested: 16 })).randomBytes;
          }),
        ),
      ),
    );
    expect(file.includes(Buffer.from(open))).toBe(true);
    expect(file.includes(Buffer.from(secret))).toBe(false);
  });

  test('an EK activates a credential made for the AK, in a session that then is over without a flush', async () => {
    const software = await startSwtpm();
    const tpm = await open(software);
    const secret = randomBytes(32);
    const certInfo = await tpm.exclusive((run) =>
      withPrimary(run, EK, (ek) =>
        withPrimary(run, AK, async (ak) => {
          const { name } = await run.readPublic({ objectHandle: ak.objectHandle });
          const credential = makeCredential(decode(tpmtPublic, ek.outPublic), name, secret, randomBytes);
          return withEkPolicy(run, ek.objectHandle, async (session) => {
            const last = TPMA_SESSION.encrypt;
            await run.setSessionAttributes({ session, flags: last, mask: last | TPMA_SESSION.continueSession });
            const answer = await run.activateCredential({
              activateHandle: ak.objectHandle,
              keyHandle: ek.objectHandle,
              sessions: [ESYS_TR.PASSWORD, session],
              credentialBlob: credential.credentialBlob,
              secret: credential.encryptedSecret,
            });
            return answer.certInfo;
          });
        }),
      ),
    );
    expect(Buffer.from(certInfo).equals(secret)).toBe(true);
    await tpm.close();
    // The two keys; the session ended by itself.
    expect(tpm.commandCounts().get('TPM2_FlushContext')).toBe(2);
    expect(await leftInTpm(software)).toEqual([]);
  });

  test('a policy digest is that of the EK template', async () => {
    const tpm = await open(await startSwtpm());
    const { policyDigest } = await tpm.exclusive((run) =>
      withSession(run, { sessionType: TPM_SE.POLICY }, async (session) => {
        await run.policySecret({ authHandle: ESYS_TR.RH_ENDORSEMENT, policySession: session, sessions: PASSWORD });
        return run.policyGetDigest({ policySession: session });
      }),
    );
    expect(policyDigest).toEqual(ekTemplate('L-1').authPolicy);
  });

  test('PolicyOR turns the first branch into the policy of the high-range template', async () => {
    const template = EK_TEMPLATES.find(({ name }) => name === 'H-3');
    const tpm = await open(await startSwtpm());
    const { policyDigest } = await tpm.exclusive((run) =>
      withSession(run, { sessionType: TPM_SE.POLICY, authHash: TPM_ALG.SHA384 }, async (session) => {
        await run.policySecret({ authHandle: ESYS_TR.RH_ENDORSEMENT, policySession: session, sessions: PASSWORD });
        await run.policyOr({ policySession: session, pHashList: template?.policyOr ?? [] });
        return run.policyGetDigest({ policySession: session });
      }),
    );
    expect(policyDigest).toEqual(template?.publicArea.authPolicy);
  });

  test('a hierarchy password authorizes through a salted HMAC session without being on the wire; a wrong one does not', async () => {
    const software = await startSwtpm();
    const password = 'correct horse battery';
    await software.tpm2('tpm2_changeauth', ['-c', 'e', password]);
    const create = (auth: string) => (tpm: Tpm) =>
      tpm.exclusive(async (run) => {
        await run.trSetAuth({ object: ESYS_TR.RH_ENDORSEMENT, authValue: Buffer.from(auth) });
        await withPrimary(run, { ...EK, primaryHandle: ESYS_TR.RH_OWNER }, (salt) =>
          withSession(run, { sessionType: TPM_SE.HMAC, tpmKey: salt.objectHandle }, (session) =>
            withPrimary(run, { ...AK, sessions: [session] }, async () => {}),
          ),
        );
      });
    const { file } = await recorded(software, create(password));
    expect(file.includes(password)).toBe(false);
    const tpm = await open(software);
    await expect(create('wrong')(tpm)).rejects.toMatchObject({
      name: 'TPM_RC_BAD_AUTH',
      argument: { kind: 'session', index: 1 },
    });
  });
});

describe('what is loaded', () => {
  test('is flushed when the operation fails', async () => {
    const software = await startSwtpm();
    const tpm = await open(software);
    const failing = tpm.exclusive(async (run) => {
      await run.createPrimary(AK);
      await run.startAuthSession({ sessionType: TPM_SE.HMAC });
      throw new Error('the caller failed');
    });
    await expect(failing).rejects.toThrow('the caller failed');
    await expect(tpm.exclusive((run) => handles(run, TPM_HT_FIRST.TRANSIENT))).resolves.toEqual([]);
    await expect(tpm.exclusive((run) => handles(run, TPM_HT_FIRST.LOADED_SESSION))).resolves.toEqual([]);
  });

  test('stays for a later operation when the operation succeeds, and is flushed when the TPM is closed', async () => {
    const software = await startSwtpm();
    const tpm = await open(software);
    const { objectHandle } = await tpm.exclusive((run) => run.createPrimary(AK));
    await tpm.exclusive((run) => run.readPublic({ objectHandle }));
    await tpm.close();
    expect(tpm.commandCounts().get('TPM2_FlushContext')).toBe(1);
    expect(await leftInTpm(software)).toEqual([]);
  });

  test('is flushed once, however often it is released', async () => {
    const tpm = await open(await startSwtpm());
    await tpm.exclusive((run) =>
      withPrimary(run, AK, async ({ objectHandle }) => {
        await run.release(objectHandle);
        await run.release(objectHandle);
      }),
    );
    await tpm.close();
    expect(tpm.commandCounts().get('TPM2_FlushContext')).toBe(1);
  });

  test('does not fill the three slots in many operations that forget', async () => {
    const tpm = await open(await startSwtpm());
    for (let i = 0; i < 5; i++) {
      await expect(
        tpm.exclusive(async (run) => {
          await run.createPrimary(AK);
          throw new Error('forgot to flush');
        }),
      ).rejects.toThrow('forgot');
    }
  });
});

describe('abort', () => {
  test('an abandoned CreatePrimary is flushed: its caller is told at once, the next operation finds the slot free', async () => {
    const relay = await relayTo(await startSwtpm());
    onTestFinished(() => relay.stop());
    const tpm = await open(relay);
    const abort = new AbortController();
    relay.hold();
    const abandoned = tpm.exclusive((run) => run.createPrimary(AK), { signal: abort.signal });
    await until(() => relay.commands === 1);
    const next = tpm.exclusive((run) => handles(run, TPM_HT_FIRST.TRANSIENT));
    abort.abort(new Error('no longer wanted'));
    await expect(abandoned).rejects.toThrow('no longer wanted');
    expect(relay.commands).toBe(1);
    relay.release();
    expect(await next).toEqual([]);
    expect(tpm.commandCounts().get('TPM2_FlushContext')).toBe(1);
  });

  test('a queued operation that is aborted sends nothing', async () => {
    const tpm = await open(await startSwtpm());
    const abort = new AbortController();
    const first = tpm.exclusive((run) => run.getRandom({ bytesRequested: 8 }));
    const queued = tpm.exclusive((run) => run.createPrimary(AK), { signal: abort.signal });
    abort.abort();
    await expect(queued).rejects.toMatchObject({ name: 'AbortError' });
    await first;
    await tpm.close();
    expect(tpm.commandCounts()).toEqual(new Map([['TPM2_GetRandom', 1]]));
  });

  test('lets an aborted operation release in its finally, and refuses its further commands', async () => {
    const software = await startSwtpm();
    const tpm = await open(software);
    const abort = new AbortController();
    let further: unknown;
    let finished: () => void = () => {};
    const cleaned = new Promise<void>((resolve) => {
      finished = resolve;
    });
    const operation = tpm.exclusive(
      (run) =>
        withPrimary(run, AK, async () => {
          abort.abort(new Error('stop'));
          further = await run.getRandom({ bytesRequested: 8 }).catch((error: unknown) => error);
          throw new Error('after the abort');
        }).finally(() => finished()),
      { signal: abort.signal },
    );
    await expect(operation).rejects.toThrow('stop');
    await cleaned;
    expect(further).toMatchObject({ message: 'stop' });
    await tpm.close();
    expect(tpm.commandCounts().get('TPM2_FlushContext')).toBe(1);
    expect(await leftInTpm(software)).toEqual([]);
  });

  test('does not wait for what an aborted operation does besides commands', async () => {
    const tpm = await open(await startSwtpm());
    const abort = new AbortController();
    const stuck = tpm.exclusive(() => new Promise<never>(() => {}), { signal: abort.signal });
    abort.abort(new Error('stuck'));
    await expect(stuck).rejects.toThrow('stuck');
    await expect(tpm.exclusive((run) => run.getRandom({ bytesRequested: 8 }))).resolves.toBeDefined();
  });
});

describe('close', () => {
  test('may be called twice, and refuses what comes after', async () => {
    const tpm = await open(await startSwtpm());
    await Promise.all([tpm.close(), tpm.close()]);
    await tpm[Symbol.asyncDispose]();
    const late = tpm.exclusive((run) => run.getRandom({ bytesRequested: 8 }));
    await expect(late).rejects.toThrow(TypeError);
    await expect(late).rejects.toMatchObject({ code: 'ERR_TPM_CLOSED' });
  });

  test('during a command lets it complete and flushes what it made', async () => {
    const software = await startSwtpm();
    const relay = await relayTo(software);
    onTestFinished(() => relay.stop());
    const tpm = await open(relay);
    relay.hold();
    const running = tpm.exclusive((run) => run.createPrimary(AK));
    await until(() => relay.commands === 1);
    let closed = false;
    const closing = tpm.close().then(() => {
      closed = true;
    });
    await expect(running).rejects.toMatchObject({ code: 'ERR_TPM_CLOSED' });
    expect(closed).toBe(false);
    relay.release();
    await closing;
    expect(tpm.commandCounts().get('TPM2_FlushContext')).toBe(1);
    expect(await leftInTpm(software)).toEqual([]);
  });

  test('from inside an operation does not wait for itself', async () => {
    const tpm = await open(await startSwtpm());
    const operation = tpm.exclusive(async (run) => {
      await run.createPrimary(AK);
      await tpm.close();
    });
    await expect(operation).rejects.toMatchObject({ code: 'ERR_TPM_CLOSED' });
    await tpm.close();
    expect(tpm.commandCounts().get('TPM2_FlushContext')).toBe(1);
  });

  test('leaves a runner that outlives its operation without effect', async () => {
    const tpm = await open(await startSwtpm());
    let kept: TpmCommands | undefined;
    await tpm.exclusive(async (run) => {
      kept = run;
    });
    await expect(kept?.getRandom({ bytesRequested: 8 })).rejects.toThrow('the exclusive operation has ended');
    await tpm.close();
  });
});

test('an operation that asks for the same TPM inside itself is told so', async () => {
  const tpm = await open(await startSwtpm());
  const inner = tpm.exclusive(() => tpm.exclusive((run) => run.getRandom({ bytesRequested: 8 })));
  await expect(inner).rejects.toThrow(TypeError);
  await expect(tpm.exclusive((run) => run.getRandom({ bytesRequested: 8 }))).resolves.toBeDefined();
});

test('counts exactly the commands that were on the wire, those of ESYS included', async () => {
  const software = await startSwtpm();
  const { file, tpm } = await recorded(software, (recording) =>
    recording.exclusive(async (run) => {
      await run.getRandom({ bytesRequested: 8 });
      const nvIndex = await run.nvFromTpm({ nvIndex: 0x01c00002 });
      await run.nvReadPublic({ nvIndex });
      await run.createPrimary(AK);
      await withPrimary(run, EK, ({ objectHandle }) => withEkPolicy(run, objectHandle, async () => {}));
      // Refused by the TPM, but sent; and one that never left.
      await run.pcrRead({ pcrSelectionIn: new Uint8Array(2) }).catch(() => {});
      await run.getCapability({ capability: 99, property: 0, propertyCount: 1 }).catch(() => {});
    }),
  );
  expect(tpm.commandCounts()).toEqual(commandsInPcap(file));
  expect(Object.fromEntries(tpm.commandCounts())).toEqual({
    TPM2_CreatePrimary: 2,
    TPM2_FlushContext: 3,
    TPM2_GetCapability: 1,
    TPM2_GetRandom: 1,
    TPM2_NV_ReadPublic: 2,
    TPM2_PolicySecret: 1,
    TPM2_StartAuthSession: 1,
  });
});

test('a structure that tpm2-tss cannot read is a TpmError of its marshalling layer that names the field', async () => {
  const tpm = await open(await startSwtpm());
  const creating = tpm.exclusive((run) => run.createPrimary({ ...AK, inPublic: new Uint8Array([0, 0xff]) }));
  await expect(creating).rejects.toBeInstanceOf(TpmError);
  await expect(creating).rejects.toMatchObject({ layer: 'mu', message: expect.stringContaining('inPublic') });
});
