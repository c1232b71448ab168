/** The exceptions that an operator may allow for EK certificates. All options and commands share this table. Pure. */
import type { FindingCode } from './findings.ts';
import type { BundleRules } from './policy.ts';

/** The effect and the risk of one allowance. */
export interface AllowanceRow {
  /** The finding that it removes. */
  readonly finding: FindingCode;
  /** The rules that it changes. */
  readonly rules: Partial<BundleRules>;
  /** The log message for an operator who set it. */
  readonly admits: string;
  /** The risk, for an operator who considers it. */
  readonly price: string;
}

/**
 * The names of allowances. The server's option is `allow_` and the name; `--allow` takes the name alone. A bundle has
 * no option for software TPMs: `kind` admits them.
 */
export type Allowance = 'software_tpm' | 'expired_ek' | 'not_yet_valid' | 'sha1_signatures' | 'tpm12' | 'gce_profile';

/** Every allowance. */
export const ALLOWANCES: Readonly<Record<Allowance, AllowanceRow>> = {
  software_tpm: {
    finding: 'ek.software_tpm',
    rules: { kinds: ['hardware', 'cloud', 'software'] },
    admits: 'software TPMs, which anybody can copy, are admitted',
    price: 'anybody with the files of a software TPM can attest as that machine',
  },
  expired_ek: {
    finding: 'ek.expired',
    rules: { allowExpiredLeaf: true },
    admits: 'expired endorsement certificates are admitted',
    price: 'its CA no longer vouches for it',
  },
  not_yet_valid: {
    finding: 'ek.not_yet_valid',
    rules: { allowNotYetValid: true },
    admits: 'certificates are admitted before they are valid',
    price: 'a wrong clock goes unnoticed',
  },
  sha1_signatures: {
    finding: 'ek.weak_signature',
    rules: { allowSha1: true },
    admits: 'certificates signed over SHA-1, which can be forged, are admitted',
    price: 'signatures over SHA-1 can be forged with much effort',
  },
  tpm12: {
    finding: 'ek.tpm_family',
    rules: { allowTpm12: true },
    admits: 'certificates for TPM 1.2 are admitted',
    price: 'every TPM 1.2 certificate of those CAs passes',
  },
  gce_profile: {
    finding: 'ek.gce_profile',
    rules: { allowGceProfile: true },
    admits: 'certificates that name a Google machine instead of a TPM are admitted',
    price: 'every machine of Google Compute Engine that those CAs certify passes',
  },
};

export const ALLOWANCE_NAMES = Object.keys(ALLOWANCES) as readonly Allowance[];

/** The rules with these allowances added. */
export function allowing(rules: BundleRules, allowances: readonly Allowance[]): BundleRules {
  return Object.assign({ ...rules }, ...allowances.map((name) => ALLOWANCES[name].rules));
}

export function isAllowed(rules: BundleRules, allowance: Allowance): boolean {
  if (allowance === 'software_tpm') return rules.kinds.includes('software');
  return (Object.keys(ALLOWANCES[allowance].rules) as (keyof BundleRules)[]).every((rule) => rules[rule] === true);
}

/** The allowance that removes this finding. */
export function allowanceFor(code: string): Allowance | undefined {
  return ALLOWANCE_NAMES.find((name) => ALLOWANCES[name].finding === code);
}
