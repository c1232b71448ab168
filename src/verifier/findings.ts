/** Every reason to distrust evidence: a stable code, and what the operator of the node or server can do. Pure. */

const NODE = 'Distrust this node until it is explained';

/** Codes are stable: none is renamed or takes another meaning. New checks bring new codes. */
export type FindingCode =
  | 'evidence.malformed'
  | 'evidence.wire'
  | 'evidence.version'
  | 'evidence.trust_domain'
  | 'ek.malformed'
  | 'ek.template'
  | 'ek.algorithm'
  | 'ek.template_not_accepted'
  | 'ek.weak_key'
  | 'ek.roca'
  | 'ek.denied'
  | 'ek.key_mismatch'
  | 'ek.no_certificate'
  | 'ek.not_listed'
  | 'ek.certificate_malformed'
  | 'ek.unknown_issuer'
  | 'ek.chain'
  | 'ek.expired'
  | 'ek.not_yet_valid'
  | 'ek.weak_signature'
  | 'ek.critical_extension'
  | 'ek.usage'
  | 'ek.revoked'
  | 'ek.revocation_unknown'
  | 'ek.profile'
  | 'ek.tpm_family'
  | 'ek.gce_profile'
  | 'ek.software_tpm'
  | 'ek.manufacturer'
  | 'ek.model'
  | 'ek.firmware'
  | 'ak.malformed'
  | 'ak.not_resident'
  | 'ak.unrestricted'
  | 'ak.attributes'
  | 'ak.scheme'
  | 'ak.name_algorithm'
  | 'ak.weak_key'
  | 'ak.roca'
  | 'creation.malformed'
  | 'creation.magic'
  | 'creation.type'
  | 'creation.scheme'
  | 'creation.signature'
  | 'creation.name'
  | 'creation.data'
  | 'pcr.bank'
  | 'response.malformed'
  | 'response.late'
  | 'response.other_exchange'
  | 'credential.secret'
  | 'quote.malformed'
  | 'quote.magic'
  | 'quote.type'
  | 'quote.scheme'
  | 'quote.signature'
  | 'quote.commitment'
  | 'quote.selection'
  | 'quote.pcr_values'
  | 'quote.pcr_digest'
  | 'quote.qualified_signer';

/** For each code what the operator can do: one instruction or two. */
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

/** One reason to distrust evidence. */
export interface Finding {
  /** Stable. */
  readonly code: FindingCode;
  /** One sentence; for logs, never for the peer. */
  readonly message: string;
  readonly remedy: string;
}
