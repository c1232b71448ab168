import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import {
  type EndorsementInventory,
  takeEndorsementInventory,
} from '../../src/agent/endorsement/endorsement-inventory.ts';
import { type KeyChoice, loadEndorsement } from '../../src/agent/endorsement/load-endorsement.ts';
import { NvReader } from '../../src/agent/endorsement/nv-index.ts';
import { HierarchyPasswords, type PasswordFiles } from '../../src/agent/passwords/hierarchy-passwords.ts';
import { Tpm } from '../../src/tpm/device/tpm.ts';
import { encode } from '../../src/tpm/structures/codec.ts';
import { TPM_HT_FIRST } from '../../src/tpm/structures/constants.ts';
import { tpmtPublic } from '../../src/tpm/structures/public.ts';
import { ekSpki, storeIndex } from '../support/ek-storage.ts';
import { ekTemplate, handles, leftInTpm } from '../support/open-tpm.ts';
import { keyPair, mintEkChain, spkiOf } from '../support/pki.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';
import { interpose, type TpmInterposer } from '../support/tpm-interposer.ts';

let tpm: SoftwareTpm;
let bus: TpmInterposer | undefined;
/** Commands that reached the TPM, as long as somebody counts. */
let commands: string[];

afterEach(async () => {
  expect(await leftInTpm(tpm)).toEqual([]);
  await bus?.stop();
  bus = undefined;
  await tpm.stop();
});

async function inventory(choice: KeyChoice = 'auto', files: PasswordFiles = {}): Promise<EndorsementInventory> {
  bus ??= await interpose(tpm, (name, command, transmit) => {
    commands.push(name);
    return transmit(command);
  });
  commands = [];
  const device = await Tpm.open(bus.tcti);
  try {
    return await device.exclusive(async (run) => {
      const taken = await takeEndorsementInventory(run, choice, files);
      // None is loaded any more, though the operation has not ended.
      expect(await handles(run, TPM_HT_FIRST.TRANSIENT)).toEqual([]);
      return taken;
    });
  } finally {
    await device.close();
  }
}

/** What the agent itself takes, by template. */
async function takenByAgent(choice: KeyChoice): Promise<string> {
  const device = await Tpm.open(tpm.tcti);
  try {
    return await device.exclusive(async (run) => {
      const { endorsement } = await loadEndorsement(run, choice, new HierarchyPasswords());
      return endorsement.template.name;
    });
  } finally {
    await device.close();
  }
}

const count = (name: string): number => commands.filter((one) => one === name).length;

/** Those of a look at two keys, with a handle and a context of each. */
const HARMLESS: readonly string[] = [
  ...['TPM2_ContextLoad', 'TPM2_ContextSave', 'TPM2_CreatePrimary', 'TPM2_FlushContext', 'TPM2_GetCapability'],
  ...['TPM2_NV_Read', 'TPM2_NV_ReadPublic'],
];

describe('the key that is said to be taken', () => {
  test.each([
    { templates: ['L-1'], choices: ['auto', 'rsa', 'ecc'] },
    { templates: ['H-3'], choices: ['auto', 'rsa', 'ecc'] },
    { templates: ['L-2', 'H-1', 'H-6'], choices: ['auto', 'rsa', 'ecc'] },
    { templates: [], choices: ['auto', 'rsa', 'ecc'] },
  ] as const)('of a TPM with certificates for $templates is the agent’s own', async ({ templates, choices }) => {
    tpm = await startSwtpm({ templates });
    for (const choice of choices) {
      const { keys, error } = await inventory(choice);
      const taken = keys.filter(({ takenBy }) => takenBy.includes(choice)).map(({ template }) => template.name);
      expect([taken, error]).toEqual([[await takenByAgent(choice)], undefined]);
    }
  });

  test('is also told for the choices that were not asked for, where a certificate decides', async () => {
    tpm = await startSwtpm({ templates: ['L-1', 'H-3'] });
    const { keys } = await inventory('ecc');
    expect(keys.map(({ template, takenBy }) => [template.name, takenBy])).toEqual([
      ['L-1', ['auto', 'rsa']],
      ['H-3', ['ecc']],
    ]);
  });
});

test('each key is made once, and each index read once', async () => {
  tpm = await startSwtpm({ templates: ['L-1', 'H-3'] });
  const { keys } = await inventory();
  expect(keys).toHaveLength(2);
  expect(count('TPM2_CreatePrimary')).toBe(2);
  // None that changes the TPM.
  expect([...new Set(commands)].sort()).toEqual(HARMLESS);
  const reads = count('TPM2_NV_Read');
  const device = await Tpm.open(bus?.tcti ?? '');
  commands = [];
  await device.exclusive(async (run) => {
    for (const index of [0x01c00002, 0x01c00016]) await new NvReader(run, new HierarchyPasswords()).read(index);
  });
  await device.close();
  expect([reads > 0, reads]).toEqual([true, count('TPM2_NV_Read')]);
});

test('a persistent key without certificate is among them, and made by nobody', async () => {
  tpm = await startSwtpm({ templates: ['H-3'] });
  await tpm.tpm2('tpm2_createek', ['-G', 'rsa', '-c', '0x81000042']);
  const { keys } = await inventory();
  expect(keys.map(({ template, endorsement }) => [template.name, endorsement?.persistentHandle])).toEqual([
    ['L-1', 0x81000042],
    ['H-3', undefined],
  ]);
  expect(count('TPM2_CreatePrimary')).toBe(1);
});

