/** Makes a revocation list from a recipe, field by field, so that a test can make any field wrong. */
import { Buffer } from 'node:buffer';
import { type KeyObject, sign } from 'node:crypto';
import {
  type CertificateRecipe,
  commonName,
  type ExtensionRecipe,
  extension,
  type NameRecipe,
  name,
  signatureAlgorithm,
} from './certificate-recipe.ts';
import { bitString, boolean, explicit, integer, sequence, time, tlv } from './der-writer.ts';
import { pem } from './pki.ts';

export interface EntryRecipe {
  /** Content of the INTEGER. */
  readonly serial: Uint8Array;
  readonly at?: Date | Uint8Array;
  /** Number of the CRLReason. */
  readonly reason?: number;
  readonly extraExtensions?: readonly ExtensionRecipe[];
}

/** The fields of a list. null leaves a field out. undefined gives it its valid default. */
export interface CrlRecipe {
  /** 1 is version 2. */
  readonly version?: number | null;
  readonly issuer?: NameRecipe;
  readonly signer: KeyObject;
  readonly hash?: NonNullable<CertificateRecipe['hash']>;
  /** AlgorithmIdentifiers in DER. Both default to those of signer and hash. */
  readonly signatureAlgorithm?: Uint8Array;
  readonly innerAlgorithm?: Uint8Array;
  readonly thisUpdate?: Date | Uint8Array;
  readonly nextUpdate?: Date | Uint8Array | null;
  /** Without entries the field is left out, as RFC 5280 requires. */
  readonly revoked?: readonly EntryRecipe[];
  readonly authorityKeyId?: Uint8Array | null;
  readonly number?: number | Uint8Array | null;
  /** Appended after the others. */
  readonly extraExtensions?: readonly ExtensionRecipe[];
  /** Changes the elements of the TBSCertList before they are signed. */
  readonly editTbs?: (elements: Uint8Array[]) => readonly Uint8Array[];
}

/** The default period of all minted lists: a week around the time of the tests. */
export const LIST_PERIOD: { readonly thisUpdate: Date; readonly nextUpdate: Date } = {
  thisUpdate: new Date('2026-05-29T00:00:00Z'),
  nextUpdate: new Date('2026-06-05T00:00:00Z'),
};
export const REVOKED_AT: Date = new Date('2026-03-04T05:06:07Z');

/** Makes the bytes of one list. */
export function mintCrl(recipe: CrlRecipe): Uint8Array {
  const { signer, hash = 'sha256', version = 1, nextUpdate = LIST_PERIOD.nextUpdate, revoked = [] } = recipe;
  const outer = recipe.signatureAlgorithm ?? signatureAlgorithm(signer, hash);
  const extensions = extensionsOf(recipe);
  const elements = [
    ...(version === null ? [] : [integer(version)]),
    recipe.innerAlgorithm ?? outer,
    name(recipe.issuer ?? commonName('Test')),
    moment(recipe.thisUpdate ?? LIST_PERIOD.thisUpdate),
    ...(nextUpdate === null ? [] : [moment(nextUpdate)]),
    ...(revoked.length === 0 ? [] : [sequence(Buffer.concat(revoked.map(entry)))]),
    ...(extensions.length === 0 ? [] : [explicit(0, sequence(...extensions.map(extension)))]),
  ];
  const tbs = sequence(...(recipe.editTbs?.(elements) ?? elements));
  return sequence(tbs, outer, bitString(sign(hash, tbs, signer)));
}

export function entry({ serial, at = REVOKED_AT, reason, extraExtensions = [] }: EntryRecipe): Uint8Array {
  const extensions = [
    ...(reason === undefined ? [] : [{ oid: '2.5.29.21', value: tlv(0x0a, Uint8Array.of(reason)) }]),
    ...extraExtensions,
  ];
  return sequence(
    integer(serial),
    moment(at),
    ...(extensions.length === 0 ? [] : [sequence(...extensions.map(extension))]),
  );
}

function extensionsOf({ authorityKeyId, number = 0x29d, version, extraExtensions = [] }: CrlRecipe): ExtensionRecipe[] {
  const list: ExtensionRecipe[] = [];
  if (authorityKeyId) list.push({ oid: '2.5.29.35', value: sequence(tlv(0x80, authorityKeyId)) });
  // A list of version 1 has no extensions.
  if (number !== null && version !== null) list.push({ oid: '2.5.29.20', value: integer(number) });
  return [...list, ...extraExtensions];
}

const moment = (value: Date | Uint8Array): Uint8Array => (value instanceof Date ? time(value) : value);

/** A critical issuingDistributionPoint with these fields. `{ 4: true }` makes an indirect list. */
export function issuingDistributionPoint(fields: Readonly<Record<number, boolean | Uint8Array>>): ExtensionRecipe {
  const value = sequence(
    ...Object.entries(fields).map(([number, content]) =>
      typeof content === 'boolean'
        ? tlv(0x80 | Number(number), boolean(content).subarray(2))
        : tlv((number === '0' ? 0xa0 : 0x80) | Number(number), content),
    ),
  );
  return { oid: '2.5.29.28', critical: true, value };
}

export const deltaIndicator: ExtensionRecipe = { oid: '2.5.29.27', critical: true, value: integer(1) };

export const crlPem = (...lists: readonly Uint8Array[]): string =>
  pem(...lists).replaceAll(/(BEGIN|END) CERTIFICATE/g, '$1 X509 CRL');

/** A positive serial number of twenty octets, as CAs draw them. Each number gives another one. */
export function longSerial(number: number): Uint8Array {
  const serial = new Uint8Array(20).fill(0x5a);
  new DataView(serial.buffer).setUint32(8, number);
  return serial;
}
