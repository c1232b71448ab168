/** A note for the operator about an NV index that is unusable, or that other software cannot read. */
import { hex } from '../../bytes/bytes.ts';

export type NvNoteCode = 'unwritten' | 'unreadable' | 'owner_password' | 'malformed' | 'other_key' | 'pem';

export interface NvNote {
  readonly index: number;
  readonly code: NvNoteCode;
  /** The predicate after the name of the index: `is locked against reading`. */
  readonly message: string;
  /** An instruction, one sentence. */
  readonly remedy: string;
  /** pub_hash of the key that the certificate in the index is for, when it is the wrong key. */
  readonly certifiedHash?: string;
}

/** `NV index 0x01c00002` */
export function nvName(index: number): string {
  return `NV index 0x${hex(Uint8Array.of(index >>> 24, index >>> 16, index >>> 8, index))}`;
}

/** One line for a log or a terminal. */
export function nvNoteText({ index, message, remedy }: NvNote): string {
  return `${nvName(index)} ${message}. ${remedy}`;
}
