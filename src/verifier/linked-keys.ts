/** Which endorsement keys lie in one TPM, as far as attestations have proved it. Pure. */
import { hex } from '../bytes/bytes.ts';
import type { AcceptableAk } from './attestation-key.ts';
import type { TrustedEk } from './endorsement.ts';
import type { DenySubject, Policy } from './policy.ts';
import type { Findings } from './verdict.ts';

/** Each takes less than 1 KiB. */
const MOST_MACHINES = 16_384;
/** Of either kind, for one machine: more than there are templates; an attestation key costs an attacker nothing. */
const MOST_KEYS = 8;
/** In a finding. */
const MOST_NAMED = 4;

/** What is known to lie in one TPM, the longest unseen first. */
interface Machine {
  /** By their pub_hash. */
  readonly eks: Map<string, DenySubject>;
  /** Hexadecimal Names. */
  readonly aks: Set<string>;
}

/** An endorsement key and an attestation key of one TPM. */
export type Keys = { readonly ek: TrustedEk; readonly ak: AcceptableAk };

/**
 * Our agents make one attestation key for a trust domain, whichever endorsement key they use. An attestation proves that
 * both lie in one TPM, so two endorsement keys beside one attestation key are two IDs of one machine. Only what was
 * proved is remembered: a claim links nobody. It outlives configurations, in bounded memory; denied machines are the last
 * to be forgotten.
 */
export class LinkedKeys {
  readonly #most: number;
  /** In the order in which they were last seen. */
  readonly #machines: Set<Machine> = new Set();
  /** Those that were found denied when their turn to be forgotten came. They go when no others are left. */
  readonly #denied: Set<Machine> = new Set();
  /** By pub_hash and by Name: these differ in length. */
  readonly #byKey: Map<string, Machine> = new Map();

  /** @param most machines remembered at once */
  constructor(most: number = MOST_MACHINES) {
    this.#most = most;
  }

  /** Endorsement keys in the same TPM as either key, the key itself included where it is known. */
  with({ pubHash, akName }: { readonly pubHash: string; readonly akName?: Uint8Array }): readonly DenySubject[] {
    // tooth one-identity [this.#byKey.get(hex(akName)) -> undefined]: the attestation key links nothing
    const machines = [this.#byKey.get(pubHash), akName === undefined ? undefined : this.#byKey.get(hex(akName))];
    return [...new Set(machines)].flatMap((machine) => [...(machine?.eks.values() ?? [])]);
  }

  /** To be told what was proved, and nothing else. */
  remember({ ek, ak }: Keys, isDenied: Policy['isDenied']): void {
    const akName = hex(ak.name);
    const known = new Set([this.#byKey.get(ek.pubHash), this.#byKey.get(akName)].filter((one) => one !== undefined));
    const machine: Machine = { eks: new Map(), aks: new Set() };
    for (const one of known) {
      this.#forget(one);
      for (const [pubHash, subject] of one.eks) machine.eks.set(pubHash, subject);
      for (const name of one.aks) machine.aks.add(name);
    }
    machine.eks.delete(ek.pubHash);
    machine.eks.set(ek.pubHash, { pubHash: ek.pubHash, serial: ek.serial });
    machine.aks.delete(akName);
    machine.aks.add(akName);
    limit(machine.eks);
    limit(machine.aks);
    this.#insert(machine);
    if (this.size > this.#most) this.#makeRoom(isDenied);
  }

  get size(): number {
    return this.#machines.size + this.#denied.size;
  }

  #insert(machine: Machine): void {
    this.#machines.add(machine);
    for (const key of [...machine.eks.keys(), ...machine.aks]) this.#byKey.set(key, machine);
  }

  #forget(machine: Machine): void {
    this.#machines.delete(machine);
    this.#denied.delete(machine);
    for (const key of [...machine.eks.keys(), ...machine.aks]) this.#byKey.delete(key);
  }

  #makeRoom(isDenied: Policy['isDenied']): void {
    for (const oldest of this.#machines) {
      if (![...oldest.eks.values()].some((subject) => isDenied?.(subject) === true)) {
        this.#forget(oldest);
        return;
      }
      this.#machines.delete(oldest);
      this.#denied.add(oldest);
    }
    const [oldest] = this.#denied;
    if (oldest !== undefined) this.#forget(oldest);
  }
}

/** Who is denied by one endorsement key is denied by the others of the same TPM, as far as they are linked. */
export function judgeLinks(
  { ek, ak }: { readonly ek: Pick<TrustedEk, 'pubHash'>; readonly ak: Pick<AcceptableAk, 'name'> },
  { isDenied }: Pick<Policy, 'isDenied'>,
  linked: LinkedKeys | undefined,
  findings: Findings,
): void {
  const known = linked?.with({ pubHash: ek.pubHash, akName: ak.name }) ?? [];
  const others = known.filter(({ pubHash }) => pubHash !== ek.pubHash);
  // tooth one-identity [true]: a denied machine comes back by another of its keys
  if (!others.some((subject) => isDenied?.(subject) === true)) return;
  const named = others.slice(0, MOST_NAMED).map(({ pubHash }) => pubHash);
  const more = others.length > MOST_NAMED ? ` and ${others.length - MOST_NAMED} more` : '';
  findings.add(
    'ek.denied',
    `the endorsement key ${ek.pubHash} is another of a TPM that is denied: one attestation key was used with ${named.join(', ')}${more}`,
  );
}

/** The first in a Map or Set is the longest unseen. */
function limit(keys: Map<string, DenySubject> | Set<string>): void {
  for (const key of [...keys.keys()].slice(0, Math.max(0, keys.size - MOST_KEYS))) keys.delete(key);
}
