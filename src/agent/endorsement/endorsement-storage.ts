/**
 * Reads what the manufacturer stored in the TPM about its endorsement keys: certificates, their chain, and templates
 * and nonces that differ from the default. An unusable index is skipped with a note, so that the others can still be
 * used.
 */
import { concat } from '../../bytes/bytes.ts';
import { MalformedError } from '../../bytes/malformed.ts';
import type { TpmCommands } from '../../tpm/device/commands.ts';
import { EK_CHAIN_INDICES } from '../../tpm/ek-nv-indices.ts';
import { decode } from '../../tpm/structures/codec.ts';
import { type TpmtPublic, tpmtPublic } from '../../tpm/structures/public.ts';
import type { EkTemplate } from '../../tpm/templates.ts';
import { parseCertificate } from '../../x509/certificate.ts';
import { looksLikePem, readPem } from '../../x509/file/pem.ts';
import { type Intake, takeCertificate, withoutPadding } from '../../x509/intake.ts';
import { MalformedCertificateError } from '../../x509/malformed-certificate.ts';
import { type Chain, type ChainPart, chainOf } from './endorsement-chain.ts';
import { obstacleNote } from './nv-access.ts';
import { handlesIn, type NvContents } from './nv-index.ts';
import { type NvNote, nvNoteText } from './nv-note.ts';

/** The TPM has no usable endorsement key, or an interposer on its bus is suspected. */
export class EndorsementError extends Error {
  override readonly name: string = 'EndorsementError';
  readonly code: 'ERR_ENDORSEMENT' = 'ERR_ENDORSEMENT' as const;
}

/** The state of the certificate index of one template. */
export type CertificateIndex =
  | { readonly state: 'absent' }
  /** Empty, or all bytes 00 or all ff: the index was defined and never filled. */
  | { readonly state: 'reserved' }
  | ({ readonly state: 'certificate' } & Intake)
  /** Unusable, for the reason in its note. */
  | { readonly state: 'passed_over' }
  /** Only the owner may read it, and the owner hierarchy refuses us. The key is still used. */
  | { readonly state: 'withheld' };

const ABSENT = { state: 'absent' } as const;

export class EndorsementStorage {
  readonly #run: TpmCommands;
  readonly #nv: NvContents;
  readonly #notes: Map<number, NvNote> = new Map();
  /** Read once, when it is first needed. */
  #chain: Promise<Chain> | undefined;

  constructor(run: TpmCommands, nv: NvContents) {
    this.#run = run;
    this.#nv = nv;
  }

