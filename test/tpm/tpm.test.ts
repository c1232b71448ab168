import { describe, expect, onTestFinished, test } from 'vitest';
import type { TpmCommands } from '../../src/tpm/device/commands.ts';
import { withPrimary } from '../../src/tpm/device/scope.ts';
import { TPM_HT_FIRST, TPM_SE } from '../../src/tpm/structures/constants.ts';
import { AK, EK, handles, leftInTpm, openTpm, recorded, recordedTest, withEkPolicy } from '../support/open-tpm.ts';
import { commandsInPcap } from '../support/pcap.ts';
import { until } from '../support/processes.ts';
import { startSwtpm } from '../support/swtpm.ts';
import { relayTo } from '../support/tpm-relay.ts';

describe('what is loaded', () => {
  test('is flushed when the operation fails', async () => {
    const software = await startSwtpm();
    const tpm = await openTpm(software);
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
    const tpm = await openTpm(software);
    const { objectHandle } = await tpm.exclusive((run) => run.createPrimary(AK));
    await tpm.exclusive((run) => run.readPublic({ objectHandle }));
    await tpm.close();
    expect(tpm.commandCounts().get('TPM2_FlushContext')).toBe(1);
    expect(await leftInTpm(software)).toEqual([]);
  });

  test('is flushed once, however often it is released', async () => {
    const tpm = await openTpm(await startSwtpm());
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
    const tpm = await openTpm(await startSwtpm());
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
    const tpm = await openTpm(relay);
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
    const tpm = await openTpm(await startSwtpm());
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
    const tpm = await openTpm(software);
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
    const tpm = await openTpm(await startSwtpm());
    const abort = new AbortController();
    const stuck = tpm.exclusive(() => new Promise<never>(() => {}), { signal: abort.signal });
    abort.abort(new Error('stuck'));
    await expect(stuck).rejects.toThrow('stuck');
    await expect(tpm.exclusive((run) => run.getRandom({ bytesRequested: 8 }))).resolves.toBeDefined();
  });
});

describe('close', () => {
  test('may be called twice, and refuses what comes after', async () => {
    const tpm = await openTpm(await startSwtpm());
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
    const tpm = await openTpm(relay);
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
    const tpm = await openTpm(await startSwtpm());
    const operation = tpm.exclusive(async (run) => {
      await run.createPrimary(AK);
      await tpm.close();
    });
    await expect(operation).rejects.toMatchObject({ code: 'ERR_TPM_CLOSED' });
    await tpm.close();
    expect(tpm.commandCounts().get('TPM2_FlushContext')).toBe(1);
  });

  test('leaves a runner that outlives its operation without effect', async () => {
    const tpm = await openTpm(await startSwtpm());
    let kept: TpmCommands | undefined;
    await tpm.exclusive(async (run) => {
      kept = run;
    });
    await expect(kept?.getRandom({ bytesRequested: 8 })).rejects.toThrow('the exclusive operation has ended');
    await tpm.close();
  });
});

test('an operation that asks for the same TPM inside itself is told so', async () => {
  const tpm = await openTpm(await startSwtpm());
  const inner = tpm.exclusive(() => tpm.exclusive((run) => run.getRandom({ bytesRequested: 8 })));
  await expect(inner).rejects.toThrow(TypeError);
  await expect(tpm.exclusive((run) => run.getRandom({ bytesRequested: 8 }))).resolves.toBeDefined();
});

recordedTest('counts exactly the commands that were on the wire, those of ESYS included', async () => {
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
