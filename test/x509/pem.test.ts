import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { pemBlocks, readPem } from '../../src/x509/file/pem.ts';

/** As long as the block of a large revocation list; each piece that is decoded has thousands of lines. */
const content = Buffer.concat(Array.from({ length: 40_000 }, (_, i) => createHash('sha256').update(`${i}`).digest()));

function block(base64: string, width: number): Buffer {
  const lines = base64.match(new RegExp(`.{1,${width}}`, 'g')) ?? [];
  return Buffer.from(`-----BEGIN X509 CRL-----\n${lines.join('\n')}\n-----END X509 CRL-----\n`);
}

test.each([64, 61, 76])('a long block in lines of %i characters is read as a short one is', (width) => {
  const [read] = readPem(block(content.toString('base64'), width), 'X509 CRL');
  expect(Buffer.from(read?.der ?? []).equals(content)).toBe(true);
});

test('what ends in its middle, or is no base64 there, is refused', () => {
  const base64 = content.toString('base64');
  // Where one piece ends and the next begins.
  const middle = 8192 * 64;
  const padded = `${base64.slice(0, middle - 2)}==${base64.slice(middle)}`;
  const foreign = `${base64.slice(0, middle)}*${base64.slice(middle + 1)}`;
  for (const text of [padded, foreign]) expect(() => readPem(block(text, 64), 'X509 CRL')).toThrow('not base64');
  expect(() => readPem(block('', 64), 'X509 CRL')).toThrow('not base64');
});

test('the work may pause while a long block is decoded', () => {
  const work = pemBlocks(block(content.toString('base64'), 64), 'X509 CRL');
  let pauses = 0;
  while (work.next().done !== true) pauses += 1;
  // Each 256 lines that are read, and each 8,192 that are decoded.
  const lines = Math.ceil((content.length * 4) / 3 / 64);
  expect(pauses).toBeGreaterThan(Math.floor(lines / 256) + 1);
});
