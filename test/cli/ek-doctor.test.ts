import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { AGENT_OPTIONS } from '../../src/agent-plugin/agent-config.ts';
import { program } from '../../src/cli/program.ts';
import type { DoctorDocument } from '../../src/enrolment/doctor-document.ts';
import { DOCTOR_FINDINGS } from '../../src/enrolment/ek-remarks.ts';
import { readBundles } from '../../src/policy/bundle-options.ts';
import { SERVER_OPTIONS } from '../../src/policy/server-settings.ts';
import { parseHcl } from '../../src/spire/config/hcl.ts';
import { readOptions } from '../../src/spire/config/options.ts';
import { spkiHash } from '../../src/tpm/public-key.ts';
import { encode } from '../../src/tpm/structures/codec.ts';
import { tpmtPublic } from '../../src/tpm/structures/public.ts';
import { certificateFolder, leafRows } from '../support/certificate-corpus.ts';
import { type CertificateRecipe, commonName } from '../support/certificate-recipe.ts';
import { cli } from '../support/cli.ts';
import { describeCorpus } from '../support/corpus.ts';
import { mintCrl } from '../support/crl-recipe.ts';
import { oid, sequence, tlv } from '../support/der-writer.ts';
import { ekSpki, storeIndex } from '../support/ek-storage.ts';
import { ekTemplate, leftInTpm } from '../support/open-tpm.ts';
import { type EkChain, keyIdOf, keyPair, mintEkChain, pem, spkiOf } from '../support/pki.ts';
import { rocaKeyPair } from '../support/roca-key.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';
import { interpose } from '../support/tpm-interposer.ts';

const folder: string = mkdtempSync(join(tmpdir(), 'ek-doctor-'));
const path = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let tpm: SoftwareTpm | undefined;
afterEach(async () => {
  if (tpm !== undefined) expect(await leftInTpm(tpm)).toEqual([]);
  await tpm?.stop();
  tpm = undefined;
});

/** Every way that was shown, for the last test to try. */
const shown: DoctorDocument['ways'][number][] = [];

interface Diagnosis extends DoctorDocument {
  readonly code: number | null;
}

async function doctor(...args: readonly string[]): Promise<Diagnosis> {
  const where = tpm === undefined ? [] : ['--tcti', tpm.tcti];
  const { code, stdout, stderr } = await cli(['ek', 'doctor', '--json', ...args, ...where], { cwd: folder });
  if (stdout === '') throw new Error(stderr);
  const document: DoctorDocument = JSON.parse(stdout);
  shown.push(...document.ways);
  return { code, ...document };
}

async function doctorText(...args: readonly string[]): Promise<string> {
  const where = tpm === undefined ? [] : ['--tcti', tpm.tcti];
  return (await cli(['ek', 'doctor', ...args, ...where], { cwd: folder })).stdout;
}

const taken = ({ eks }: DoctorDocument): DoctorDocument['eks'][number] | undefined => eks.find((ek) => ek.taken);
const errors = ({ findings }: DoctorDocument): readonly string[] =>
  findings.filter(({ severity }) => severity === 'error').map(({ code }) => code);
const codes = ({ findings }: DoctorDocument): readonly string[] => findings.map(({ code }) => code);
const ways = (document: DoctorDocument): readonly string[] => document.ways.map(({ way }) => way);

const ACCEPT_H3: readonly string[] = ['ek_algorithms = ["rsa", "ecc"]', 'ek_templates = ["L-1", "H-3"]'];

const AIA = {
  oid: '1.3.6.1.5.5.7.1.1',
  value: sequence(sequence(oid('1.3.6.1.5.5.7.48.2'), tlv(0x86, Buffer.from('http://ca.example/i.crt')))),
};

/** A TPM whose RSA key a hardware manufacturer has certified, and its CAs in files. */
async function certifiedTpm(recipe: CertificateRecipe = {}): Promise<EkChain> {
  tpm = await startSwtpm({ templates: [] });
  const chain = mintEkChain({ leaf: { publicKey: await ekSpki(tpm, 'L-1'), extraExtensions: [AIA], ...recipe } });
  await storeIndex(tpm, 0x01c00002, chain.leaf.der);
  writeFileSync(path('root.pem'), pem(chain.root.der));
  writeFileSync(path('cas.pem'), pem(chain.root.der, chain.intermediate.der));
  return chain;
}

describe('the TPM of the demo', () => {
  test('with its CA is admitted, and nothing is advised', async () => {
    tpm = await startSwtpm();
    const document = await doctor('--ca-path', tpm.caPath, '--allow', 'software_tpm');
    expect(document).toMatchObject({ code: 0, cas: 2, ways: [], tpm: { manufacturer: 'IBM', in_lockout: false } });
    expect(document.eks).toMatchObject([
      {
        ek: 'L-1',
        taken: true,
        taken_by: ['auto', 'rsa'],
        admitted_by: 'certificate',
        certificate: { verdict: 'trusted' },
      },
      {
        ...{ ek: 'H-3', taken: false, taken_by: ['ecc'], admitted_by: null },
        admitted_only_with: { by: 'certificate', server: ACCEPT_H3 },
      },
    ]);
    const text = await doctorText('--ca-path', tpm.caPath, '--allow', 'software_tpm');
    expect(text).toContain(`its certificate passes; a server admits it only with ${ACCEPT_H3.join(' and ')}\n`);
    expect(text).toMatch(/\nThe server admits it already\. .*\n$/);
  });

  test('without the allowance is not: the hash is advised before the switch', async () => {
    tpm = await startSwtpm({ templates: ['L-1'] });
    const document = await doctor('--ca-path', tpm.caPath);
    expect([document.code, errors(document), ways(document)]).toEqual([1, ['ek.software_tpm'], ['hash', 'allowance']]);
    expect(document.ways[1]?.server).toEqual(['allow_software_tpm = true']);
  });
});