test('a hierarchy that refuses is asked once, and its keys are told with the refusal', async () => {
  tpm = await startSwtpm({ templates: ['L-1', 'H-3'] });
  await tpm.tpm2('tpm2_changeauth', ['-c', 'e', 'secret']);
  const { keys, error } = await inventory();
  expect(count('TPM2_CreatePrimary')).toBe(1);
  expect(error).toMatchObject({ command: 'TPM2_CreatePrimary', name: 'TPM_RC_BAD_AUTH' });
  expect(keys.map(({ template, index, error: one }) => [template.name, index?.state, one])).toEqual([
    ['L-1', 'certificate', error],
    ['H-3', 'certificate', error],
  ]);
  await writeFile(join(tpm.folder, 'password'), 'wrong');
  await inventory('auto', { endorsement: join(tpm.folder, 'password') });
  // The other one is the key that the password's session is salted to.
  expect(count('TPM2_CreatePrimary')).toBe(2);
  await writeFile(join(tpm.folder, 'password'), 'secret');
  expect(await inventory('auto', { endorsement: join(tpm.folder, 'password') })).toMatchObject({ error: undefined });
});

test('an index that refuses is asked once, and the other keys are looked at all the same', async () => {
  tpm = await startSwtpm({ templates: ['H-3'] });
  await tpm.tpm2('tpm2_changeauth', ['-c', 'o', 'secret']);
  await storeIndex(tpm, 0x01c00002, new Uint8Array(16), 'ppwrite|ppread|ownerread|no_da|platformcreate');
  const { keys, error, notes } = await inventory();
  expect(error).toBeUndefined();
  expect(keys.map(({ template, index, takenBy }) => [template.name, index?.state, takenBy])).toEqual([
    ['L-1', 'withheld', ['auto']],
    ['H-3', 'certificate', ['ecc']],
  ]);
  expect(notes).toMatchObject([{ index: 0x01c00002, code: 'owner_password' }]);
  // That one, and H-3's.
  expect(count('TPM2_NV_Read')).toBeLessThanOrEqual(3);
});

test('an index that holds something else is told, and the agent takes the other key', async () => {
  tpm = await startSwtpm({ templates: ['H-3'] });
  await storeIndex(tpm, 0x01c00002, new Uint8Array(40).fill(0x42));
  const { keys, error, notes } = await inventory();
  expect(error).toBeUndefined();
  expect(notes).toMatchObject([{ index: 0x01c00002, code: 'malformed' }]);
  expect(keys.map(({ template, takenBy }) => [template.name, takenBy])).toEqual([['H-3', ['auto', 'ecc']]]);
});

test('what else lies in the range is listed, and a reserved index is no key', async () => {
  tpm = await startSwtpm({ templates: ['H-3'] });
  await storeIndex(tpm, 0x01c00002, new Uint8Array(100).fill(0xff));
  await storeIndex(tpm, 0x01c00004, encode(tpmtPublic, ekTemplate('L-1')));
  await storeIndex(tpm, 0x01c07fff, Uint8Array.of(1));
  await storeIndex(tpm, 0x01c08000, Uint8Array.of(1));
  const { keys, reserved, indices } = await inventory();
  expect(keys.map(({ template }) => template.name)).toEqual(['H-3']);
  expect(reserved.map(({ name }) => name)).toEqual(['L-1']);
  expect(indices).toEqual([0x01c00002, 0x01c00004, 0x01c00016, 0x01c07fff]);
});

test('a certificate in the chain counts, and one for another machine’s key does not', async () => {
  tpm = await startSwtpm({ templates: [] });
  const chain = mintEkChain({ leaf: { publicKey: await ekSpki(tpm, 'H-2') } });
  await storeIndex(tpm, 0x01c00100, Buffer.concat([chain.leaf.der, chain.intermediate.der]));
  const own = await inventory('ecc');
  expect(own.keys.map(({ template, endorsement }) => [template.name, endorsement?.certificates.length])).toEqual([
    ['H-2', 2],
  ]);
  await tpm.tpm2('tpm2_nvundefine', ['0x01c00100', '-C', 'p']);
  const { leaf } = mintEkChain({ leaf: { publicKey: spkiOf(keyPair('p256', 'another machine').publicKey) } });
  await storeIndex(tpm, 0x01c00100, leaf.der);
  const other = await inventory('ecc');
  expect(other.keys.map(({ template, endorsement }) => [template.name, endorsement?.certificates.length])).toEqual([
    ['L-2', 0],
  ]);
});

test('a TPM that breaks off ends the look', async () => {
  tpm = await startSwtpm({ templates: ['L-1'] });
  const broken = await interpose(tpm, (name, command, transmit) => {
    if (name === 'TPM2_CreatePrimary') throw new Error('gone');
    return transmit(command);
  });
  const device = await Tpm.open(broken.tcti);
  try {
    await expect(device.exclusive((run) => takeEndorsementInventory(run, 'auto', {}))).rejects.toMatchObject({
      layer: 'tcti',
    });
  } finally {
    await device.close();
    await broken.stop();
  }
});
