/** `tpm-attestor/testing`: software TPMs for the tests of others. Needs swtpm and tpm2-tools. */
export {
  type SoftwareTpm,
  SoftwareTpmError,
  type SoftwareTpmOptions,
  startSoftwareTpm,
} from '../testing/software-tpm.ts';
