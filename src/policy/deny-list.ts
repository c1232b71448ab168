/** The file of `deny_path`: machines to keep out, by the hash of their EK or the serial number of its certificate. */
import { hash as digestOf } from 'node:crypto';
import { hex } from '../bytes/bytes.ts';
import { atOnce, type Steps } from '../files/steps.ts';
import type { DenySubject } from '../verifier/policy.ts';
import { DigestTable } from './digest-table.ts';
import { readTextList } from './text-list.ts';

const PUB_HASH = /^(?:pub_hash:)?([0-9a-f]{64})$/i;
/** Octets as certificate viewers show them, with or without colons. */
const SERIAL = /^serial:((?:[0-9a-f]{2}:?)*[0-9a-f]{1,2})$/i;

export interface DenyList {
  readonly isDenied: (subject: DenySubject) => boolean;
  /** Some entry is a serial number, which a node that sends no certificate does not show. */
  readonly namesSerials: boolean;
  /** Lines that name a machine. */
  readonly count: number;
  /** SHA-256 of the file. */
  readonly digest: string;
}

/**
 * A line is a hash, or `serial:` and hexadecimal digits, and nothing beside it but a comment. Any other is an error: who
 * wrote it wants somebody kept out, and nobody would be, or who has the first octets of that number.
 *
 * @throws Error of node:fs, or one that names the lines
 */
export function readDenyList(denyPath: string): DenyList {
  return atOnce(denyList(denyPath));
}

/** @throws as `readDenyList` */
export function* denyList(denyPath: string): Steps<DenyList> {
  const hashes = new DigestTable();
  // By their digests, which are of one size whatever the numbers are.
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
      `${problem} can deny no machine; write 64 hexadecimal digits, or "serial:" and hexadecimal digits, with names behind a #`,
    );
  yield* hashes.seal();
  yield* serials.seal();
  const isDenied = ({ pubHash, serial }: DenySubject): boolean =>
    hashes.has(Buffer.from(pubHash, 'hex')) || (serial !== undefined && serials.has(digestOfSerial(hex(serial))));
  return { isDenied, namesSerials: serials.count > 0, count: hashes.count + serials.count, digest };
}

/** Some CAs write leading zeros and some viewers drop them. */
function digestOfSerial(digits: string): Uint8Array {
  // tooth lists [digits.toLowerCase().replace(/^0+(?=.)/, '') -> digits]: leading zeros and capitals count in a serial
  //   number
  return digestOf('sha256', digits.toLowerCase().replace(/^0+(?=.)/, ''), 'buffer');
}
