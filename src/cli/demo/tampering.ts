/** The attacks of the demo. Each changes the agent or the relay, never the verifier, and causes its own finding. */
import {
  type ChallengeResponse,
  decodeChallenge,
  decodePayload,
  decodeResponse,
  encodeChallenge,
  encodePayload,
  encodeResponse,
  type Payload,
} from '../../evidence/messages.ts';
import type { RelayOptions } from '../../testing/plugin-host/relay.ts';
import { decode, encode } from '../../tpm/structures/codec.ts';
import { type TpmtSignature, tpmtSignature } from '../../tpm/structures/signature.ts';
import type { FindingCode } from '../../verifier/findings.ts';

export type RelayHooks = Pick<RelayOptions, 'onPayload' | 'onChallenge' | 'onResponse'>;

/** The data that an attacker has. */
export interface Loot {
  /** The answer of the untampered attestation before. */
  readonly recordedResponse: Uint8Array;
  /** The payload of another TPM, certified by another CA, with an endorsement key of the same template. */
  otherPayload(): Promise<Payload>;
}

export interface Tampering {
  /** What the attacker does, as a sentence. */
  readonly deed: string;
  readonly finding: FindingCode;
  /** Changes messages between the plugins. */
  readonly relay?: (loot: Loot) => RelayHooks | Promise<RelayHooks>;
  /** Gives the agent another AK. */
  readonly ak?: 'unrestricted' | 'software';
  /** Gives the agent another trust domain. */
  readonly trustDomain?: string;
}

export type TamperingName =
  | 'nonce'
  | 'pcr'
  | 'ek-swap'
  | 'ek-key-mismatch'
  | 'ak-unrestricted'
  | 'ak-software'
  | 'replay'
  | 'other-trust-domain'
  | 'signature'
  | 'wrong-secret';

export const TAMPERINGS: Readonly<Record<TamperingName, Tampering>> = {
  nonce: {
    deed: "the relay flips a bit of the challenge's nonce",
    finding: 'quote.commitment',
    relay: () => ({
      onChallenge: (bytes) => {
        const challenge = decodeChallenge(bytes);
        return encodeChallenge({ ...challenge, nonce: flipped(challenge.nonce) });
      },
    }),
  },
  pcr: {
    deed: 'the relay flips a bit of a PCR value',
    finding: 'quote.pcr_digest',
    relay: () =>
      inResponse(({ pcrValues: [first = new Uint8Array(), ...rest] }) => ({ pcrValues: [flipped(first), ...rest] })),
  },
  'ek-swap': {
    deed: 'the relay puts in the endorsement key and certificate of another TPM, from another CA',
    finding: 'ek.unknown_issuer',
    relay: async ({ otherPayload }) => {
      const { ekPublic, ekCertificates } = await otherPayload();
      return inPayload(() => ({ ekPublic, ekCertificates }));
    },
  },
  'ek-key-mismatch': {
    deed: 'the relay keeps the certificate and puts in the endorsement key of another TPM',
    finding: 'ek.key_mismatch',
    relay: async ({ otherPayload }) => {
      const { ekPublic } = await otherPayload();
      return inPayload(() => ({ ekPublic }));
    },
  },
  'ak-unrestricted': {
    deed: 'the agent makes an attestation key that signs whatever it is given',
    finding: 'ak.unrestricted',
    ak: 'unrestricted',
  },
  'ak-software': {
    deed: 'the agent loads an attestation key that was made outside the TPM',
    finding: 'ak.not_resident',
    ak: 'software',
  },
  replay: {
    deed: 'the relay answers with what was answered to an earlier challenge',
    finding: 'response.other_exchange',
    relay: ({ recordedResponse }) => ({ onResponse: () => recordedResponse }),
  },
  'other-trust-domain': {
    deed: 'the agent attests to another trust domain',
    finding: 'evidence.trust_domain',
    trustDomain: 'other.example',
  },
  signature: {
    deed: "the relay flips a bit of the quote's signature",
    finding: 'quote.signature',
    relay: () => inResponse(({ signature }) => ({ signature: withFlippedValue(signature) })),
  },
  'wrong-secret': {
    deed: 'the relay flips a bit of the secret',
    finding: 'credential.secret',
    relay: () => inResponse(({ secret }) => ({ secret: flipped(secret) })),
  },
};

function inPayload(change: (payload: Payload) => Partial<Payload>): RelayHooks {
  return {
    onPayload: (bytes) => {
      const payload = decodePayload(bytes);
      return encodePayload({ ...payload, ...change(payload) });
    },
  };
}

function inResponse(change: (response: ChallengeResponse) => Partial<ChallengeResponse>): RelayHooks {
  return {
    onResponse: (bytes) => {
      const response = decodeResponse(bytes);
      return encodeResponse({ ...response, ...change(response) });
    },
  };
}

/** Flips the lowest bit of the last byte. */
function flipped(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte));
}

/** Changes only the number: algorithm, hash and sizes stay the same. */
function withFlippedValue(bytes: Uint8Array): Uint8Array {
  const signature = decode(tpmtSignature, bytes);
  let changed: TpmtSignature = signature;
  if ('sig' in signature) changed = { ...signature, sig: flipped(signature.sig) };
  if ('signatureS' in signature) changed = { ...signature, signatureS: flipped(signature.signatureS) };
  return encode(tpmtSignature, changed);
}
