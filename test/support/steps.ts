import { nativeSteps } from '../../src/policy/native-steps.ts';
import { NODE_STEPS, type PublicKeySteps } from '../../src/tpm/public-key-steps.ts';

/** `native` in TPM_ATTESTOR_STEPS: the judges of the tests use the addon. */
export const ARE_NATIVE: boolean = process.env['TPM_ATTESTOR_STEPS'] === 'native';

/** Both ways to compute with public keys, for `describe.each`. */
export const BOTH_STEPS: readonly (readonly [string, PublicKeySteps])[] = [
  ['node', NODE_STEPS],
  ['native', nativeSteps()],
];
