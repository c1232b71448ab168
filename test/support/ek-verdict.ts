/** Judges an EK certificate and its chain from their bytes. */
import { expect } from 'vitest';
import type { BundleRules } from '../../src/verifier/policy.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { checkEkProfile } from '../../src/x509/ek/ek-profile.ts';
import { ruleProblems } from '../../src/x509/ek/ek-rules.ts';
import { anchorsOf } from '../../src/x509/file/trust-store.ts';
import { takeCertificate } from '../../src/x509/intake.ts';
import { MalformedCertificateError } from '../../src/x509/malformed-certificate.ts';
import { validatePath } from '../../src/x509/path/path.ts';
import { NOW } from './certificate-recipe.ts';
import { EK_USAGE, type EkChain, type EkChainRecipe, mintEkChain } from './pki.ts';
import { STRICT } from './policy.ts';

export interface EkEvidence {
  /** The contents of an NV index. */
  readonly leaf: Uint8Array;
  readonly intermediates: readonly Uint8Array[];
  readonly anchors: readonly Uint8Array[];
  readonly now?: Date;
  /** The differences from the strict rules. */
  readonly rules?: Partial<BundleRules> | undefined;
}

export const OK: readonly string[] = ['ok'];

/** `ok`, or `malformed` with field and reason, or all problems of `path`, `profile` and `rules`. */
export function verdictOn({ leaf, intermediates, anchors, now = NOW, rules: given }: EkEvidence): readonly string[] {
  try {
    const rules = { ...STRICT, ...given };
    const certificate = parseCertificate(takeCertificate(Uint8Array.from(leaf)).der);
    const { facts, problems: profile, withoutPurposes } = checkEkProfile(certificate, rules);
    const path = validatePath({
      ...rules,
      leaf: certificate,
      intermediates: intermediates.map(parseCertificate),
      anchors: anchorsOf(anchors.map(parseCertificate)),
      now,
      requireEku: EK_USAGE,
      leafWithoutPurposes: withoutPurposes,
    });
    const problems = [
      ...(path.ok ? [] : path.problems.map(({ code }) => `path ${code}`)),
      ...profile.map(({ code }) => `profile ${code}`),
      ...(facts === undefined ? [] : ruleProblems(facts, rules).map(({ code }) => `rules ${code}`)),
    ];
    return problems.length === 0 ? OK : problems;
  } catch (error) {
    if (!(error instanceof MalformedCertificateError)) throw error;
    return [`malformed ${error.message.replace(/ \(at offset \d+\)$/, '')}`];
  }
}

export const evidenceOf = ({ leaf, intermediate, root }: EkChain): EkEvidence => ({
  leaf: leaf.der,
  intermediates: [intermediate.der],
  anchors: [root.der],
});

/** A chain of three certificates. It is valid, except for what the recipe changes. */
export const mintEvidence = (recipe: EkChainRecipe = {}): EkEvidence => evidenceOf(mintEkChain(recipe));

/** Flips the last bit of the leaf's signature. */
export function tampered(evidence: EkEvidence): EkEvidence {
  const leaf = Uint8Array.from(evidence.leaf);
  const { signature } = parseCertificate(takeCertificate(leaf).der);
  const last = signature.byteOffset - leaf.byteOffset + signature.length - 1;
  return { ...evidence, leaf: leaf.with(last, (leaf[last] ?? 0) ^ 1) };
}

/** Claims that the evidence is accepted, but not with a changed signature. */
export function admits(evidence: EkEvidence): void {
  expect(verdictOn(evidence)).toEqual(OK);
  expect(verdictOn(tampered(evidence))).toEqual(['path bad_signature']);
}

export function refuses(evidence: EkEvidence, ...problems: readonly string[]): void {
  expect(verdictOn(evidence)).toEqual(problems);
}
