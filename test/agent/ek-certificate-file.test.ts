import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { Attestor, type AttestorOptions } from '../../src/agent/attest.ts';
import { CertificateFileError, readCertificateFile } from '../../src/agent/endorsement/ek-certificate-file.ts';
import { loadEndorsement } from '../../src/agent/endorsement/load-endorsement.ts';
import { HierarchyPasswords } from '../../src/agent/passwords/hierarchy-passwords.ts';
import { publicKeyHash, spkiOfPublicArea } from '../../src/tpm/public-key.ts';
import { decode } from '../../src/tpm/structures/codec.ts';
import { TPM_HT_FIRST } from '../../src/tpm/structures/constants.ts';
import { tpmtPublic } from '../../src/tpm/structures/public.ts';
import type { EkTemplateName } from '../../src/tpm/templates.ts';
import { anchorsOf } from '../../src/x509/file/trust-store.ts';
import { attestTo, type JudgedAttestation, policyFor, TRUST_DOMAIN } from '../support/agent-attestation.ts';
import { handles, leftInTpm, openTpm } from '../support/open-tpm.ts';
import { type EkChain, keyPair, mintEkChain, pem, spkiOf } from '../support/pki.ts';
import { bundle, SOFTWARE } from '../support/policy.ts';
import { type SoftwareTpm, type SwtpmOptions, startSwtpm } from '../support/swtpm.ts';

const folder: string = mkdtempSync(join(tmpdir(), 'certificate-file-'));
const path = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a certificate file', () => {
  const { leaf, intermediate, root } = mintEkChain();
  const [der, above] = [Buffer.from(leaf.der), intermediate.der];
  const bundle = (count: number): string => pem(leaf.der, ...Array.from({ length: count - 1 }, () => above));

  test.each<[string, string | Buffer, readonly Uint8Array[]]>([
    ['DER', der, [leaf.der]],
    ['contents of an NV index, padded', Buffer.concat([der, Buffer.alloc(99, 0xff)]), [leaf.der]],
    ['PEM of the certificate alone', pem(leaf.der), [leaf.der]],
    ['PEM with its chain', `an endorsement key\n${pem(leaf.der, above, root.der)}`, [leaf.der, above, root.der]],
    ['PEM of ten certificates', bundle(10), [leaf.der, ...Array.from({ length: 9 }, () => above)]],
    ['an answer of Intel’s service', JSON.stringify({ certificate: `${der.toString('base64url')}%3D` }), [leaf.der]],
  ])('is read: %s', async (_, contents, certificates) => {
    writeFileSync(path('good'), contents);
    const read = await readCertificateFile(path('good'));
    expect(read.certificates.map((bytes) => Buffer.from(bytes))).toEqual(
      certificates.map((bytes) => Buffer.from(bytes)),
    );
    expect(publicKeyHash(read.publicKey)).toBe(publicKeyHash(keyPair('p256', 'ek').publicKey));
  });

  test.each<[string, string | Buffer, RegExp]>([
    ['nothing', '', /it is an empty file/],
    ['other bytes', Buffer.alloc(500, 7), /certificate/],
    ['a certificate that is cut off', der.subarray(0, -1), /certificate/],
    ['a certificate and more', Buffer.concat([der, Buffer.from('more')]), /after the certificate, not padding/],
    ['a private key', '-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n', /PRIVATE KEY/],
    ['a text of no certificates', '-----BEGIN \n', /it is text without a certificate/],
    ['eleven certificates', bundle(11), /more than 10 certificates/],
    ['a broken certificate of the chain', pem(leaf.der, above.subarray(0, -1)), /./],
    ['an empty certificate of the chain', pem(leaf.der, Uint8Array.of(0x30, 0)), /its certificate 2 cannot be read/],
    ['more than 64 KiB', Buffer.concat([Buffer.from(pem(leaf.der)), Buffer.alloc(65_536, 0x20)]), /larger than 65536/],
  ])('is refused with %s', async (_, contents, reason) => {
    writeFileSync(path('bad'), contents);
    const expected = { code: 'ERR_CERTIFICATE_FILE', message: expect.stringMatching(reason) };
    await expect(readCertificateFile(path('bad'))).rejects.toMatchObject(expected);
    await expect(readCertificateFile(path('bad'))).rejects.toThrow(`can be read from ${path('bad')}: `);
  });

  test('is refused at once where it is a pipe that nobody writes into, a device, a folder, or not there', async () => {
    execFileSync('mkfifo', [path('fifo')]);
    for (const odd of [path('fifo'), '/dev/zero', folder])
      await expect(readCertificateFile(odd)).rejects.toMatchObject({
        code: 'ERR_CERTIFICATE_FILE',
        message: expect.stringMatching(/it is not a regular file$/),
      });
    await expect(readCertificateFile(path('absent'))).rejects.toThrow(/ENOENT/);
  });
});

