/** What the operator asks of a machine; everything a verification depends on besides the evidence and the time. Pure. */
import type { BootLogKind } from '../evidence/boot-logs.ts';
import type { Wire } from '../evidence/wires.ts';
import { hashAlgorithmByName } from '../tpm/structures/algorithms.ts';
import { PCR_COUNT } from '../tpm/structures/pcr.ts';
import type { EkTemplateName } from '../tpm/templates.ts';
import type { EkRules } from '../x509/ek/ek-rules.ts';
import type { AnchorSet } from '../x509/file/trust-store.ts';
import type { PathCache } from '../x509/path/path-cache.ts';
import type { PathAllowances } from '../x509/path/path-rules.ts';
import type { CrlSet } from '../x509/path/revocation.ts';

/** PCRs of one bank, ascending, at least one. */
export interface PcrRequirement {
  /** TPM_ALG_ID. */
  readonly hash: number;
  /** `sha256` */
  readonly bank: string;
  readonly indices: readonly number[];
}

/** What the CAs of a bundle may vouch for, and what is overlooked in their certificates. */
export interface BundleRules extends EkRules, Required<PathAllowances> {
  /** Certificates of TPMs of family 1.2. */
  readonly allowTpm12: boolean;
  /** Certificates of Google's private CA, which name a machine and no TPM. */
  readonly allowGceProfile: boolean;
  readonly crlPolicy: CrlPolicy;
}

/** Those of `ca_path` where nothing else is said. */
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
 * `fail-closed`: of every certificate below the anchor a current list must tell that it was not revoked. `warn`: where
 * none tells, that is noted. `off`: lists are not looked at. A list that does tell counts in either of the first two.
 */
export const CRL_POLICIES = ['fail-closed', 'warn', 'off'] as const;
/** One of `CRL_POLICIES`. */
export type CrlPolicy = (typeof CRL_POLICIES)[number];

/** CAs under a name, with rules of their own. */
export interface Bundle {
  /** Of the selector `ca:`. */
  readonly name: string;
  readonly anchors: AnchorSet;
  readonly rules: BundleRules;
}

/** What admits an endorsement key: its certificate, the operator's list, either of the two, or both together. */
export const MODES = ['certificate', 'hash', 'either', 'both'] as const;
/** One of `MODES`. */
export type Mode = (typeof MODES)[number];

/** What a deny-list may name a machine by. */
export interface DenySubject {
  /** Lower-case hexadecimal SHA-256 of the EK's SPKI. */
  readonly pubHash: string;
  /** Content of the INTEGER in the EK's certificate. */
  readonly serial: Uint8Array | undefined;
}

/** What a machine must be and prove. `policyOf` makes one. */
export interface Policy {
  readonly trustDomain: string;
  /** Part of agent IDs. */
  readonly pluginName: string;
  readonly mode: Mode;
  /** In the order in which they are asked; the first that vouches for a certificate names it. Empty in hash mode. */
  readonly bundles: readonly Bundle[];
  readonly crls: CrlSet;
  /** Of these bundles. */
  readonly cache: PathCache;
  /** Whether the operator listed this EK, by the lower-case hexadecimal SHA-256 of its SPKI. */
  readonly isListed: ((pubHash: string) => boolean) | undefined;
  /** Whether the operator wants this machine kept out, whatever vouches for it. */
  readonly isDenied: ((subject: DenySubject) => boolean) | undefined;
  /** False: what speaks against an endorsement key is told, and the key that proves itself admitted all the same. */
  readonly enforce: boolean;
  /** In order of preference: the quote covers the first whose bank the TPM has allocated. */
  readonly pcrs: readonly PcrRequirement[];
  /** Templates of endorsement keys that are accepted, at least one: a TPM has an ID by each. */
  readonly ekTemplates: readonly EkTemplateName[];
  readonly allowSha1Bank: boolean;
  /** The boot logs that a machine is asked for, each once; empty for none. */
  readonly logs: readonly BootLogKind[];
  /** `spire-tpm-plugin` admits that wire beside our own. */
  readonly wire: Wire;
  /** Milliseconds a challenge may be answered. */
  readonly challengeTimeoutMs: number;
}

/** PCRs software can set back to zero at will (PC Client Platform TPM Profile, 4.6): they prove nothing. */
const RESETTABLE: readonly number[] = [16, 23];

/**
 * Reads `sha256:0-7,10`. Returns the requirement, or what is wrong with the text as one sentence.
 */
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

/** Reads one bank, or several in order of preference with blanks between: `sha384:0-7 sha256:0-7`. As `parsePcrs` otherwise. */
export function parsePcrList(text: string): readonly PcrRequirement[] | string {
  const requirements: PcrRequirement[] = [];
  for (const part of text.trim().split(/\s+/)) {
    const requirement = parsePcrs(part);
    if (typeof requirement === 'string') return requirement;
    requirements.push(requirement);
  }
  return requirements;
}
