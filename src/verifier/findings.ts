/** Every reason to distrust evidence: a stable code, what it means, and what an operator can do. Pure. */

const NODE = 'Distrust this node until it is explained';

/** What each finding says, in a sentence: the list of codes, and what docs/trust.md has of them. */
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

export type FindingCode = keyof typeof MEANINGS;

export const REMEDIES: Readonly<Record<FindingCode, string>> = {
  'evidence.malformed': 'Make the evidence anew, by the same release of tpm-attestor on agent and server.',
  'evidence.wire':
    'Run the agent plugin of tpm-attestor on this node; until then, set wire = "spire-tpm-plugin" on the server.',
  'evidence.version': 'Upgrade the older of agent and server.',
  'evidence.trust_domain': 'Set the same trust_domain in the SPIRE configuration of agent and server.',

  'ek.malformed': 'Run the same release of tpm-attestor on agent and server.',
  'ek.template': 'The TPM must offer an endorsement key of a TCG template (L-1, L-2, H-1 to H-4, H-6, H-7).',
  'ek.algorithm':
    'Set ek on the agent to an accepted kind, or add this kind to ek_algorithms on the server. Add a template other than L-1 and L-2 to ek_templates as well.',
  'ek.template_not_accepted':
    'Set ek on the agent to a kind whose key is accepted, or add this template to ek_templates on the server: "ek doctor" on the node prints the lines.',
  'ek.weak_key': 'Use an endorsement key of at least RSA-2048 or on P-256, P-384, P-521.',
  'ek.roca':
    "Update the TPM's firmware as its manufacturer says (CVE-2017-15361), make new keys, and distrust the old ones.",
  'ek.denied': 'Remove the entry from deny_path if this machine is to be admitted again.',
  'ek.key_mismatch': `The certificate is for another key. ${NODE}; a copied certificate looks like this.`,
  'ek.no_certificate': 'List the pub_hash of this TPM in hash_path: it has no certificate to judge it by.',
  'ek.not_listed':
    'List the pub_hash of this TPM in hash_path, or let the CAs of its manufacturer vouch for it, with mode = "either".',
  'ek.certificate_malformed': 'Read the certificate with a certificate viewer; list the pub_hash in hash_path instead.',
  'ek.unknown_issuer':
    'If this is a TPM of yours, add the CA that issued its certificate, and those above it, to ca_path, or that of a bundle.',
  'ek.chain': "Check the CA certificates in ca_path against those the TPM's manufacturer publishes.",
  'ek.expired':
    'List the pub_hash in hash_path. Where it is the endorsement certificate that expired, allow_expired_ek overlooks it.',
  'ek.not_yet_valid': 'Set the clock of the server right; where it has none at boot, there is allow_not_yet_valid.',
  'ek.weak_signature':
    'List the pub_hash of this TPM in hash_path: a certificate is signed too weakly, or in a way that is not supported. For SHA-1 alone there is allow_sha1_signatures.',
  'ek.critical_extension':
    'List the pub_hash of this TPM in hash_path: its certificate demands what is not understood.',
  'ek.usage': 'The certificate is not one for an endorsement key; send the endorsement certificate.',
  'ek.revoked': 'Keep this TPM out: its manufacturer has withdrawn a certificate, of the TPM or of a CA above it.',
  'ek.revocation_unknown':
    'Put a current list of the CA that is named into crl_path, or set crl_policy = "warn" where a CA issues none.',
  'ek.profile':
    'List the pub_hash of this TPM in hash_path: its certificate lacks what endorsement certificates state.',
  'ek.tpm_family': 'List the pub_hash in hash_path, or set allow_tpm12 for TPMs that became 2.0 by an update.',
  'ek.gce_profile': 'Set allow_gce_profile only where machines of Google Compute Engine are meant to be admitted.',
  'ek.software_tpm':
    'Set allow_software_tpm, or kind = "software" of a bundle, only where software TPMs are meant to be admitted.',
  'ek.manufacturer':
    'If this CA may vouch for such TPMs, say so by manufacturers, or by kind of its bundle; else distrust the CA.',
  'ek.model': 'If machines with this model are yours, add it to models.',
  'ek.firmware': 'List the pub_hash in hash_path if the firmware was updated since, or lower min_firmware.',

  'ak.malformed': 'Run the same release of tpm-attestor on agent and server.',
  'ak.not_resident': `${NODE}: an honest agent only makes attestation keys that never leave the TPM.`,
  'ak.unrestricted': `${NODE}: an honest agent only makes restricted attestation keys.`,
  'ak.attributes': `${NODE}: an honest agent's attestation key has none of these.`,
  'ak.scheme': 'Use ECDSA, RSASSA or RSAPSS with SHA-256, SHA-384 or SHA-512.',
  'ak.name_algorithm': 'Use a Name algorithm of SHA-256, SHA-384 or SHA-512.',
  'ak.weak_key': 'Use an attestation key of at least RSA-2048 or on P-256, P-384, P-521.',
  'ak.roca': 'Update the TPM\'s firmware as its manufacturer says (CVE-2017-15361), or set ak = "ecc" on the agent.',

  'creation.malformed': `${NODE}: no TPM made this creation certificate.`,
  'creation.magic': `${NODE}: no TPM made these bytes.`,
  'creation.type': `${NODE}: another signed structure was passed off as a creation certificate.`,
  'creation.scheme': `${NODE}: its key signs in one fixed form only.`,
  'creation.signature': `${NODE}: the creation certificate was altered or made by another key.`,
  'creation.name': `${NODE}: the creation certificate is that of another key.`,
  'creation.data': `${NODE}: the creation data are not those that the TPM certified.`,

  'pcr.bank': "Allocate an accepted PCR bank in the firmware's settings, or add one that is allocated to pcrs.",

  'response.malformed': 'Run the same release of tpm-attestor on agent and server.',
  'response.late': "Try again; if it stays, look at the TPM's speed and raise attest_timeout.",
  'response.other_exchange': `${NODE}: an answer to an earlier challenge was sent again.`,
  'credential.secret': `${NODE}: its TPM does not hold both the endorsement and the attestation key it claims.`,

  'quote.malformed':
    'Make the quote anew: in SPIRE by the same release of tpm-attestor on agent and server, by hand with "tpm quote" or tpm2_quote.',
  'quote.magic': `${NODE}: no TPM made these bytes.`,
  'quote.type': `${NODE}: another signed structure was passed off as a quote.`,
  'quote.scheme': `${NODE}: its key signs in one fixed form only.`,
  'quote.signature': `${NODE}: the quote was altered or made by another key.`,
  'quote.commitment': `${NODE}: the quote answers something else than it was asked.`,
  'quote.selection': `${NODE}: the quote covers other PCRs than were asked for.`,
  'quote.pcr_values': `${NODE}: PCR values were added, left out or altered.`,
  'quote.pcr_digest': `${NODE}: PCR values were altered on the way.`,
  'quote.qualified_signer': `${NODE}: its attestation key does not lie in the endorsement hierarchy.`,
};

export interface Finding {
  /** Stable. */
  readonly code: FindingCode;
  /** One sentence; for logs, never for the peer. */
  readonly message: string;
  readonly remedy: string;
}