describe('a certificate of hardware', () => {
  test('without CAs is no finding: the CA that is missing is named, and a bundle for it advised', async () => {
    const { intermediateKey } = await certifiedTpm();
    const document = await doctor();
    const keyId = Buffer.from(keyIdOf(spkiOf(intermediateKey.publicKey))).toString('hex');
    expect([document.code, document.cas, errors(document)]).toEqual([0, 0, []]);
    expect(codes(document)).toContain('cas.none');
    expect(taken(document)).toMatchObject({
      admitted_by: null,
      certificate_source: 'NV index 0x01c00002',
      certificate_subject: '',
      certificate: {
        issuer: 'CN=Test TPM Intermediate CA',
        manufacturer: 'id:49465800',
        model: 'SLB 9670',
        missing_issuer: { name: 'CN=Test TPM Intermediate CA', key_id: keyId, aia: ['http://ca.example/i.crt'] },
      },
    });
    expect(ways(document)).toEqual(['ca_path', 'hash']);
    const [way] = document.ways;
    for (const words of ['CN=Test TPM Intermediate CA', keyId, 'http://ca.example/i.crt'])
      expect(way?.text).toContain(words);
    const { bundles, problems } = readBundles(parseHcl((way?.server ?? []).join('\n')).entries, 'off');
    expect(problems).toEqual([]);
    expect(bundles).toMatchObject([{ name: 'ifx', rules: { kinds: ['hardware'], manufacturers: ['49465800'] } }]);
    const text = await doctorText();
    for (const words of ['missing CA   CN=Test TPM Intermediate CA', `key id ${keyId}`, 'at http://ca.example/i.crt'])
      expect(text).toContain(words);
  });

  test('with its CAs is admitted; with others, or with the root alone, it is not', async () => {
    await certifiedTpm();
    writeFileSync(
      path('other.pem'),
      pem(mintEkChain({ keyAlgorithm: 'p384', root: { subject: commonName('Other CA') } }).root.der),
    );
    expect(await doctor('--ca-path', 'cas.pem')).toMatchObject({ code: 0, ways: [] });
    expect(await doctor('--ca-path', 'root.pem', '--intermediates', 'cas.pem')).toMatchObject({ code: 0, ways: [] });
    for (const wrong of ['other.pem', 'root.pem']) {
      const document = await doctor('--ca-path', wrong);
      expect([document.code, errors(document), ways(document)]).toEqual([
        1,
        ['ek.unknown_issuer'],
        ['ca_path', 'hash'],
      ]);
    }
  });

  test('with its chain in the TPM needs the root alone, which is what is missing without', async () => {
    const { intermediate } = await certifiedTpm();
    await storeIndex(tpm as SoftwareTpm, 0x01c00100, intermediate.der);
    expect(await doctor('--ca-path', 'root.pem')).toMatchObject({ code: 0, ways: [] });
    const ek = taken(await doctor());
    expect(ek?.chain).toMatchObject([{ subject: 'CN=Test TPM Intermediate CA', source: 'key' }]);
    expect(ek?.certificate?.missing_issuer).toMatchObject({ name: 'CN=Test TPM Root CA' });
  });

  test('that has expired is advised to be listed, and then to be overlooked, with what that costs', async () => {
    await certifiedTpm({ notAfter: new Date('2021-01-01T00:00:00Z') });
    const document = await doctor('--ca-path', 'cas.pem');
    expect([document.code, errors(document), ways(document)]).toEqual([1, ['ek.expired'], ['hash', 'allowance']]);
    expect(document.ways[1]).toMatchObject({
      text: expect.stringContaining('no longer vouches for it'),
      server: ['allow_expired_ek = true'],
    });
    const overlooked = await doctor('--ca-path', 'cas.pem', '--allow', 'expired_ek');
    expect(overlooked).toMatchObject({
      code: 0,
      ways: [],
      eks: [{ notes: [expect.stringContaining('allow_expired_ek')] }],
    });
    expect(await doctor('--ca-path', 'cas.pem', '--at', '2020-06-01T00:00:00Z')).toMatchObject({ code: 0, ways: [] });
    expect((await doctor()).ways[0]).toMatchObject({
      way: 'ca_path',
      server: expect.arrayContaining(['  allow_expired_ek = true']),
    });
  });

  test('that no switch would admit is advised none', async () => {
    await certifiedTpm({ notAfter: new Date('2021-01-01T00:00:00Z'), extKeyUsage: null });
    const document = await doctor('--ca-path', 'cas.pem');
    expect([document.code, ways(document)]).toEqual([1, ['hash']]);
    expect(errors(document)).toEqual(expect.arrayContaining(['ek.expired', 'ek.usage']));
  });

  test('for another machine’s key is told with that key, and the list admits the TPM’s own', async () => {
    tpm = await startSwtpm({ templates: [] });
    const other = mintEkChain({ leaf: { publicKey: spkiOf(keyPair('rsa2048', 'another machine').publicKey) } });
    await storeIndex(tpm, 0x01c00002, other.leaf.der);
    const document = await doctor();
    expect([document.code, errors(document), ways(document)]).toEqual([1, ['ek.no_certificate'], ['hash']]);
    expect(document.findings.find(({ code }) => code === 'nv.other_key')).toMatchObject({
      ek: 'L-1',
      message: expect.stringContaining(spkiHash(spkiOf(keyPair('rsa2048', 'another machine').publicKey))),
    });
    expect(taken(document)).toMatchObject({ ek: 'L-1', certificate: null });
  });

  test('shows no control character of it', async () => {
    tpm = await startSwtpm({ templates: [] });
    const issuer = commonName('CA\u001b[31m\nverdict      admitted');
    const { leaf } = mintEkChain({ leaf: { publicKey: await ekSpki(tpm, 'L-1'), issuer } });
    await storeIndex(tpm, 0x01c00002, leaf.der);
    const text = await doctorText();
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
    expect(text).not.toMatch(/^verdict\s+admitted/m);
  });
});

