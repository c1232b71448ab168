/** Opens software TPMs for tests, and looks at what is loaded in them. */
import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { afterEach, test } from 'vitest';
import type { TpmCommands } from '../../src/tpm/device/commands.ts';
import { ESYS_TR, type KeyHandle, type SessionHandle } from '../../src/tpm/device/handles.ts';
import { withSession } from '../../src/tpm/device/scope.ts';
import { Tpm } from '../../src/tpm/device/tpm.ts';
import { tpmsCapabilityData } from '../../src/tpm/structures/capability.ts';
import { decode, encode } from '../../src/tpm/structures/codec.ts';
import { TPM_ALG, TPM_CAP, TPM_HT_FIRST, TPM_SE } from '../../src/tpm/structures/constants.ts';
import { pcrSelection, tpmlPcrSelection } from '../../src/tpm/structures/pcr.ts';
import { type TpmtPublic, tpmtPublic } from '../../src/tpm/structures/public.ts';
import { akTemplate, EK_TEMPLATES } from '../../src/tpm/templates.ts';
import type { SoftwareTpm } from './swtpm.ts';

type CreatePrimary = Parameters<TpmCommands['createPrimary']>[0];

export const PASSWORD: readonly SessionHandle[] = [ESYS_TR.PASSWORD];
export const AK: CreatePrimary = {
  primaryHandle: ESYS_TR.RH_ENDORSEMENT,
  sessions: PASSWORD,
  inPublic: encode(tpmtPublic, akTemplate('ecc', 'test')),
};
export const EK: CreatePrimary = {
  primaryHandle: ESYS_TR.RH_ENDORSEMENT,
  sessions: PASSWORD,
  inPublic: encode(tpmtPublic, ekTemplate('L-1')),
};
/** SHA-256, PCRs 0 to 2. */
export const PCRS: Uint8Array = encode(tpmlPcrSelection, [pcrSelection(TPM_ALG.SHA256, [0, 1, 2])]);

export function ekTemplate(name: string): TpmtPublic {
  const template = EK_TEMPLATES.find((candidate) => candidate.name === name);
  if (template === undefined) throw new Error(`no template ${name}`);
  return template.publicArea;
}

const opened: Tpm[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((tpm) => tpm.close()));
});

/** Opens a TPM. It is closed when the test ends. */
export async function openTpm(software: Pick<SoftwareTpm, 'tcti'>, prefix = ''): Promise<Tpm> {
  const tpm = await Tpm.open(`${prefix}${software.tcti}`);
  opened.push(tpm);
  return tpm;
}

/** The handles in the TPM from `first` on, of the same kind. */
export async function handles(run: TpmCommands, first: number): Promise<readonly number[]> {
  const { capabilityData } = await run.getCapability({
    capability: TPM_CAP.HANDLES,
    property: first,
    propertyCount: 64,
  });
  const answer = decode(tpmsCapabilityData, capabilityData);
  return answer.capability === 'handles' ? answer.data : [];
}

/** The transient objects and sessions in the TPM, read through a separate connection. */
export async function leftInTpm(software: SoftwareTpm): Promise<readonly number[]> {
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

/**
 * A test that needs the main thread: the TCTI reads a file name from the process environment, and a worker has a copy.
 */
export const recordedTest: ReturnType<typeof test.skipIf> = test.skipIf(!isMainThread);

/** Records the traffic with the TPM while `use` runs. */
export async function recorded(
  software: SoftwareTpm,
  use: (tpm: Tpm) => Promise<void>,
): Promise<{ file: Buffer; tpm: Tpm }> {
  const path = join(software.folder, `${randomBytes(4).toString('hex')}.pcap`);
  process.env['TCTI_PCAP_FILE'] = path;
  try {
    const tpm = await openTpm(software, 'pcap:');
    await use(tpm);
    await tpm.close();
    return { file: await readFile(path), tpm };
  } finally {
    delete process.env['TCTI_PCAP_FILE'];
    await rm(path, { force: true });
  }
}

/** A policy session that satisfies the policy of the low-range EK templates. */
export async function withEkPolicy<T>(
  run: TpmCommands,
  tpmKey: KeyHandle,
  body: (session: SessionHandle) => Promise<T>,
): Promise<T> {
  return withSession(run, { sessionType: TPM_SE.POLICY, tpmKey }, async (session) => {
    await run.policySecret({ authHandle: ESYS_TR.RH_ENDORSEMENT, policySession: session, sessions: PASSWORD });
    return body(session);
  });
}
