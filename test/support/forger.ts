/** The agent's side of an exchange, made by a software device. It is honest, except for what a forgery changes. */

import { concat } from '../../src/bytes/bytes.ts';
import { commitment } from '../../src/evidence/binding.ts';
import {
  type ChallengeResponse,
  decodeChallenge,
  decodeLogRequest,
  encodeLogPart,
  encodePayload,
  encodeResponse,
  type LogPart,
  type LogRequest,
  type Payload,
  PROTOCOL_VERSIONS,
} from '../../src/evidence/messages.ts';
import { hashAlgorithm } from '../../src/tpm/structures/algorithms.ts';
import { type QuoteAttest, type TpmsAttest, tpmsAttest } from '../../src/tpm/structures/attest.ts';
import { decode, encode } from '../../src/tpm/structures/codec.ts';
import { TPM_ALG, TPM_RH } from '../../src/tpm/structures/constants.ts';
import { handleName, objectName, qualifiedName } from '../../src/tpm/structures/name.ts';
import { selectedPcrs, tpmlPcrSelection } from '../../src/tpm/structures/pcr.ts';
import { tpmtPublic } from '../../src/tpm/structures/public.ts';
import { type TpmtSignature, tpmtSignature } from '../../src/tpm/structures/signature.ts';
import { openCredential } from './credential-opener.ts';
import { digest, type SoftwareDevice, schemeOf, signed, TRUST_DOMAIN } from './software-device.ts';

type Edit<T> = (honest: T) => T;

/** The messages so far. */
export interface Conversation {
  readonly payload: Uint8Array;
  readonly challenge: Uint8Array;
  readonly nonce: Uint8Array;
}

/** The points at which a forgery can change the exchange, in order. Each function gets the honest value. */
export interface Forgery {
  /** Before it is encoded. */
  readonly payload?: Edit<Payload>;
  readonly payloadBytes?: Edit<Uint8Array>;
  readonly secret?: Edit<Uint8Array>;
  /** The quote's qualifying data. */
  readonly extraData?: (honest: Uint8Array, conversation: Conversation) => Uint8Array;
  readonly values?: Edit<readonly Uint8Array[]>;
  /** Before it is signed. `values` are the values in its digest. */
  readonly attest?: (honest: QuoteAttest, values: readonly Uint8Array[]) => TpmsAttest;
  /** TPMS_ATTEST, before it is signed. */
  readonly quoted?: Edit<Uint8Array>;
  /** Replaces the AK's signature over the quoted bytes. */
  readonly sign?: (quoted: Uint8Array, honest: TpmtSignature) => TpmtSignature;
  /** TPMT_SIGNATURE. */
  readonly signature?: Edit<Uint8Array>;
  /** Before it is encoded. Nothing in it is signed again. */
  readonly response?: Edit<ChallengeResponse>;
  readonly responseBytes?: Edit<Uint8Array>;
  /** Each piece of a boot log, before it is encoded. */
  readonly logPart?: Edit<LogPart>;
}

export interface Forger {
  readonly payload: Uint8Array;
  answer(challenge: Uint8Array): Uint8Array;
  readonly logPart?: (request: Uint8Array) => Uint8Array;
}

const same = <T>(honest: T): T => honest;

export function forger(device: SoftwareDevice, forgery: Forgery = {}): Forger {
  const honest: Payload = {
    versions: [...PROTOCOL_VERSIONS],
    trustDomain: TRUST_DOMAIN,
    ekPublic: encode(tpmtPublic, device.ek.publicArea),
    ekCertificates: [...device.certificates],
    akPublic: encode(tpmtPublic, device.ak.publicArea),
    pcrBanks: [TPM_ALG.SHA256],
  };
  const payload = (forgery.payloadBytes ?? same)(encodePayload((forgery.payload ?? same)(honest)));
  return {
    payload,
    answer: (challenge) => answer(device, forgery, payload, challenge),
    logPart: (request) => encodeLogPart((forgery.logPart ?? same)(honestPart(decodeLogRequest(request)))),
  };
}

/** Of logs that are all alike: as many zeros as one piece has. */
function honestPart({ log, offset, maxBytes }: LogRequest): LogPart {
  return { log, offset, total: maxBytes, data: new Uint8Array(maxBytes), missing: '' };
}

function answer(device: SoftwareDevice, forgery: Forgery, payload: Uint8Array, challenge: Uint8Array): Uint8Array {
  const { nonce, pcrSelection, ...credential } = decodeChallenge(challenge);
  const { publicArea, privateKey } = device.ak;
  const name = objectName(publicArea);
  // An attacker that cannot open the credential can still guess a secret.
  const secret = openCredential(device.ek, name, credential) ?? new Uint8Array(32);

  const selection = decode(tpmlPcrSelection, pcrSelection);
  const values = selection.flatMap((bank) => selectedPcrs(bank).map((index) => device.pcr(bank.hash, index)));
  const scheme = schemeOf(publicArea);
  const honestData = commitment(TRUST_DOMAIN, payload, challenge);
  const honest: QuoteAttest = {
    type: 'quote',
    qualifiedSigner: qualifiedName(handleName(TPM_RH.ENDORSEMENT), name),
    extraData: forgery.extraData?.(honestData, { payload, challenge, nonce }) ?? honestData,
    clockInfo: { clock: 86_400_000n, resetCount: 7, restartCount: 0, safe: true },
    firmwareVersion: 0x0007_0055_0011_1111n,
    attested: { pcrSelect: selection, pcrDigest: digest(hashAlgorithm(scheme.hashAlg ?? 0)?.name ?? '', ...values) },
  };
  const attest = forgery.attest?.(honest, values) ?? honest;
  const quoted = (forgery.quoted ?? same)(encode(tpmsAttest, attest));
  const honestSignature = signed(privateKey, scheme, quoted);
  const signature = encode(tpmtSignature, forgery.sign?.(quoted, honestSignature) ?? honestSignature);
  const response: ChallengeResponse = {
    secret: (forgery.secret ?? same)(secret),
    quoted,
    signature: (forgery.signature ?? same)(signature),
    pcrValues: [...(forgery.values ?? same)(values)],
  };
  return (forgery.responseBytes ?? same)(encodeResponse((forgery.response ?? same)(response)));
}

/** The encoding of a protobuf field of bytes. */
export function protobufField(field: number, content: Uint8Array | string): Uint8Array {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  return concat(varint((field << 3) | 2), varint(bytes.length), bytes);
}

function varint(value: number): Uint8Array {
  return value < 0x80 ? Uint8Array.of(value) : concat(Uint8Array.of((value & 0x7f) | 0x80), varint(value >> 7));
}
