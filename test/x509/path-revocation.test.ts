/** Paths whose certificates lists speak of. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PathVerdict, validatePath } from '../../src/x509/path.ts';
import { crlsFrom } from '../../src/x509/revocation.ts';
import { anchorsOf } from '../../src/x509/trust-store.ts';
import { commonName, NOW } from '../support/certificate-recipe.ts';
import { type CrlRecipe, LIST_PERIOD, mintCrl, REVOKED_AT } from '../support/crl-recipe.ts';
import {
  EK_USAGE,
  type KeyPair,
  keyPair,
  type Minted,
  mintAuthority,
  mintEkCertificate,
  spkiOf,
} from '../support/pki.ts';

const serial = (n: number): Uint8Array => Uint8Array.of(n);
const key = (label: string): KeyPair => keyPair('p256', label);
const authority = (name: string, n: number, by: string = name): Minted =>
  mintAuthority(name, key(name), { issuer: by, key: key(by) }, { serial: serial(n) });

// Two ways up from the leaf: the CA is certified by two roots, under one name and with one key.
const [oldRoot, newRoot] = [authority('Old Root', 1), authority('New Root', 2)];
const [byOld, byNew] = [authority('CA', 3, 'Old Root'), authority('CA', 4, 'New Root')];
const leaf = mintEkCertificate(
  { issuer: 'CA', key: key('CA') },
  { serial: serial(5), publicKey: spkiOf(keyPair('p256', 'ek').publicKey) },
);

const listOf = (name: string, recipe: Partial<CrlRecipe> = {}): Uint8Array =>
  mintCrl({ issuer: commonName(name), signer: key(name).privateKey, ...recipe });
const revoking = (name: string, ...numbers: readonly number[]): Uint8Array =>
  listOf(name, { revoked: numbers.map((n) => ({ serial: serial(n) })) });
const ALL = ['Old Root', 'New Root', 'CA'].map((name) => listOf(name));

interface Question {
  readonly lists?: readonly Uint8Array[];
  readonly required?: boolean;
  readonly anchors?: readonly Minted[];
  readonly intermediates?: readonly Minted[];
  readonly now?: Date;
}

const ask = (question: Question): PathVerdict =>
  validatePath({
    leaf: leaf.certificate,
    intermediates: (question.intermediates ?? [byOld, byNew]).map(({ certificate }) => certificate),
    anchors: anchorsOf((question.anchors ?? [oldRoot, newRoot]).map(({ certificate }) => certificate)),
    now: question.now ?? NOW,
    requireEku: EK_USAGE,
    revocation: {
      crls: crlsFrom((question.lists ?? []).map((bytes, i) => ({ name: `${i}`, bytes }))).crls,
      required: question.required ?? true,
    },
  });

const NAMES = new Map([
  [oldRoot.certificate.fingerprint, 'old root'],
  [newRoot.certificate.fingerprint, 'new root'],
  [byOld.certificate.fingerprint, 'by old'],
  [byNew.certificate.fingerprint, 'by new'],
  [leaf.certificate.fingerprint, 'leaf'],
]);
const way = (verdict: PathVerdict): readonly (string | undefined)[] =>
  verdict.ok
    ? verdict.chain.map(({ fingerprint }) => NAMES.get(fingerprint))
    : verdict.problems.map(({ code }) => code);

describe('a certificate that a list names', () => {
  test('is refused as a leaf, whatever way leads up', () => {
    const verdict = ask({ lists: [...ALL, revoking('CA', 5)] });
    expect(verdict).toMatchObject({
      ok: false,
      problems: [{ code: 'revoked', message: expect.stringContaining(`was revoked at ${REVOKED_AT.toISOString()}`) }],
    });
    expect(way(ask({ lists: [...ALL, revoking('CA', 6)] }))).toHaveLength(3);
  });

  test('is refused as a CA, and its twin by another root is not', () => {
    const [o, n] = [revoking('Old Root', 3), revoking('New Root', 4)];
    expect(way(ask({ lists: [...ALL, o] }))).toEqual(['leaf', 'by new', 'new root']);
    expect(way(ask({ lists: [...ALL, n] }))).toEqual(['leaf', 'by old', 'old root']);
    expect(way(ask({ lists: [...ALL, o, n] }))).toEqual(['revoked']);
    expect(way(ask({ lists: [...ALL, o], intermediates: [byOld] }))).toEqual(['revoked']);
  });

  test('is told of before a longer way that ends nowhere', () => {
    const nowhere = [authority('CA', 4, 'Middle'), authority('Middle', 6, 'Upper'), authority('Upper', 7, 'Nowhere')];
    const intermediates = [...nowhere, byOld];
    expect(way(ask({ lists: ALL, intermediates, anchors: [newRoot] }))).toEqual(['unknown_issuer']);
    expect(way(ask({ lists: [...ALL, revoking('CA', 5)], intermediates }))).toEqual(['revoked']);
  });

  test('is another when its issuer is: numbers count beside one issuer alone', () => {
    expect(way(ask({ lists: [...ALL, revoking('Old Root', 4, 5), revoking('New Root', 3, 5)] }))).toEqual([
      'leaf',
      'by old',
      'old root',
    ]);
  });

  test('is an anchor all the same, where somebody chose it', () => {
    const lists = [...ALL, revoking('Old Root', 1, 3)];
    expect(way(ask({ lists, intermediates: [], anchors: [byOld] }))).toEqual(['leaf', 'by old']);
  });
});

describe('a certificate of which no list tells', () => {
  const [ofOld = new Uint8Array(), ofNew = new Uint8Array(), ofCa = new Uint8Array()] = ALL;
  const stale = listOf('CA', { nextUpdate: new Date('2026-05-30T00:00:00Z') });
  const ofAnotherKey = listOf('CA', { signer: key('New Root').privateKey });
  test.each([
    { what: 'none at all', lists: [], notes: 2 },
    { what: 'none of the CA', lists: [ofOld, ofNew], notes: 1 },
    { what: 'none of the roots', lists: [ofCa], notes: 1 },
    { what: 'a stale one', lists: [ofOld, ofNew, stale], notes: 1 },
    { what: 'one by another key', lists: [ofOld, ofNew, ofAnotherKey], notes: 1 },
  ])('is refused with $what where it must be told of, and noted where it need not', ({ lists, notes }) => {
    expect(way(ask({ lists }))).toEqual(['revocation_unknown']);
    const lenient = ask({ lists, required: false });
    expect(lenient.ok && lenient.notes.length).toBe(notes);
    expect(way(lenient)).toEqual(['leaf', 'by old', 'old root']);
  });

  test('is gone round where another way is told of, but only where it must be', () => {
    const lists = ALL.slice(1);
    expect(way(ask({ lists }))).toEqual(['leaf', 'by new', 'new root']);
    expect(way(ask({ lists, required: false }))).toEqual(['leaf', 'by old', 'old root']);
  });
});

describe('lists are asked about', () => {
  const asked = (anchors: readonly Minted[]): number => {
    const { crls } = crlsFrom([...ALL, revoking('CA', 6)].map((bytes, i) => ({ name: `${i}`, bytes })));
    let count = 0;
    validatePath({
      leaf: leaf.certificate,
      intermediates: [byOld.certificate, byNew.certificate],
      anchors: anchorsOf(anchors.map(({ certificate }) => certificate)),
      now: NOW,
      requireEku: EK_USAGE,
      revocation: {
        crls: { ...crls, signatureProblem: (...one) => [crls.signatureProblem(...one), count++][0] as undefined },
        required: true,
      },
    });
    return count;
  };

  test('a whole path alone: who made CAs under the names of others has none of their lists looked at', () => {
    const impostor = mintAuthority('Old Root', key('impostor'), { issuer: 'Old Root', key: key('impostor') });
    expect(asked([oldRoot])).toBe(3);
    expect(asked([impostor])).toBe(0);
  });

  test('a whole path at once: that one of its certificates is revoked is told before that of another it is not known', () => {
    expect(way(ask({ lists: [ALL[2] as Uint8Array, revoking('Old Root', 3)], intermediates: [byOld] }))).toEqual([
      'revoked',
    ]);
    expect(way(ask({ lists: [revoking('Old Root', 3)], intermediates: [byOld] }))).toEqual(['revoked']);
    expect(way(ask({ lists: [revoking('CA', 5)], intermediates: [byOld] }))).toEqual(['revoked']);
    expect(way(ask({ lists: [revoking('CA', 6)], intermediates: [byOld] }))).toEqual(['revocation_unknown']);
  });
});

test('a list speaks of what a CA issued that may sign it: its twin that may not leaves open what the other tells', () => {
  const mute = mintAuthority(
    'CA',
    key('CA'),
    { issuer: 'New Root', key: key('New Root') },
    { serial: serial(4), keyUsage: ['keyCertSign'] },
  );
  const among = (...intermediates: readonly Minted[]): PathVerdict => ask({ lists: ALL, intermediates });
  expect(way(among(mute))).toEqual(['revocation_unknown']);
  for (const verdict of [among(mute, byOld), among(byOld, mute)])
    expect(way(verdict)).toEqual(['leaf', 'by old', 'old root']);
});

test('an answer is steady while every list that had a part in it says the same', () => {
  const soon = new Date('2026-06-02T00:00:00Z');
  const first = ask({ lists: [...ALL.slice(0, 2), listOf('CA', { nextUpdate: soon })], intermediates: [byOld] });
  expect(first.ok && first.steady).toEqual({ from: LIST_PERIOD.thisUpdate.getTime(), until: soon.getTime() });
  // What is open may be told at any moment.
  const open = ask({ lists: ALL.slice(2), required: false, intermediates: [byOld] });
  expect(open.ok && open.steady).toEqual({ from: NOW.getTime(), until: NOW.getTime() });
});

test('without lists, or with lists that say nothing against it, the way is the same', () => {
  const unasked = validatePath({
    leaf: leaf.certificate,
    intermediates: [byOld.certificate, byNew.certificate],
    anchors: anchorsOf([oldRoot.certificate, newRoot.certificate]),
    now: NOW,
    requireEku: EK_USAGE,
  });
  expect(way(unasked)).toEqual(way(ask({ lists: ALL })));
  expect(unasked.ok && unasked.notes).toEqual([]);
});

/** Of each issuer: no list, a sound one, or one that names these numbers. */
const told = fc.option(fc.subarray([1, 2, 3, 4, 5]), { nil: undefined });

test('a path is accepted exactly when one of the two ways is clear', () => {
  fc.assert(
    fc.property(told, told, told, fc.boolean(), (ofOld, ofNew, ofCa, required) => {
      const given = [
        ['Old Root', ofOld],
        ['New Root', ofNew],
        ['CA', ofCa],
      ] as const;
      const lists = given.flatMap(([name, numbers]) => (numbers === undefined ? [] : [revoking(name, ...numbers)]));
      const isClear = (numbers: readonly number[] | undefined, n: number): boolean =>
        numbers === undefined ? !required : !numbers.includes(n);
      const ways = [isClear(ofOld, 3), isClear(ofNew, 4)];
      const verdict = ask({ lists, required });
      expect(verdict.ok).toBe(isClear(ofCa, 5) && ways.includes(true));
      if (verdict.ok) expect(way(verdict)[1]).toBe(ways[0] ? 'by old' : 'by new');
    }),
    { numRuns: 300 },
  );
});