  /** Notes about the indices read so far, ascending. */
  get notes(): readonly NvNote[] {
    return [...this.#notes.values()].sort((a, b) => a.index - b.index);
  }

  note(note: NvNote): void {
    this.#notes.set(note.index, note);
  }

  async certificate({ certificateNvIndex: index }: EkTemplate): Promise<CertificateIndex> {
    const record = await this.#nv.read(index);
    if (record.state === 'absent') return ABSENT;
    if (record.state === 'unreadable') {
      this.note(obstacleNote(index, record.obstacle));
      return { state: record.obstacle === 'owner_password' ? 'withheld' : 'passed_over' };
    }
    try {
      const stored = storedCertificate(record.bytes);
      if (stored === undefined) return { state: 'reserved' };
      parseCertificate(stored.der);
      if (stored.oddities.includes('PEM') && !this.#notes.has(index)) this.note({ index, ...AS_PEM });
      return { state: 'certificate', ...stored };
    } catch (error) {
      if (!(error instanceof MalformedCertificateError)) throw error;
      this.#noteMalformed(index, 'certificate', error.message);
      return { state: 'passed_over' };
    }
  }

  /** The certificates above the EK certificate; some TPMs store the EK certificate there, too. */
  chain(): Promise<Chain> {
    this.#chain ??= this.#readChain();
    return this.#chain;
  }

  async #readChain(): Promise<Chain> {
    const parts: (ChainPart | undefined)[] = [];
    for (const index of await handlesIn(this.#run, EK_CHAIN_INDICES.first, EK_CHAIN_INDICES.last)) {
      const record = await this.#nv.read(index);
      if (record.state === 'contents') parts.push({ index, bytes: record.bytes });
      // Marks a gap, so that no certificate is read across it.
      else parts.push(undefined);
      if (record.state === 'unreadable') this.note(obstacleNote(index, record.obstacle));
    }
    return chainOf(parts, (index, message) => this.#noteMalformed(index, 'certificate chain', message));
  }

  /**
   * The public area that the key is made from: the template of the TCG, or one that the manufacturer stored. A stored
   * nonce goes into its `unique` (EK Credential Profile 2.6, 2.2.1.4 and 2.2.1.5).
   *
   * @throws EndorsementError when only the owner may read an index: its contents may lead to another key
   */
  async creationTemplate(template: EkTemplate): Promise<TpmtPublic> {
    const { templateNvIndex, nonceNvIndex, publicArea, algorithm } = template;
    const stored = await this.#making(templateNvIndex, (bytes) => {
      const area = decode(tpmtPublic, bytes);
      if (area.type !== algorithm) throw new MalformedError('TPMT_PUBLIC.type', 0, `${area.type} key`);
      return area;
    });
    const base = stored ?? publicArea;
    if (nonceNvIndex === undefined) return base;
    return (await this.#making(nonceNvIndex, (nonce) => withNonce(base, nonce))) ?? base;
  }

  async #making(index: number, read: (bytes: Uint8Array) => TpmtPublic): Promise<TpmtPublic | undefined> {
    const record = await this.#nv.read(index);
    if (record.state === 'absent') return undefined;
    if (record.state === 'unreadable') {
      const note = obstacleNote(index, record.obstacle);
      this.note(note);
      if (record.obstacle === 'owner_password') throw new EndorsementError(nvNoteText(note));
      return undefined;
    }
    try {
      return read(record.bytes);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#noteMalformed(index, 'template or nonce of an endorsement key', error.message);
      return undefined;
    }
  }

  #noteMalformed(index: number, what: string, reason: string): void {
    this.note({
      index,
      code: 'malformed',
      message: `holds no ${what} and is ignored: ${reason}`,
      remedy: 'Restore what the manufacturer had stored there, or undefine it.',
    });
  }
}

const AS_PEM: Omit<NvNote, 'index'> = {
  code: 'pem',
  message: 'holds its certificate as PEM text, which other software does not read',
  remedy: 'Write it there as DER.',
};

/** Undefined when the index was never filled. @throws MalformedCertificateError */
function storedCertificate(stored: Uint8Array): Intake | undefined {
  const [first] = stored;
  if (first === undefined) return undefined;
  if ((first === 0x00 || first === 0xff) && stored.every((byte) => byte === first)) return undefined;
  if (!looksLikePem(stored)) return copied(takeCertificate(stored));
  const [block] = readPem(withoutPadding(stored));
  // `readPem` returns at least one block here, because the text has a BEGIN line.
  return { der: takeCertificate(block?.der ?? new Uint8Array()).der, oddities: ['PEM'] };
}

function copied({ der, oddities }: Intake): Intake {
  return { der: der.slice(), oddities };
}

/** Puts the nonce at the start of `unique`, for ECC of its x, and fills the rest with zeros. */
function withNonce(publicArea: TpmtPublic, nonce: Uint8Array): TpmtPublic {
  const filled = (bytes: number): Uint8Array => {
    if (nonce.length > bytes) throw new MalformedError('nonce', 0, `longer than ${bytes} bytes`);
    return concat(nonce, new Uint8Array(bytes - nonce.length));
  };
  if (publicArea.type === 'rsa') return { ...publicArea, unique: filled(publicArea.parameters.keyBits / 8) };
  if (publicArea.type === 'ecc') return { ...publicArea, unique: { x: filled(32), y: new Uint8Array(32) } };
  return publicArea;
}
