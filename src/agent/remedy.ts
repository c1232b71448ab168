/** What an operator can do about a failure. */
import { NativeUnavailableError, TpmError } from '../tpm/errors.ts';

const PASSWORD =
  'the hierarchy has another password: give it in endorsement_auth_file or owner_auth_file; it is not tried again before the file changes';
const SLOTS =
  'other software has filled the TPM: use /dev/tpmrm0, or find who keeps objects with tpm2_getcap handles-transient and handles-loaded-session';

const BY_NAME: Readonly<Record<string, string>> = {
  TPM_RC_AUTH_FAIL: PASSWORD,
  TPM_RC_BAD_AUTH: PASSWORD,
  TPM_RC_LOCKOUT: 'the TPM is in dictionary-attack lockout: wait for its recovery time or run tpm2_dictionarylockout',
  TPM_RC_OBJECT_MEMORY: SLOTS,
  TPM_RC_SESSION_MEMORY: SLOTS,
  TPM_RC_OBJECT_HANDLES: SLOTS,
  TPM_RC_SESSION_HANDLES: SLOTS,
  TPM_RC_HIERARCHY: 'the endorsement hierarchy is disabled: enable it in the firmware setup of the machine',
  TPM_RC_INITIALIZE: 'the TPM was not started: firmware must send TPM2_Startup',
  TPM_RC_FAILURE: 'the TPM failed its self-test: power the machine off and on, then replace the TPM',
};

const CREDENTIAL =
  "the challenge was not made for this TPM's keys; nothing is wrong with the TPM: look whether this agent talks to the right server, and into that server's log";

/** What a credential that does not open comes to differs between TPMs (Part 3, 12.5); a broken one fails earlier. */
function isForeignCredential({ command, name, argument }: TpmError): boolean {
  if (command !== 'TPM2_ActivateCredential') return false;
  return argument?.kind === 'parameter' || name === 'TPM_RC_FAILURE' || name === 'TPM_RC_INTEGRITY';
}

/** One sentence, or undefined where there is nothing to advise. */
export function remedyFor(error: unknown): string | undefined {
  if (error instanceof NativeUnavailableError) return 'install tpm2-tss, and build the addon';
  if (!(error instanceof TpmError)) return undefined;
  if (isForeignCredential(error)) return CREDENTIAL;
  if (error.layer === 'tcti') return 'look whether the TPM device is there and whether this user is in group tss';
  return (
    BY_NAME[error.name] ?? (error.retryable ? 'the TPM is busy: it is tried again at the next attestation' : undefined)
  );
}