test('a command that is advised names a file that begins like an option so that it is none', async () => {
  writeFileSync(path('-x.der'), mintEkChain().leaf.der);
  const [, next] = (await doctor('--', '-x.der')).ways[0]?.commands ?? [];
  expect(next).toBe('tpm-attestor ek doctor ./-x.der --ca-path /etc/spire/tpm-cas-ifx');
});

test('what a missing CA is to be got by says all it has to, whatever addresses the certificate names', async () => {
  const addresses = ['http://a.example/1', `http://b.example/${'x'.repeat(5000)}`];
  for (let i = 0; i < 90; i++) addresses.push(`http://c.example/${i}`);
  const value = sequence(...addresses.map((one) => sequence(oid('1.3.6.1.5.5.7.48.2'), tlv(0x86, Buffer.from(one)))));
  const extraExtensions = [{ oid: '1.3.6.1.5.5.7.1.1', value }];
  writeFileSync(path('addresses.der'), mintEkChain({ leaf: { extraExtensions } }).leaf.der);
  const text = await doctorText('addresses.der');
  expect(text).toContain(
    'the certificate that it issued names http://a.example/1 or http://c.example/0 or http://c.example/1), and the CAs above it, by a way you trust, as ISSUER.',
  );
  // The first 32 addresses are read, and no more.
  expect(text).toContain('at http://c.example/29\n');
});

describe('a key without certificate', () => {
  test('is a finding, and is admitted when what is advised first has been done', async () => {
    tpm = await startSwtpm({ templates: [] });
    mkdirSync(path('hashes'));
    const before = await doctor('--hash-path', 'hashes');
    expect([before.code, errors(before), ways(before)]).toEqual([1, ['ek.not_listed'], ['hash']]);
    const { pub_hash: hash } = taken(before) ?? {};
    expect(before.ways[0]).toMatchObject({ commands: [`install -D -m 0644 /dev/null hashes/${hash}`], server: [] });
    writeFileSync(path(`hashes/${hash}`), '');
    expect(await doctor('--hash-path', 'hashes')).toMatchObject({ code: 0, ways: [], eks: [{ admitted_by: 'hash' }] });
    writeFileSync(path('list'), '');
    expect((await doctor('--hash-path', 'list')).ways[0]).toMatchObject({ commands: [`echo ${hash} >> list`] });
    const blank = await doctor();
    expect([blank.code, errors(blank), ways(blank)]).toEqual([1, ['ek.no_certificate'], ['hash']]);
    expect(blank.ways[0]?.server).toEqual(['hash_path = "/etc/spire/tpm-hashes"']);
  });

  test('beside one with a certificate: the other kind is advised behind the list', async () => {
    await certifiedTpm();
    const document = await doctor('--ca-path', 'cas.pem', '--ek', 'ecc');
    expect([document.code, errors(document), ways(document)]).toEqual([
      1,
      ['ek.algorithm', 'ek.no_certificate'],
      ['hash', 'other_ek'],
    ]);
    expect(document.ways[0]?.server).toContain('ek_algorithms = ["rsa", "ecc"]');
    expect(document.ways[1]).toMatchObject({
      agent: ['ek = "rsa"'],
      server: [],
      commands: ['tpm-attestor ek doctor --ek rsa'],
    });
    expect(await doctor('--ca-path', 'cas.pem')).toMatchObject({ code: 0, ways: [] });
    // Of CAs that do not know it, it is no way out.
    writeFileSync(path('other.pem'), pem(mintEkChain({ root: { subject: commonName('Other CA') } }).root.der));
    expect(ways(await doctor('--ca-path', 'other.pem', '--ek', 'ecc'))).toEqual(['hash']);
  });

  test('has it in a file', async () => {
    const { leaf, intermediate } = await certifiedTpm();
    await tpm?.tpm2('tpm2_nvundefine', ['0x01c00002', '-C', 'p']);
    writeFileSync(path('ek.pem'), pem(leaf.der, intermediate.der));
    const document = await doctor('--ek-certificate', 'ek.pem', '--ca-path', 'root.pem');
    expect(document).toMatchObject({ code: 0, eks: [{ certificate_source: 'ek.pem', admitted_by: 'certificate' }] });
    const { leaf: foreign } = mintEkChain({
      leaf: { publicKey: spkiOf(keyPair('rsa2048', 'another machine').publicKey) },
    });
    writeFileSync(path('foreign.pem'), pem(foreign.der));
    const refused = await doctor('--ek-certificate', 'foreign.pem', '--ca-path', 'root.pem');
    expect([refused.code, errors(refused)]).toEqual([1, ['certificate.other_machine']]);
  });
});

