/** The errors that an attestation may throw on the agent's machine, each with a stable code. */
import { MalformedError } from '../bytes/malformed.ts';
import { type DeviceError, NativeUnavailableError, TctiError, TpmError } from '../tpm/device/errors.ts';
import { CertificateFileError } from './endorsement/ek-certificate-file.ts';
import { EndorsementError } from './endorsement/endorsement-storage.ts';
import { PasswordError } from './passwords/hierarchy-passwords.ts';
import { PcrError } from './wires/pcr-quote.ts';

/** `MalformedError` means that the agent cannot read the challenge. */
export type AgentError =
  | DeviceError
  | MalformedError
  | CertificateFileError
  | EndorsementError
  | PasswordError
  | PcrError;

export type AgentErrorCode = AgentError['code'];

const CLASSES: Readonly<Record<AgentErrorCode, abstract new (...args: never[]) => AgentError>> = {
  ERR_TPM: TpmError,
  ERR_TCTI: TctiError,
  ERR_NATIVE_UNAVAILABLE: NativeUnavailableError,
  ERR_MALFORMED: MalformedError,
  ERR_CERTIFICATE_FILE: CertificateFileError,
  ERR_ENDORSEMENT: EndorsementError,
  ERR_PASSWORD: PasswordError,
  ERR_PCR: PcrError,
};

export function isAgentError(error: unknown): error is AgentError {
  return Object.values(CLASSES).some((one) => error instanceof one);
}
