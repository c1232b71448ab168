/** Evidence of software TPMs, made in the run that measures: the same for us and for every peer. */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Attestor } from '../src/agent/attest.ts';
import { decodePayload, decodeResponse } from '../src/evidence/messages.ts';
import { loadPolicy } from '../src/policy/policy-files.ts';
import { readServerSettings } from '../src/policy/server-settings.ts';
import { type SoftwareTpm, startSoftwareTpm } from '../src/testing/software-tpm.ts';
import { akTemplate } from '../src/tpm/templates.ts';
import { begin, type Pending, type Policy } from '../src/verifier/verify.ts';
import { readPem } from '../src/x509/file/pem.ts';

const TRUST_DOMAIN = 'bench.example';
/** Where a TPM keeps the certificates above its endorsement certificates (EK Credential Profile 2.6, 2.2.1.5.2). */
const CHAIN_INDEX = '0x01c00100';

export interface Recipe {
  readonly ek: 'rsa' | 'ecc';
  readonly ak: 'rsa' | 'ecc';
  /** Whether the TPM sends its intermediate CA and the server has the root alone, or the server has both. */
  readonly chain: 'sent' | 'configured';
}

/** What one attestation came to, and what a peer needs to judge the same. */
export interface Evidence {
  readonly policy: Policy;
  readonly payload: Uint8Array;
  readonly pending: Pending;
  readonly response: Uint8Array;
  readonly leaf: Uint8Array;
  /** DER. Those beside the leaf in the payload. */
  readonly intermediates: readonly Uint8Array[];
  /** DER. Those that the server has. */
  readonly anchors: readonly Uint8Array[];
  /** The TPM's word that it made the attestation key, which our verifier needs none of. */
  readonly creation: Creation;
}

export interface Creation {
  /** TPMS_CREATION_DATA. */
  readonly data: Uint8Array;
  /** TPMS_ATTEST and TPMT_SIGNATURE. */
  readonly attestation: Uint8Array;
  readonly signature: Uint8Array;
}

export async function makeEvidence({ ek, ak, chain }: Recipe): Promise<Evidence> {
  const tpm = await startSoftwareTpm({ templates: [ek === 'rsa' ? 'L-1' : 'L-2'] });
  try {
    const [root, issuer] = readPem(await readFile(tpm.caPath)).map(({ der }) => der);
    if (root === undefined || issuer === undefined) throw new Error('the software TPM has not two CAs');
    const anchors = chain === 'sent' ? [root] : [root, issuer];
    if (chain === 'sent') await storeChain(tpm, issuer);
    const policy = await policyFor(tpm, anchors[1] === undefined ? root : undefined);
    const attestor = new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => tpm.tcti, ek, ak });
    let made: { readonly payload: Uint8Array; readonly pending: Pending } | undefined;
    const { response } = await attestor.attest(async (payload) => {
      const begun = begin(payload, policy, randomBytes, new Date());
      if (begun.outcome === 'rejected') throw new Error(JSON.stringify(begun.verdict));
      made = { payload, pending: begun.pending };
      return begun.challenge;
    });
    if (made === undefined) throw new Error('nothing was sent');
    const [leaf, ...intermediates] = decodePayload(made.payload).ekCertificates;
    if (leaf === undefined) throw new Error('no endorsement certificate was sent');
    if (decodeResponse(response).pcrValues.length !== 8) throw new Error('another number of PCRs was quoted');
    return { policy, ...made, response, leaf, intermediates, anchors, creation: await certifyCreation(tpm, ak) };
  } finally {
    await tpm.stop();
  }
}

async function policyFor(tpm: SoftwareTpm, only: Uint8Array | undefined): Promise<Policy> {
  const root = join(tpm.folder, 'root.der');
  if (only !== undefined) await writeFile(root, only);
  const caPath = only === undefined ? tpm.caPath : root;
  const hcl = `ca_path = "${caPath}"\nallow_software_tpm = true\nek_templates = ["L-1", "L-2", "H-3"]`;
  return loadPolicy(readServerSettings(TRUST_DOMAIN, hcl)).policy;
}

async function storeChain(tpm: SoftwareTpm, certificate: Uint8Array): Promise<void> {
  const attributes = 'ppwrite|writedefine|ppread|ownerread|authread|no_da|platformcreate';
  await writeFile(join(tpm.folder, 'chain'), certificate);
  await tpm.tpm2('tpm2_nvdefine', [CHAIN_INDEX, '-C', 'p', '-s', `${certificate.length}`, '-a', attributes]);
  await tpm.tpm2('tpm2_nvwrite', [CHAIN_INDEX, '-C', 'p', '-i', 'chain']);
}

/** Makes the agent's attestation key once more (a primary key comes out the same) and has the TPM certify that it did. */
async function certifyCreation(tpm: SoftwareTpm, algorithm: 'rsa' | 'ecc'): Promise<Creation> {
  const template = akTemplate(algorithm, TRUST_DOMAIN);
  const kind = algorithm === 'rsa' ? 'rsa2048:rsassa-sha256:null' : 'ecc256:ecdsa-sha256:null';
  const attributes = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign';
  // The union TPMU_PUBLIC_ID as tpm2-tss has it in memory: sizes in the machine's order, a coordinate in 128 bytes.
  const sized = (bytes: Uint8Array, room: number): Uint8Array => {
    const buffer = Buffer.alloc(2 + room);
    buffer.writeUInt16LE(bytes.length);
    buffer.set(bytes, 2);
    return buffer;
  };
  const unique =
    template.type === 'ecc'
      ? Buffer.concat([sized(template.unique.x, 128), sized(template.unique.y, 128)])
      : sized(template.type === 'rsa' ? template.unique : new Uint8Array(), 256);
  await writeFile(join(tpm.folder, 'ak.unique'), unique);
  const make = ['-C', 'e', '-g', 'sha256', '-G', kind, '-a', attributes, '-u', 'ak.unique', '-c', 'ak.ctx'];
  await tpm.tpm2('tpm2_createprimary', [...make, '--creation-data', 'ak.data', '-d', 'ak.hash', '-t', 'ak.ticket']);
  const certify = ['-C', 'ak.ctx', '-c', 'ak.ctx', '-d', 'ak.hash', '-t', 'ak.ticket', '-g', 'sha256'];
  await tpm.tpm2('tpm2_certifycreation', [...certify, '-o', 'ak.signature', '--attestation', 'ak.attestation']);
  const read = async (name: string): Promise<Uint8Array> => Uint8Array.from(await readFile(join(tpm.folder, name)));
  // tpm2-tools put the size of the TPM2B in front.
  const data = (await read('ak.data')).slice(2);
  return { data, attestation: await read('ak.attestation'), signature: await read('ak.signature') };
}
