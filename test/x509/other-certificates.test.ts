/**
 * Certificates of TPMs that are no endorsement certificate of a TPM 2.0, each beside the nearest one that is.
 */
import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hex } from '../../src/bytes/bytes.ts';
import { spkiOfPublicArea } from '../../src/tpm/public-key.ts';
import { decode } from '../../src/tpm/structures/codec.ts';
import { objectName } from '../../src/tpm/structures/name.ts';
import { tpmtPublic } from '../../src/tpm/structures/public.ts';
import { ekTemplateOf } from '../../src/tpm/templates.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import type { CertificateRecipe, ExtensionRecipe, KeyUsageName } from '../support/certificate-recipe.ts';
import { corpusRows, describeCorpus, readCorpusBytes } from '../support/corpus.ts';
import { derNull, explicit, integer, octetString, oid, sequence, set, utf8String } from '../support/der-writer.ts';
import { admits, type EkEvidence, refuses } from '../support/ek-verdict.ts';
import { EK_USAGE, keyPair, spkiOf } from '../support/pki.ts';
import { unhex } from '../support/vectors.ts';
import { type Authority, certified, chained, dn, endorsed, policies } from '../support/vendor-chain.ts';

const TPM12_CA: Authority = {
  subject: dn('C=CH', 'CN=STM TPM EK Intermediate CA 02'),
  key: keyPair('rsa2048', 'tpm 1.2'),
};
const SHA1 = sequence(oid('1.3.14.3.2.26'), derNull());
const mask = explicit(1, sequence(oid('1.2.840.113549.1.1.8'), SHA1));
const label = explicit(2, sequence(oid('1.2.840.113549.1.1.9'), octetString(Buffer.from('TCPA\0'))));
const oaep = sequence(oid('1.2.840.113549.1.1.7'), sequence(explicit(0, SHA1), mask, label));
const plain = Buffer.from(spkiOf(keyPair('rsa2048', 'ek').publicKey));
const publicKey = sequence(oaep, plain.subarray(plain.indexOf(Uint8Array.of(0x03, 0x82))));
/** supportedAlgorithms under the right identifier or a mistyped one, and what the TPM is. */
const tpm12Attributes = (algorithms: string, family: string): ExtensionRecipe => ({
  oid: '2.5.29.9',
  value: sequence(
    sequence(oid(algorithms), set(sequence(oaep))),
    sequence(oid('2.23.133.2.16'), set(sequence(utf8String(family), integer(2), integer(116)))),
  ),
});
const tpm12Usage: ExtensionRecipe = { oid: '2.5.29.37', critical: true, value: sequence(oid(EK_USAGE)) };
const tpm12Evidence = (recipe: CertificateRecipe): EkEvidence => ({
  leaf: endorsed(
    TPM12_CA,
    {
      keyUsage: null,
      extKeyUsage: null,
      family: null,
      hash: 'sha1',
      san: { manufacturer: 'id:53544D20', version: 'id:0D0C' },
      editTbs: (tbs) => tbs.with(6, publicKey),
      ...recipe,
    },
    'rsa2048',
  ),
  intermediates: [],
  anchors: [certified(TPM12_CA)],
});
const tpm12 = (extraExtensions: readonly ExtensionRecipe[], more: CertificateRecipe = {}): EkEvidence =>
  tpm12Evidence({ extraExtensions, ...more });

describe('TPM 1.2', () => {
  const modern: CertificateRecipe = {
    hash: 'sha256',
    keyUsage: ['keyEncipherment'],
    extraExtensions: [tpm12Usage, tpm12Attributes('2.5.5.52', '2.0')],
  };

  test('admits its way of writing a key in the certificate of a TPM 2.0', () => admits(tpm12Evidence(modern)));

  test('refuses an STMicroelectronics certificate for its family and its signature, and one of family 2.0 for what it lacks', () => {
    const extraExtensions = [tpm12Usage, tpm12Attributes('2.5.5.52', '1.2')];
    refuses(tpm12Evidence({ extraExtensions }), 'path weak_signature', 'profile tpm_family');
    refuses(tpm12Evidence({ ...modern, extraExtensions }), 'profile tpm_family');
    refuses(tpm12Evidence({ ...modern, keyUsage: null }), 'profile key_usage');
    refuses(tpm12Evidence({ ...modern, hash: 'sha1' }), 'path weak_signature');
  });

  test('refuses an Infineon certificate likewise, and one of family 2.0 without a purpose', () => {
    const extraExtensions = [policies(true), tpm12Attributes('2.5.4.52', '1.2')];
    refuses(tpm12Evidence({ extraExtensions }), 'path weak_signature', 'profile tpm_family');
    refuses(
      tpm12Evidence({ ...modern, extraExtensions: [policies(true), tpm12Attributes('2.5.4.52', '2.0')] }),
      'path eku',
      'profile eku',
    );
  });
});