test.each([
  ['494e5443', /^https:\/\/ekop\.intel\.com\/ekcertservice\/[\w-]{43}%3D$/],
  ['414d4400', /^https:\/\/ftpm\.amd\.com\/pki\/aia\/[0-9A-F]{32}$/],
  ['49465800', undefined],
])('a key of manufacturer %s without certificate: its address is advised where there is one', async (id, form) => {
  const software = await startSwtpm({ templates: [] });
  const property = Buffer.from('00000105', 'hex');
  const bus = await interpose(software, async (name, command, transmit) => {
    const answer = await transmit(command);
    const at = name === 'TPM2_GetCapability' ? answer.indexOf(property) : -1;
    if (at >= 0) answer.write(id, at + property.length, 'hex');
    return answer;
  });
  try {
    const document = await doctor('--tcti', bus.tcti);
    expect(document.tpm?.manufacturer_id).toBe(id.toUpperCase());
    expect(ways(document)).toEqual(form === undefined ? ['hash'] : ['hash', 'certificate_file']);
    const urls = taken(document)?.certificate_urls ?? [];
    expect(urls).toEqual(form === undefined ? [] : [expect.stringMatching(form)]);
    for (const url of urls) expect(document.ways[1]?.commands[0]).toBe(`curl -fo /etc/spire/ek-certificate '${url}'`);
  } finally {
    await bus.stop();
    await software.stop();
  }
});

describe('a TPM whose only certificate is of a key that a server does not accept by default', () => {
  test.each([
    { template: 'H-3', codes: ['ek.algorithm'], lines: ACCEPT_H3 },
    { template: 'H-1', codes: ['ek.template_not_accepted'], lines: ['ek_templates = ["L-1", "H-1"]'] },
    { template: 'L-2', codes: ['ek.algorithm'], lines: ['ek_algorithms = ["rsa", "ecc"]'] },
  ] as const)(
    '$template: the lines that admit it are advised, and admit it',
    async ({ template, codes: told, lines }) => {
      tpm = await startSwtpm({ templates: [template] });
      const document = await doctor('--ca-path', tpm.caPath, '--allow', 'software_tpm');
      expect([document.code, errors(document), ways(document)]).toEqual([1, told, ['ek_template']]);
      expect(document.ways[0]).toMatchObject({ ek: template, server: lines });
      const text = await doctorText('--ca-path', tpm.caPath, '--allow', 'software_tpm');
      expect(text).not.toContain('Admitted already');
      for (const line of lines) expect(text).toContain(line);
      const options = [`ca_path = "${tpm.caPath}"`, 'allow_software_tpm = true'];
      writeFileSync(path('policy.hcl'), options.join('\n'));
      const policed = await doctor('--policy', 'policy.hcl');
      expect([policed.code, errors(policed), policed.ways[0]?.server]).toEqual([1, told, lines]);
      writeFileSync(path('policy.hcl'), [...options, ...lines].join('\n'));
      expect(await doctor('--policy', 'policy.hcl')).toMatchObject({ code: 0, ways: [] });
    },
  );

  test('and whose CA is not known: the lines stand before every other that is advised', async () => {
    tpm = await startSwtpm({ templates: ['H-3'] });
    const document = await doctor();
    expect(ways(document)).toEqual(['ca_path', 'hash']);
    for (const { server } of document.ways) expect(server.slice(0, 2)).toEqual(ACCEPT_H3);
    writeFileSync(path('policy.hcl'), 'hash_path = "."\nek_templates = ["L-1", "L-2"]\n');
    const policed = await doctor('--policy', 'policy.hcl');
    expect(errors(policed)).toContain('ek.template_not_accepted');
    expect(policed.ways[0]?.server).toEqual(['ek_templates = ["L-1", "L-2", "H-3"]']);
  });
});

test('a certificate of another key of this very TPM is told as that, and not as a copied one', async () => {
  await certifiedTpm();
  await (tpm as SoftwareTpm).tpm2('tpm2_nvread', ['0x1c00002', '-o', 'own.der']);
  await storeIndex(
    tpm as SoftwareTpm,
    0x01c0000a,
    Uint8Array.from(readFileSync(join((tpm as SoftwareTpm).folder, 'own.der'))),
  );
  const document = await doctor('--ca-path', 'cas.pem');
  const told = document.findings.find(({ code }) => code === 'nv.other_key');
  expect(told).toMatchObject({ ek: 'L-2', message: expect.stringContaining('the L-1 key of this very TPM') });
  expect(told?.remedy).not.toContain('copied');
});

test('what is wrong with a key that is not taken is told and does not count', async () => {
  await certifiedTpm();
  const other = mintEkChain({ leaf: { publicKey: spkiOf(keyPair('p256', 'another machine').publicKey) } });
  await storeIndex(tpm as SoftwareTpm, 0x01c0000a, other.leaf.der);
  const document = await doctor('--ca-path', 'cas.pem');
  expect([document.code, errors(document), ways(document)]).toEqual([0, [], []]);
  expect(document.findings.find(({ code }) => code === 'nv.other_key')?.ek).toBe('L-2');
  expect((await doctor('--ca-path', 'cas.pem', '--ek', 'ecc')).code).toBe(1);
});

