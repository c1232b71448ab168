/** The table of findings: each has a stable code, a meaning and a remedy for the operator. Pure. */

const NODE = 'Keep this node out until the cause is known';

/** The meaning of each code, in one sentence. docs/trust.md quotes it. */
export const MEANINGS = {
  'evidence.malformed': 'The payload, or a part of it, is not in its one valid encoding.',
  'evidence.wire': 'The agent speaks the wire of spire-tpm-plugin, which the server does not accept.',
  'evidence.version': 'Agent and server have no protocol version in common.',
  'evidence.trust_domain': 'The agent attests to another trust domain.',

  'ek.malformed': 'The public area of the endorsement key is not a valid TPMT_PUBLIC.',
  'ek.template': 'The endorsement key has attributes, a policy or parameters of no TCG template.',
  'ek.algorithm': 'The server does not accept this kind of endorsement key.',
  'ek.template_not_accepted': 'The server does not accept the template of the endorsement key.',
  'ek.weak_key': 'The endorsement key is too weak, or is not a valid public key.',
  'ek.roca':
    'The endorsement key, or a CA key below the trust anchor, has the ROCA fingerprint: others can compute it.',
  'ek.denied': 'The deny list names this machine: its hash, its serial number or a key that is linked to it.',
  'ek.key_mismatch': 'The endorsement certificate is for another key than the agent sent.',
  'ek.no_certificate': 'The machine needs an endorsement certificate, and sends none.',
  'ek.not_listed': 'The endorsement key needs an entry in the allow-list, and has none.',
  'ek.certificate_malformed': 'The endorsement certificate is not strict DER, or is larger than any real one.',
  'ek.unknown_issuer': 'No chain of CA certificates leads from the endorsement certificate to a trust anchor.',
  'ek.chain': 'A link of the chain does not hold: a signature, a CA flag, a key usage, a path length or a bound.',
  'ek.expired': 'The endorsement certificate, or a CA certificate above it, has expired.',
  'ek.not_yet_valid': 'The endorsement certificate, or a CA certificate above it, is not valid yet.',
  'ek.weak_signature': 'A certificate is signed by a weak key, or by a weak or unknown algorithm.',
  'ek.critical_extension': 'A certificate has a critical extension that the verifier does not know.',
  'ek.usage': 'The certificate is not for an endorsement key, or a CA above it may not issue such certificates.',
  'ek.revoked': 'A revocation list names the endorsement certificate, or a CA certificate above it.',
  'ek.revocation_unknown': 'No current revocation list covers a certificate of the chain.',
  'ek.profile': 'The certificate lacks what the TCG profile for endorsement certificates asks for.',
  'ek.tpm_family': 'The certificate names a TPM of family 1.2.',
  'ek.gce_profile': 'The certificate names a machine of Google Compute Engine instead of a TPM.',
  'ek.software_tpm': 'The certificate names a software TPM or a simulator.',
  'ek.manufacturer': 'The bundle may not vouch for TPMs of this manufacturer.',
  'ek.model': 'The bundle may not vouch for TPMs of this model.',
  'ek.firmware': 'The certificate names a firmware version below the least that the bundle accepts.',

  'ak.malformed': 'The public area of the attestation key is not a valid TPMT_PUBLIC.',
  'ak.not_resident':
    'The attestation key may exist outside the TPM: fixedTPM, fixedParent or sensitiveDataOrigin is not set.',
  'ak.unrestricted': 'The attestation key signs any data, also a forged quote: restricted or sign is not set.',
  'ak.attributes': "The attestation key has an attribute that no honest agent's key has.",
  'ak.scheme': 'The attestation key has no fixed signing scheme, or one that is not accepted.',
  'ak.name_algorithm': "The attestation key's Name is not made with SHA-256, SHA-384 or SHA-512.",
  'ak.weak_key': 'The attestation key is too weak, or is not a valid public key.',
  'ak.roca': 'The attestation key has the ROCA fingerprint: others can compute it.',

  'creation.malformed': 'The creation certificate, its data or its signature is not in its one valid encoding.',
  'creation.magic': 'The creation certificate does not begin with TPM_GENERATED, so no TPM made it.',
  'creation.type': 'The signed structure is not a creation certificate.',
  'creation.scheme': 'The creation certificate is signed by another scheme than the attestation key states.',
  'creation.signature': 'The attestation key did not sign the creation certificate.',
  'creation.name': 'The creation certificate is for another key.',
  'creation.data': 'The creation data do not have the hash that was signed.',

  'pcr.bank': 'The TPM has allocated none of the PCR banks that the server accepts.',

  'response.malformed': 'The answer is not in its one valid encoding.',
  'boot.log_malformed': 'A piece of a boot log is not the one that the server asked for, or the log is over 1 MiB.',
  'response.late': 'The answer came after its challenge had expired.',
  'response.other_exchange': 'The answer belongs to another challenge.',
  'credential.secret': 'The answer lacks the secret of the challenge: no TPM holds both keys.',

  'quote.malformed': 'The quote or its signature is not in its one valid encoding.',
  'quote.magic': 'The quote does not begin with TPM_GENERATED, so no TPM made it.',
  'quote.type': 'The signed structure is not a quote.',
  'quote.scheme': 'The quote is signed by another scheme than the attestation key states.',
  'quote.signature': 'The attestation key did not sign the quote.',
  'quote.commitment': 'The quote does not commit to this challenge, payload and trust domain.',
  'quote.selection': 'The quote covers other PCRs than the server asked for.',
  'quote.pcr_values': 'The PCR values do not fill the quoted selection.',
  'quote.pcr_digest': 'The PCR values do not have the digest that was signed.',
  'quote.qualified_signer': 'The signer is not the attestation key under the endorsement hierarchy.',
} as const;

