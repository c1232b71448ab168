/** The file of `deny_path`: machines to keep out, by the hash of their EK or the serial number of its certificate. */
import { hex } from '../tpm/bytes.ts';
import type { DenySubject } from '../verifier/policy.ts';
import { readTextList } from './text-list.ts';

const PUB_HASH = /^(?:pub_hash:)?([0-9a-f]{64})$/i;
/** Octets as certificate viewers show them, with or without colons. */
const SERIAL = /^serial:((?:[0-9a-f]{2}:?)*[0-9a-f]{1,2})$/i;

export interface DenyList {
  readonly isDenied: (subject: DenySubject) => boolean;
  /** Some entry is a serial number, which a node that sends no certificate does not show. */
  readonly namesSerials: boolean;
}

/**
 * A line is a hash, or `serial:` and hexadecimal digits, and nothing beside it but a comment. Any other is an error: who
 * wrote it wants somebody kept out, and nobody would be, or who has the first octets of that number.
 *
 * @throws Error of node:fs, or one that names the lines
 */
export function readDenyList(denyPath: string): DenyList {
  const { entries, problem } = readTextList(denyPath, (line) => {
    const hash = PUB_HASH.exec(line)?.[1];
    if (hash !== undefined) return { hash: hash.toLowerCase() };
    const serial = SERIAL.exec(line)?.[1];
    return serial === undefined ? undefined : { serial: magnitude(serial.replaceAll(':', '')) };
  });
  if (problem !== undefined)
    throw new Error(
      `${problem} is no entry: one is 64 hexadecimal digits, or "serial:" and hexadecimal digits, with names behind a #`,
    );
  const hashes = new Set(entries.flatMap((entry) => ('hash' in entry ? [entry.hash] : [])));
  const serials = new Set(entries.flatMap((entry) => ('serial' in entry ? [entry.serial] : [])));
  const isDenied = ({ pubHash, serial }: DenySubject): boolean =>
    hashes.has(pubHash) || (serial !== undefined && serials.has(magnitude(hex(serial))));
  return { isDenied, namesSerials: serials.size > 0 };
}

/** Some CAs write leading zeros and some viewers drop them. */
function magnitude(digits: string): string {
  return digits.toLowerCase().replace(/^0+(?=.)/, '');
}
