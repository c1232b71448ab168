/**
 * The agent's side of spire-tpm-plugin's wire, made by a software device. It is honest, except for what a forgery
 * changes.
 */
import { createPublicKey } from 'node:crypto';
import { type EkPem, encodeEkPem } from '../../src/evidence/ek-pem.ts';
import {
  decodePluginChallenge,
  encodePluginPayload,
  encodePluginResponse,
  type PluginPayload,
} from '../../src/evidence/legacy-messages.ts';
import { spkiOf } from '../../src/tpm/public-key.ts';
import { hashAlgorithm } from '../../src/tpm/structures/algorithms.ts';
import { type TpmsAttest, tpmsAttest } from '../../src/tpm/structures/attest.ts';
import { encode } from '../../src/tpm/structures/codec.ts';
import { TPM_ALG } from '../../src/tpm/structures/constants.ts';
import { type TpmsCreationData, tpmsCreationData } from '../../src/tpm/structures/creation-data.ts';
import { objectName, qualifiedName } from '../../src/tpm/structures/name.ts';
import { tpmtPublic } from '../../src/tpm/structures/public.ts';
import { type TpmtSignature, tpmtSignature } from '../../src/tpm/structures/signature.ts';
import { openCredential } from './credential-opener.ts';
import type { Forger } from './forger.ts';
import { digest, type SoftwareDevice, schemeOf, signed } from './software-device.ts';

type Edit<T> = (honest: T) => T;

/** The points at which a forgery can change the messages, in order. Each function gets the current value. */
export interface PluginForgery {
  readonly pem?: Edit<EkPem>;
  /** PEM text. */
  readonly ek?: Edit<Uint8Array>;
  /** Before they are hashed. */
  readonly creation?: Edit<TpmsCreationData>;
  /** TPMS_CREATION_DATA, after they are hashed. */
  readonly creationData?: Edit<Uint8Array>;
  /** Before it is signed. */
  readonly attest?: Edit<TpmsAttest>;
  /** TPMS_ATTEST, before it is signed. */
  readonly certifyInfo?: Edit<Uint8Array>;
  /** Replaces the AK's signature over these bytes. */
  readonly sign?: (certifyInfo: Uint8Array, honest: TpmtSignature) => TpmtSignature;
  /** Before it is encoded. Nothing in it is signed again. */
  readonly payload?: Edit<PluginPayload>;
  readonly payloadBytes?: Edit<Uint8Array>;
  readonly secret?: Edit<Uint8Array>;
  readonly responseBytes?: Edit<Uint8Array>;
}

const same = <T>(honest: T): T => honest;
/** The parent of that project's AK is a storage key. Tests can use any Name for it. */
const PARENT_NAME = Uint8Array.of(0, TPM_ALG.SHA256, ...digest('sha256', 'storage root key'));

export function pluginForger(device: SoftwareDevice, forgery: PluginForgery = {}): Forger {
  const { ek, ak, certificates } = device;
  const pem = (forgery.pem ?? same)({
    publicKey: spkiOf(createPublicKey(ek.privateKey.export({ format: 'pem', type: 'pkcs8' }))),
    certificate: certificates[0],
  });
  const honest: PluginPayload = {
    EK: (forgery.ek ?? same)(encodeEkPem(pem)),
    AK: { Public: encode(tpmtPublic, ak.publicArea), UseTCSDActivationFormat: false, ...creationOf(device, forgery) },
  };
  const payload = (forgery.payloadBytes ?? same)(encodePluginPayload((forgery.payload ?? same)(honest)));
  return { payload, answer: (challenge) => answer(device, forgery, challenge) };
}

/** The results of TPM2_Create and TPM2_CertifyCreation for the AK, which signs them itself. */
function creationOf(
  { ak }: SoftwareDevice,
  forgery: PluginForgery,
): Pick<PluginPayload['AK'], 'CreateData' | 'CreateAttestation' | 'CreateSignature'> {
  const { publicArea, privateKey } = ak;
  const honestCreation: TpmsCreationData = {
    pcrSelect: [],
    pcrDigest: digest('sha256'),
    locality: 1,
    parentNameAlg: TPM_ALG.SHA256,
    parentName: PARENT_NAME,
    parentQualifiedName: PARENT_NAME,
    outsideInfo: new Uint8Array(),
  };
  const creationData = encode(tpmsCreationData, (forgery.creation ?? same)(honestCreation));
  const nameAlg = hashAlgorithm(publicArea.nameAlg)?.name ?? 'sha256';
  const name = objectName(publicArea);
  const honest: TpmsAttest = {
    type: 'creation',
    qualifiedSigner: qualifiedName(PARENT_NAME, name),
    extraData: new Uint8Array(),
    clockInfo: { clock: 86_400_000n, resetCount: 7, restartCount: 0, safe: true },
    firmwareVersion: 0x0007_0055_0011_1111n,
    attested: { objectName: name, creationHash: digest(nameAlg, creationData) },
  };
  const certifyInfo = (forgery.certifyInfo ?? same)(encode(tpmsAttest, (forgery.attest ?? same)(honest)));
  const honestSignature = signed(privateKey, schemeOf(publicArea), certifyInfo);
  const signature = forgery.sign?.(certifyInfo, honestSignature) ?? honestSignature;
  return {
    CreateData: (forgery.creationData ?? same)(creationData),
    CreateAttestation: certifyInfo,
    CreateSignature: encode(tpmtSignature, signature),
  };
}

function answer(device: SoftwareDevice, forgery: PluginForgery, challenge: Uint8Array): Uint8Array {
  const credential = decodePluginChallenge(challenge);
  // An attacker that cannot open the credential can still guess a secret.
  const secret = openCredential(device.ek, objectName(device.ak.publicArea), credential) ?? new Uint8Array(32);
  const response = encodePluginResponse({ Secret: (forgery.secret ?? same)(secret) });
  return (forgery.responseBytes ?? same)(response);
}
