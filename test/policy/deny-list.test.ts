/** The file of `deny_path`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fromHex } from '../../src/bytes/bytes.ts';
import { readDenyList } from '../../src/policy/deny-list.ts';
import { openPolicy } from '../support/live-policy.ts';
import { mintEkChain, pem } from '../support/pki.ts';

const folder = mkdtempSync(join(tmpdir(), 'deny-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'denied');

const HASH = '0123456789abcdef'.repeat(4);
const OTHER = 'fedcba9876543210'.repeat(4);
const SERIAL = '00c0ffee01';

/** Whether a machine is denied, by its hash and the octets of its certificate's serial number. */
function denied(text: string | Uint8Array): (pubHash: string, serial?: string) => boolean {
  writeFileSync(path, text);
  const { isDenied } = readDenyList(path);
  return (pubHash, serial) => isDenied({ pubHash, serial: serial === undefined ? undefined : fromHex(serial) });
}

test.each([
  HASH,
  `pub_hash:${HASH}`,
  `PUB_HASH:${HASH.toUpperCase()}`,
  `  ${HASH} # stolen in May`,
  `${HASH}# stolen`,
  `# stolen\r\n\r\n${HASH}\r\n`,
  `\ufeff${HASH}`,
  `${'a'.repeat(64)}\n${HASH}\nserial:01\n`,
])('%j keeps out the machine with this hash, and no other', (text) => {
  const isDenied = denied(text);
  expect([isDenied(HASH), isDenied(HASH, '0203'), isDenied(OTHER), isDenied(OTHER, '0203')]).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test.each([
  'serial:00c0ffee01',
  'serial:c0ffee01',
  'SERIAL:C0:FF:EE:01',
  'serial:00:c0:ff:ee:01  # stolen',
  'serial:0c0ffee01',
])('%j keeps out whose certificate has this serial number, zeros in front aside', (text) => {
  const isDenied = denied(text);
  const serials = [SERIAL, 'c0ffee01', '000000c0ffee01', 'c0ffee0100', 'ffee01', 'c0ffee02'];
  expect(serials.map((serial) => isDenied(HASH, serial))).toEqual([true, true, true, false, false, false]);
  // A machine without a certificate has no serial number.
  expect(isDenied(HASH)).toBe(false);
});

test('a serial number is warned of where a machine may be admitted that does not send it', async () => {
  const caPath = join(folder, 'ca.pem');
  writeFileSync(caPath, pem(mintEkChain().root.der));
  const list = `hash_path = ${JSON.stringify(folder)}`;
  const ca = `ca_path = ${JSON.stringify(caPath)}`;
  const warned = async (hcl: string, text: string): Promise<boolean> => {
    writeFileSync(path, text);
    const { warnings } = await openPolicy(`${hcl}\ndeny_path = ${JSON.stringify(path)}`);
    return warnings.some((warning) => /^deny_path: .* deny its hash$/.test(warning));
  };
  const rows = [ca, list, `${ca}\n${list}`, `${ca}\n${list}\nmode = "both"`, `${ca}\nenforce = false`];
  const evaded = [false, true, true, false, true];
  for (const [i, hcl] of rows.entries())
    expect([await warned(hcl, 'serial:01'), await warned(hcl, HASH)]).toEqual([evaded[i], false]);
});

test('a serial number of zero is one', () => {
  const isDenied = denied('serial:0');
  expect([isDenied(HASH, '00'), isDenied(HASH, '0000'), isDenied(HASH, '10'), isDenied(HASH)]).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test.each(['', '# nobody yet\n', '\n \n'])('%j keeps nobody out', (text) => {
  expect(denied(text)(HASH, SERIAL)).toBe(false);
});

test.each([
  HASH.slice(1),
  `${HASH}0`,
  `hash:${HASH}`,
  `${HASH},stolen`,
  'serial:',
  'serial: 01',
  'serial:0x01',
  'serial:0g',
  'serial:01::02',
  'serial:1:02',
  `${HASH} stolen`,
  'serial:c0ffee01 rack 4',
  // Of each of these a part would be overlooked.
  'serial:00 c0 ff ee 01',
  'serial:00c0 ffee 01',
  'serial:00c0ffee 01',
  'serial:c0ffee01 serial:c0ffee02',
  `serial:c0ffee01 ${HASH}`,
  `${HASH} serial:c0ffee01`,
  `${HASH} ${HASH}`,
  'spiffe://example.org/spire/agent/tpm/x',
  'serial:01 2',
])('%j is an error that names the line: who wrote it wants somebody kept out', (line) => {
  const content = JSON.stringify(line.slice(0, 80));
  expect(() => denied(`${OTHER}\n\n${line}\n`)).toThrow(
    `line 3 (${content}) can deny no machine; write 64 hexadecimal digits, or "serial:" and hexadecimal digits, with names after a #`,
  );
});

test('such a line stops the configuration, with the option and the file', async () => {
  writeFileSync(path, 'edge-7\nedge-8\n');
  const hcl = `hash_path = ${JSON.stringify(folder)}\ndeny_path = ${JSON.stringify(path)}`;
  await expect(openPolicy(hcl)).rejects.toThrow(
    `"deny_path" cannot be used: ${path}: line 1 ("edge-7"), line 2 ("edge-8") can deny no machine`,
  );
  writeFileSync(path, HASH);
  const { policy } = (await openPolicy(hcl)).current();
  expect(policy.isDenied?.({ pubHash: HASH, serial: undefined })).toBe(true);
  rmSync(path);
  await expect(openPolicy(hcl)).rejects.toThrow(`"deny_path" cannot be used: ${path}: no such file or directory`);
});

test('a line of digits without end is refused, and so is what might stand at its end', () => {
  const zeros = '0'.repeat(1_000_000);
  for (const end of ['x', '', 'c0ffee01'])
    expect(() => denied(`serial:${zeros}${end}\n${HASH}`)).toThrow('line 1 ("serial:000');
  expect(() => denied(`${' '.repeat(100_000)}${HASH}`)).toThrow('line 1 ("") can deny no machine');
  expect(denied(`serial:${'0'.repeat(60_000)}c0ffee01\n${HASH}`)(OTHER, SERIAL)).toBe(true);
  expect(denied(`${HASH} # ${'x'.repeat(1_000_000)}\nserial:c0ffee01`)(OTHER, SERIAL)).toBe(true);
});

/** A piece of a file is 256 KiB. */
test.each([0, 1, 31, 63, 64, 65])(
  'a line that two pieces of the file share is read as one, cut after %i octets',
  (cut) => {
    const before = `#${'x'.repeat(256 * 1024 - 2 - cut)}\n`;
    const isDenied = denied(`${before}${HASH}\n${OTHER}`);
    expect([HASH, OTHER, 'a'.repeat(64)].map((hash) => isDenied(hash))).toEqual([true, true, false]);
  },
);
