import { describe, expect, test } from 'vitest';
import { authorityKind, authorityManufacturer } from '../../src/x509/authority-kinds.ts';
import { authorities } from '../support/certificate-corpus.ts';
import { mintCertificate, type NameRecipe } from '../support/certificate-recipe.ts';
import { describeCorpus } from '../support/corpus.ts';
import { keyPair, minted } from '../support/pki.ts';

const O = '2.5.4.10';
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
  ])('%j', (subject) => {
    expect(kindOf(subject)).toEqual([undefined, undefined]);
  });
});

test('the issuer tells where the subject does not, and never against it', () => {
  const infineon = named([O, 'Infineon Technologies AG']);
  expect(kindOf(named([CN, 'product 7']), infineon)).toEqual(['hardware', 'Infineon']);
  expect(kindOf(named([CN, 'swtpm-localca']), infineon)).toEqual(['software', 'swtpm']);
});

describeCorpus('of the real CAs', () => {
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
