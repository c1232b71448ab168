/** Decides from revocation lists whether a certificate is revoked (RFC 5280 §6.3). */
import { Buffer } from 'node:buffer';
import { finished, type Pausable } from '../../bytes/pausable.ts';
import { NODE_SIGNATURES, type SignatureSteps } from '../../public-key/signature-steps.ts';
import type { Certificate } from '../certificate.ts';
import { type CertificateRevocationList, readCrl } from '../crl/crl.ts';
import { isNamedBy } from '../crl/crl-scope.ts';
import { contentsOf, type FileContents, type TrustStoreFile, type TrustStoreProblem } from '../file/trust-store.ts';
import { formatName } from '../name.ts';
import { describeSignature, unsoundness } from '../signature-algorithm.ts';
import type { Period } from '../validity.ts';
import { describe, type PathProblem, signatureProblemOf } from './path-rules.ts';

/** Revocation lists from any source. Each counts only for the certificates that its signer's key may revoke. */
export interface CrlSet {
  readonly lists: readonly CertificateRevocationList[];
  /** By canonical issuer, newest first. One name may have any number of keys and lists. */
  readonly byIssuer: ReadonlyMap<string, readonly CertificateRevocationList[]>;
  /**
   * Why the signature of `issuer` on a list does not hold; undefined if it does. The answer is remembered for each key.
   */
  signatureProblem(list: CertificateRevocationList, issuer: Certificate): PathProblem | undefined;
}

/** What the lists say about one certificate. */
export type RevocationStatus =
  /** Not revoked throughout this period. */
  | { readonly status: 'good'; readonly steady: Period }
  | {
      readonly status: 'revoked';
      readonly at: Date;
      /** See `Revocation.reason`. */
      readonly reason: string | undefined;
    }
  /** No reliable list covers the certificate. `why` is for people. */
  | { readonly status: 'unknown'; readonly why: string };

/** Reads revocation lists. Each file holds one list in DER or any number of PEM blocks. */
export function crlsFrom(files: readonly TrustStoreFile[]): {
  readonly crls: CrlSet;
  readonly problems: readonly TrustStoreProblem[];
} {
  const contents = files.map((file) => finished(listsIn(file)));
  return { crls: crlsIn(contents), problems: contents.flatMap(({ problems }) => problems) };
}

export function listsIn(file: TrustStoreFile): Pausable<FileContents<CertificateRevocationList>> {
  return contentsOf(file, 'X509 CRL', readCrl);
}

/** Collects the lists of all files. A list that is there twice counts once. */
export function crlsIn(contents: readonly FileContents<CertificateRevocationList>[], steps?: SignatureSteps): CrlSet {
  const lists = contents.flatMap(({ items }) => items.map((list) => [list.fingerprint, list] as const));
  return crlSetOf([...new Map(lists).values()], steps);
}

/** The most keys of one name whose answer for a list is remembered. */
const MAX_REMEMBERED = 16;

export function crlSetOf(lists: readonly CertificateRevocationList[], steps: SignatureSteps = NODE_SIGNATURES): CrlSet {
  const byIssuer = new Map<string, CertificateRevocationList[]>();
  for (const list of [...lists].sort((a, b) => b.thisUpdate.getTime() - a.thisUpdate.getTime())) {
    const group = byIssuer.get(list.issuer.canonical);
    if (group === undefined) byIssuer.set(list.issuer.canonical, [list]);
    else group.push(list);
  }
  const verdicts = new WeakMap<CertificateRevocationList, Map<string, PathProblem | undefined>>();
  return {
    lists,
    byIssuer,
    signatureProblem(list: CertificateRevocationList, issuer: Certificate): PathProblem | undefined {
      const ofList = verdicts.get(list) ?? new Map<string, PathProblem | undefined>();
      verdicts.set(list, ofList);
      // Remembered by key, not by certificate: a certificate is parsed again for each device that sends it. The key is
      // taken as certified, with its restrictions.
      const key = Buffer.from(issuer.subjectPublicKeyInfo.der).toString('latin1');
      if (!ofList.has(key)) {
        if (ofList.size === MAX_REMEMBERED) ofList.clear();
        // A forged list over SHA-1 could only revoke more. Ignoring an entry of a true list would be worse.
        const allowSha1 = { allowSha1: true };
        ofList.set(
          key,
          signatureProblemOf(list, () => describeList(list), issuer, allowSha1, false, steps),
        );
      }
      return ofList.get(key);
    },
  };
}

