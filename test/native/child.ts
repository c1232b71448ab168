/**
 * A process that a test looks at from outside: how it ends, and with what code. Arguments: scenario, TCTI.
 * Says what it has reached on standard output, one word a line.
 */
import { readdirSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { ESYS_TR } from '../../src/tpm/device/handles.ts';
import { exitProcess, nativeAddon } from '../../src/tpm/device/native.ts';
import { Tpm } from '../../src/tpm/device/tpm.ts';
import { encode } from '../../src/tpm/structures/codec.ts';
import { TPM_SE } from '../../src/tpm/structures/constants.ts';
import { tpmtPublic } from '../../src/tpm/structures/public.ts';
import { akTemplate } from '../../src/tpm/templates.ts';

const AK = {
  primaryHandle: ESYS_TR.RH_ENDORSEMENT,
  sessions: [ESYS_TR.PASSWORD],
  inPublic: encode(tpmtPublic, akTemplate('ecc', 'test')),
} as const;

const say = (word: string): unknown => writeSync(1, `${word}\n`);
const random = (tpm: Tpm): Promise<unknown> => tpm.exclusive((run) => run.getRandom({ bytesRequested: 8 }));

async function openWithHandles(tcti: string): Promise<Tpm> {
  const tpm = await Tpm.open(tcti);
  await tpm.exclusive(async (run) => {
    await run.createPrimary(AK);
    await run.startAuthSession({ sessionType: TPM_SE.HMAC });
  });
  say('loaded');
  return tpm;
}

/** Waits until the command has reached the pool thread and, through it, the TPM. */
async function inFlight(tpm: Tpm): Promise<void> {
  while (tpm.commandCounts().size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Each open context keeps the control channel of swtpm open. */
function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}

function collect(): void {
  if (globalThis.gc === undefined) throw new Error('needs --expose-gc');
  for (let i = 0; i < 5; i++) globalThis.gc();
}

const scenarios: Readonly<Record<string, (tcti: string) => Promise<void>>> = {
  'returns-with-handles': async (tcti) => {
    await openWithHandles(tcti);
  },
  'exits-with-handles': async (tcti) => {
    await openWithHandles(tcti);
    process.exit(0);
  },
  'throws-with-handles': async (tcti) => {
    await openWithHandles(tcti);
    setImmediate(() => {
      throw new Error('uncaught');
    });
  },
  'exits-in-flight': async (tcti) => {
    const tpm = await Tpm.open(tcti);
    tpm.exclusive((run) => run.createPrimary(AK)).catch(() => {});
    await inFlight(tpm);
    say('in-flight');
    process.exit(0);
  },
  'exits-on-sigterm': async (tcti) => {
    process.on('SIGTERM', () => exitProcess(7));
    const tpm = await Tpm.open(tcti);
    random(tpm).catch(() => {});
    await inFlight(tpm);
    say('in-flight');
  },
  'lingers-on-sigterm': async (tcti) => {
    process.on('SIGTERM', () => {
      say('told');
      process.exit(0);
    });
    const tpm = await Tpm.open(tcti);
    random(tpm).catch(() => {});
    await inFlight(tpm);
    say('in-flight');
  },
  'exits-without-addon': async () => {
    exitProcess(5);
  },
  'collects-wrapper-first': async (tcti) => {
    const context = new WeakRef(await nativeAddon().open(tcti, true));
    const answer = context.deref()?.createPrimary({
      ...AK,
      inSensitive: new Uint8Array(4),
      outsideInfo: new Uint8Array(),
      creationPCR: new Uint8Array(4),
    });
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    say(context.deref() === undefined ? 'collected' : 'kept');
    say((await answer)?.objectHandle === undefined ? 'unanswered' : 'answered');
    collect();
  },
  'collects-unclosed': async (tcti) => {
    const before = openFiles();
    for (let i = 0; i < 20; i++) await random(await Tpm.open(tcti));
    // Finalizers run on later turns of the loop.
    while (openFiles() > before + 1) {
      await new Promise((resolve) => setImmediate(resolve));
      collect();
    }
    say('collected');
  },
  'uses-worker-threads': async (tcti) => {
    for (let i = 0; i < 3; i++) {
      const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { scenario: 'in-worker', tcti } });
      await new Promise<void>((resolve, reject) => worker.once('error', reject).once('exit', () => resolve()));
    }
    const tpm = await Tpm.open(tcti);
    await random(tpm);
    await tpm.close();
    say('done');
  },
  'in-worker': async (tcti) => {
    await openWithHandles(tcti);
    say('worker-answered');
  },
  'terminates-worker': async (tcti) => {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { scenario: 'command-in-worker', tcti } });
    await new Promise((resolve) => worker.once('message', resolve));
    say('in-flight');
    await worker.terminate();
    say('terminated');
    const tpm = await Tpm.open(tcti);
    await random(tpm);
    await tpm.close();
    say('answered');
  },
  'command-in-worker': async (tcti) => {
    const tpm = await Tpm.open(tcti);
    tpm.exclusive((run) => run.createPrimary(AK)).catch(() => {});
    await inFlight(tpm);
    parentPort?.postMessage('in-flight');
  },
};

const { scenario, tcti } = isMainThread ? { scenario: process.argv[2], tcti: process.argv[3] } : workerData;
const play = scenarios[scenario];
if (play === undefined) throw new Error(`no scenario ${scenario}`);
play(tcti).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
