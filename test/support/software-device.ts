/** A machine whose EK and AK are in this process. It signs everything, unlike a TPM. */
import { constants, createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { publicAreaOf, spkiOf } from '../../src/tpm/public-key.ts';
import { hashAlgorithm } from '../../src/tpm/structures/algorithms.ts';
import { TPM_ALG, TPM_ECC } from '../../src/tpm/structures/constants.ts';
import type { TpmtPublic } from '../../src/tpm/structures/public.ts';
import type { Scheme } from '../../src/tpm/structures/scheme.ts';
import { SIGNATURE_ALG, type TpmtSignature } from '../../src/tpm/structures/signature.ts';
import { akTemplate, EK_TEMPLATES, type EkTemplateName } from '../../src/tpm/templates.ts';
import type { EndorsementKey } from './credential-opener.ts';
import { type EkChainRecipe, type KeyAlgorithm, type KeyPair, keyPair, mintEkChain } from './pki.ts';

export const TRUST_DOMAIN = 'example.org';

export interface AttestationKeyPair {
  readonly publicArea: TpmtPublic;
  readonly privateKey: KeyObject;
}

export interface SoftwareDevice {
  readonly ek: EndorsementKey;
  /** DER. The EK certificate comes first. */
  readonly certificates: readonly Uint8Array[];
  readonly ak: AttestationKeyPair;
  /** The value of a PCR in the bank with this TPM_ALG_ID. */
  readonly pcr: (bank: number, index: number) => Uint8Array;
}

export interface DeviceOptions {
  /** Equal labels give equal keys. Default: the honest machine of all tests. */
  readonly label?: string;
  readonly ek?: EkTemplateName;
  /** The EK's key pair. It must fit the template. */
  readonly key?: KeyPair;
  readonly ak?: AttestationKeyPair;
  /** Changes to the valid chain of a hardware manufacturer. */
  readonly chain?: EkChainRecipe;
}

const RSA_EK: readonly EkTemplateName[] = ['L-1', 'H-1'];

export function softwareDevice(options: DeviceOptions = {}): SoftwareDevice {
  const label = options.label ?? 'machine';
  const { ek, pair } = endorsementKey(options.ek ?? 'L-1', label, options.key);
  const { leaf, intermediate } = mintEkChain({
    ...options.chain,
    leaf: { publicKey: spkiOf(pair.publicKey), ...options.chain?.leaf },
  });
  return {
    ek,
    certificates: [leaf.der, intermediate.der],
    ak: options.ak ?? eccAk({ label }),
    pcr: (bank, index) => digest(hashAlgorithm(bank)?.name ?? 'sha256', `${label} PCR ${index}`),
  };
}

function endorsementKey(
  name: EkTemplateName,
  label: string,
  given?: KeyPair,
): { readonly ek: EndorsementKey; readonly pair: KeyPair } {
  const template = EK_TEMPLATES.find((candidate) => candidate.name === name);
  if (template === undefined) throw new RangeError(`no template ${name}`);
  const pair = given ?? keyPair(RSA_EK.includes(name) ? 'rsa2048' : 'p256', `${label} ${name}`);
  return { ek: { publicArea: fitted(pair, template.publicArea), privateKey: pair.privateKey }, pair };
}

export interface AkOptions {
  readonly label?: string;
  readonly scheme?: Scheme;
  readonly algorithm?: KeyAlgorithm;
  /** The key pair. It must have that algorithm. */
  readonly key?: KeyPair;
  /** Changes the public area. */
  readonly edit?: (publicArea: TpmtPublic) => TpmtPublic;
}

const ECDSA_SHA256: Scheme = { scheme: TPM_ALG.ECDSA, hashAlg: TPM_ALG.SHA256 };
const RSASSA_SHA256: Scheme = { scheme: TPM_ALG.RSASSA, hashAlg: TPM_ALG.SHA256 };

/** An AK like those of the agent plugin, on P-256 unless `algorithm` names another curve. */
export function eccAk({
  label = 'machine',
  scheme = ECDSA_SHA256,
  algorithm = 'p256',
  edit,
}: AkOptions = {}): AttestationKeyPair {
  const template = akTemplate('ecc', TRUST_DOMAIN);
  if (template.type !== 'ecc') throw new TypeError('the ECC template is none');
  const curveId = algorithm === 'p384' ? TPM_ECC.NIST_P384 : TPM_ECC.NIST_P256;
  const pair = keyPair(algorithm, `${label} AK`);
  const publicArea = fitted(pair, { ...template, parameters: { ...template.parameters, scheme, curveId } });
  return { publicArea: edit?.(publicArea) ?? publicArea, privateKey: pair.privateKey };
}

export function rsaAk({
  label = 'machine',
  scheme = RSASSA_SHA256,
  algorithm = 'rsa2048',
  key,
  edit,
}: AkOptions = {}): AttestationKeyPair {
  const template = akTemplate('rsa', TRUST_DOMAIN);
  if (template.type !== 'rsa') throw new TypeError('the RSA template is none');
  const keyBits = Number(algorithm.slice(3));
  const pair = key ?? keyPair(algorithm, `${label} AK`);
  const publicArea = fitted(pair, { ...template, parameters: { ...template.parameters, scheme, keyBits } });
  return { publicArea: edit?.(publicArea) ?? publicArea, privateKey: pair.privateKey };
}

function fitted(pair: KeyPair, template: TpmtPublic): TpmtPublic {
  const publicArea = publicAreaOf(pair.publicKey, template);
  if (publicArea === undefined) throw new RangeError('the key does not fit its template');
  return publicArea;
}

const SIG_ALG = new Map(Object.entries(SIGNATURE_ALG).map(([name, id]) => [id, name as TpmtSignature['sigAlg']]));

/** A signature in the form that a TPM makes: RSASSA, RSAPSS or ECDSA. */
export function signed(key: KeyObject, { scheme, hashAlg = TPM_ALG.SHA256 }: Scheme, data: Uint8Array): TpmtSignature {
  const sigAlg = SIG_ALG.get(scheme);
  const hash = hashAlgorithm(hashAlg)?.name ?? 'sha256';
  if (sigAlg === 'ecdsa') {
    const raw = Uint8Array.from(sign(hash, data, { key, dsaEncoding: 'ieee-p1363' }));
    const half = raw.length / 2;
    return { sigAlg, hash: hashAlg, signatureR: raw.slice(0, half), signatureS: raw.slice(half) };
  }
  if (sigAlg !== 'rsassa' && sigAlg !== 'rsapss') throw new RangeError(`cannot sign in form ${scheme}`);
  const padding = sigAlg === 'rsassa' ? constants.RSA_PKCS1_PADDING : constants.RSA_PKCS1_PSS_PADDING;
  return { sigAlg, hash: hashAlg, sig: Uint8Array.from(sign(hash, data, { key, padding })) };
}

export function schemeOf(publicArea: TpmtPublic): Scheme {
  return publicArea.type === 'symCipher' ? { scheme: TPM_ALG.NULL } : publicArea.parameters.scheme;
}

export function digest(hash: string, ...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const state = createHash(hash);
  for (const part of parts) state.update(part);
  return Uint8Array.from(state.digest());
}

/** The machine's pub_hash, by which lists name it. */
export function pubHashOf({ ek }: Pick<SoftwareDevice, 'ek'>): string {
  return createHash('sha256')
    .update(
      createPublicKey(ek.privateKey.export({ format: 'pem', type: 'pkcs8' })).export({ format: 'der', type: 'spki' }),
    )
    .digest('hex');
}

/** The public half of a private key. */
export function publicHalf(key: KeyObject): KeyObject {
  return createPublicKey(createPrivateKey(key.export({ format: 'pem', type: 'pkcs8' })));
}
