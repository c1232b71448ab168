/** Reads the file of `deny_path`, which lists machines to refuse by EK hash or by certificate serial number. */
import { hash as digestOf } from 'node:crypto';
import { hex } from '../bytes/bytes.ts';
import { atOnce, type Steps } from '../files/steps.ts';
import type { DenySubject } from '../verifier/policy.ts';
import { DigestTable } from './digest-table.ts';
import { readTextList } from './text-list.ts';

const PUB_HASH = /^(?:pub_hash:)?([0-9a-f]{64})$/i;
/** Hexadecimal octets with or without colons, as certificate viewers print them. */
const SERIAL = /^serial:((?:[0-9a-f]{2}:?)*[0-9a-f]{1,2})$/i;

export interface DenyList {
  readonly isDenied: (subject: DenySubject) => boolean;
  /** Whether an entry is a serial number. A node that sends no certificate evades it. */
  readonly namesSerials: boolean;
  /** The number of entries. */
  readonly count: number;
  /** SHA-256 of the file. */
  readonly digest: string;
}

/**
 * Reads a deny list. A line is a hash, or `serial:` and hexadecimal digits, with an optional comment. Any other line is
 * an error: if it were ignored, the machine that the operator wants to deny would be admitted. If it were cut, another
 * machine could be denied.
 *
 * @throws Error of node:fs, or one that names the wrong lines
 */
export function readDenyList(denyPath: string): DenyList {
  return atOnce(denyList(denyPath));
}

/** @throws as `readDenyList` */
export function* denyList(denyPath: string): Steps<DenyList> {
  const hashes = new DigestTable();
  // Serial numbers are stored by their digests, which all have one size.
  const serials = new DigestTable();
  const { problem, digest } = yield* readTextList(denyPath, hashes, (line) => {
    // tooth lists [exec(line) -> exec(line.split(/\s/)[0] ?? '')]: whatever follows a hash is a name
    const hash = PUB_HASH.exec(line)?.[1];
    if (hash !== undefined) {
      // tooth lists [Buffer.from(hash, 'hex') -> Buffer.from(hash.replace(/[A-F]/g, '0'), 'hex')]: a hash in capitals
      //   denies nobody
      hashes.add(Buffer.from(hash, 'hex'));
      return true;
    }
    const serial = SERIAL.exec(line)?.[1];
    if (serial === undefined) return false;
    serials.add(digestOfSerial(serial.replaceAll(':', '')));
    return true;
  });
  // tooth reload: a bad line of the deny list is overlooked
  if (problem !== undefined)
    throw new Error(
      `${problem} can deny no machine; write 64 hexadecimal digits, or "serial:" and hexadecimal digits, with names after a #`,
    );
  yield* hashes.seal();
  yield* serials.seal();
  const isDenied = ({ pubHash, serial }: DenySubject): boolean =>
    hashes.has(Buffer.from(pubHash, 'hex')) || (serial !== undefined && serials.has(digestOfSerial(hex(serial))));
  return { isDenied, namesSerials: serials.count > 0, count: hashes.count + serials.count, digest };
}

/** Ignores leading zeros: some CAs write them, and some viewers drop them. */
function digestOfSerial(digits: string): Uint8Array {
  // tooth lists [digits.toLowerCase().replace(/^0+(?=.)/, '') -> digits]: leading zeros and capitals count in a serial
  //   number
  return digestOf('sha256', digits.toLowerCase().replace(/^0+(?=.)/, ''), 'buffer');
}
