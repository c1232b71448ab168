/** A creation certificate: the AK's own word, under its TPM's rules, on how it came to be. Pure. */
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
  /** TPMS_ATTEST as signed: what TPM2_CertifyCreation answers. */
  readonly certifyInfo: Uint8Array;
  /** TPMT_SIGNATURE. */
  readonly signature: Uint8Array;
}

/**
 * Whether the AK certified its own creation (TPM 2.0 Library Part 3, 18.3). Of where the key lives this says no more than
 * its attributes and an opened credential. But only who means to speak a wire with creation certificates has one made: the
 * AK of an agent that does not cannot be presented there, even if somebody gets that agent to open a credential for it.
 */
export function judgeCreation(
  ak: AcceptableAk,
  { creationData, certifyInfo, signature }: CreationEvidence,
  findings: Findings,
): void {
  verifySignature('creation', ak, certifyInfo, signature, findings);
  decodedOr(findings, () => decode(tpmsCreationData, creationData), {
    code: SIGNED_FINDING.creation.malformed,
    sentence: 'the creation data are no TPMS_CREATION_DATA',
  });
  const attest = readSigned('creation', certifyInfo, findings);
  if (attest === undefined) return;
  const { objectName, creationHash } = attest.attested;
  // By the nameAlg of what was created (Part 3, 12.1).
  // tooth plugin-wire [createHash(ak.nameAlg.name) -> createHash('sha256')]: creation data is hashed with SHA-256,
  //   whatever the Name algorithm
  const hash = createHash(ak.nameAlg.name).update(creationData).digest();
  if (!equalBytes(objectName, ak.name))
    findings.add('creation.name', `what was created is ${hex(objectName)}, not the attestation key`);
  if (!equalBytes(creationHash, hash))
    findings.add('creation.data', 'the creation data do not have the hash that was signed');
}
