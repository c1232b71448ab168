/** Stores certificates and other data in the NV memory of a software TPM, as a manufacturer does. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadEndorsement } from '../../src/agent/endorsement/load-endorsement.ts';
import { HierarchyPasswords } from '../../src/agent/passwords/hierarchy-passwords.ts';
import { Tpm } from '../../src/tpm/device/tpm.ts';
import { spkiOfPublicArea } from '../../src/tpm/public-key.ts';
import { decode } from '../../src/tpm/structures/codec.ts';
import { tpmtPublic } from '../../src/tpm/structures/public.ts';
import type { EkTemplateName } from '../../src/tpm/templates.ts';
import type { SoftwareTpm } from './swtpm.ts';

const AS_PLATFORM = 'ppwrite|ppread|ownerread|authread|no_da|platformcreate';

/** Defines and writes an NV index, by default as the platform's manufacturer does. */
export async function storeIndex(
  tpm: SoftwareTpm,
  index: number,
  contents: Uint8Array,
  attributes: string = AS_PLATFORM,
): Promise<void> {
  const nv = `0x${index.toString(16)}`;
  await writeFile(join(tpm.folder, 'contents'), contents);
  await tpm.tpm2('tpm2_nvdefine', [nv, '-C', 'p', '-s', `${contents.length}`, '-a', attributes]);
  await tpm.tpm2('tpm2_nvwrite', [nv, '-C', 'p', '-i', 'contents']);
}

/** The SubjectPublicKeyInfo of the TPM's EK of a template. */
export async function ekSpki(software: SoftwareTpm, name: EkTemplateName): Promise<Uint8Array> {
  const tpm = await Tpm.open(software.tcti);
  try {
    return await tpm.exclusive(async (run) => {
      const { endorsement, object } = await loadEndorsement(run, 'auto', new HierarchyPasswords(), { names: [name] });
      await run.release(object);
      return spkiOfPublicArea(decode(tpmtPublic, endorsement.publicArea)) ?? new Uint8Array();
    });
  } finally {
    await tpm.close();
  }
}
