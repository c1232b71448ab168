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
    /** What vouches for the key: a certificate chain to a configured CA, or the operator's list. */
    readonly admittedBy: 'certificate' | 'hash';
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

export interface Trusted<Device extends ProvedKeys = TrustedDevice> {
  readonly verdict: 'trusted';
  readonly device: Device;
  /** Relaxations of the policy that this verdict leaned on; for the log. */
  readonly notes: readonly string[];
}

export interface Untrusted {
  readonly verdict: 'untrusted';
  /** At least one; the first is the most telling. */
  readonly findings: readonly Finding[];
}

export type Verdict = Trusted | Untrusted;

/** Collects what speaks against the evidence. Every check reports here and the next one goes on where it can. */
export class Findings {
  readonly #list: Finding[] = [];

  add(code: FindingCode, message: string): void {
    this.#list.push({ code, message, remedy: REMEDIES[code] });
  }

  has(code: FindingCode): boolean {
    return this.#list.some((finding) => finding.code === code);
  }

  get list(): readonly Finding[] {
    return this.#list;
  }

  get none(): boolean {
    return this.#list.length === 0;
  }
}
