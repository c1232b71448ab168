/** NV indices as the field has them, each of no use for an endorsement key: made by tpm2-tools as their owners made them. */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { keyPair, mintEkChain, pem, spkiOf } from './pki.ts';
import type { SoftwareTpm } from './swtpm.ts';

export interface OddIndex {
  readonly attributes: string;
  readonly password?: string;
  /** Undefined for one that is never written. */
  readonly contents: Uint8Array | undefined;
  /** Of a policy, for TPM2_NV_DefineSpace. */
  readonly policy?: Uint8Array;
  readonly isLocked?: true;
  /** What the note says of it. */
  readonly note: string;
}

const SOUND = 'ppwrite|ppread|ownerread|authread|no_da|platformcreate';
const GARBAGE = new Uint8Array(40).fill(0x42);
const text = (value: string): Uint8Array => Uint8Array.from(Buffer.from(value, 'latin1'));

export type OddIndexKind =
  | 'platform only'
  | 'own password, which counts towards lockout'
  | 'own password, which counts, and owner read'
  | 'own password'
  | 'policy'
  | 'locked'
  | 'never written'
  | 'a PIN that counts its failures'
  | 'garbage'
  | 'PEM text that is no certificate'
  | 'DER that is no certificate'
  | 'a certificate of another key'
  | 'a certificate of another key, as PEM text';

export const ODD_INDICES: Readonly<Record<OddIndexKind, OddIndex>> = {
  'platform only': {
    attributes: 'ppwrite|ppread|platformcreate',
    contents: GARBAGE,
    note: 'only by the platform firmware',
  },
  'own password, which counts towards lockout': {
    attributes: 'ppwrite|ppread|authread|platformcreate',
    password: 'secret',
    contents: GARBAGE,
    note: 'it was not tried',
  },
  'own password, which counts, and owner read': {
    attributes: 'ppwrite|ppread|ownerread|authread|platformcreate',
    password: 'secret',
    contents: GARBAGE,
    note: 'holds no certificate',
  },
  'own password': {
    attributes: 'ppwrite|ppread|authread|no_da|platformcreate',
    password: 'secret',
    contents: GARBAGE,
    note: 'has a password of its own',
  },
  policy: {
    attributes: 'ppwrite|policyread|platformcreate',
    policy: createHash('sha256').digest(),
    contents: GARBAGE,
    note: 'only by a policy',
  },
  locked: { attributes: `${SOUND}|read_stclear`, contents: GARBAGE, isLocked: true, note: 'locked against reading' },
  'never written': { attributes: SOUND, contents: undefined, note: 'was never written' },
  'a PIN that counts its failures': {
    attributes: 'nt=0x8|ppwrite|ppread|authread|no_da|platformcreate',
    password: 'secret',
    contents: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 3),
    note: 'it was not tried',
  },
  garbage: { attributes: SOUND, contents: GARBAGE, note: 'holds no certificate' },
  'PEM text that is no certificate': {
    attributes: SOUND,
    contents: text('-----BEGIN CERTIFICATE-----\nnot base64\n-----END CERTIFICATE-----\n'),
    note: 'holds no certificate',
  },
  'DER that is no certificate': {
    attributes: SOUND,
    contents: Uint8Array.of(0x30, 0x82, 0x00, 0x04, 0x02, 0x02, 0x01, 0x00),
    note: 'holds no certificate',
  },
  'a certificate of another key': {
    attributes: SOUND,
    contents: mintEkChain({ leaf: { publicKey: spkiOf(keyPair('rsa2048', 'another machine').publicKey) } }).leaf.der,
    note: 'holds a certificate for the key with pub_hash ',
  },
  'a certificate of another key, as PEM text': {
    attributes: SOUND,
    contents: text(
      pem(mintEkChain({ leaf: { publicKey: spkiOf(keyPair('rsa2048', 'another machine').publicKey) } }).leaf.der),
    ),
    note: 'holds a certificate for the key with pub_hash ',
  },
};

export async function storeOddIndex(tpm: SoftwareTpm, index: number, kind: OddIndexKind): Promise<void> {
  const { attributes, contents, password, policy, isLocked }: OddIndex = ODD_INDICES[kind];
  const nv = `0x${index.toString(16)}`;
  const file = async (name: string, bytes: Uint8Array): Promise<string> => {
    await writeFile(join(tpm.folder, name), bytes);
    return name;
  };
  await tpm.tpm2('tpm2_nvdefine', [
    ...[nv, '-C', 'p', '-s', `${contents?.length ?? 16}`, '-a', attributes],
    ...(password === undefined ? [] : ['-p', password]),
    ...(policy === undefined ? [] : ['-L', await file('index-policy', policy)]),
  ]);
  if (contents !== undefined) await tpm.tpm2('tpm2_nvwrite', [nv, '-C', 'p', '-i', await file('contents', contents)]);
  if (isLocked === true) await tpm.tpm2('tpm2_nvreadlock', [nv, '-C', 'o']);
}

/** TPM_PT_LOCKOUT_COUNTER. */
export async function lockoutCounter(tpm: SoftwareTpm): Promise<number> {
  const { stdout } = await tpm.tpm2('tpm2_getcap', ['properties-variable']);
  return Number(/TPM2_PT_LOCKOUT_COUNTER:\s*(\S+)/.exec(stdout)?.[1]);
}