/**
 * The revocation status of a certificate (RFC 5280 §6.3).
 *
 * Only lists signed by the issuer's very key count: a name may have several keys. Any such list that names the
 * certificate revokes it, even if the list has expired, is not valid yet, is partial, or is weakly signed. A released
 * hold therefore ends only when the operator removes the lists that name it. Otherwise the certificate is good if a
 * list is current, complete, soundly signed, and its signer may sign lists. The newest such list counts.
 *
 * An indirect list of a CA further up revokes what it names by issuer and serial number: that CA could also revoke the
 * issuer. It makes a certificate good only if the certificate names the list (§6.3.3 (b)).
 *
 * @param issuer the CA above the certificate, in a path whose signatures hold
 * @param above the CAs above the issuer
 * @throws {TypeError} if `now` is an invalid date, or `issuer` is not the certificate's issuer
 */
export function revocationOf(
  certificate: Certificate,
  issuer: Certificate,
  crls: CrlSet,
  now: Date,
  above: readonly Certificate[] = [],
): RevocationStatus {
  // Every comparison with an invalid date is false.
  if (Number.isNaN(now.getTime())) throw new TypeError('now is an invalid date');
  // A serial number has no meaning in the list of another issuer.
  if (certificate.issuer.canonical !== issuer.subject.canonical) {
    throw new TypeError(`${describe(certificate)} was not issued by ${describe(issuer)}`);
  }
  const named = crls.byIssuer.get(issuer.subject.canonical) ?? [];
  const problems = new Map(named.map((list) => [list, crls.signatureProblem(list, issuer)]));
  // tooth A64 [problems.get(list) === undefined -> ['bad_signature', undefined].includes(problems.get(list)?.code)]:
  //   anybody may write a list under the name of a CA
  const signed = named.filter((list) => problems.get(list) === undefined);
  const indirect = above.flatMap((ca) => indirectLists(ca, crls));
  // tooth A64 [[...signed, ...indirect] -> [...signed, ...indirect].filter((one) => isCurrent(one, now))]: an ended
  //   list revokes nothing
  for (const list of [...signed, ...indirect]) {
    // tooth A64 [list.speaksForOthers -> faultOf(list) !== undefined]: a partial or weakly signed list revokes nothing
    // tooth A64 [list.speaksForOthers -> false]: a list of other certificates revokes by its numbers
    const found = list.speaksForOthers ? undefined : list.find(certificate.serial, certificate.issuer.canonical);
    if (found !== undefined) return { status: 'revoked', ...found };
  }
  // tooth A64 [false]: a CA may sign lists that may not
  const mayNotSign = issuer.keyUsage?.has('cRLSign') === false;
  // tooth A64 [faultOf(list) === undefined -> faultOf(list)?.startsWith('is signed') !== true]: a part of a list tells
  //   that a certificate is good
  const own = mayNotSign ? [] : signed.filter((list) => faultOf(list) === undefined);
  const theirs = [issuer, ...above]
    .filter((ca) => ca.keyUsage?.has('cRLSign') !== false)
    .flatMap((ca) => indirectLists(ca, crls));
  const usable = [...own, ...theirs.filter((list) => isWholeFor(certificate, list))].sort(
    (a, b) => startOf(b) - startOf(a),
  );
  // tooth A64 [usable[0]]: a list that has ended, or not begun, tells that a certificate is good
  const deciding = usable.find((list) => isCurrent(list, now));
  if (deciding !== undefined) return { status: 'good', steady: steadyOf(deciding, usable, now) };
  if (usable.length === 0 && named.length === 0) return unknown(`no revocation list of ${describe(issuer)} is known`);
  if (usable.length === 0 && signed.length === 0) return unknown(mostTelling([...problems.values()]));
  if (usable.length === 0 && mayNotSign) return unknown(`${describe(issuer)} may not sign revocation lists`);
  return unknown(whyNone(usable, signed, now));
}

