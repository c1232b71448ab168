import { nativeSteps } from '../../src/policy/native-steps.ts';
import { NODE_STEPS, type PublicKeySteps } from '../../src/tpm/public-key-steps.ts';

/** Both ways to compute with public keys, for `describe.each`. */
export const BOTH_STEPS: readonly (readonly [string, PublicKeySteps])[] = [
  ['node', NODE_STEPS],
  ['native', nativeSteps()],
];
