/** The shapes of chain that most TPMs have: minted chains, and real ones when the corpus is present. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseCertificate } from '../src/x509/certificate.ts';
import { readPem } from '../src/x509/file/pem.ts';
import { takeCertificate } from '../src/x509/intake.ts';
import { type NameRecipe, NOW } from '../test/support/certificate-recipe.ts';
import { type KeyAlgorithm, keyPair, mintAuthority, mintEkCertificate, spkiOf } from '../test/support/pki.ts';

export interface EkChain {
  readonly name: string;
  /** DER, like the other certificates below. */
  readonly leaf: Uint8Array;
  /** The leaf's issuer first. */
  readonly intermediates: readonly Uint8Array[];
  readonly root: Uint8Array;
  /** A time at which all certificates are valid. */
  readonly now: Date;
}

interface Shape {
  readonly name: string;
  /** Key of each certificate, leaf first. */
  readonly keys: readonly [KeyAlgorithm, ...KeyAlgorithm[]];
  /** Name of the leaf's file in the corpus. */
  readonly leaf: string;
}

const SHAPES: readonly Shape[] = [
  { name: 'IFX RSA', keys: ['rsa2048', 'rsa2048', 'rsa4096'], leaf: 'infineon-slb9670-rsa2048-234480e4' },
  { name: 'STM RSA', keys: ['rsa2048', 'rsa2048', 'rsa2048', 'rsa2048'], leaf: 'stm-st33htphahb4-rsa2048-73ffb9ae' },
  { name: 'IFX ECC', keys: ['p256', 'p384', 'p384'], leaf: 'infineon-slb9670-p256-dfd310e7' },
  { name: 'STM ECC', keys: ['p256', 'p384', 'p384', 'p384'], leaf: 'stm-st33htphahb4-p256-85f38843' },
  { name: 'NTC', keys: ['p256', 'p256'], leaf: 'nuvoton-npct75x-rsa2048-a-933cdb17' },
];

/** A minted chain of every shape, then a real chain of every shape from the corpus, if it is present. */
export function ekChains(root: URL): readonly EkChain[] {
  const corpus = process.env['TPM_CORPUS_DIR'] ?? fileURLToPath(new URL('../shared/corpus', root));
  const folder = join(corpus, 'ek-certificates');
  const minted = SHAPES.map(({ name, keys }) => ({ ...mintChain(name, keys), name: `${name}, minted` }));
  return [...minted, ...(existsSync(folder) ? realChains(folder) : [])];
}

/** Label of the endorsement key in a minted chain, for every algorithm. */
export const EK_LABEL = 'bench EK';

/** @param keys algorithms of the certificates' keys, leaf first */
export function mintChain(name: string, [leafKey, ...authorityKeys]: Shape['keys']): EkChain {
  const subject = (level: number): NameRecipe => [
    { type: '2.5.4.6', text: 'DE', string: 'printable' },
    { type: '2.5.4.10', text: 'Example Technologies AG' },
    { type: '2.5.4.11', text: 'TPM 2.0' },
    { type: '2.5.4.3', text: `Example TPM ${name} CA ${level}` },
  ];
  const authorities = authorityKeys.map((algorithm, level) => {
    const above = Math.min(level + 1, authorityKeys.length - 1);
    const signer = keyPair(authorityKeys[above] ?? algorithm, `bench ${above}`);
    const names = { subject: subject(level), issuer: subject(above) };
    return mintAuthority('', keyPair(algorithm, `bench ${level}`), { issuer: '', key: signer }, names).der;
  });
  const [issuerKey = leafKey] = authorityKeys;
  const leaf = mintEkCertificate(
    { issuer: '', key: keyPair(issuerKey, 'bench 0') },
    { issuer: subject(0), publicKey: spkiOf(keyPair(leafKey, EK_LABEL).publicKey) },
  );
  return { name, leaf: leaf.der, ...aboveLeaf(authorities), now: NOW };
}

interface Manifest {
  readonly leaves: readonly {
    readonly file: string;
    readonly expected: {
      /** SHA-256 of the CA certificates, the leaf's issuer first. */
      readonly chain: readonly string[] | null;
      readonly validTogether?: readonly [string, string] | null;
    };
  }[];
}

function realChains(folder: string): readonly EkChain[] {
  const authorities = new Map<string, Uint8Array>();
  for (const file of readdirSync(join(folder, 'ca')).filter((name) => name.endsWith('.pem')))
    for (const { der } of readPem(readFileSync(join(folder, 'ca', file))))
      authorities.set(parseCertificate(der).fingerprint, der);
  const { leaves } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Manifest;
  return SHAPES.map((shape) => {
    const file = `leaves/${shape.leaf}.der`;
    const { chain, validTogether } = leaves.find((row) => row.file === file)?.expected ?? {};
    const above = chain?.flatMap((fingerprint) => authorities.get(fingerprint) ?? []) ?? [];
    if (above.length !== shape.keys.length - 1) throw new Error(`the corpus has another chain above ${file}`);
    const leaf = takeCertificate(readFileSync(join(folder, file))).der;
    return { name: `${shape.name}, real`, leaf, ...aboveLeaf(above), now: new Date(validTogether?.[0] ?? Number.NaN) };
  });
}

function aboveLeaf(authorities: readonly Uint8Array[]): Pick<EkChain, 'intermediates' | 'root'> {
  const root = authorities.at(-1);
  if (root === undefined) throw new RangeError('the chain has no CA');
  return { intermediates: authorities.slice(0, -1), root };
}
