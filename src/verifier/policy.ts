/** The policy: everything a verification depends on, besides the evidence and the time. Pure. */
import type { BootLogKind } from '../evidence/boot-logs.ts';
import type { Wire } from '../evidence/wires.ts';
import { NODE_STEPS, type PublicKeySteps } from '../tpm/public-key-steps.ts';
import { hashAlgorithmByName } from '../tpm/structures/algorithms.ts';
import { PCR_COUNT } from '../tpm/structures/pcr.ts';
import type { EkTemplateName } from '../tpm/templates.ts';
import type { EkRules } from '../x509/ek/ek-rules.ts';
import type { AnchorSet } from '../x509/file/trust-store.ts';
import type { PathCache } from '../x509/path/path-cache.ts';
import type { PathAllowances } from '../x509/path/path-rules.ts';
import type { CrlSet } from '../x509/path/revocation.ts';

/** At least one PCR of one bank, in ascending order. */
export interface PcrRequirement {
  /** TPM_ALG_ID. */
  readonly hash: number;
  /** `sha256` */
  readonly bank: string;
  readonly indices: readonly number[];
}

/** Which TPMs the CAs of a bundle may certify, and the exceptions allowed for their certificates. */
export interface BundleRules extends EkRules, Required<PathAllowances> {
  /** Accepts certificates of TPMs of family 1.2. */
  readonly allowTpm12: boolean;
  /** Accepts certificates of Google's private CA, which name a machine instead of a TPM. */
  readonly allowGceProfile: boolean;
  readonly crlPolicy: CrlPolicy;
}

/** The default rules, and those of `ca_path`. */
export const STRICT_RULES: BundleRules = {
  kinds: ['hardware', 'cloud'],
  manufacturers: undefined,
  models: undefined,
  minFirmware: undefined,
  allowExpiredLeaf: false,
  allowNotYetValid: false,
  allowSha1: false,
  allowTpm12: false,
  allowGceProfile: false,
  crlPolicy: 'off',
};

/**
 * `fail-closed`: for every certificate below the anchor, a current list must show that it is not revoked. `warn`: a
 * missing list is only noted. `off`: lists are ignored. In the first two, a listed certificate is refused.
 */
export const CRL_POLICIES = ['fail-closed', 'warn', 'off'] as const;
/** One of `CRL_POLICIES`. */
export type CrlPolicy = (typeof CRL_POLICIES)[number];

/** A named set of CAs with its own rules. */
export interface Bundle {
  /** The value of the selector `ca:`. */
  readonly name: string;
  readonly anchors: AnchorSet;
  readonly rules: BundleRules;
}

/** What admits an EK: its certificate, the allow-list (`hash`), either of them, or both together. */
export const MODES = ['certificate', 'hash', 'either', 'both'] as const;
/** One of `MODES`. */
export type Mode = (typeof MODES)[number];

/** The values by which a deny list may name a machine. */
export interface DenySubject {
  /** Lower-case hexadecimal SHA-256 of the EK's SPKI. */
  readonly pubHash: string;
  /** The content of the serial number's INTEGER in the EK certificate. */
  readonly serial: Uint8Array | undefined;
}

/** What a machine must prove to be admitted. `policyOf` makes one. */
export interface Policy {
  readonly trustDomain: string;
  /** Part of agent IDs. */
  readonly pluginName: string;
  readonly mode: Mode;
  /** In the order in which they are asked. The first one that accepts a certificate counts. Empty in mode `hash`. */
  readonly bundles: readonly Bundle[];
  readonly crls: CrlSet;
  /** The cache of these bundles. */
  readonly cache: PathCache;
  /** Whether the allow-list names this EK, by the lower-case hexadecimal SHA-256 of its SPKI. */
  readonly isListed: ((pubHash: string) => boolean) | undefined;
  /** Whether the deny list names this machine. It overrides certificate and allow-list. */
  readonly isDenied: ((subject: DenySubject) => boolean) | undefined;
  /** If false, findings about admission are only logged, and every EK that proves itself is admitted. */
  readonly enforce: boolean;
  /** In order of preference: the quote must cover the first whose bank the TPM has allocated. */
  readonly pcrs: readonly PcrRequirement[];
  /** The accepted EK templates, at least one. A TPM has another ID for each template. */
  readonly ekTemplates: readonly EkTemplateName[];
  readonly allowSha1Bank: boolean;
  /** The boot logs that a machine is asked for, each once; empty for none. */
  readonly logs: readonly BootLogKind[];
  /** `spire-tpm-plugin` accepts that wire, too. */
  readonly wire: Wire;
  /** The time to answer a challenge, in milliseconds. */
  readonly challengeTimeoutMs: number;
  /** What computes with public keys; node:crypto by default. No verdict depends on it. */
  readonly steps?: PublicKeySteps | undefined;
}

export function stepsOf({ steps }: Policy): PublicKeySteps {
  return steps ?? NODE_STEPS;
}

/** PCRs that any software can reset to zero (PC Client Platform TPM Profile, 4.6), so they prove nothing. */
const RESETTABLE: readonly number[] = [16, 23];

/** Parses `sha256:0-7,10`. Returns the requirement, or the problem of the text as one sentence. */
export function parsePcrs(text: string): PcrRequirement | string {
  const match = /^([a-z0-9]+):(\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)$/.exec(text);
  if (match === null) return `"${text.slice(0, 64)}" is not of the form "sha256:0-7" or "sha256:0,2,7"`;
  const [, bank = '', list = ''] = match;
  const algorithm = hashAlgorithmByName(bank);
  if (algorithm === undefined) return `"${bank}" is not a PCR bank; known are sha1, sha256, sha384, sha512, sm3`;
  const indices = new Set<number>();
  for (const part of list.split(',')) {
    const [first = Number.NaN, last = first] = part.split('-').map(Number);
    if (!(first <= last && last < PCR_COUNT)) return `"${part}" is not a PCR or range within 0-${PCR_COUNT - 1}`;
    for (let index = first; index <= last; index++) indices.add(index);
  }
  const resettable = RESETTABLE.filter((index) => indices.has(index));
  if (resettable.length > 0) return `PCR ${resettable.join(' and ')} can be reset by any software and proves nothing`;
  return { hash: algorithm.id, bank, indices: [...indices].sort((a, b) => a - b) };
}

/** Parses one or more banks in order of preference, separated by blanks: `sha384:0-7 sha256:0-7`. See `parsePcrs`. */
export function parsePcrList(text: string): readonly PcrRequirement[] | string {
  const requirements: PcrRequirement[] = [];
  for (const part of text.trim().split(/\s+/)) {
    const requirement = parsePcrs(part);
    if (typeof requirement === 'string') return requirement;
    requirements.push(requirement);
  }
  return requirements;
}
