/** Remembers which endorsement keys (EKs) attestations have proved to be in one TPM. Pure. */
import { hex } from '../bytes/bytes.ts';
import type { AcceptableAk } from './attestation-key.ts';
import type { TrustedEk } from './endorsement.ts';
import type { DenySubject, Policy } from './policy.ts';
import type { Findings } from './verdict.ts';

/** Each takes less than 1 KiB. */
const MOST_MACHINES = 16_384;
/**
 * The most EKs, and the most AKs, of one machine. That is more than there are templates; an attacker makes AKs for
 * free.
 */
const MOST_KEYS = 8;
/** The most EKs that a finding names. */
const MOST_NAMED = 4;

/** The keys that are known to be in one TPM. The key unseen for the longest time comes first. */
interface Machine {
  /** By pub_hash. */
  readonly eks: Map<string, DenySubject>;
  /** Hexadecimal Names. */
  readonly aks: Set<string>;
}

/** An EK and an AK of one TPM. */
export type Keys = { readonly ek: TrustedEk; readonly ak: AcceptableAk };

/**
 * An agent of this project makes one AK for a trust domain, whichever EK it uses. An attestation proves that both keys
 * are in one TPM. So two EKs that were proved with the same AK are two IDs of one machine. Only proved links are
 * remembered, in bounded memory. They outlive a configuration. Denied machines are forgotten last.
 */
export class LinkedKeys {
  readonly #most: number;
  /** In the order in which they were last seen. */
  readonly #machines: Set<Machine> = new Set();
  /** Machines that were due to be forgotten, but were denied. They are forgotten only if no others are left. */
  readonly #denied: Set<Machine> = new Set();
  /** By pub_hash and by Name, which differ in length. */
  readonly #byKey: Map<string, Machine> = new Map();

  /** @param most machines remembered at once */
  constructor(most: number = MOST_MACHINES) {
    this.#most = most;
  }

  /** The EKs known to be in the same TPM as either key, including the given EK if it is known. */
  with({ pubHash, akName }: { readonly pubHash: string; readonly akName?: Uint8Array }): readonly DenySubject[] {
    // tooth one-identity [this.#byKey.get(hex(akName)) -> undefined]: the attestation key links nothing
    const machines = [this.#byKey.get(pubHash), akName === undefined ? undefined : this.#byKey.get(hex(akName))];
    return [...new Set(machines)].flatMap((machine) => [...(machine?.eks.values() ?? [])]);
  }

  /** Remembers that both keys are in one TPM. Call it only when an attestation has proved it. */
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

/** Denies a machine if one of its linked EKs is denied. */
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
    `the endorsement key ${ek.pubHash} is in a TPM that is denied: the same attestation key was used with ${named.join(', ')}${more}`,
  );
}

/** Forgets the keys that were unseen for the longest time; they are the first in a Map or Set. */
function limit(keys: Map<string, DenySubject> | Set<string>): void {
  for (const key of [...keys.keys()].slice(0, Math.max(0, keys.size - MOST_KEYS))) keys.delete(key);
}
