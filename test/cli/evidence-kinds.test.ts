/** What is given to `verify` as evidence: judged where a node could have written it, named where it is another file. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeToolsPcrValues } from '../../src/evidence/tools-pcr-values.ts';
import { cli } from '../support/cli.ts';
import type { Execution } from '../support/execute.ts';
import { pkcs7, spkiPem, tpmt } from '../support/field-files.ts';
import { mintEkChain, pem } from '../support/pki.ts';

const { leaf, root } = mintEkChain();
const payload = { versions: [1], trustDomain: '', ekPublic: '', ekCertificates: [], akPublic: '', pcrBanks: [11] };
const attest = Buffer.from('ff54434780180000', 'hex');
/** TPMT_SIGNATURE: ECDSA, SHA-256, two numbers of one octet. */
const signature = Buffer.from('0018000b000101000102', 'hex');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kinds-'));
  mkdirSync(join(folder, 'cas'));
  writeFileSync(join(folder, 'policy.hcl'), 'trust_domain = "example.org"\nhash_path = "."\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

async function verify(contents: string | Uint8Array, policy = 'policy.hcl'): Promise<Execution & { junit: string }> {
  writeFileSync(join(folder, 'evidence'), contents);
  rmSync(join(folder, 'junit.xml'), { force: true });
  const args = ['verify', 'evidence', '--policy', policy, '--json', '--junit', 'junit.xml'];
  const answer = await cli(args, { cwd: folder });
  const junit = existsSync(join(folder, 'junit.xml')) ? readFileSync(join(folder, 'junit.xml'), 'utf8') : '';
  return { ...answer, junit };
}

describe('evidence is untrusted with a report where it is', () => {
  test.each<[string, string | Uint8Array]>([
    ['empty', ''],
    ['one bracket', '{'],
    ['an empty object', '{}'],
    ['an object of something else', '{"pods": []}'],
    ['a list', '[]'],
    ['without an answer', JSON.stringify({ payload })],
    ['random', randomBytes(100)],
    ['zeros', Buffer.alloc(100)],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['longer than what is read', Buffer.alloc(30_000_000, 'x')],
    ['JSON longer than what is read', Buffer.concat([Buffer.from('{"payload":"'), Buffer.alloc(30_000_000, 'x')])],
    ['JSON with a certificate behind it', `{"payload": {}}\n${pem(leaf.der)}`],
    ['a web page', '<!doctype html><title>502</title>'],
  ])('%s', async (_, contents) => {
    const { code, stdout, junit } = await verify(contents);
    expect(code).toBe(1);
    expect(JSON.parse(stdout).findings).toMatchObject([{ code: 'evidence.malformed' }]);
    expect(junit).toContain('<failure type="evidence.malformed"');
  });
});

describe('a file of another kind than evidence is named, with what to do and exit code 2', () => {
  test.each<[string, string | Uint8Array, string]>([
    [
      'a certificate',
      pem(leaf.der),
      'it is a certificate. Judge an endorsement certificate with "tpm-attestor ek verify"',
    ],
    ['a certificate in DER', leaf.der, 'it is a certificate. '],
    ['PKCS#7', pkcs7('DER', leaf.der), 'it is a PKCS#7 bundle (.p7b). Give the file that'],
    ['a public key', spkiPem, 'Give an attestation key in --ak'],
    ['a public area', tpmt, 'Give an attestation key in --ak'],
    ['a quote', attest, 'Give it as --message'],
    ['a quote with its size', Buffer.concat([Buffer.of(0, attest.length), attest]), 'Give it as --message'],
    ['a signature', signature, 'it is a signature of tpm2_quote. Give it as --signature'],
    [
      'PCR values',
      writeToolsPcrValues([], [Buffer.alloc(32)]),
      'it is PCR values of tpm2_quote. Give it as --pcr-values',
    ],
    ['a context', Buffer.from('badcc0de00000001', 'hex'), 'it is a saved TPM context of tpm2-tools'],
  ])('%s', async (_, contents, said) => {
    const { code, stdout, stderr, junit } = await verify(contents);
    expect([code, stdout, junit]).toEqual([2, '', '']);
    expect(stderr).toContain(`${join(folder, 'evidence')} is not an evidence file: `);
    expect(stderr).toContain(said);
  });
});

describe('a file of another kind than a policy is named, with what to do', () => {
  test.each<[string, string | Uint8Array, string]>([
    ['a CA', pem(root.der), 'it is a certificate. Write a file with the line ca_path = "FILE", and give that'],
    ['a CA in DER', root.der, 'it is a certificate. '],
    ['a public key', spkiPem, 'it is a public key without certificate. Give a file with options of the server plugin'],
    [
      'evidence',
      JSON.stringify({ payload }),
      'it is evidence or a challenge of tpm-attestor. Give a file with options',
    ],
  ])('%s', async (_, contents, said) => {
    writeFileSync(join(folder, 'other'), contents);
    const { code, stderr } = await verify('{}', 'other');
    expect([code, stderr]).toEqual([2, expect.stringContaining(`${join(folder, 'other')}: ${said}`)]);
  });

  test('a folder, and options that are wrong, are not named so', async () => {
    expect((await verify('{}', 'cas')).stderr).toContain('cas cannot be read: it is a folder; give a file in it');
    writeFileSync(join(folder, 'wrong.hcl'), '{"ca_pth": "x"}');
    expect((await verify('{}', 'wrong.hcl')).stderr).toContain('"ca_pth" is not an option');
  });
});