/** Codes are stable: they are never renamed or given another meaning. A new check gets a new code. */
export type FindingCode = keyof typeof MEANINGS;

/** The remedy for each code: one or two instructions for the operator. */
export const REMEDIES: Readonly<Record<FindingCode, string>> = {
  'evidence.malformed': 'Run the same release of tpm-attestor on agent and server, and make the evidence again.',
  'evidence.wire':
    'Run the agent plugin of tpm-attestor on this node. Until then, set wire = "spire-tpm-plugin" on the server.',
  'evidence.version': 'Upgrade tpm-attestor on the agent or on the server, whichever is older.',
  'evidence.trust_domain': 'Set the same trust_domain in the SPIRE configuration of agent and server.',

  'ek.malformed': 'Run the same release of tpm-attestor on agent and server.',
  'ek.template': 'Use a TPM with an endorsement key of a TCG template (L-1, L-2, H-1 to H-4, H-6, H-7).',
  'ek.algorithm':
    'Set ek on the agent to an accepted kind. Or add this kind to ek_algorithms on the server, and any template but L-1 and L-2 to ek_templates.',
  'ek.template_not_accepted':
    'Set ek on the agent to an accepted kind, or add this template to ek_templates on the server. "ek doctor" on the node prints the lines.',
  'ek.weak_key': 'Use an endorsement key of RSA-2048 or larger, or on P-256, P-384 or P-521.',
  'ek.roca':
    "Update the TPM's firmware as its manufacturer says (CVE-2017-15361). Then make new keys, and distrust the old ones.",
  'ek.denied': 'To admit this machine again, remove its entry from the file of deny_path.',
  'ek.key_mismatch': `${NODE}: its certificate is for another key, as a copied certificate would be.`,
  'ek.no_certificate': 'Add the pub_hash of this TPM to hash_path: it has no certificate.',
  'ek.not_listed':
    'Add the pub_hash of this TPM to hash_path. Or set mode = "either" and add the CAs of its manufacturer to ca_path.',
  'ek.certificate_malformed':
    'Add the pub_hash of this TPM to hash_path. A certificate viewer may show what is wrong with the certificate.',
  'ek.unknown_issuer':
    'If this TPM is yours, add the CA that issued its certificate, and the CAs above it, to ca_path or to a bundle.',
  'ek.chain': "Compare the CA certificates in ca_path with those that the TPM's manufacturer publishes.",
  'ek.expired':
    'Add the pub_hash of this TPM to hash_path. If only the endorsement certificate has expired, allow_expired_ek = true admits it.',
  'ek.not_yet_valid': "Set the server's clock. If the server has no clock at boot, set allow_not_yet_valid = true.",
  'ek.weak_signature':
    'Add the pub_hash of this TPM to hash_path: a signature is too weak or not supported. For SHA-1 alone, allow_sha1_signatures = true admits it.',
  'ek.critical_extension':
    'Add the pub_hash of this TPM to hash_path: a certificate has a critical extension that tpm-attestor does not know.',
  'ek.usage': 'Use the endorsement certificate: this certificate is not for an endorsement key.',
  'ek.revoked': 'Keep this TPM out: its manufacturer has revoked its certificate, or the certificate of a CA above it.',
  'ek.revocation_unknown':
    'Put a current revocation list of the named CA into crl_path. If that CA publishes none, set crl_policy = "warn".',
  'ek.profile':
    'Add the pub_hash of this TPM to hash_path: its certificate lacks what an endorsement certificate must state.',
  'ek.tpm_family':
    'Add the pub_hash of this TPM to hash_path. If the TPM became 2.0 by an update, allow_tpm12 = true admits it.',
  'ek.gce_profile':
    'Set allow_gce_profile = true only if the server is meant to admit machines of Google Compute Engine.',
  'ek.software_tpm':
    'Set allow_software_tpm = true, or kind = "software" in a bundle, only if the server is meant to admit software TPMs.',
  'ek.manufacturer':
    'If this CA may vouch for such TPMs, add their maker to manufacturers, or set the kind of its bundle. If not, stop trusting the CA.',
  'ek.model': 'If machines with this TPM model are yours, add it to models.',
  'ek.firmware': 'If the firmware was updated since, add the pub_hash of this TPM to hash_path. Or lower min_firmware.',

  'ak.malformed': 'Run the same release of tpm-attestor on agent and server.',
  'ak.not_resident': `${NODE}: an honest agent only makes attestation keys that never leave the TPM.`,
  'ak.unrestricted': `${NODE}: an honest agent only makes restricted attestation keys.`,
  'ak.attributes': `${NODE}: an honest agent's attestation key does not have these attributes.`,
  'ak.scheme': 'Use an attestation key that signs by ECDSA, RSASSA or RSAPSS with SHA-256, SHA-384 or SHA-512.',
  'ak.name_algorithm': 'Use an attestation key whose Name algorithm is SHA-256, SHA-384 or SHA-512.',
  'ak.weak_key': 'Use an attestation key of RSA-2048 or larger, or on P-256, P-384 or P-521.',
  'ak.roca': 'Update the TPM\'s firmware as its manufacturer says (CVE-2017-15361), or set ak = "ecc" on the agent.',

  'creation.malformed': `${NODE}: no TPM made this creation certificate.`,
  'creation.magic': `${NODE}: no TPM made these bytes.`,
  'creation.type': `${NODE}: it sent another signed structure as a creation certificate.`,
  'creation.scheme': `${NODE}: its attestation key signs by one fixed scheme only.`,
  'creation.signature': `${NODE}: the creation certificate was altered, or another key signed it.`,
  'creation.name': `${NODE}: the creation certificate is for another key.`,
  'creation.data': `${NODE}: the creation data differ from those that the TPM certified.`,

  'pcr.bank': 'Allocate an accepted PCR bank in the firmware settings, or add an allocated bank to pcrs.',

  'response.malformed': 'Run the same release of tpm-attestor on agent and server.',
  'boot.log_malformed': 'Run the same release of tpm-attestor on agent and server.',
  'response.late': 'Try again. If it happens again, the TPM may be slow: raise attest_timeout.',
  'response.other_exchange': `${NODE}: it sent an answer to an earlier challenge again.`,
  'credential.secret': `${NODE}: its TPM does not hold both the endorsement key and the attestation key that it claims.`,

  'quote.malformed':
    'Make the quote again: in SPIRE, with the same release of tpm-attestor on agent and server; by hand, with "tpm quote" or tpm2_quote.',
  'quote.magic': `${NODE}: no TPM made these bytes.`,
  'quote.type': `${NODE}: it sent another signed structure as a quote.`,
  'quote.scheme': `${NODE}: its attestation key signs by one fixed scheme only.`,
  'quote.signature': `${NODE}: the quote was altered, or another key signed it.`,
  'quote.commitment': `${NODE}: the quote was made for something else than this challenge or nonce.`,
  'quote.selection': `${NODE}: the quote covers other PCRs than were asked for.`,
  'quote.pcr_values': `${NODE}: PCR values were added, left out or altered.`,
  'quote.pcr_digest': `${NODE}: PCR values were altered on the way.`,
  'quote.qualified_signer': `${NODE}: its attestation key is not in the endorsement hierarchy.`,
};

/** One reason to distrust evidence. */
export interface Finding {
  readonly code: FindingCode;
  /** One sentence for logs, never for the peer. */
  readonly message: string;
  readonly remedy: string;
}
