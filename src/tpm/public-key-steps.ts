/** Everything that a verifier computes with public keys, so that it can be handed another way to do it. Pure. */
import { NODE_SIGNATURES, type SignatureSteps } from '../public-key/signature-steps.ts';
import { type CredentialSteps, NODE_CREDENTIALS } from './credential-steps.ts';

/** Whole steps with public keys. Every implementation gives the same verdicts. */
export interface PublicKeySteps extends SignatureSteps, CredentialSteps {
  /** For the log: `node` */
  readonly name: string;
}

/** By node:crypto: what a verifier uses unless its policy says otherwise. */
export const NODE_STEPS: PublicKeySteps = { name: 'node', ...NODE_SIGNATURES, ...NODE_CREDENTIALS };
