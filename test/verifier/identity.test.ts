/** What becomes of an endorsement certificate in the selectors of the agent. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TrustedEk } from '../../src/verifier/endorsement.ts';
import { agentId, selectors } from '../../src/verifier/identity.ts';
import { checkEkProfile, type EkCertificateFacts } from '../../src/x509/ek/ek-profile.ts';
import type { TpmRecipe } from '../support/certificate-recipe.ts';
import { mintEkChain } from '../support/pki.ts';

const HASH = 'ab'.repeat(32);
const ISSUER = 'cd'.repeat(32);

/** A key that is admitted by a certificate with these words in it. */
function ek(tpm: TpmRecipe | EkCertificateFacts = {}, changes: Partial<TrustedEk> = {}): TrustedEk {
  const facts = 'oddities' in tpm ? tpm : checkEkProfile(mintEkChain({ leaf: { san: tpm } }).leaf.certificate).facts;
  if (facts === undefined) throw new RangeError('the certificate names no TPM');
  const certified = {
    bundle: 'hardware',
    facts,
    tolerated: [],
    issuerKeyHash: ISSUER,
    notes: [],
    steady: { from: 0, until: 0 },
  };
  // What else a key has is in no selector.
  return { pubHash: HASH, admittedBy: 'certificate', certified, ...changes } as unknown as TrustedEk;
}

test('the ID is that of the key alone', () => {
  expect(agentId('example.org', 'tpm', ek())).toBe(`spiffe://example.org/spire/agent/tpm/${HASH}`);
});

test('a certificate gives what it says of its TPM, and who says so', () => {
  expect(selectors(ek({ manufacturer: 'id:49465800', model: 'SLB 9670 TPM2.0', version: 'id:073F' }))).toEqual([
    `pub_hash:${HASH}`,
    'ca:hardware',
    'manufacturer:IFX',
    'model:SLB_9670_TPM2.0',
    'tpm_firmware:073f',
    `ek_issuer:${ISSUER}`,
  ]);
});

test('a key that no certificate vouches for gives its hash, and says when nothing does', () => {
  expect(selectors(ek({}, { admittedBy: 'hash', certified: undefined }))).toEqual([`pub_hash:${HASH}`]);
  expect(selectors(ek({}, { admittedBy: 'unenforced', certified: undefined }))).toEqual([
    `pub_hash:${HASH}`,
    'enforced:false',
  ]);
  expect(selectors(ek({}, { admittedBy: 'hash', certified: undefined }), 'credential-only')).toEqual([
    `pub_hash:${HASH}`,
    'proof:credential-only',
  ]);
  // In mode both the certificate may be sound and the list lacking.
  expect(selectors(ek({}, { admittedBy: 'unenforced' }))).toEqual(
    expect.arrayContaining(['manufacturer:IFX', 'enforced:false']),
  );
});

test.each([
  ['id:49465800', 'IFX'],
  ['id:53544d20', 'STM'],
  ['id:494E5443', 'INTC'],
  ['id:474F4F47', 'GOOG'],
  // Software has no letters: those in its ids are another's.
  ['id:49424D20', '49424d20'],
  ['id:49424D00', 'IBM'],
  ['id:00001014', '00001014'],
  ['id:ABCDEF01', 'abcdef01'],
  ['id:41424344', '41424344'],
])('manufacturer %s is %s', (manufacturer, text) => {
  expect(selectors(ek({ manufacturer }))).toContain(`manufacturer:${text}`);
});

test.each([
  ['NPCT75x', 'model:NPCT75x'],
  ['ST33HTPHAHB4', 'model:ST33HTPHAHB4'],
  ['SLB 9670', 'model:SLB_9670'],
  ['SLB_9670', 'model_hex:534c425f39363730'],
  ['SLB  9670', 'model_hex:534c42202039363730'],
  [' SLB', 'model_hex:20534c42'],
  ['a:b', 'model_hex:613a62'],
  ['a\nb', 'model_hex:610a62'],
  ['ä', 'model_hex:c3a4'],
  ['x'.repeat(64), `model:${'x'.repeat(64)}`],
  ['x'.repeat(65), `model_hex:${'78'.repeat(65)}`],
])('model %j is %s', (model, selector) => {
  expect(selectors(ek({ model }))).toContain(selector);
});

const withModel = (model: string): EkCertificateFacts => ({
  manufacturer: { id: '49465800', name: 'Infineon', kind: 'hardware' },
  model,
  version: '073F',
  specification: undefined,
  oddities: [],
});
const modelOf = (model: string): string => selectors(ek(withModel(model))).find((one) => /^model/.test(one)) ?? '';

test('a model is told up to 120 bytes of it, within what a datastore takes, and not by a part', () => {
  expect(modelOf('ä'.repeat(60))).toBe(`model_hex:${'c3a4'.repeat(60)}`);
  expect(modelOf(`${'ä'.repeat(60)}x`)).toBe('');
  expect(selectors(ek(withModel('y'.repeat(1024))))).toHaveLength(5);
});

test('certificates that name no model and no version give neither selector', () => {
  const { certified } = ek();
  if (certified === undefined) throw new Error('not certified');
  const facts = { ...certified.facts, model: undefined, version: undefined };
  expect(selectors(ek(facts)).map((one) => one.split(':')[0])).toEqual(['pub_hash', 'ca', 'manufacturer', 'ek_issuer']);
});

/** As the parser gives them: no halves of surrogate pairs. */
const text = fc.oneof(
  // Up to 120 bytes.
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({ unit: fc.constantFrom('a', 'A', '_', ' ', '.', '-', ':', '\n', '0', 'ä'), maxLength: 6 }),
);

test('two models have the same selector only when they are the same', () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(modelOf(a) === modelOf(b)).toBe(a === b);
    }),
    { numRuns: 3000 },
  );
});

test('whatever a model says, its selector is one line of plain characters behind its own name', () => {
  fc.assert(
    fc.property(text, (model) => {
      expect(modelOf(model)).toMatch(/^(model:[A-Za-z0-9._-]+|model_hex:[0-9a-f]*)$/);
      expect(selectors(ek(withModel(model)))).toHaveLength(6);
    }),
    { numRuns: 3000 },
  );
});
