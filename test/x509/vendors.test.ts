import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { TPM_KINDS, tpmVendor, vendorIds, vendorLetters } from '../../src/x509/ek/vendors.ts';

/** Every id of the table. */
const IDS: readonly string[] = [
  ...readFileSync(new URL('../../src/x509/ek/vendors.ts', import.meta.url), 'utf8').matchAll(
    /^ {2}'?([0-9A-F]{8})'?: \{/gm,
  ),
].map(([, id = '']) => id);

test('the table has the 29 ids of the registry, and six that are in none', () => {
  expect(IDS.length).toBe(35);
  expect(new Set(IDS).size).toBe(IDS.length);
  const kinds = IDS.map((id) => tpmVendor(id)?.kind);
  expect(TPM_KINDS.map((kind) => kinds.filter((one) => one === kind).length)).toEqual([27, 3, 5]);
});

test.each([
  ['49465800', 'Infineon', 'hardware'],
  ['474F4F47', 'Google', 'cloud'],
  ['564D5700', 'VMware', 'cloud'],
  ['4D534654', 'Microsoft', 'cloud'],
  ['00001014', 'swtpm', 'software'],
  ['49424D20', 'TPM simulator', 'software'],
  ['49424D00', 'IBM', 'hardware'],
])('%s is %s, of kind %s', (id, name, kind) => {
  expect(tpmVendor(id)).toEqual({ name, kind });
});

test.each(['ABCDEF01', '4946580', '', '494658 0', 'constructor', '__proto__', '494658000'])('%j is nobody', (id) => {
  expect(tpmVendor(id)).toBeUndefined();
  expect(vendorLetters(id)).toBeUndefined();
});

test('letters are those of one id alone, in upper case and without a filling', () => {
  const letters = IDS.flatMap((id) => vendorLetters(id) ?? []);
  expect(new Set(letters).size).toBe(letters.length);
  for (const text of letters) expect(text).toMatch(/^[A-Z]{2,4}$/);
  // Every hardware or cloud vendor has some.
  expect(letters.length).toBe(30);
  for (const id of IDS) expect(vendorLetters(id) === undefined).toBe(tpmVendor(id)?.kind === 'software');
});

test('each vendor is found by its id, its letters and its name, in any case', () => {
  for (const id of IDS) {
    const letters = vendorLetters(id);
    for (const text of [id, `id:${id}`, id.toLowerCase(), ` ${id} `]) expect(vendorIds(text)).toEqual([id]);
    for (const text of letters === undefined ? [] : [letters, letters.toLowerCase()])
      expect(vendorIds(text)).toContain(id);
    expect(vendorIds(tpmVendor(id)?.name.toLowerCase() ?? '')).toContain(id);
  }
});

test.each([
  ['IFX', ['49465800']],
  ['TCG example', ['54434700', '54534730']],
  ['IBM', ['49424D00']],
  // No vendor known here, and one all the same.
  ['abcdef01', ['ABCDEF01']],
  ['', []],
  ['IF', []],
  ['Infineon AG', []],
  ['4946580', []],
  ['494658000', []],
  ['id:IFX', []],
  ['0x49465800', []],
  ['constructor', []],
])('%j means %j', (text, ids) => {
  expect(vendorIds(text)).toEqual(ids);
});