describe('what is wrong with one key does not end the command', () => {
  test('a password that is needed: the certificate is told all the same, and how to give the password', async () => {
    await certifiedTpm();
    await tpm?.tpm2('tpm2_changeauth', ['-c', 'e', 'secret']);
    const locked = await doctor('--ca-path', 'cas.pem');
    expect([locked.code, ways(locked)]).toEqual([1, ['password']]);
    expect(new Set(errors(locked))).toEqual(new Set(['tpm.endorsement_password']));
    expect(locked).toMatchObject({ tpm: { password_set: { endorsement: true } } });
    expect(locked.eks).toMatchObject([{ ek: 'L-1', taken: false, certificate: { verdict: 'trusted' } }]);
    writeFileSync(path('password'), 'secret\n');
    const opened = await doctor('--ca-path', 'cas.pem', '--endorsement-auth-file', 'password');
    expect(opened).toMatchObject({ code: 0, ways: [] });
    writeFileSync(path('password'), 'wrong\n');
    expect(ways(await doctor('--ca-path', 'cas.pem', '--endorsement-auth-file', 'password'))).toEqual(['password']);
  });

  test('an index that holds something else: the agent takes the key that works', async () => {
    tpm = await startSwtpm({ templates: ['H-3'] });
    await storeIndex(tpm, 0x01c00002, new Uint8Array(40).fill(0x42));
    const document = await doctor('--ca-path', tpm.caPath, '--allow', 'software_tpm');
    expect([document.code, errors(document), ways(document)]).toEqual([1, ['ek.algorithm'], ['ek_template']]);
    expect(document.ways[0]?.server).toEqual(ACCEPT_H3);
    expect(taken(document)?.ek).toBe('H-3');
    expect(document.findings.find(({ code }) => code === 'nv.malformed')).toMatchObject({
      ek: 'L-1',
      severity: 'remark',
    });
  });

  test('an index that cannot be read', async () => {
    tpm = await startSwtpm({ templates: ['H-3'] });
    await tpm.tpm2('tpm2_changeauth', ['-c', 'o', 'secret']);
    await storeIndex(tpm, 0x01c00002, new Uint8Array(16), 'ppwrite|ppread|ownerread|no_da|platformcreate');
    const document = await doctor('--ca-path', tpm.caPath, '--allow', 'software_tpm');
    expect([document.code, document.eks.map(({ ek }) => ek)]).toEqual([1, ['L-1', 'H-3']]);
    // The owner password must not decide which machine this is.
    expect(taken(document)?.ek).toBe('L-1');
    expect(errors(document)).toEqual(['ek.no_certificate', 'tpm.owner_password']);
    expect(ways(document)).toEqual(['password', 'hash', 'other_ek']);
    expect(document.ways[0]?.commands).toEqual(['tpm-attestor ek doctor --owner-auth-file PASSWORD']);
  });

  test('an index with a password of its own, which is no hierarchy’s', async () => {
    tpm = await startSwtpm({ templates: ['H-3'] });
    const attributes = 'ppwrite|ppread|authread|no_da|platformcreate';
    await tpm.tpm2('tpm2_nvdefine', ['0x01c00002', '-C', 'p', '-s', '16', '-a', attributes, '-p', 'secret']);
    writeFileSync(join(tpm.folder, 'contents'), new Uint8Array(16));
    await tpm.tpm2('tpm2_nvwrite', ['0x01c00002', '-C', 'p', '-i', 'contents']);
    const document = await doctor('--ca-path', tpm.caPath, '--allow', 'software_tpm');
    expect([document.code, errors(document), ways(document)]).toEqual([1, ['ek.algorithm'], ['ek_template']]);
    expect(document.findings.find(({ code }) => code === 'nv.unreadable')).toMatchObject({
      ek: 'L-1',
      remedy: expect.stringContaining('without a password'),
    });
    writeFileSync(path('policy.hcl'), `ca_path = "${tpm.caPath}"\nallow_software_tpm = true\n`);
    const policed = await doctor('--policy', 'policy.hcl');
    expect([policed.code, errors(policed)]).toEqual([1, ['ek.algorithm']]);
    expect(policed.ways).toMatchObject([{ way: 'ek_template', server: ACCEPT_H3 }]);
  });

  test('a chain that cannot be read', async () => {
    await certifiedTpm();
    await storeIndex(tpm as SoftwareTpm, 0x01c00100, Uint8Array.of(0x30, 0x82, 0x01, 0x00, 0x00));
    const document = await doctor('--ca-path', 'cas.pem');
    expect([document.code, codes(document)]).toEqual([0, expect.arrayContaining(['chain.unreadable'])]);
  });
});

test('every oddity of the indices is named, and none of them keeps a machine out', async () => {
  tpm = await startSwtpm({ templates: [] });
  const chain = mintEkChain({ leaf: { publicKey: await ekSpki(tpm, 'L-1') } });
  writeFileSync(path('cas.pem'), pem(chain.root.der, chain.intermediate.der));
  const length = chain.leaf.der.length + 2;
  const header = Uint8Array.of(0x10, 1, 0, length >> 8, length & 0xff, 0x10, 2);
  await storeIndex(tpm, 0x01c00002, Buffer.concat([header, chain.leaf.der, Buffer.alloc(20, 0xff)]));
  await storeIndex(tpm, 0x01c00004, encode(tpmtPublic, ekTemplate('L-1')));
  await storeIndex(tpm, 0x01c0000a, new Uint8Array(50));
  await storeIndex(tpm, 0x01c0000b, new Uint8Array(20).fill(9));
  await storeIndex(tpm, 0x01c0001e, new Uint8Array(50).fill(1));
  await storeIndex(tpm, 0x01c07f01, new Uint8Array(34));
  await storeIndex(tpm, 0x01c07abc, Uint8Array.of(1));
  const document = await doctor('--ca-path', 'cas.pem');
  expect([document.code, errors(document)]).toEqual([0, []]);
  const told = document.findings.map(
    ({ code, message, ek }) => `${ek ?? '-'} ${code} ${/0x01c0\w+/.exec(message)?.[0]}`,
  );
  expect(told.sort()).toEqual([
    '- nv.policy 0x01c07f01',
    '- nv.reserved 0x01c0000a',
    '- nv.unknown 0x01c07abc',
    '- nv.untaken 0x01c0001e',
    'L-1 nv.padding 0x01c00002',
    'L-1 nv.tcg_header 0x01c00002',
    'L-1 nv.template 0x01c00004',
    'L-1 tpm.manufacturer undefined',
    'L-2 nv.nonce 0x01c0000b',
  ]);
  expect(taken(document)?.certificate?.oddities).toEqual(
    expect.arrayContaining(['TCG-header', '20-trailing-bytes-ff', 'tpmVersion-format:id:073F']),
  );
});

