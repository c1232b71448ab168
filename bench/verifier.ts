/** The verifier beside its own raw operations, on evidence of a software TPM made in the same run. */
import {
  constants,
  createCipheriv,
  createHash,
  createHmac,
  createPublicKey,
  publicEncrypt,
  randomBytes,
  verify,
} from 'node:crypto';
import { Attestor } from '../src/agent/attest.ts';
import { startSoftwareTpm } from '../src/cli/software-tpm.ts';
import { decodePayload } from '../src/evidence/messages.ts';
import { readServerConfig } from '../src/server-plugin/config.ts';
import { publicKeyOf } from '../src/tpm/public-key.ts';
import { decode } from '../src/tpm/structures/codec.ts';
import { tpmtPublic } from '../src/tpm/structures/public.ts';
import { begin, finish } from '../src/verifier/verify.ts';
import { parseCertificate } from '../src/x509/certificate.ts';

const TRUST_DOMAIN = 'bench.example';
const ROUNDS = 5;
const ROUND_MS = 400;

interface Row {
  readonly name: string;
  /** Microseconds of one call, the best of five rounds. */
  readonly us: number;
  /** Beside the raw operations of the same step. */
  readonly ratio: number | null;
}

function timed(action: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    let calls = 0;
    do {
      for (let i = 0; i < 10; i++) action();
      calls += 10;
    } while (performance.now() - start < ROUND_MS);
    best = Math.min(best, ((performance.now() - start) * 1000) / calls);
  }
  return best;
}

/** What no verifier can do without for an RSA EK: certificate and CA signature, credential. */
function rawBegin(leafDer: Uint8Array, ekJwk: object, akJwk: object, issuer: ReturnType<typeof createPublicKey>) {
  const leaf = parseCertificate(leafDer);
  const { tbs, signature } = leaf;
  const seed = randomBytes(32);
  return (): void => {
    const ek = createPublicKey({ format: 'jwk', key: ekJwk as never });
    createPublicKey({ format: 'jwk', key: akJwk as never });
    verify('sha256', tbs, issuer, signature);
    publicEncrypt({ key: ek, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, seed);
    createCipheriv('aes-128-cfb', seed.subarray(0, 16), seed.subarray(0, 16)).update(seed);
    for (let i = 0; i < 3; i++) createHmac('sha256', seed).update(seed).digest();
    for (let i = 0; i < 5; i++) createHash('sha256').update(leafDer).digest();
  };
}

export async function measure(json: boolean): Promise<void> {
  const tpm = await startSoftwareTpm({ templates: ['L-1'] });
  try {
    const hcl = `ca_path = "${tpm.caPath}"\nallow_software_tpm = true`;
    const { policy } = readServerConfig(TRUST_DOMAIN, hcl);
    const attestor = new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => tpm.tcti });
    let payload: Uint8Array = new Uint8Array();
    let begun: ReturnType<typeof begin> | undefined;
    const { response } = await attestor.attest(async (bytes) => {
      payload = bytes;
      begun = begin(bytes, policy, randomBytes, new Date());
      if (begun.outcome === 'rejected') throw new Error(JSON.stringify(begun.verdict));
      return begun.challenge;
    });
    if (begun?.outcome !== 'challenged') throw new Error('no challenge');
    const { pending } = begun;
    const now = new Date();
    if (finish(pending, response, now).verdict !== 'trusted') throw new Error('the evidence is not trusted');

    const evidence = decodePayload(payload);
    const ek = publicKeyOf(decode(tpmtPublic, evidence.ekPublic));
    const ak = publicKeyOf(decode(tpmtPublic, evidence.akPublic));
    const [leafDer] = evidence.ekCertificates;
    const issuerName = leafDer === undefined ? '' : parseCertificate(leafDer).issuer.canonical;
    const issuer = policy.anchors?.bySubject.get(issuerName)?.[0]?.publicKey;
    if (leafDer === undefined || ek === undefined || ak === undefined || issuer === undefined) throw new Error('no EK');
    const raw = timed(rawBegin(leafDer, ek.export({ format: 'jwk' }), ak.export({ format: 'jwk' }), issuer));
    const data = Buffer.alloc(145);
    const rawQuote = timed(() => {
      // A wrong signature costs as much as a right one.
      verify('sha256', data, { key: ak, dsaEncoding: 'ieee-p1363' }, Buffer.alloc(64, 1));
      createHash('sha256').update(data).digest();
    });
    const first = timed(() => begin(payload, policy, randomBytes, now));
    const second = timed(() => finish(pending, response, now));
    const rows: readonly Row[] = [
      { name: 'raw operations of begin: keys, certificate signature, OAEP, hashes', us: raw, ratio: null },
      { name: 'begin: certificate chain, keys, credential (RSA-2048 EK, P-256 AK)', us: first, ratio: first / raw },
      { name: 'raw operations of finish: one P-256 signature, one hash', us: rawQuote, ratio: null },
      { name: 'finish: secret and quote', us: second, ratio: second / rawQuote },
    ];
    if (json) console.log(JSON.stringify({ node: process.version, rows }, null, 2));
    else
      for (const { name, us, ratio } of rows)
        console.log(`${us.toFixed(0).padStart(8)} µs  ${ratio === null ? '      ' : `${ratio.toFixed(2)} ×`}  ${name}`);
  } finally {
    await tpm.stop();
  }
}
