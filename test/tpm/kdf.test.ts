import { describe, expect, test } from 'vitest';
import { hex } from '../../src/bytes/bytes.ts';
import { kdfa, kdfe } from '../../src/tpm/kdf.ts';
import { hashAlgorithmByName } from '../../src/tpm/structures/algorithms.ts';
import { readVectors, unhex } from '../support/vectors.ts';

interface KdfVector {
  readonly kdf: 'KDFa' | 'KDFe';
  readonly hash: string;
  readonly bits: number;
  readonly key: string;
  readonly label: string;
  readonly contextU: string;
  readonly contextV: string;
  readonly derived: string;
}

const { kdf: vectors } = readVectors<{ kdf: readonly KdfVector[] }>('make-credential.json');
const derive = { KDFa: kdfa, KDFe: kdfe };

function hashOf(name: string) {
  const hash = hashAlgorithmByName(name);
  if (hash === undefined) throw new Error(name);
  return hash;
}

test.each(vectors)('$kdf over $hash gives $bits bits as computed independently', (vector) => {
  const { kdf, hash, key, label, contextU, contextV, bits, derived } = vector;
  expect(hex(derive[kdf](hashOf(hash), unhex(key), label, unhex(contextU), unhex(contextV), bits))).toBe(derived);
});

describe.each(['KDFa', 'KDFe'] as const)('%s', (kdf) => {
  const sha256 = hashOf('sha256');
  const [key, u, v] = [unhex('aa'), unhex('0102'), unhex('03')];
  const base = hex(derive[kdf](sha256, key, 'LABEL', u, v, 256));

  test('gives another key for every other input', () => {
    const others = [
      derive[kdf](hashOf('sm3'), key, 'LABEL', u, v, 256),
      derive[kdf](sha256, unhex('ab'), 'LABEL', u, v, 256),
      derive[kdf](sha256, key, 'LABEM', u, v, 256),
      derive[kdf](sha256, key, 'LABE', unhex('4c0102'), v, 256),
      derive[kdf](sha256, key, 'LABEL', unhex('0103'), v, 256),
      derive[kdf](sha256, key, 'LABEL', u, unhex('04'), 256),
    ].map(hex);
    expect(new Set([base, ...others]).size).toBe(others.length + 1);
  });

  test('leaves the bits too many at the top', () => {
    for (let bits = 249; bits <= 256; bits++) {
      const derived = derive[kdf](sha256, key, 'LABEL', u, v, bits);
      expect(derived.length).toBe(32);
      expect((derived[0] ?? 0) >> (bits - 248)).toBe(0);
    }
  });
});

test('a shorter KDFe key is the beginning of a longer one; of KDFa, which hashes the size, it is not', () => {
  const sha256 = hashOf('sha256');
  const [key, u, v] = [unhex('aa'), unhex('0102'), unhex('03')];
  const both = (kdf: 'KDFa' | 'KDFe') => [128, 256].map((bits) => hex(derive[kdf](sha256, key, 'LABEL', u, v, bits)));
  const [shortE = '', longE = ''] = both('KDFe');
  const [shortA = '', longA = ''] = both('KDFa');
  expect(longE.startsWith(shortE)).toBe(true);
  expect(longA.startsWith(shortA)).toBe(false);
});