describe('on a TPM', () => {
  let tpm: SoftwareTpm;
  afterEach(() => tpm.stop());

  const start = async (options: SwtpmOptions = {}): Promise<void> => {
    tpm = await startSwtpm(options);
  };

  /** SPKI of a key of this TPM. */
  async function keyOf(name: EkTemplateName): Promise<Uint8Array> {
    const device = await openTpm(tpm);
    try {
      return await device.exclusive(async (run) => {
        const { endorsement } = await loadEndorsement(run, 'auto', new HierarchyPasswords(), { names: [name] });
        return spkiOfPublicArea(decode(tpmtPublic, endorsement.publicArea)) ?? new Uint8Array();
      });
    } finally {
      await device.close();
    }
  }

  const certify = (publicKey: Uint8Array, serial = 1): EkChain => {
    return mintEkChain({ leaf: { publicKey, serial: Uint8Array.of(serial) } });
  };

  async function write({ leaf, intermediate }: EkChain): Promise<void> {
    await writeFile(path('ek.pem'), pem(leaf.der, intermediate.der));
  }

  const attestor = (options: Partial<AttestorOptions> = {}): Attestor => {
    const file = { ekCertificatePath: path('ek.pem') };
    return new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => tpm.tcti, ...file, ...options });
  };

  const attest = (chain: EkChain, by: Attestor = attestor()): Promise<JudgedAttestation> => {
    return attestTo(by, policyFor(tpm, { bundles: [bundle(anchorsOf([chain.root.certificate]), SOFTWARE)] }));
  };

  test('a key without certificate is admitted by that of the file, its chain sent behind it', async () => {
    await start({ templates: [] });
    const chain = certify(await keyOf('L-1'));
    await write(chain);
    const { verdict, endorsement, commands } = await attest(chain);
    expect(verdict).toMatchObject({ verdict: 'trusted', device: { ek: { admittedBy: 'certificate' } } });
    expect(endorsement).toMatchObject({ template: { name: 'L-1' }, certificateSource: path('ek.pem'), notes: [] });
    expect(endorsement.certificates).toEqual(
      [chain.leaf.der, chain.intermediate.der].map((der) => Uint8Array.from(der)),
    );
    // Its own and the AK.
    expect(commands.get('TPM2_CreatePrimary')).toBe(2);
    // Without its chain the judge finds none: it was the file's.
    await writeFile(path('ek.pem'), pem(chain.leaf.der));
    await expect(attest(chain)).rejects.toThrow('ek.');
  });

  test.each([
    ['H-1', 3],
    ['L-2', 2],
    ['H-2', 3],
    ['H-3', 2],
  ] as const)('the key of the file says which it is, whatever NV holds: %s', async (name, keysMade) => {
    await start({ templates: ['L-1', 'H-4'] });
    const chain = certify(await keyOf(name));
    await write(chain);
    const { verdict, endorsement, commands } = await attest(chain);
    expect([verdict.verdict, endorsement.template.name]).toEqual(['trusted', name]);
    expect(commands.get('TPM2_CreatePrimary')).toBe(keysMade);
    expect(await leftInTpm(tpm)).toEqual([]);
  });

  test('a persistent key is compared before any is made', async () => {
    await start({ templates: ['H-3'], persistentEks: true });
    const chain = certify(await keyOf('H-3'));
    await write(chain);
    const { endorsement, commands } = await attest(chain);
    expect(endorsement.persistentHandle).toBe(0x81010016);
    expect(commands.get('TPM2_CreatePrimary')).toBe(1);
  });

  test('the file wins over the certificate that NV has for the same key', async () => {
    await start({ templates: ['L-1'] });
    const chain = certify(await keyOf('L-1'));
    await write(chain);
    const { endorsement } = await attest(chain);
    expect(endorsement.certificates[0]).toEqual(Uint8Array.from(chain.leaf.der));
  });

  test.each([
    ['rsa2048', 'auto', /but this TPM has other endorsement keys: L-1 [0-9a-f]{64}, H-1 [0-9a-f]{64}$/],
    ['p384', 'auto', /but this TPM has other endorsement keys: H-3 [0-9a-f]{64}$/],
    ['p256', 'rsa', /but the endorsement keys of the templates L-1, H-1, H-6 are of another kind$/],
    [
      'rsa4096',
      'auto',
      /but the endorsement keys of the templates L-1, H-1, L-2, H-2, H-3, H-4, H-6 are of another kind$/,
    ],
  ] as const)(
    'a file for another key (%s, ek = %s) is refused, never another identity',
    async (algorithm, ek, reason) => {
      await start();
      const { publicKey } = keyPair(algorithm, 'another machine');
      const chain = certify(spkiOf(publicKey));
      await write(chain);
      await expect(attest(chain, attestor({ ek }))).rejects.toMatchObject({
        code: 'ERR_CERTIFICATE_FILE',
        message: expect.stringMatching(reason),
      });
      await expect(attest(chain, attestor({ ek }))).rejects.toThrow(publicKeyHash(publicKey));
      expect(await leftInTpm(tpm)).toEqual([]);
    },
  );

  test('the file is read anew at each attestation', async () => {
    await start({ templates: [] });
    const spki = await keyOf('L-1');
    const [before, after] = [certify(spki, 1), certify(spki, 2)];
    const agent = attestor();
    await write(before);
    expect((await attest(before, agent)).warm).toBe(false);
    expect((await attest(before, agent)).warm).toBe(true);
    await write(after);
    const changed = await attest(after, agent);
    expect([changed.warm, changed.endorsement.certificates[0]]).toEqual([false, Uint8Array.from(after.leaf.der)]);
    expect((await attest(after, agent)).warm).toBe(true);
    await write(certify(spkiOf(keyPair('rsa2048', 'another machine').publicKey)));
    await expect(attest(after, agent)).rejects.toMatchObject({ code: 'ERR_CERTIFICATE_FILE' });
    await rm(path('ek.pem'));
    await expect(attest(after, agent)).rejects.toMatchObject({ code: 'ERR_CERTIFICATE_FILE' });
    await write(after);
    expect((await attest(after, agent)).verdict.verdict).toBe('trusted');
  });

  /** Transient keys while the endorsement key is loaded, or after the search for it has failed. */
  async function loadedAfterSearch(): Promise<number> {
    const device = await openTpm(tpm);
    const loaded = await device.exclusive(async (run) => {
      const search = { certificateFile: await readCertificateFile(path('ek.pem')) };
      await loadEndorsement(run, 'auto', new HierarchyPasswords(), search).catch((error) => {
        if (!(error instanceof CertificateFileError)) throw error;
      });
      return (await handles(run, TPM_HT_FIRST.TRANSIENT)).length;
    });
    await device.close();
    return loaded;
  }

  test('a key that was made for nothing does not stay in the TPM beside the right one', async () => {
    await start({ templates: [] });
    await write(certify(await keyOf('H-1')));
    expect(await loadedAfterSearch()).toBe(1);
    await write(certify(spkiOf(keyPair('rsa2048', 'another machine').publicKey)));
    expect(await loadedAfterSearch()).toBe(0);
  });

  test('the endorsement hierarchy’s password and two keys to compare leave the TPM room', async () => {
    await start({ templates: [] });
    const chain = certify(await keyOf('H-1'));
    await write(chain);
    await tpm.tpm2('tpm2_changeauth', ['-c', 'e', 'secret']);
    await writeFile(path('password'), 'secret');
    const passwords = new HierarchyPasswords({ endorsement: path('password') });
    expect((await attest(chain, attestor({ passwords }))).verdict.verdict).toBe('trusted');
    expect(await leftInTpm(tpm)).toEqual([]);
  });
});
