import { describe, expect, test } from 'vitest';
import { finished } from '../../src/bytes/pausable.ts';
import {
  authorityKind,
  authorityManufacturer,
  tellingAuthorities,
  tellsOfTpms,
} from '../../src/x509/authority/authority-kinds.ts';
import { authorities } from '../support/certificate-corpus.ts';
import { type CertificateRecipe, mintCertificate, type NameRecipe } from '../support/certificate-recipe.ts';
import { describeCorpus } from '../support/corpus.ts';
import { keyPair, minted } from '../support/pki.ts';

const O = '2.5.4.10';
const OU = '2.5.4.11';
const CN = '2.5.4.3';
const signer = keyPair('p256', 'kinds').privateKey;
const named = (...attributes: readonly (readonly [string, string])[]): NameRecipe =>
  attributes.map(([type, text]) => ({ type, text }));

function kindOf(subject: NameRecipe, issuer: NameRecipe = named([CN, 'Nobody'])): readonly (string | undefined)[] {
  const { certificate } = minted(mintCertificate({ signer, subject, issuer, basicConstraints: { ca: true } }));
  return [authorityKind(certificate), authorityManufacturer(certificate)];
}

describe('a name tells', () => {
  test.each([
    [named([CN, 'swtpm-localca']), ['software', 'swtpm']],
    [named([CN, 'swtpm-localca-rootca']), ['software', 'swtpm']],
    [named([O, 'IBM'], [CN, 'EK EC CA']), ['software', 'IBM']],
    [named([CN, 'Some TPM Simulator Root']), ['software', 'TPM simulator']],
    [named([CN, 'tpm_ek_v1_cloud_host_root-signer-0-2018']), ['cloud', 'Google']],
    [named([O, 'Google LLC'], [CN, 'EK/AK CA Root']), ['cloud', 'Google']],
    [named([CN, 'Global Virtual TPM CA - 03']), ['cloud', 'Microsoft Azure']],
    [
      named([O, 'Microsoft Corporation'], [CN, 'Azure Virtual TPM Root Certificate Authority 2023']),
      ['cloud', 'Microsoft Azure'],
    ],
    [
      named([O, 'Microsoft Corporation'], [CN, 'Microsoft TPM Root Certificate Authority 2014']),
      ['hardware', 'Microsoft'],
    ],
    [named([O, 'Infineon Technologies AG'], [CN, 'Infineon OPTIGA(TM) RSA Root CA']), ['hardware', 'Infineon']],
    [named([CN, 'www.intel.com']), ['hardware', 'Intel']],
    [named([O, 'vcenter.example'], [OU, 'VMware Engineering'], [CN, 'CA']), ['cloud', 'VMware']],
    [named([CN, 'Microsoft Hyper-V Virtual TPM Root']), ['cloud', 'Microsoft']],
  ])('%j', (subject, expected) => {
    expect(kindOf(subject)).toEqual(expected);
  });
});

describe('a name that is only like one tells nothing', () => {
  test.each([
    [named([CN, 'my-swtpm-localca'])],
    [named([O, 'IBM Research'], [CN, 'EK CA'])],
    [named([O, 'IBM'], [CN, 'EK CA 2'])],
    [named([CN, 'EK/AK CA Root'])],
    [named([O, 'Google LLC'], [CN, 'GTS Root R1'])],
    [named([O, 'Microsoft Corporation'], [CN, 'Microsoft Root Certificate Authority 2011'])],
    [named([O, 'Not Infineon'], [CN, 'Infineon OPTIGA(TM) RSA Root CA'])],
    [named([CN, 'www.intel.com.example'])],
    [named([O, 'GlobalSign'], [CN, 'GlobalSign Root CA'])],
    [named([OU, 'Not VMware Engineering'], [CN, 'CA'])],
  ])('%j', (subject) => {
    expect(kindOf(subject)).toEqual([undefined, undefined]);
  });
});

test('the issuer tells where the subject does not, and never against it', () => {
  const infineon = named([O, 'Infineon Technologies AG']);
  expect(kindOf(named([CN, 'product 7']), infineon)).toEqual(['hardware', 'Infineon']);
  expect(kindOf(named([CN, 'swtpm-localca']), infineon)).toEqual(['software', 'swtpm']);
});

test('a CA tells of TPMs by a name, a word in one, or its key purposes; of the web’s none does', () => {
  const told = (subject: NameRecipe, recipe: CertificateRecipe = {}): boolean =>
    tellsOfTpms(
      minted(mintCertificate({ signer, subject, issuer: subject, basicConstraints: { ca: true }, ...recipe }))
        .certificate,
    );
  for (const name of ['Test TPM Root CA', 'Corporate vTPM CA', 'EK CA 7', 'Endorsement Root']) {
    expect(told(named([CN, name])), name).toBe(true);
  }
  expect(told(named([CN, 'Corporate Root']), { extKeyUsage: ['2.23.133.8.1'] })).toBe(true);
  for (const name of ['ISRG Root X1', 'GlobalSign Root R3', 'DigiCert Global Root G2', 'TEKTRONIX', 'Corporate Root'])
    expect(told(named([CN, name])), name).toBe(false);
  expect(told(named([CN, 'Corporate Root']), { extKeyUsage: ['1.3.6.1.5.5.7.3.1'] })).toBe(false);
});

describeCorpus('of the real CAs', () => {
  test('each tells of TPMs', () => {
    const all = [...authorities('root').anchors.certificates, ...authorities('intermediate').anchors.certificates];
    expect(all.length).toBeGreaterThan(290);
    const telling = finished(tellingAuthorities(all));
    expect(all.filter((one) => !telling.has(one))).toEqual([]);
  });

  test.each([
    ['swtpm', 'software', 'swtpm'],
    ['ibm', 'software', 'IBM'],
    ['google', 'cloud', 'Google'],
    ['alibaba', 'cloud', 'Alibaba Cloud'],
    ['amd', 'hardware', 'AMD'],
    ['atmel', 'hardware', 'Atmel'],
    ['globalsign', 'hardware', 'GlobalSign'],
    ['infineon', 'hardware', 'Infineon'],
    ['intel', 'hardware', 'Intel'],
    ['microsoft', 'hardware', 'Microsoft'],
    ['nationz', 'hardware', 'Nationz'],
    ['nsing', 'hardware', 'NSING'],
    ['nuvoton', 'hardware', 'Nuvoton'],
    ['stm', 'hardware', 'STMicroelectronics'],
    ['verisign', 'hardware', 'VeriSign'],
  ])('every one of %s is known: %s, %s', (vendor, kind, manufacturer) => {
    const certificates = (['root', 'intermediate'] as const).flatMap(
      (role) => authorities(role, vendor).anchors.certificates,
    );
    expect(certificates.length).toBeGreaterThan(0);
    const found = new Set(certificates.map((one) => `${authorityKind(one)} ${authorityManufacturer(one)}`));
    expect([...found]).toEqual([`${kind} ${manufacturer}`]);
  });
});
