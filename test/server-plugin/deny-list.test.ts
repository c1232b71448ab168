/** The file of `deny_path`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readDenyList } from '../../src/server-plugin/deny-list.ts';
import { readLivePolicy } from '../../src/server-plugin/live-policy.ts';
import { fromHex } from '../../src/tpm/bytes.ts';
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

test('a serial number is warned of where a machine may be admitted that does not send it', () => {
  const caPath = join(folder, 'ca.pem');
  writeFileSync(caPath, pem(mintEkChain().root.der));
  const list = `hash_path = ${JSON.stringify(folder)}`;
  const ca = `ca_path = ${JSON.stringify(caPath)}`;
  const warned = (hcl: string, text: string): boolean => {
    writeFileSync(path, text);
    const options = `${hcl}\ndeny_path = ${JSON.stringify(path)}`;
    const { warnings } = readLivePolicy('example.org', options, { reloaded: () => {}, failed: () => {} });
    return warnings.some((warning) => /^deny_path: .* name it by its hash$/.test(warning));
  };
  const rows = [ca, list, `${ca}\n${list}`, `${ca}\n${list}\nmode = "both"`, `${ca}\nenforce = false`];
  expect(rows.map((hcl) => warned(hcl, 'serial:01'))).toEqual([false, true, true, false, true]);
  expect(rows.map((hcl) => warned(hcl, HASH))).toEqual([false, false, false, false, false]);
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
    `line 3 (${content}) is no entry: one is 64 hexadecimal digits, or "serial:" and hexadecimal digits, with names behind a #`,
  );
});

test('such a line stops the configuration, with the option and the file', () => {
  writeFileSync(path, 'edge-7\nedge-8\n');
  const hcl = `hash_path = ${JSON.stringify(folder)}\ndeny_path = ${JSON.stringify(path)}`;
  const configure = () => readLivePolicy('example.org', hcl, { reloaded: () => {}, failed: () => {} });
  expect(configure).toThrow(`"deny_path" cannot be used: ${path}: line 1 ("edge-7"), line 2 ("edge-8") is no entry`);
  writeFileSync(path, HASH);
  expect(configure().current().policy.isDenied?.({ pubHash: HASH, serial: undefined })).toBe(true);
  rmSync(path);
  expect(configure).toThrow(`"deny_path" cannot be used: ${path}: no such file or directory`);
});

test('a line of digits without end is refused as soon as it is read', () => {
  expect(() => denied(`serial:${'0'.repeat(1_000_000)}x`)).toThrow('line 1 ("serial:000');
  expect(denied(`serial:${'0'.repeat(1_000_000)}c0ffee01`)(HASH, SERIAL)).toBe(true);
});
