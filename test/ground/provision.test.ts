import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { SOFTWARE_EK_TEMPLATES } from '../../src/testing/software-tpm.ts';
import { publicKeyOf, spkiOf } from '../../src/tpm/public-key.ts';
import { decode, encode } from '../../src/tpm/structures/codec.ts';
import { type TpmtPublic, tpm2bPublic } from '../../src/tpm/structures/public.ts';
import { EK_TEMPLATES, type EkTemplate, ekTemplateOf } from '../../src/tpm/templates.ts';
import { execute } from '../support/execute.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';

let tpm: SoftwareTpm;
beforeAll(async () => {
  tpm = await startSwtpm({ templates: SOFTWARE_EK_TEMPLATES, persistentEks: true });
});

const templates = EK_TEMPLATES.filter(({ name }) => SOFTWARE_EK_TEMPLATES.some((made) => made === name));

describe.each(templates)('$name as scripts/swtpm/provision makes it', (template) => {
  test('has a certificate in NV for the key that CreatePrimary makes of the template, byte by byte', async () => {
    const certificate = new X509Certificate(await readCertificate(template));
    const key = publicKeyOf(await createPrimary(template));
    expect(key && spkiOf(key)).toEqual(spkiOf(certificate.publicKey));
  });

  test('has a certificate that leads to the CA', async () => {
    const file = join(tpm.folder, `${template.name}.der`);
    await writeFile(file, await readCertificate(template));
    // OpenSSL does not know the critical TCG directory name; everything else about the chain is judged.
    const args = ['verify', '-x509_strict', '-ignore_critical', '-CAfile', tpm.caPath, file];
    expect((await execute('openssl', args)).stdout).toBe(`${file}: OK\n`);
  });

  test('has a certificate that the owner can read and cannot delete', async () => {
    await expect(tpm.tpm2('tpm2_nvundefine', ['-C', 'o', nvIndex(template)])).rejects.toThrow('Esys_NV_UndefineSpace');
  });

  test('leaves the same key at its persistent handle', async () => {
    const handle = `0x${(0x81010000 + (template.name === 'L-1' ? 1 : template.certificateNvIndex & 0xff)).toString(16)}`;
    await tpm.tpm2('tpm2_readpublic', ['-c', handle, '-f', 'tss', '-o', 'persistent.pub']);
    const persistent = decode(tpm2bPublic, await readFile(join(tpm.folder, 'persistent.pub')));
    expect(persistent).toEqual(await createPrimary(template));
    expect(ekTemplateOf(persistent)?.name).toBe(template.name);
  });
});

test('a TPM without templates has neither EK certificates nor persistent keys', async () => {
  const blank = await startSwtpm({ templates: [] });
  expect((await blank.tpm2('tpm2_getcap', ['handles-nv-index'])).stdout).toBe('');
  expect((await blank.tpm2('tpm2_getcap', ['handles-persistent'])).stdout).toBe('');
});

test('a TPM has the certificates asked for and no others', async () => {
  const one = await startSwtpm({ templates: ['L-1'] });
  expect((await one.tpm2('tpm2_getcap', ['handles-nv-index'])).stdout).toBe('- 0x1C00002\n');
  expect((await one.tpm2('tpm2_getcap', ['handles-persistent'])).stdout).toBe('');
});

test('PCR banks are allocated as asked for', async () => {
  const two = await startSwtpm({ pcrBanks: ['sha1', 'sha384'] });
  const { stdout } = await two.tpm2('tpm2_getcap', ['pcrs']);
  expect([...stdout.matchAll(/- (\w+): \[ \d/g)].map(([, bank]) => bank)).toEqual(['sha1', 'sha384']);
});

test('nothing is left loaded', async () => {
  for (const kind of ['handles-transient', 'handles-loaded-session', 'handles-saved-session']) {
    expect((await tpm.tpm2('tpm2_getcap', [kind])).stdout, kind).toBe('');
  }
});

const nvIndex = ({ certificateNvIndex }: EkTemplate) => `0x${certificateNvIndex.toString(16)}`;

async function readCertificate(template: EkTemplate): Promise<Uint8Array> {
  const file = join(tpm.folder, 'certificate.der');
  await tpm.tpm2('tpm2_nvread', [nvIndex(template), '-C', 'o', '-o', file]);
  return readFile(file);
}

/** TPM2_CreatePrimary with exactly the template's bytes: tpm2-tools' own commands add defaults of theirs. */
async function createPrimary({ publicArea }: EkTemplate): Promise<TpmtPublic> {
  const inPublic = encode(tpm2bPublic, publicArea);
  const command = Buffer.concat([
    Buffer.from('8002', 'hex'),
    Buffer.alloc(4), // commandSize
    Buffer.from('00000131' + '4000000b', 'hex'), // TPM_CC_CreatePrimary, TPM_RH_ENDORSEMENT
    Buffer.from('00000009' + '40000009' + '0000' + '00' + '0000', 'hex'), // an empty password
    Buffer.from('0004' + '0000' + '0000', 'hex'), // inSensitive
    inPublic,
    Buffer.from('0000' + '00000000', 'hex'), // outsideInfo, creationPCR
  ]);
  command.writeUInt32BE(command.length, 2);
  await writeFile(join(tpm.folder, 'command'), command);
  await tpm.tpm2('tpm2_send', ['-o', 'response', 'command']);
  const response = await readFile(join(tpm.folder, 'response'));
  expect(response.readUInt32BE(6), 'responseCode').toBe(0);
  await tpm.tpm2('tpm2_flushcontext', ['-t']);
  // header 10, objectHandle 4, parameterSize 4, then outPublic
  return decode(tpm2bPublic, response.subarray(18, 20 + response.readUInt16BE(18)));
}
