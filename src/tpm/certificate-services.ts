/**
 * The web addresses at which Intel and AMD publish EK certificates that their firmware TPMs do not store. Pure: nothing
 * here fetches them; an operator does.
 */
import { hash, type KeyObject } from 'node:crypto';
import { concat, padStart } from '../bytes/bytes.ts';

export interface CertificateAddress {
  readonly service: 'Intel' | 'AMD';
  readonly url: string;
}

/**
 * A public key as big-endian numbers. The modulus has no leading zero; a coordinate has the full width of the curve.
 */
type KeyNumbers =
  | { readonly type: 'rsa'; readonly modulus: Uint8Array; readonly exponent: Uint8Array }
  | { readonly type: 'ecc'; readonly x: Uint8Array; readonly y: Uint8Array };

interface CertificateService {
  readonly service: CertificateAddress['service'];
  /** TPM_PT_MANUFACTURER as eight upper-case hexadecimal digits. */
  readonly manufacturerId: string;
  readonly base: string;
  /** Last part of the address; undefined when the service cannot have a certificate for the key. */
  readonly nameOf: (key: KeyNumbers) => string | undefined;
}

const EXPONENT_65537: Uint8Array = Uint8Array.of(1, 0, 1);
/** AMD hashes the key behind these four bytes. */
const AMD_RSA: Uint8Array = Uint8Array.of(0, 0, 0x22, 0x22);
const AMD_ECC: Uint8Array = Uint8Array.of(0, 0, 0x44, 0x44);
const AMD_HEX_DIGITS = 32;

const SERVICES: readonly CertificateService[] = [
  {
    service: 'Intel',
    manufacturerId: '494E5443',
    base: 'https://ekop.intel.com/ekcertservice/',
    nameOf: (key) => {
      // Intel always hashes the exponent 65537, so a key with another exponent has no address.
      if (key.type === 'rsa' && Buffer.compare(key.exponent, EXPONENT_65537) !== 0) return undefined;
      const hashed = key.type === 'rsa' ? concat(key.modulus, EXPONENT_65537) : concat(key.x, key.y);
      // base64url with padding, percent-encoded for the path.
      const digest = Buffer.from(hash('sha256', hashed, 'hex'), 'hex').toString('base64url');
      return encodeURIComponent(digest.padEnd(Math.ceil(digest.length / 4) * 4, '='));
    },
  },
  {
    service: 'AMD',
    manufacturerId: '414D4400',
    base: 'https://ftpm.amd.com/pki/aia/',
    nameOf: (key) => {
      if (key.type === 'ecc') return amdName(AMD_ECC, key.x, key.y);
      const exponent = padStart(key.exponent, 4);
      return exponent === undefined ? undefined : amdName(AMD_RSA, exponent, key.modulus);
    },
  },
];

/** Upper case, as in the issuer addresses of AMD's own certificates. */
function amdName(...parts: readonly Uint8Array[]): string {
  return hash('sha256', concat(...parts), 'hex')
    .slice(0, AMD_HEX_DIGITS)
    .toUpperCase();
}

/**
 * Addresses that may have the certificate of an endorsement key; none for a key that is neither RSA nor EC.
 *
 * @param manufacturerId of the TPM, eight hexadecimal digits; selects that manufacturer's service. Undefined selects
 * all.
 */
export function certificateAddresses(publicKey: KeyObject, manufacturerId?: string): readonly CertificateAddress[] {
  const key = numbersOf(publicKey);
  if (key === undefined) return [];
  return SERVICES.flatMap(({ service, manufacturerId: id, base, nameOf }) => {
    const name = manufacturerId === undefined || manufacturerId.toUpperCase() === id ? nameOf(key) : undefined;
    return name === undefined ? [] : [{ service, url: `${base}${name}` }];
  });
}

function numbersOf(publicKey: KeyObject): KeyNumbers | undefined {
  // RSASSA-PSS keys have no JWK, and an endorsement key is never one.
  if (publicKey.asymmetricKeyType !== 'rsa' && publicKey.asymmetricKeyType !== 'ec') return undefined;
  const { n, e, x, y } = publicKey.export({ format: 'jwk' });
  if (n !== undefined && e !== undefined) return { type: 'rsa', modulus: decoded(n), exponent: decoded(e) };
  return x === undefined || y === undefined ? undefined : { type: 'ecc', x: decoded(x), y: decoded(y) };
}

function decoded(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'base64url'));
}
