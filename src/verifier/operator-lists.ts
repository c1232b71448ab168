/** Checks the allow-list and the deny list, when a machine starts and again when it answers its challenge. Pure. */
import type { AdmittedBy, TrustedEk } from './endorsement.ts';
import type { Policy } from './policy.ts';
import { Findings } from './verdict.ts';

/** The parts of a policy that may change while a challenge waits for its answer. */
export type OperatorLists = Pick<Policy, 'isListed' | 'isDenied'>;

/** How the policy's mode admits the key. Undefined if it does not. */
export function vouching(
  mode: Policy['mode'],
  { isListed }: OperatorLists,
  pubHash: string,
  isCertified: boolean,
): AdmittedBy | undefined {
  // tooth A69 [mode !== 'certificate']: every machine is on the list
  const isOnList = mode !== 'certificate' && isListed?.(pubHash) === true;
  // tooth A69 [&& -> ||]: certificate or list is enough where both are needed
  // tooth A64 [isOnList && isCertified -> isOnList]: a listed machine needs no sound certificate where both are needed
  if (mode === 'both') return isOnList && isCertified ? 'both' : undefined;
  if (isOnList) return 'hash';
  return isCertified && mode !== 'hash' ? 'certificate' : undefined;
}

/**
 * Checks the lists again for a challenged machine. If the operator denies it, or removes it from the list, the open
 * challenge must fail.
 *
 * @param lists the lists in force now
 * @returns the key, with what admits it now. Undefined, with a finding, if nothing does
 */
export function admitAgain(
  ek: TrustedEk,
  { mode, enforce }: Policy,
  lists: OperatorLists,
  findings: Findings,
): TrustedEk | undefined {
  const { pubHash, serial } = ek;
  // tooth open-challenges: a denial does not reach a challenged machine
  // tooth open-challenges [{ pubHash, serial } -> { pubHash, serial: undefined }]: a denied serial number does not reach a
  //   challenged machine
  if (lists.isDenied?.({ pubHash, serial }) === true) {
    findings.add('ek.denied', `the endorsement key ${pubHash} was denied while its challenge was open`);
    return undefined;
  }
  if (ek.admittedBy === 'unenforced') return ek;
  // tooth open-challenges [ek.admittedBy]: a challenged machine stays listed
  const admittedBy = vouching(mode, lists, pubHash, ek.certified !== undefined);
  if (admittedBy === ek.admittedBy) return ek;
  if (admittedBy !== undefined) return { ...ek, admittedBy };
  const unlisted = new Findings();
  unlisted.add('ek.not_listed', `the endorsement key ${pubHash} was taken off the list while its challenge was open`);
  if (!enforce) return { ...ek, admittedBy: 'unenforced', overlooked: [...ek.overlooked, ...unlisted.list] };
  for (const { code, message } of unlisted.list) findings.add(code, message);
  return undefined;
}
