/** Any bytes are a certificate, a list or a MalformedCertificateError, and any certificate gets a verdict. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { type CertificateRevocationList, parseCrl } from '../../src/x509/crl/crl.ts';
import { checkEkProfile } from '../../src/x509/ek/ek-profile.ts';
import { readTcgSubject, readTpmSpecification } from '../../src/x509/ek/tcg-attributes.ts';
import { anchorsOf, trustStoreFrom } from '../../src/x509/file/trust-store.ts';
import { takeCertificate, takeChain } from '../../src/x509/intake.ts';
import { MalformedCertificateError } from '../../src/x509/malformed-certificate.ts';
import { validatePath } from '../../src/x509/path/path.ts';
import { crlSetOf, crlsFrom, revocationOf } from '../../src/x509/path/revocation.ts';
import { commonName, NOW, tpmName, tpmSpecification } from '../support/certificate-recipe.ts';
import { crlPem, issuingDistributionPoint, mintCrl } from '../support/crl-recipe.ts';
import { mutated } from '../support/mutation.ts';
import { mintEkChain, pem } from '../support/pki.ts';

/** Runs; undefined where the typed error was thrown, and nothing else may be. */
function outcome<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof MalformedCertificateError)) throw error;
    return undefined;
  }
}

const ec = mintEkChain();
const rsa = mintEkChain({ keyAlgorithm: 'rsa2048' });
const seeds = [ec.leaf.der, ec.intermediate.der, rsa.leaf.der, rsa.root.der];
/** The CAs of both chains bear the same names, so either kind of leaf finds its own. */
const anchors = anchorsOf([ec.root.certificate, rsa.root.certificate]);
const intermediates = [ec.intermediate.certificate, rsa.intermediate.certificate];

test('a mutated certificate is read or refused, and what is read is judged', () => {
  const trusted = new Set(seeds.map((der) => Buffer.from(der).toString('hex')));
  fc.assert(
    fc.property(mutated(...seeds), (bytes) => {
      const certificate = outcome(() => parseCertificate(bytes));
      if (certificate === undefined) return;
      expect(Buffer.compare(certificate.der, bytes)).toBe(0);
      checkEkProfile(certificate);
      const verdict = validatePath({ leaf: certificate, intermediates, anchors, now: NOW });
      if (verdict.ok) expect(trusted).toContain(Buffer.from(bytes).toString('hex'));
      else expect(verdict.problems.length).toBeGreaterThan(0);
    }),
    { numRuns: 5000 },
  );
});

test('a mutated CA certificate among the intermediates gets a verdict as well', () => {
  fc.assert(
    fc.property(mutated(ec.intermediate.der), (bytes) => {
      const certificate = outcome(() => parseCertificate(bytes));
      if (certificate === undefined) return;
      const verdict = validatePath({
        leaf: ec.leaf.certificate,
        intermediates: [certificate],
        anchors: ec.anchors,
        now: NOW,
      });
      expect(verdict.ok).toBe(Buffer.compare(bytes, ec.intermediate.der) === 0);
    }),
    { numRuns: 2000 },
  );
});

test('mutated TCG attributes are read or refused', () => {
  fc.assert(
    fc.property(mutated(tpmName({}), tpmName({}, 'one', 'printable')), (bytes) => {
      outcome(() => readTcgSubject(bytes));
    }),
    { numRuns: 3000 },
  );
  fc.assert(
    fc.property(mutated(tpmSpecification('2.0')), (bytes) => {
      outcome(() => readTpmSpecification(bytes));
    }),
    { numRuns: 3000 },
  );
});

test('any bytes from an NV index are taken or refused', () => {
  const blob = new Uint8Array(Buffer.concat([ec.leaf.der, ec.intermediate.der, new Uint8Array(16).fill(0xff)]));
  const header = new Uint8Array(Buffer.concat([Uint8Array.of(0x10, 1, 0, 0, 0), ec.leaf.der]));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), mutated(blob, header)), (bytes) => {
      outcome(() => takeCertificate(bytes));
      outcome(() => takeChain(bytes));
    }),
    { numRuns: 3000 },
  );
});

test('any file of the trust store is read or reported', () => {
  const bundle = Buffer.from(pem(ec.root.der, ec.intermediate.der));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), mutated(bundle, ec.root.der)), (bytes) => {
      const { anchors, problems } = trustStoreFrom([{ name: 'file', bytes }]);
      expect(anchors.certificates.length + problems.length).toBeLessThanOrEqual(8);
    }),
    { numRuns: 2000 },
  );
});

const listed = { serial: ec.leaf.certificate.serial, reason: 1 };
const listOf = (recipe: Partial<Parameters<typeof mintCrl>[0]>): Uint8Array =>
  mintCrl({ signer: ec.intermediateKey.privateKey, issuer: commonName('Test TPM Intermediate CA'), ...recipe });
const lists = [
  listOf({ authorityKeyId: new Uint8Array(20).fill(7), revoked: [listed, { serial: Uint8Array.of(0, 0x80) }] }),
  listOf({ version: null, revoked: [{ serial: listed.serial }] }),
  listOf({ extraExtensions: [issuingDistributionPoint({ 1: true })] }),
];

test('a mutated list is read or refused, and only a sound one revokes or says good', () => {
  const sound = new Set(lists.map((der) => Buffer.from(der).toString('hex')));
  fc.assert(
    fc.property(mutated(...lists), (bytes) => {
      const list = outcome(() => parseCrl(bytes));
      if (list === undefined) return;
      expect(Buffer.compare(list.der, bytes)).toBe(0);
      lookUpAll(list);
      const { status } = revocationOf(ec.leaf.certificate, ec.intermediate.certificate, crlSetOf([list]), NOW);
      if (!sound.has(Buffer.from(bytes).toString('hex'))) expect(status).toBe('unknown');
    }),
    { numRuns: 5000 },
  );
});

/** A look-up reads the entry again: what was read once must never be refused then. */
function lookUpAll(list: CertificateRevocationList): void {
  for (let number = 0; number < 256; number++) list.find(Uint8Array.of(number));
  for (const { serial } of [listed, { serial: Uint8Array.of(0, 0x80) }]) list.find(serial);
}

test('a list cut off at any byte is refused', () => {
  for (const der of lists) {
    parseCrl(der);
    for (let length = 0; length < der.length; length++) {
      expect(outcome(() => parseCrl(der.subarray(0, length)))).toBeUndefined();
    }
  }
});

test('any file of revocation lists is read or reported, cut off at any byte as well', () => {
  const bundle = Buffer.from(crlPem(...lists));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), mutated(bundle, ...lists)), (bytes) => {
      const { crls, problems } = crlsFrom([{ name: 'file', bytes }]);
      expect(crls.lists.length + problems.length).toBeLessThanOrEqual(8);
      crls.lists.forEach(lookUpAll);
    }),
    { numRuns: 2000 },
  );
  for (let length = 0; length < bundle.length - 1; length++) {
    const { crls, problems } = crlsFrom([{ name: 'file', bytes: bundle.subarray(0, length) }]);
    expect(crls.lists.length).toBeLessThan(lists.length);
    // Only between two blocks is nothing missing; a few hyphens there are an explanation.
    const whole = /-----END X509 CRL-----\n?-{0,4}$/.test(bundle.subarray(0, length).toString());
    expect(problems.length).toBe(whole ? 0 : 1);
  }
});
