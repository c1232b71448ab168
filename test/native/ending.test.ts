import { describe, expect, onTestFinished, test } from 'vitest';
import { nativeChildren } from '../support/native-child.ts';
import { startSwtpm } from '../support/swtpm.ts';
import { relayTo, type TpmRelay } from '../support/tpm-relay.ts';

const start = nativeChildren();

async function relay(): Promise<TpmRelay> {
  const relay = await relayTo(await startSwtpm());
  onTestFinished(() => relay.stop());
  return relay;
}

describe('a process with handles still loaded', () => {
  test.each(['returns-with-handles', 'exits-with-handles'])('ends cleanly when it %s', async (scenario) => {
    const { tcti } = await startSwtpm();
    expect(await start(scenario, tcti).ended).toEqual({ code: 0, signal: null, said: ['loaded'], stderr: '' });
  });

  test('ends with its own error when it throws', async () => {
    const { tcti } = await startSwtpm();
    const ending = await start('throws-with-handles', tcti).ended;
    expect(ending).toMatchObject({ code: 1, signal: null });
    expect(ending.stderr).toContain('Error: uncaught');
  });
});

describe('a process whose command is in flight', () => {
  test('waits for the answer when it exits, and does not crash', async () => {
    const wire = await relay();
    wire.hold();
    const child = start('exits-in-flight', wire.tcti);
    await child.said('in-flight');
    wire.release();
    expect(await child.ended).toMatchObject({ code: 0, signal: null, stderr: '' });
  });

  test('ends on SIGTERM through exitProcess, although the TPM never answers', async () => {
    const wire = await relay();
    wire.hold();
    const child = start('exits-on-sigterm', wire.tcti);
    await child.said('in-flight');
    child.process.kill('SIGTERM');
    expect(await child.ended).toMatchObject({ code: 7, signal: null, stderr: '' });
  });

  test('would wait for the TPM if it called process.exit instead', async () => {
    const wire = await relay();
    wire.hold();
    const child = start('lingers-on-sigterm', wire.tcti);
    await child.said('in-flight');
    child.process.kill('SIGTERM');
    await child.said('told');
    let ended = false;
    void child.ended.then(() => {
      ended = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(ended).toBe(false);
    wire.release();
    expect(await child.ended).toMatchObject({ code: 0, signal: null });
  });
});

test('exitProcess ends a process that has not loaded the addon, too', async () => {
  expect(await start('exits-without-addon', 'none').ended).toMatchObject({ code: 5, signal: null });
});

describe('worker threads', () => {
  test('each open the TPM, one after another, and end with handles loaded', async () => {
    const { tcti } = await startSwtpm();
    const ending = await start('uses-worker-threads', tcti).ended;
    const worker = ['loaded', 'worker-answered'];
    expect(ending).toEqual({ code: 0, signal: null, said: [...worker, ...worker, ...worker, 'done'], stderr: '' });
  });

  test('may be terminated during a command: it completes, nothing crashes, the TPM is usable', async () => {
    const wire = await relay();
    wire.hold();
    const child = start('terminates-worker', wire.tcti);
    await child.said('in-flight');
    wire.release();
    expect(await child.ended).toEqual({
      code: 0,
      signal: null,
      said: ['in-flight', 'terminated', 'answered'],
      stderr: '',
    });
  });
});

describe('garbage collection', () => {
  test('of the wrapper first lets the command complete', async () => {
    const wire = await relay();
    wire.hold();
    const child = start('collects-wrapper-first', wire.tcti, { nodeOptions: ['--expose-gc'] });
    await child.said('collected');
    wire.release();
    expect(await child.ended).toMatchObject({ code: 0, signal: null, said: ['collected', 'answered'], stderr: '' });
  });

  test('of contexts never closed disconnects them', async () => {
    const { tcti } = await startSwtpm();
    const ending = await start('collects-unclosed', tcti, { nodeOptions: ['--expose-gc'] }).ended;
    expect(ending).toMatchObject({ code: 0, signal: null, said: ['collected'], stderr: '' });
  });
});
