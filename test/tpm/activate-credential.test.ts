import { randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { concat } from '../../src/bytes/bytes.ts';
import { type Credential, makeCredential } from '../../src/tpm/make-credential.ts';
import { hashAlgorithm } from '../../src/tpm/structures/algorithms.ts';
import { decode } from '../../src/tpm/structures/codec.ts';
import { objectName } from '../../src/tpm/structures/name.ts';
import { type TpmtPublic, tpm2bPublic } from '../../src/tpm/structures/public.ts';
import { EK_TEMPLATES, type EkTemplateName } from '../../src/tpm/templates.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';

const TEMPLATES = ['L-1', 'L-2', 'H-3'] as const;
const AK_HASHES = ['sha256', 'sha384'] as const;
const AK_ATTRIBUTES = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign';

let tpm: SoftwareTpm;
beforeAll(async () => {
  tpm = await startSwtpm({ templates: TEMPLATES, persistentEks: true });
  for (const hash of AK_HASHES) {
    const args = ['-C', 'e', '-G', 'ecc256:ecdsa-sha256:null', '-g', hash, '-a', AK_ATTRIBUTES, '-c', `${hash}.ctx`];
    await tpm.tpm2('tpm2_createprimary', args);
    await tpm.tpm2('tpm2_flushcontext', ['-t']);
  }
  // Every H template satisfies its policy through PolicyOR, whose branches tpm2_policyor reads from files.
  const [a, c] = template('H-3').policyOr ?? [];
  await writeFile(join(tpm.folder, 'a'), a ?? '');
  await writeFile(join(tpm.folder, 'c'), c ?? '');
});

describe.each(TEMPLATES)("the TPM's own ActivateCredential, by EK %s,", (name) => {
  test.each(AK_HASHES)('gives back the secret made for an AK with a %s Name', async (hash) => {
    const ak = await publicArea(`${hash}.ctx`);
    for (const length of [32, 1, 0]) {
      const secret = randomBytes(length);
      const credential = makeCredential(await ekPublic(name), objectName(ak), secret, randomBytes);
      expect(await activate(name, `${hash}.ctx`, credential), `${length} bytes`).toEqual(Uint8Array.from(secret));
    }
  });

  describe('refuses', () => {
    test('what was made for another AK of the same TPM', async () => {
      const other = objectName(await publicArea('sha384.ctx'));
      const credential = makeCredential(await ekPublic(name), other, randomBytes(32), randomBytes);
      await expect(activate(name, 'sha256.ctx', credential)).rejects.toThrow('integrity check failed');
    });

    test('what was made for another EK of the same TPM', async () => {
      const another = name === 'L-1' ? 'H-3' : 'L-1';
      const ak = objectName(await publicArea('sha256.ctx'));
      const credential = makeCredential(await ekPublic(another), ak, randomBytes(32), randomBytes);
      await expect(activate(name, 'sha256.ctx', credential)).rejects.toThrow('Esys_ActivateCredential');
    });

    test('a credential with one bit changed, wherever it is', async () => {
      const ak = objectName(await publicArea('sha256.ctx'));
      const { credentialBlob, encryptedSecret } = makeCredential(
        await ekPublic(name),
        ak,
        randomBytes(32),
        randomBytes,
      );
      const flip = (bytes: Uint8Array, at: number) => bytes.with(at, (bytes.at(at) ?? 0) ^ 1);
      const changed: readonly Credential[] = [
        { credentialBlob: flip(credentialBlob, 2), encryptedSecret },
        { credentialBlob: flip(credentialBlob, credentialBlob.length - 1), encryptedSecret },
        { credentialBlob, encryptedSecret: flip(encryptedSecret, encryptedSecret.length - 1) },
      ];
      for (const credential of changed)
        await expect(activate(name, 'sha256.ctx', credential)).rejects.toThrow('Esys_ActivateCredential');
    });
  });
});

function template(name: EkTemplateName) {
  const found = EK_TEMPLATES.find((each) => each.name === name);
  if (found === undefined) throw new Error(name);
  return found;
}

function ekHandle(name: EkTemplateName): string {
  const low = name === 'L-1' ? 1 : template(name).certificateNvIndex & 0xff;
  return `0x${(0x81010000 + low).toString(16)}`;
}

function ekPublic(name: EkTemplateName): Promise<TpmtPublic> {
  return publicArea(ekHandle(name));
}

async function publicArea(object: string): Promise<TpmtPublic> {
  const file = join(tpm.folder, 'public');
  await tpm.tpm2('tpm2_readpublic', ['-c', object, '-f', 'tss', '-o', file]);
  await tpm.tpm2('tpm2_flushcontext', ['-t']);
  return decode(tpm2bPublic, await readFile(file));
}

/** By policy session, as EKs are used. Rejects with the words of tpm2_activatecredential. */
async function activate(name: EkTemplateName, ak: string, credential: Credential): Promise<Uint8Array> {
  const hash = hashAlgorithm(template(name).publicArea.nameAlg)?.name ?? '';
  await writeFile(join(tpm.folder, 'credential'), tpm2ToolsFile(credential));
  const secret = join(tpm.folder, 'secret');
  await rm(secret, { force: true });
  await tpm.tpm2('tpm2_startauthsession', ['--policy-session', '-g', hash, '-S', 'session']);
  try {
    await tpm.tpm2('tpm2_policysecret', ['-S', 'session', '-c', 'e']);
    if (template(name).policyOr !== undefined) await tpm.tpm2('tpm2_policyor', ['-S', 'session', '-l', `${hash}:a,c`]);
    const args = ['-c', ak, '-C', ekHandle(name), '-i', 'credential', '-o', secret, '-P', 'session:session'];
    await tpm.tpm2('tpm2_activatecredential', args);
    return Uint8Array.from(await readFile(secret));
  } finally {
    await tpm.tpm2('tpm2_flushcontext', ['session']);
    await tpm.tpm2('tpm2_flushcontext', ['-t']);
  }
}

/** What tpm2_makecredential writes: a magic number, a version, TPM2B_ID_OBJECT, TPM2B_ENCRYPTED_SECRET. */
function tpm2ToolsFile({ credentialBlob, encryptedSecret }: Credential): Uint8Array {
  const sized = (bytes: Uint8Array) => concat(Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes);
  const head = Uint8Array.of(0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1);
  return concat(head, sized(credentialBlob), sized(encryptedSecret));
}
