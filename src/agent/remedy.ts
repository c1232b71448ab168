/** Tells the operator what to do about a failure of the TPM. */
import { TpmError } from '../tpm/device/errors.ts';
import { transportOf } from '../tpm/device/tcti.ts';
import { DEVICES } from './device-choice.ts';
import { CertificateFileError } from './endorsement/ek-certificate-file.ts';
import { deviceRemedy } from './unreachable-device.ts';

const SLOTS =
  'other software has filled the TPM: use /dev/tpmrm0, or list its objects with tpm2_getcap handles-transient and handles-loaded-session';

const BY_NAME: Readonly<Record<string, string>> = {
  TPM_RC_LOCKOUT: 'the TPM is in dictionary-attack lockout: wait for its recovery time or run tpm2_dictionarylockout',
  TPM_RC_OBJECT_MEMORY: SLOTS,
  TPM_RC_SESSION_MEMORY: SLOTS,
  TPM_RC_OBJECT_HANDLES: SLOTS,
  TPM_RC_SESSION_HANDLES: SLOTS,
  TPM_RC_HIERARCHY: 'the endorsement hierarchy is disabled: enable it in the firmware setup of the machine',
  TPM_RC_INITIALIZE:
    'the TPM was not started, which firmware does at boot: run "tpm2_startup -c" (for a software TPM "swtpm socket … --flags startup-clear"), and on a real machine update the firmware',
  TPM_RC_FAILURE: 'the TPM failed its self-test: power the machine off and on, then replace the TPM',
};

const CREDENTIAL =
  "the challenge was not made for this TPM's keys; nothing is wrong with the TPM: check that this agent talks to the right server, and read that server's log";

const CERTIFICATE_FILE =
  'give the certificate of this TPM with its chain behind it, in PEM or DER, or leave the option out; "ek show" without the option prints the key of this TPM';

/**
 * TPMs report a credential for another key with different codes (Part 3, 12.5). A malformed credential fails earlier.
 */
function isForeignCredential({ command, name, argument }: TpmError): boolean {
  if (command !== 'TPM2_ActivateCredential') return false;
  return argument?.kind === 'parameter' || name === 'TPM_RC_FAILURE' || name === 'TPM_RC_INTEGRITY';
}

const SOFTWARE =
  'check whether the software TPM runs and listens at this address, and whether this user may open its socket ' +
  '(it may be for group tss alone)';

/** tpm2-tss reports a missing device and a dead socket alike, so the remedy depends on the TCTI string. */
const BY_TCTI: Readonly<Record<string, string>> = {
  swtpm: SOFTWARE,
  mssim: SOFTWARE,
  tabrmd: 'check whether tpm2-abrmd runs',
};

/**
 * One sentence; undefined when there is no remedy.
 *
 * @param passwordOptions the options in which the caller's user gives password files
 */
export function remedyFor(
  error: unknown,
  passwordOptions = 'endorsement_auth_file or owner_auth_file',
): string | undefined {
  if (error instanceof CertificateFileError) return CERTIFICATE_FILE;
  if (!(error instanceof TpmError)) return undefined;
  if (isForeignCredential(error)) return CREDENTIAL;
  const { name, layer, command, retryable } = error;
  if (name === 'TPM_RC_AUTH_FAIL' || name === 'TPM_RC_BAD_AUTH')
    return `the hierarchy has another password: write the right one into the file of ${passwordOptions}; the refused one is not tried again`;
  if (layer === 'tcti') return tctiRemedy(name, command);
  return (
    BY_NAME[name] ??
    (retryable ? 'the TPM is busy with a command of other software: try again in a few seconds' : undefined)
  );
}

/** @param command `open` and the TCTI string when opening the TPM failed */
function tctiRemedy(name: string, command: string): string {
  const opened = /^open (.*)$/s.exec(command)?.[1];
  // tctildr found no module with that name.
  if (name === 'TSS2_TCTI_RC_NOT_SUPPORTED' && opened?.startsWith('/dev/')) return `write device:${opened}`;
  if (name === 'TSS2_TCTI_RC_NOT_SUPPORTED')
    return 'tpm2-tss has no module for this TCTI string here: begin it with device:, swtpm: or another module, or install the package of that module (libtss2-tcti-…)';
  const { module, conf } = opened === undefined ? { module: '', conf: '' } : transportOf(opened);
  if (module === 'device') return deviceRemedy(conf || DEVICES[0]);
  return BY_TCTI[module] ?? 'the connection to the TPM broke off: check whether the TPM is still there';
}