describe('TPM 1.2, where family 1.2 and SHA-1 are let in,', () => {
  const rules = { allowTpm12: true, allowSha1: true };
  const stm = tpm12([tpm12Usage, tpm12Attributes('2.5.5.52', '1.2')]);
  const infineon = tpm12([policies(true), tpm12Attributes('2.5.4.52', '1.2')]);

  test('is admitted without key usage, and by Infineon without a purpose', () => {
    admits({ ...stm, rules });
    admits({ ...infineon, rules });
  });

  test('is refused where only one of the two is', () => {
    refuses({ ...stm, rules: { allowTpm12: true } }, 'path weak_signature');
    refuses({ ...stm, rules: { allowSha1: true } }, 'profile tpm_family');
  });

  test('is refused with a key that signs, and with another purpose', () => {
    const signing = tpm12([tpm12Usage, tpm12Attributes('2.5.5.52', '1.2')], { keyUsage: ['digitalSignature'] });
    refuses({ ...signing, rules }, 'profile key_usage');
    const other = tpm12([tpm12Attributes('2.5.5.52', '1.2')], { extKeyUsage: ['2.23.133.8.3'] });
    refuses({ ...other, rules }, 'path eku', 'profile eku');
  });

  test('says nothing for a certificate of family 2.0 that lacks the same', () => {
    const modern = tpm12([tpm12Usage, tpm12Attributes('2.5.5.52', '2.0')]);
    refuses({ ...modern, rules }, 'profile key_usage');
  });
});

describe('An attestation key’s certificate', () => {
  const AIK = '2.23.133.8.3';
  const issuing: Authority = { subject: dn('CN=Global Virtual TPM CA - 03'), key: keyPair('rsa2048', 'vtpm') };
  const azure = (recipe: CertificateRecipe): EkEvidence =>
    chained(
      [issuing],
      { subject: dn('CN=c0ffee.ConfidentialVM.Azure.windows.net'), basicConstraints: null, ...recipe },
      'rsa2048',
    );

  test('is refused under a virtual machine’s name, with its own purpose and without names of a TPM', () => {
    const signs: CertificateRecipe = { keyUsage: ['digitalSignature'], extKeyUsage: [AIK], san: null };
    refuses(azure(signs), 'path eku', 'profile eku', 'profile key_usage', 'profile san_missing');
    admits(azure({}));
  });

  test('is refused where it has the purpose of an endorsement key and the names of a TPM', () => {
    const root: Authority = {
      subject: dn('CN=tpm_ek_v1_cloud_host_root-signer'),
      key: keyPair('rsa2048', 'google root'),
    };
    const signer: Authority = {
      subject: dn('CN=tpm_ek_v1_cloud_host-signer'),
      key: keyPair('rsa2048', 'google signer'),
      recipe: { extKeyUsage: [EK_USAGE] },
    };
    const google = (keyUsage: readonly KeyUsageName[], extKeyUsage = [EK_USAGE]): EkEvidence =>
      chained(
        [root, signer],
        { keyUsage, extKeyUsage, san: { manufacturer: 'id:474F4F47', model: 'vTPM' } },
        'rsa2048',
      );
    admits(google(['keyEncipherment']));
    refuses(google(['digitalSignature']), 'profile key_usage');
    refuses(google(['digitalSignature', 'keyEncipherment']), 'profile key_usage');
    refuses(google(['keyEncipherment'], [AIK]), 'path eku', 'profile eku');
    // Purposes add up, and what the key may do stays what it is.
    admits(google(['keyEncipherment'], [AIK, EK_USAGE]));
    refuses(google(['digitalSignature'], [AIK, EK_USAGE]), 'profile key_usage');
  });
});

interface NamedKey {
  readonly publicArea: string;
  readonly expectedName: string;
  readonly certificate?: string;
}

describeCorpus('One certified key', () => {
  const rows = corpusRows<'vectors', NamedKey>('vectors/names.json', 'vectors');
  const certificates = [...new Set(rows.flatMap(({ certificate }) => certificate ?? []))];

  test.each(certificates)('has two Names, one for each template, and %s does not say which', (file) => {
    const named = rows.filter(({ certificate }) => certificate === file);
    const { subjectPublicKeyInfo } = parseCertificate(readCorpusBytes(join('vectors', file)));
    const areas = named.map(({ publicArea }) => decode(tpmtPublic, unhex(publicArea)));
    expect(areas.map((area) => ekTemplateOf(area)?.name[0])).toEqual(['L', 'H']);
    for (const area of areas) expect(spkiOfPublicArea(area)).toEqual(subjectPublicKeyInfo.plainDer);
    const names = areas.map((area) => hex(objectName(area)));
    expect(names).toEqual(named.map(({ expectedName }) => expectedName));
    expect(new Set(names).size).toBe(2);
  });
});
