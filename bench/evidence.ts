/** Makes evidence of software devices in each run: the same evidence for this product and for every peer. */
import { randomBytes } from 'node:crypto';
import { begin, type Pending, type Policy } from '../src/verifier/verify.ts';
import { parseCertificate } from '../src/x509/certificate.ts';
import { anchorsOf } from '../src/x509/file/trust-store.ts';
import { forger } from '../test/support/forger.ts';
import { type KeyAlgorithm, keyPair } from '../test/support/pki.ts';
import { bundle, testPolicy } from '../test/support/policy.ts';
import { eccAk, rsaAk, softwareDevice } from '../test/support/software-device.ts';
import { EK_LABEL, mintChain } from './ek-chain.ts';

export interface Recipe {
  readonly ek: 'rsa' | 'ecc';
  readonly ak: 'rsa' | 'ecc';
  /** Keys of the CA that issued the EK certificate, and of the root above it. */
  readonly authorities: readonly [issuer: KeyAlgorithm, root: KeyAlgorithm];
  /**
   * `sent`: the machine sends its intermediate CA, and the server has the root alone. `configured`: the server has
   * both.
   */
  readonly chain: 'sent' | 'configured';
}

/** The messages of one attestation, and what a peer needs to judge the same evidence. */
export interface Evidence {
  readonly policy: Policy;
  /** A time at which all certificates are valid. */
  readonly now: Date;
  readonly payload: Uint8Array;
  readonly pending: Pending;
  readonly response: Uint8Array;
  readonly leaf: Uint8Array;
  /** DER; the certificates beside the leaf in the payload. */
  readonly intermediates: readonly Uint8Array[];
  /** DER; the CA certificates of the server. */
  readonly anchors: readonly Uint8Array[];
}

export function makeEvidence({ ek, ak, authorities, chain }: Recipe): Evidence {
  const ekKey = ek === 'rsa' ? 'rsa2048' : 'p256';
  const { leaf, intermediates: above, root, now } = mintChain('Bench', [ekKey, ...authorities]);
  const intermediates = chain === 'sent' ? above : [];
  const anchors = chain === 'sent' ? [root] : [root, ...above];
  const policy = testPolicy({
    bundles: [bundle(anchorsOf(anchors.map(parseCertificate)))],
    ekTemplates: ['L-1', 'L-2'],
  });
  const machine = forger({
    ...softwareDevice({
      ek: ek === 'rsa' ? 'L-1' : 'L-2',
      key: keyPair(ekKey, EK_LABEL),
      ak: ak === 'rsa' ? rsaAk() : eccAk(),
    }),
    certificates: [leaf, ...intermediates],
  });
  const begun = begin(machine.payload, policy, randomBytes, now);
  if (begun.outcome === 'rejected') throw new Error(JSON.stringify(begun.verdict));
  const response = machine.answer(begun.challenge);
  return { policy, now, payload: machine.payload, pending: begun.pending, response, leaf, intermediates, anchors };
}
