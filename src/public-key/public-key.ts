/** A public key as its numbers, and as node:crypto has it. Pure. */
import type { KeyObject } from 'node:crypto';
import type { NistCurveName } from '../bytes/nist-curves.ts';

/** Big-endian, leading zero octets allowed. */
export interface RsaNumbers {
  readonly type: 'rsa';
  readonly modulus: Uint8Array;
  readonly exponent: Uint8Array;
  /** What its certificate restricts it to (RFC 8017, appendix C); `any` where nothing does. */
  readonly use?: 'any' | 'oaep' | 'pss';
}

/** Coordinates of the curve's full width. */
export interface EcNumbers {
  readonly type: 'ec';
  readonly curve: NistCurveName | 'SM2';
  readonly x: Uint8Array;
  readonly y: Uint8Array;
}

/** The numbers of a key, of which nothing was checked. */
export type PublicNumbers = RsaNumbers | EcNumbers;

/** A key that steps are done with: by its numbers, or imported. */
export interface PublicKey {
  readonly numbers: PublicNumbers;
  /** Imported when first asked for, and kept; undefined when the numbers are no key. */
  readonly imported: KeyObject | undefined;
}

/** A key whose import is put off until somebody asks for it. */
export class LazyKey implements PublicKey {
  readonly numbers: PublicNumbers;
  readonly #importKey: () => KeyObject | undefined;
  #imported: KeyObject | 'unusable' | undefined;

  constructor(numbers: PublicNumbers, importKey: () => KeyObject | undefined) {
    this.numbers = numbers;
    this.#importKey = importKey;
  }

  get imported(): KeyObject | undefined {
    this.#imported ??= this.#importKey() ?? 'unusable';
    return this.#imported === 'unusable' ? undefined : this.#imported;
  }
}