/** The indirect lists of a CA that its very key signed. */
function indirectLists(ca: Certificate, crls: CrlSet): readonly CertificateRevocationList[] {
  const named = crls.byIssuer.get(ca.subject.canonical) ?? [];
  return named.filter((list) => list.scope.indirect && crls.signatureProblem(list, ca) === undefined);
}

/** Whether an indirect list covers the certificate, so that its absence from the list means "not revoked". */
function isWholeFor({ extensions }: Certificate, list: CertificateRevocationList): boolean {
  const isSound = unsoundness(list.signatureAlgorithm) === undefined && list.unusableForNamers === undefined;
  return isSound && isNamedBy(extensions, list.scope, list.issuer);
}

const unknown = (why: string): RevocationStatus => ({ status: 'unknown', why });

const startOf = ({ thisUpdate }: CertificateRevocationList): number => thisUpdate.getTime();
/** A list without nextUpdate ends when it begins. */
const endOf = ({ thisUpdate, nextUpdate = thisUpdate }: CertificateRevocationList): number => nextUpdate.getTime();

function isCurrent(list: CertificateRevocationList, now: Date): boolean {
  return startOf(list) <= now.getTime() && now.getTime() <= endOf(list);
}

/** The period in which the list is current and no newer list begins. */
function steadyOf(
  deciding: CertificateRevocationList,
  usable: readonly CertificateRevocationList[],
  now: Date,
): Period {
  const starts = usable.map(startOf).filter((start) => start > now.getTime());
  return { from: startOf(deciding), until: Math.min(endOf(deciding), ...starts.map((start) => start - 1)) };
}

/** Why a list cannot show that a certificate is good; undefined if it can. */
function faultOf({ unusable, signatureAlgorithm }: CertificateRevocationList): string | undefined {
  // tooth A64 [true]: a list over SHA-1 tells that a certificate is good
  if (unsoundness(signatureAlgorithm) === undefined) return unusable;
  return `is signed with ${describeSignature(signatureAlgorithm)}`;
}

/** The most useful problem: any problem except "signed by another key", if there is one. */
function mostTelling(problems: readonly (PathProblem | undefined)[]): string {
  const told = problems.filter((problem) => problem !== undefined);
  return (told.find(({ code }) => code !== 'bad_signature') ?? told[0])?.message ?? '';
}

/** Why no list decides. `usable` and `signed` are sorted newest first, and no list of `usable` is current. */
function whyNone(
  usable: readonly CertificateRevocationList[],
  signed: readonly CertificateRevocationList[],
  now: Date,
): string {
  const latest = usable.find((list) => startOf(list) <= now.getTime());
  if (latest !== undefined) return `${describeList(latest)} ended at ${new Date(endOf(latest)).toISOString()}`;
  const next = usable.at(-1);
  if (next !== undefined) return `${describeList(next)} is not valid before ${next.thisUpdate.toISOString()}`;
  const [newest] = signed;
  return newest === undefined ? '' : `${describeList(newest)} ${faultOf(newest)}`;
}

/** Names a list for people: `revocation list 029d of "C=US, …"`. */
function describeList({ number, issuer }: CertificateRevocationList): string {
  const which = number === undefined ? '' : ` ${number}`;
  return `revocation list${which} of "${formatName(issuer)}"`;
}