test('a nonce that the certificate was not made for is told as such', async () => {
  await certifiedTpm();
  await storeIndex(tpm as SoftwareTpm, 0x01c00003, new Uint8Array(20).fill(9));
  const document = await doctor('--ca-path', 'cas.pem');
  expect([document.code, errors(document), codes(document)]).toEqual([
    1,
    ['ek.no_certificate'],
    expect.arrayContaining(['nv.nonce', 'nv.other_key']),
  ]);
});

test('a policy that is not enforced admits, and what it overlooks is told', async () => {
  await certifiedTpm({ notAfter: new Date('2021-01-01T00:00:00Z') });
  writeFileSync(path('policy.hcl'), 'ca_path = "cas.pem"\nenforce = false\n');
  const document = await doctor('--policy', 'policy.hcl');
  expect(document).toMatchObject({ code: 0, ways: [], eks: [{ admitted_by: 'unenforced' }] });
  expect(document.findings[0]).toMatchObject({ code: 'ek.expired', severity: 'remark' });
  expect(await doctorText('--policy', 'policy.hcl')).toMatch(/\nAdmitted while enforce is false. [^\n]+\n$/);
});

test('a switch is told to be of the bundle where the policy has no ca_path to which it would apply', async () => {
  await certifiedTpm({ notAfter: new Date('2021-01-01T00:00:00Z') });
  const allowance = async (policy: string): Promise<string | undefined> => {
    writeFileSync(path('policy.hcl'), policy);
    return (await doctor('--policy', 'policy.hcl')).ways.find(({ way }) => way === 'allowance')?.text;
  };
  expect(await allowance('ca_path = "cas.pem"\n')).toMatch(/^Overlook this for every machine: /);
  expect(await allowance('bundle "b" {\n  ca_path = "cas.pem"\n}\n')).toMatch(
    /^Overlook this for every machine of the bundle "b", in its block: /,
  );
});

test('a revoked machine is shown no way in', async () => {
  const chain = mintEkChain({ leaf: { serial: Uint8Array.of(0x07) } });
  writeFileSync(path('leaf.pem'), pem(chain.leaf.der, chain.intermediate.der));
  writeFileSync(path('root.pem'), pem(chain.root.der));
  mkdirSync(path('crls'));
  const issuing = keyPair('p256', 'intermediate').privateKey;
  const list = (serial: number): void => {
    const recipe = { issuer: commonName('Test TPM Intermediate CA'), signer: issuing };
    writeFileSync(path('crls/one.crl'), mintCrl({ ...recipe, revoked: [{ serial: Uint8Array.of(serial) }] }));
  };
  const asked = [
    'leaf.pem',
    '--ca-path',
    'root.pem',
    '--crl-path',
    'crls',
    '--crl-policy',
    'warn',
    '--at',
    '2026-06-01T00:00:00Z',
  ];
  list(0x07);
  const revoked = await doctor(...asked);
  expect([revoked.code, errors(revoked), ways(revoked)]).toEqual([1, ['ek.revoked'], []]);
  list(0x08);
  expect(await doctor(...asked)).toMatchObject({ code: 0, ways: [{ way: 'ek_template' }] });
});

describe('a policy file', () => {
  test('names the list in which a machine is to be put down', async () => {
    tpm = await startSwtpm({ templates: [] });
    mkdirSync(path('mine'));
    writeFileSync(path('policy.hcl'), 'hash_path = "mine"\n');
    const before = await doctor('--policy', 'policy.hcl');
    const { pub_hash: hash } = taken(before) ?? {};
    expect(before.ways[0]).toMatchObject({ way: 'hash', server: [] });
    expect(before.ways[0]?.commands).toEqual([`install -D -m 0644 /dev/null ${path('mine')}/${hash}`]);
    writeFileSync(path(`mine/${hash}`), '');
    expect(await doctor('--policy', 'policy.hcl')).toMatchObject({ code: 0, ways: [] });
  });

  test('says how the server would take the machine', async () => {
    await certifiedTpm();
    const { pub_hash: hash } = taken(await doctor()) ?? {};
    writeFileSync(path('policy.hcl'), 'ca_path = "cas.pem"\n');
    expect(await doctor('--policy', 'policy.hcl')).toMatchObject({ code: 0, cas: 2, ways: [] });
    writeFileSync(path('denied'), `${hash}\n`);
    writeFileSync(path('policy.hcl'), 'ca_path = "cas.pem"\ndeny_path = "denied"\n');
    const denied = await doctor('--policy', 'policy.hcl');
    expect([denied.code, errors(denied), ways(denied)]).toEqual([1, ['ek.denied'], []]);
    writeFileSync(path('policy.hcl'), 'ca_path = "cas.pem"\nek_algorithms = ["ecc"]\n');
    expect(errors(await doctor('--policy', 'policy.hcl'))).toEqual(['ek.algorithm']);
    mkdirSync(path('listed'));
    writeFileSync(path('policy.hcl'), 'ca_path = "cas.pem"\nhash_path = "listed"\nmode = "both"\n');
    const unlisted = await doctor('--policy', 'policy.hcl');
    expect([unlisted.code, errors(unlisted), ways(unlisted)]).toEqual([1, ['ek.not_listed'], ['hash']]);
    expect(unlisted.ways[0]?.text).toMatch(/This admits this machine alone, if its certificate passes\.$/);
  });

  test('goes without the options that say the same', async () => {
    writeFileSync(path('policy.hcl'), 'hash_path = "."\n');
    for (const other of [
      ['--ca-path', '.'],
      ['--allow', 'tpm12'],
      ['--hash-path', '.'],
    ]) {
      const { code, stdout, stderr } = await cli(['ek', 'doctor', '--policy', 'policy.hcl', ...other], { cwd: folder });
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(/^tpm-attestor: --[^\n]+ cannot be used with --policy[^\n]+\n$/);
    }
  });
});

