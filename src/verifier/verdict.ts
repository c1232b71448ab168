/** What a verification ends in: trusted with what it proved, or untrusted with findings. Pure. */
import type { TpmsClockInfo } from '../tpm/structures/attest.ts';
import { type Finding, type FindingCode, REMEDIES } from './findings.ts';

/** Facts of a PCR that a verified quote covers. */
export interface PcrValue {
  /** `sha256` */
  readonly bank: string;
  readonly index: number;
  /** Lower-case hexadecimal. */
  readonly value: string;
}

/** What every trusted verdict says: which TPM, and which key in it. */
export interface ProvedKeys {
  /** `spiffe://<trust domain>/spire/agent/<plugin name>/<pub_hash>` */
  readonly agentId: string;
  /** Without the plugin name that SPIRE puts in front. */
  readonly selectors: readonly string[];
  readonly ek: {
    readonly algorithm: string;
    readonly template: string;
    readonly pubHash: string;
    /** What vouches for the key: a certificate chain to a configured CA, the operator's list, both; or nothing. */
    readonly admittedBy: 'certificate' | 'hash' | 'both' | 'unenforced';
    /** The bundle of CAs that vouches for its certificate, and what that certificate has that others would refuse. */
    readonly bundle: string | undefined;
    readonly tolerated: readonly string[];
  };
  readonly ak: {
    readonly algorithm: string;
    /** Hexadecimal Name. */
    readonly name: string;
  };
}

/** And what a quote says beside it. */
export interface TrustedDevice extends ProvedKeys {
  readonly pcrs: readonly PcrValue[];
  /** True values: the quote's signer is proved to lie in the endorsement hierarchy. */
  readonly clockInfo: TpmsClockInfo;
  readonly firmwareVersion: bigint;
}

/** The machine holds the keys that `device` names, and the policy admits them. */
export interface Trusted<Device extends ProvedKeys = TrustedDevice> {
  readonly verdict: 'trusted';
  readonly device: Device;
  /** Relaxations of the policy that this verdict leaned on; for the log. */
  readonly notes: readonly string[];
  /** What would have made it untrusted, were the policy enforced. */
  readonly overlooked: readonly Finding[];
}

/** The machine is not admitted. */
export interface Untrusted {
  readonly verdict: 'untrusted';
  /** Of the endorsement key that was claimed and need not be the machine's; undefined where none could be read. */
  readonly claimedPubHash: string | undefined;
  /** At least one; the first is the most telling. */
  readonly findings: readonly Finding[];
}

/** What a verification ends in; `verdict` says which of the two. */
export type Verdict = Trusted | Untrusted;

/** Most findings of one verdict, and most characters of one: what a stranger can make a server write into its log. */
const MAX_FINDINGS = 16;
const MAX_MESSAGE_CHARS = 600;

/** Collects what speaks against the evidence. Every check reports here and the next one goes on where it can. */
export class Findings {
  /** Lower-case hexadecimal SHA-256 of the SPKI of the endorsement key they are about. */
  pubHash: string | undefined;
  readonly #list: Finding[] = [];
  #count = 0;

  /** Adds a finding. @param message one sentence; what is beyond 600 characters is cut */
  add(code: FindingCode, message: string): void {
    this.#count += 1;
    const shown = message.length > MAX_MESSAGE_CHARS ? `${message.slice(0, MAX_MESSAGE_CHARS)}…` : message;
    if (this.#list.length <= MAX_FINDINGS) this.#list.push({ code, message: shown, remedy: REMEDIES[code] });
  }

  /** Whether there is a finding with this code, among those that are told. */
  has(code: FindingCode): boolean {
    return this.#list.some((finding) => finding.code === code);
  }

  /** All of them, or the first ones and one that says how many more there are, with the code of the first of those. */
  get list(): readonly Finding[] {
    const more = this.#count - MAX_FINDINGS;
    const last = this.#list[MAX_FINDINGS];
    if (last === undefined || more < 2) return this.#list;
    return this.#list.with(MAX_FINDINGS, { ...last, message: `and ${more} more findings, first: ${last.message}` });
  }

  /** However many of them are told. */
  get count(): number {
    return this.#count;
  }

  get none(): boolean {
    return this.#count === 0;
  }
}
