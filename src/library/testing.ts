/**
 * Software TPMs for the tests of others. Needs Linux, swtpm and tpm2-tools.
 *
 * All of it may change before 1.0.
 *
 * @module tpm-attestor/testing
 */
export {
  type ProvisionOptions,
  SOFTWARE_EK_TEMPLATES,
  type SoftwareEkTemplate,
  type SoftwareTpm,
  SoftwareTpmError,
  type SoftwareTpmOptions,
  startSoftwareTpm,
  type Tpm2Options,
  type Tpm2Output,
} from '../testing/software-tpm.ts';