describe('saved keys', () => {
  const { leaf, intermediate, root } = mintEkChain({
    leaf: { publicKey: spkiOf(keyPair('rsa2048', 'ek').publicKey) },
  });
  const bare = keyPair('p256', 'bare').publicKey;
  writeFileSync(path('saved-ca.pem'), pem(root.der));
  writeFileSync(path('saved.pem'), pem(leaf.der, intermediate.der));
  writeFileSync(path('bare.pem'), bare.export({ format: 'pem', type: 'spki' }));
  writeFileSync(path('weak.der'), spkiOf(keyPair('rsa1024', 'weak').publicKey));
  writeFileSync(path('junk'), 'junk');

  test('are judged without a TPM, and the exit code is that of the worst', async () => {
    const good = await doctor('saved.pem', '--ca-path', 'saved-ca.pem');
    expect(good).toMatchObject({ code: 0, tpm: null, ways: [] });
    expect(good.eks).toMatchObject([
      {
        ...{ ek: 'saved.pem', file: 'saved.pem', template: 'L-1', taken: true },
        ...{ admitted_by: 'certificate', admitted_only_with: null },
      },
    ]);
    const both = await doctor('saved.pem', 'bare.pem', '--ca-path', 'saved-ca.pem');
    expect([both.code, both.eks.map(({ admitted_by }) => admitted_by)]).toEqual([1, ['certificate', null]]);
    expect(both.ways.map(({ way, ek }) => [way, ek])).toEqual([
      ['hash', 'bare.pem'],
      ['certificate_file', 'bare.pem'],
    ]);
    const { code, stderr, stdout } = await cli(['ek', 'doctor', 'saved.pem', 'junk'], { cwd: folder });
    expect([code, stderr]).toEqual([2, expect.stringContaining(`${path('junk')}: `)]);
    expect(stdout).toContain('error        file.unreadable: ');
  });

  test.each([
    ['p256', 'L-2', ['ek_algorithms = ["rsa", "ecc"]']],
    ['p384', 'H-3', ACCEPT_H3],
  ] as const)(
    'of kind %s are not said to be admitted by a server of default options',
    async (keyAlgorithm, template, server) => {
      const chain = mintEkChain({ keyAlgorithm });
      writeFileSync(path('other-ca.pem'), pem(chain.root.der));
      writeFileSync(path('other.pem'), pem(chain.leaf.der, chain.intermediate.der));
      const document = await doctor('other.pem', '--ca-path', 'other-ca.pem');
      expect(document).toMatchObject({ code: 0, ways: [{ way: 'ek_template', server }] });
      expect(document.eks).toMatchObject([
        { template, admitted_by: null, admitted_only_with: { by: 'certificate', server } },
      ]);
      const text = await doctorText('other.pem', '--ca-path', 'other-ca.pem');
      expect(text).toContain(`its certificate passes; a server admits it only with ${server.join(' and ')}\n`);
      // The nearest neighbour: a policy that accepts the template.
      writeFileSync(path('other.hcl'), `ca_path = "other-ca.pem"\n${server.join('\n')}\n`);
      const accepted = await doctor('other.pem', '--policy', 'other.hcl');
      expect(accepted.eks).toMatchObject([{ admitted_by: 'certificate', admitted_only_with: null }]);
    },
  );

  test('as tpm2-tools write them have the hash that the TPM has', async () => {
    tpm = await startSwtpm({ templates: [] });
    const { pub_hash: hash } = taken(await doctor()) ?? {};
    await tpm.tpm2('tpm2_createek', ['-G', 'rsa', '-c', 'ek.ctx', '-u', join(folder, 'ek.pub')]);
    await tpm.tpm2('tpm2_flushcontext', ['-t']);
    await tpm.tpm2('tpm2_createprimary', ['-C', 'o', '-G', 'rsa', '-c', 'srk.ctx']);
    await tpm.tpm2('tpm2_readpublic', ['-c', 'srk.ctx', '-o', join(folder, 'srk.pub')]);
    await tpm.tpm2('tpm2_flushcontext', ['-t']);
    await tpm.stop();
    tpm = undefined;
    expect((await doctor('ek.pub')).eks).toMatchObject([{ template: 'L-1', pub_hash: hash }]);
    const foreign = await doctor('srk.pub');
    expect([foreign.code, errors(foreign), ways(foreign)]).toEqual([1, ['ek.template', 'ek.no_certificate'], []]);
  });

  test('that others can compute are advised no list', async () => {
    writeFileSync(path('roca.der'), spkiOf(rocaKeyPair('saved').publicKey));
    const document = await doctor('roca.der');
    expect([document.code, errors(document), ways(document)]).toEqual([1, ['ek.roca', 'ek.no_certificate'], []]);
  });

  test('of no kind that a template has cannot be enrolled', async () => {
    const document = await doctor('weak.der');
    expect([document.code, errors(document)]).toEqual([1, ['ek.template']]);
    expect(ways(document)).toEqual([]);
  });

  test('of another use are advised no list, those of an old TPM its switch', async () => {
    const publicKey = spkiOf(keyPair('rsa2048', 'attestation').publicKey);
    const signing = mintEkChain({ leaf: { publicKey, keyUsage: ['digitalSignature'] } });
    writeFileSync(path('signing.der'), signing.leaf.der);
    const other = await doctor('signing.der', '--ca-path', 'saved-ca.pem', '--intermediates', 'saved.pem');
    expect([other.code, errors(other), ways(other)]).toEqual([1, ['ek.usage'], []]);
    const old = mintEkChain({ leaf: { publicKey, family: '1.2', keyUsage: null, extKeyUsage: null } });
    writeFileSync(path('old.pem'), pem(old.leaf.der, old.intermediate.der));
    const document = await doctor('old.pem', '--ca-path', 'saved-ca.pem');
    expect([document.code, ways(document)]).toEqual([1, ['hash', 'allowance']]);
    expect(document.ways[1]?.server).toEqual(['allow_tpm12 = true']);
  });

  test('go without the options of the TPM', async () => {
    const { code, stdout, stderr } = await cli(
      ['ek', 'doctor', 'saved.pem', '--tcti', 'device:/dev/x', '--ek', 'ecc'],
      { cwd: folder },
    );
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toBe(
      'tpm-attestor: --ek, --tcti cannot be used with files, because it is about the TPM; leave one out\n',
    );
  });
});

