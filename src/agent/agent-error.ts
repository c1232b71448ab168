/** How an attestation fails on its own machine. Whoever shows it to somebody has a word for each. */
import { MalformedError } from '../bytes/malformed.ts';
import { type DeviceError, NativeUnavailableError, TctiError, TpmError } from '../tpm/device/errors.ts';
import { CertificateFileError } from './endorsement/ek-certificate-file.ts';
import { EndorsementError } from './endorsement/endorsement-storage.ts';
import { PasswordError } from './passwords/hierarchy-passwords.ts';
import { PcrError } from './wires/pcr-quote.ts';

/** `MalformedError` is of a challenge that cannot be read. */
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
