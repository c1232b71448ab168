/** TPMS_ATTEST: what a TPM signs about itself (TPM 2.0 Library Part 2, 10.12). */
import { tpm2bData, tpm2bDigest, tpm2bName } from './buffers.ts';
import { type Codec, selector, struct, tpm2b, u16, u32, u64, yesNo } from './codec.ts';
import { TPM_GENERATED, TPM_ST } from './constants.ts';
import { type TpmlPcrSelection, tpmlPcrSelection } from './pcr.ts';

/**
 * TPMS_CLOCK_INFO (10.11.1). The TPM obfuscates the counters unless the key is in the endorsement or platform
 * hierarchy.
 */
export interface TpmsClockInfo {
  /** Milliseconds that the TPM has been powered since it was last cleared. */
  readonly clock: bigint;
  readonly resetCount: number;
  readonly restartCount: number;
  /** False when the clock may have gone back after a disorderly shutdown. */
  readonly safe: boolean;
}

/** The fields at the start of a TPMS_ATTEST of any type. */
export interface AttestHeader {
  readonly qualifiedSigner: Uint8Array;
  readonly extraData: Uint8Array;
  readonly clockInfo: TpmsClockInfo;
  readonly firmwareVersion: bigint;
}

/** The contents of each type of attestation: TPMU_ATTEST (Part 2, 10.12). */
export interface AttestedByType {
  readonly quote: { readonly pcrSelect: TpmlPcrSelection; readonly pcrDigest: Uint8Array };
  readonly certify: { readonly name: Uint8Array; readonly qualifiedName: Uint8Array };
  readonly creation: { readonly objectName: Uint8Array; readonly creationHash: Uint8Array };
  readonly time: { readonly time: bigint; readonly clockInfo: TpmsClockInfo; readonly firmwareVersion: bigint };
  readonly commandAudit: {
    readonly auditCounter: bigint;
    readonly digestAlg: number;
    readonly auditDigest: Uint8Array;
    readonly commandDigest: Uint8Array;
  };
  readonly sessionAudit: { readonly exclusiveSession: boolean; readonly sessionDigest: Uint8Array };
  readonly nv: { readonly indexName: Uint8Array; readonly offset: number; readonly nvContents: Uint8Array };
  readonly nvDigest: { readonly indexName: Uint8Array; readonly nvDigest: Uint8Array };
}

/** TPMI_ST_ATTEST by name. */
export type AttestType = keyof AttestedByType;

/** TPMS_ATTEST (Part 2, 10.12); `type` says which form `attested` has. */
export type TpmsAttest = {
  readonly [T in AttestType]: AttestHeader & { readonly type: T; readonly attested: AttestedByType[T] };
}[AttestType];

/** The TPMS_ATTEST that TPM2_Quote signs. */
export type QuoteAttest = Extract<TpmsAttest, { type: 'quote' }>;

const clockInfo: Codec<TpmsClockInfo> = struct('TPMS_CLOCK_INFO', {
  clock: u64,
  resetCount: u32,
  restartCount: u32,
  safe: yesNo,
});

const header: Codec<AttestHeader> = struct('TPMS_ATTEST', {
  qualifiedSigner: tpm2bName,
  extraData: tpm2bData,
  clockInfo,
  firmwareVersion: u64,
});

const attestType: Codec<AttestType> = selector('TPMI_ST_ATTEST', {
  nv: TPM_ST.ATTEST_NV,
  commandAudit: TPM_ST.ATTEST_COMMAND_AUDIT,
  sessionAudit: TPM_ST.ATTEST_SESSION_AUDIT,
  certify: TPM_ST.ATTEST_CERTIFY,
  quote: TPM_ST.ATTEST_QUOTE,
  time: TPM_ST.ATTEST_TIME,
  creation: TPM_ST.ATTEST_CREATION,
  nvDigest: TPM_ST.ATTEST_NV_DIGEST,
});

const bodies: { readonly [T in AttestType]: Codec<AttestedByType[T]> } = {
  quote: struct('TPMS_QUOTE_INFO', { pcrSelect: tpmlPcrSelection, pcrDigest: tpm2bDigest }),
  certify: struct('TPMS_CERTIFY_INFO', { name: tpm2bName, qualifiedName: tpm2bName }),
  creation: struct('TPMS_CREATION_INFO', { objectName: tpm2bName, creationHash: tpm2bDigest }),
  time: struct('TPMS_TIME_ATTEST_INFO', { time: u64, clockInfo, firmwareVersion: u64 }),
  commandAudit: struct('TPMS_COMMAND_AUDIT_INFO', {
    auditCounter: u64,
    digestAlg: u16,
    auditDigest: tpm2bDigest,
    commandDigest: tpm2bDigest,
  }),
  sessionAudit: struct('TPMS_SESSION_AUDIT_INFO', { exclusiveSession: yesNo, sessionDigest: tpm2bDigest }),
  nv: struct('TPMS_NV_CERTIFY_INFO', {
    indexName: tpm2bName,
    offset: u16,
    nvContents: tpm2b('TPM2B_MAX_NV_BUFFER', 2048),
  }),
  nvDigest: struct('TPMS_NV_DIGEST_CERTIFY_INFO', { indexName: tpm2bName, nvDigest: tpm2bDigest }),
};

/** Rejects bytes that do not begin with TPM_GENERATED_VALUE. */
export const tpmsAttest: Codec<TpmsAttest> = {
  name: 'TPMS_ATTEST',
  read: (r) => {
    const magic = r.within('magic', u32.read);
    // tooth A08: signed bytes without TPM_GENERATED_VALUE are accepted
    if (magic !== TPM_GENERATED) throw r.malformed(`magic 0x${magic.toString(16)} is not TPM_GENERATED_VALUE`, 0);
    const type = r.within('type', attestType.read);
    const { qualifiedSigner, extraData, clockInfo, firmwareVersion } = header.read(r);
    const attested = r.within('attested', bodies[type].read as Codec<AttestedByType[AttestType]>['read']);
    return { type, qualifiedSigner, extraData, clockInfo, firmwareVersion, attested } as TpmsAttest;
  },
  write: (w, value) => {
    w.u32(TPM_GENERATED);
    attestType.write(w, value.type);
    header.write(w, value);
    (bodies[value.type] as Codec<AttestedByType[AttestType]>).write(w, value.attested);
  },
};