describeCorpus('a certificate of the corpus', () => {
  test('never ends the command but with a verdict, or with what is unreadable of it', async () => {
    const files = leafRows.map(({ file }) => certificateFolder(file));
    const document = await doctor(...files);
    expect(document.code).toBe(2);
    expect(document.eks.length + codes(document).filter((code) => code === 'file.unreadable').length).toBe(
      files.length,
    );
    expect(document.eks.length).toBeGreaterThan(25);
    for (const { ek, certificate } of document.eks.filter(({ certificate }) => certificate?.missing_issuer != null))
      expect(certificate?.missing_issuer?.name, ek).not.toBe('');
  });
});

test('a TPM that is not there ends with exit code 3', async () => {
  const { code, stdout, stderr } = await cli(['ek', 'doctor', '--json', '--tcti', 'swtpm:path=/nonesuch/tpm.sock']);
  expect([code, stdout]).toEqual([3, '']);
  expect(stderr).toContain('whether the software TPM runs');
});

test('--json has every field whatever was found, and the help has the exit codes', async () => {
  const empty = await startSwtpm({ templates: [] });
  tpm = empty;
  const bare = await doctor();
  await empty.stop();
  tpm = await startSwtpm();
  const full = await doctor('--ca-path', tpm.caPath);
  const fields = (one: object | undefined): readonly string[] => Object.keys(one ?? {}).sort();
  expect(fields(bare)).toEqual(['cas', 'code', 'eks', 'findings', 'tpm', 'ways']);
  expect(fields(full)).toEqual(fields(bare));
  expect(fields(bare.eks[0])).toEqual(
    [
      'admitted_by',
      'admitted_only_with',
      'algorithm',
      'certificate',
      'certificate_source',
      'certificate_subject',
      'certificate_urls',
      'chain',
      'ek',
    ].concat(['file', 'notes', 'persistent_handle', 'pub_hash', 'taken', 'taken_by', 'template']),
  );
  for (const document of [bare, full]) {
    for (const ek of document.eks) expect(fields(ek)).toEqual(fields(bare.eks[0]));
    for (const finding of document.findings)
      expect(fields(finding)).toEqual(['code', 'ek', 'message', 'remedy', 'severity']);
    for (const way of document.ways) expect(fields(way)).toEqual(['agent', 'commands', 'ek', 'server', 'text', 'way']);
    expect(document.ways.length).toBeLessThanOrEqual(3);
  }
  expect((await cli(['ek', 'doctor', '--help'])).stdout).toContain(
    'Exit codes: 0 the given CAs or list can admit the key',
  );
});

describe('what is advised', () => {
  const root = program();

  /** The command that words name, and what is left of them. */
  function commandOf(words: readonly string[]): { readonly command: Command; readonly rest: readonly string[] } {
    let command = root;
    let at = 0;
    for (; at < words.length; at++) {
      const next = command.commands.find((one) => one.name() === words[at]);
      if (next === undefined) break;
      command = next;
    }
    return { command, rest: words.slice(at) };
  }

  test('are commands that exist, with options that they have', () => {
    const lines = shown.flatMap(({ commands }) => commands).filter((line) => line.startsWith('tpm-attestor '));
    expect(lines.length).toBeGreaterThan(10);
    for (const line of new Set(lines)) {
      const { command, rest } = commandOf(line.split(' ').slice(1));
      expect(command.commands, line).toEqual([]);
      for (const word of rest.filter((one) => one.startsWith('--')))
        expect(
          command.options.map(({ long }) => long),
          line,
        ).toContain(word);
    }
    const doctorOptions = commandOf(['ek', 'doctor']).command.options.map(({ long }) => long);
    const named = Object.values(DOCTOR_FINDINGS).flatMap(({ remedy }) => remedy.match(/--[a-z-]+/g) ?? []);
    expect(named.length).toBeGreaterThan(2);
    for (const option of named) expect(doctorOptions).toContain(option);
  });

  test('are options that server and agent take', () => {
    const sides = [
      [SERVER_OPTIONS, shown.map(({ server }) => server)],
      [AGENT_OPTIONS, shown.map(({ agent }) => agent)],
    ] as const;
    for (const [table, blocks] of sides) {
      const given = blocks.filter((lines) => lines.length > 0);
      expect(given.length).toBeGreaterThan(1);
      for (const lines of given) {
        const body = parseHcl(lines.join('\n'));
        const { problems } = readBundles(
          body.entries.filter(({ key }) => key === 'bundle'),
          'off',
        );
        expect(problems, lines.join('\n')).toEqual([]);
        const plain = { entries: body.entries.filter(({ key }) => key !== 'bundle') };
        expect(readOptions(table, plain), lines.join('\n')).toMatchObject({ ok: true });
      }
    }
  });

  test('is at least once of each way', () => {
    const all = ['allowance', 'ca_path', 'certificate_file', 'ek_template', 'hash', 'other_ek', 'password'];
    expect([...new Set(shown.map(({ way }) => way))].sort()).toEqual(all);
  });
});
