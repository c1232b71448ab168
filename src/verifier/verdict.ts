/** The verdict of a verification: trusted, with what was proved, or untrusted, with findings. Pure. */
import type { TpmsClockInfo } from '../tpm/structures/attest.ts';
import { type Finding, type FindingCode, REMEDIES } from './findings.ts';

/** The value of a PCR that a verified quote covers. */
export interface PcrValue {
  /** `sha256` */
  readonly bank: string;
  readonly index: number;
  /** Lower-case hexadecimal. */
  readonly value: string;
}

/** What every trusted verdict proves: the TPM's EK, and an AK in that TPM. */
export interface ProvedKeys {
  /** `spiffe://<trust domain>/spire/agent/<plugin name>/<pub_hash>` */
  readonly agentId: string;
  /** Without the plugin name that SPIRE puts in front. */
  readonly selectors: readonly string[];
  readonly ek: {
    readonly algorithm: string;
    readonly template: string;
    readonly pubHash: string;
    /** What admits the key: a certificate chain to a configured CA, the allow-list, both, or nothing. */
    readonly admittedBy: 'certificate' | 'hash' | 'both' | 'unenforced';
    /** The bundle whose CA certifies the key. */
    readonly bundle: string | undefined;
    /** The names of the oddities in its chain that strict parsers would refuse. */
    readonly tolerated: readonly string[];
  };
  readonly ak: {
    readonly algorithm: string;
    /** Hexadecimal Name. */
    readonly name: string;
  };
}

/** The proved keys, with the facts of a quote. */
export interface TrustedDevice extends ProvedKeys {
  readonly pcrs: readonly PcrValue[];
  /** Not obfuscated, because the quote's signer is in the endorsement hierarchy. */
  readonly clockInfo: TpmsClockInfo;
  readonly firmwareVersion: bigint;
}

/** The machine holds the keys that `device` names, and the policy admits them. */
export interface Trusted<Device extends ProvedKeys = TrustedDevice> {
  readonly verdict: 'trusted';
  readonly device: Device;
  /** The exceptions of the policy that this verdict needed, for the log. */
  readonly notes: readonly string[];
  /** The findings that would make it untrusted if the policy were enforced. */
  readonly overlooked: readonly Finding[];
}

/** The machine is not admitted. */
export interface Untrusted {
  readonly verdict: 'untrusted';
  /** The hash of the claimed EK, which need not be the machine's. Undefined if no EK could be read. */
  readonly claimedPubHash: string | undefined;
  /** At least one. The first is the most important. */
  readonly findings: readonly Finding[];
}

/** The result of a verification. `verdict` distinguishes the two. */
export type Verdict = Trusted | Untrusted;

/**
 * The most findings of a verdict, and the most characters of one. They limit what a remote peer can write into the log.
 */
const MAX_FINDINGS = 16;
const MAX_MESSAGE_CHARS = 600;

/** Collects findings. Every check adds its own, and the next check still runs if it can. */
export class Findings {
  /** Lower-case hexadecimal SHA-256 of the SPKI of the EK that the findings are about. */
  pubHash: string | undefined;
  readonly #list: Finding[] = [];
  #count = 0;

  /** Adds a finding. @param message one sentence, cut after 600 characters */
  add(code: FindingCode, message: string): void {
    this.#count += 1;
    const shown = message.length > MAX_MESSAGE_CHARS ? `${message.slice(0, MAX_MESSAGE_CHARS)}…` : message;
    if (this.#list.length <= MAX_FINDINGS) this.#list.push({ code, message: shown, remedy: REMEDIES[code] });
  }

  /** Whether `list` has a finding with this code. */
  has(code: FindingCode): boolean {
    return this.#list.some((finding) => finding.code === code);
  }

  /** All findings. If there are too many: the first ones, and a last one with the number of the others. */
  get list(): readonly Finding[] {
    const more = this.#count - MAX_FINDINGS;
    const last = this.#list[MAX_FINDINGS];
    if (last === undefined || more < 2) return this.#list;
    return this.#list.with(MAX_FINDINGS, { ...last, message: `and ${more} more findings, first: ${last.message}` });
  }

  /** The number of all findings, including those that `list` leaves out. */
  get count(): number {
    return this.#count;
  }

  get none(): boolean {
    return this.#count === 0;
  }
}
