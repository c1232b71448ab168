/** Judges a creation certificate (TPM2_CertifyCreation), by which an AK certifies its own creation. Pure. */
import { createHash } from 'node:crypto';
import { equalBytes, hex } from '../bytes/bytes.ts';
import { decode } from '../tpm/structures/codec.ts';
import { tpmsCreationData } from '../tpm/structures/creation-data.ts';
import type { AcceptableAk } from './attestation-key.ts';
import { decodedOr } from './decoding.ts';
import { readSigned, SIGNED_FINDING, verifySignature } from './signed-structure.ts';
import type { Findings } from './verdict.ts';

export interface CreationEvidence {
  /** TPMS_CREATION_DATA. */
  readonly creationData: Uint8Array;
  /** The signed TPMS_ATTEST from TPM2_CertifyCreation. */
  readonly certifyInfo: Uint8Array;
  /** TPMT_SIGNATURE. */
  readonly signature: Uint8Array;
}

/**
 * Whether the AK certified its own creation (TPM 2.0 Library Part 3, 18.3). About the place of the key, this proves no
 * more than its attributes and an opened credential do. But only agents of a wire with creation certificates have one
 * made. An attacker cannot present the AK of another agent there, even if that agent opens a credential for the
 * attacker.
 */
export function judgeCreation(
  ak: AcceptableAk,
  { creationData, certifyInfo, signature }: CreationEvidence,
  findings: Findings,
): void {
  verifySignature('creation', ak, certifyInfo, signature, findings);
  decodedOr(findings, () => decode(tpmsCreationData, creationData), {
    code: SIGNED_FINDING.creation.malformed,
    sentence: 'the creation data are not a valid TPMS_CREATION_DATA',
  });
  const attest = readSigned('creation', certifyInfo, findings);
  if (attest === undefined) return;
  const { objectName, creationHash } = attest.attested;
  // The TPM hashes with the nameAlg of the created object (Part 3, 12.1).
  // tooth plugin-wire [createHash(ak.nameAlg.name) -> createHash('sha256')]: creation data is hashed with SHA-256,
  //   whatever the Name algorithm
  const hash = createHash(ak.nameAlg.name).update(creationData).digest();
  if (!equalBytes(objectName, ak.name))
    findings.add('creation.name', `the creation certificate is for ${hex(objectName)}, not for the attestation key`);
  if (!equalBytes(creationHash, hash))
    findings.add('creation.data', 'the creation data do not have the hash that was signed');
}
