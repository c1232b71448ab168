/** What a log proves about a boot: a value, or the reason why there is none. Never a part of one. */
export type Claim<T> = { readonly value: T } | { readonly withheld: string };

export function isWithheld<T>(claim: Claim<T>): claim is { readonly withheld: string } {
  return 'withheld' in claim;
}

/** What follows from a claim; what does not follow from a withheld one is withheld for the same reason. */
export function following<T, U>(claim: Claim<T>, derive: (value: T) => Claim<U>): Claim<U> {
  return isWithheld(claim) ? claim : derive(claim.value);
}
