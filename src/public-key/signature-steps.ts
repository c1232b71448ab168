/** Whether a key made a signature: one whole step, done by node:crypto unless somebody hands over another way. Pure. */
import { constants, type KeyObject, verify } from 'node:crypto';
import type { PublicKey } from './public-key.ts';

/** How a signature is made. `hash` is the name of node:crypto. */
export type SignatureForm =
  | { readonly scheme: 'rsa-pkcs1'; readonly hash: string }
  /** The mask has the hash of the scheme. `any`: whatever length the salt has. */
  | { readonly scheme: 'rsa-pss'; readonly hash: string; readonly saltBytes: number | 'any' }
  /** DER (RFC 3279 §2.2.3), or r ‖ s, each of the curve's full width. */
  | { readonly scheme: 'ecdsa'; readonly hash: string; readonly encoding?: 'r-s' };

/** What the verifier asks of public keys that sign. Both are pure: the answer depends on the arguments alone. */
export interface SignatureSteps {
  /** Whether the numbers are a key: an EC point must be on its curve. */
  isKey(key: PublicKey): boolean;
  /** Whether the key made this signature over the data. False also for what is no key, and for what cannot be checked. */
  verifies(key: PublicKey, form: SignatureForm, data: Uint8Array, signature: Uint8Array): boolean;
}

/** By node:crypto. */
export const NODE_SIGNATURES: SignatureSteps = {
  isKey: ({ imported }) => imported !== undefined,
  verifies: (key, form, data, signature) => {
    const { imported } = key;
    if (imported === undefined) return false;
    try {
      return verified(imported, key.numbers.type, form, data, signature);
    } catch {
      // OpenSSL throws at some malformed signatures, and at what it does not do at all, such as RSA over SM3.
      return false;
    }
  },
};

function verified(
  key: KeyObject,
  type: 'rsa' | 'ec',
  form: SignatureForm,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  switch (form.scheme) {
    case 'rsa-pkcs1':
      return type === 'rsa' && verify(form.hash, data, key, signature);
    case 'rsa-pss': {
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      const saltLength = form.saltBytes === 'any' ? constants.RSA_PSS_SALTLEN_AUTO : form.saltBytes;
      return type === 'rsa' && verify(form.hash, data, { key, padding, saltLength }, signature);
    }
    case 'ecdsa':
      if (type !== 'ec') return false;
      if (form.encoding === undefined) return verify(form.hash, data, key, signature);
      return verify(form.hash, data, { key, dsaEncoding: 'ieee-p1363' }, signature);
  }
}
