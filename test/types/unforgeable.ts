/** What only the verifier makes cannot be written by hand, not even with every field that has a name. */
import type { Pending, TrustedEk, VerifiedQuote } from 'tpm-attestor/verifier';

type Named<T> = { readonly [K in keyof T as K extends string ? K : never]: T[K] };

export function verifiedQuote(fields: Named<VerifiedQuote>): VerifiedQuote {
  // @ts-expect-error: verifyQuote alone makes one
  return fields;
}

export function trustedEk(fields: Named<TrustedEk>): TrustedEk {
  // @ts-expect-error: the verifier alone makes one
  return fields;
}

export function pending(fields: Named<Pending>): Pending {
  // @ts-expect-error: begin alone makes one
  return fields;
}

/** The fields themselves are all there, so that nothing but the mark is missing above. */
export const pcrsOf = ({ pcrs }: Named<VerifiedQuote>): VerifiedQuote['pcrs'] => pcrs;
export const pubHashOf = ({ pubHash }: Named<TrustedEk>): TrustedEk['pubHash'] => pubHash;
export const commitmentOf = ({ commitment }: Named<Pending>): Pending['commitment'] => commitment;
