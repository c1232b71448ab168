import { createHash, X509Certificate } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { cli } from '../support/cli.ts';
import type { Execution } from '../support/execute.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';

const NONCE = 'a0a1a2a3a4a5a6a7';
let tpm: SoftwareTpm;
let other: SoftwareTpm;

beforeAll(async () => {
  tpm = await startSwtpm();
  other = await startSwtpm({ identity: 'other' });
  writeFileSync(join(tpm.folder, 'policy.hcl'), policy());
});

/** Works in the folder of the TPM. */
const run = (...args: string[]): Promise<Execution> =>
  cli(args, { cwd: tpm.folder, env: { TPM_ATTESTOR_TCTI: tpm.tcti } });
const policy = (caPath = tpm.caPath, more = ''): string =>
  `trust_domain = "example.org"\nca_path = ${JSON.stringify(caPath)}\nallow_software_tpm = true\nek_templates = ["L-1", "L-2", "H-3"]\n${more}`;
const write = (name: string, text: string): void => writeFileSync(join(tpm.folder, name), text);
const read = (name: string): string => readFileSync(join(tpm.folder, name), 'utf8');
const quote = async (name: string, ...more: string[]): Promise<void> => {
  const args = ['tpm', 'quote', '--nonce', NONCE, '--pcrs', 'sha256:0-7', '--trust-domain', 'example.org', '-o', name];
  expect(await run(...args, ...more)).toMatchObject({ code: 0, stdout: '' });
};
const verify = async (name: string, ...more: string[]) => {
  const { code, stdout, stderr } = await run('verify', name, '--policy', 'policy.hcl', '--json', ...more);
  const document = stdout === '' ? undefined : JSON.parse(stdout);
  const codes: string[] = document?.findings.map((finding: { code: string }) => finding.code) ?? [];
  return { code, document, codes, stderr };
};
const leftInTpm = async (): Promise<string> => {
  const lists = ['handles-transient', 'handles-loaded-session', 'handles-saved-session', 'handles-persistent'];
  const outputs: string[] = [];
  for (const list of lists) outputs.push((await tpm.tpm2('tpm2_getcap', [list])).stdout);
  return outputs.join('');
};

describe('tpm info', () => {
  test('tells maker, banks, lockout, slots and certified endorsement keys, and leaves nothing behind', async () => {
    const { code, stdout, stderr } = await run('tpm', 'info', '--json');
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toMatchObject({
      manufacturer: 'IBM',
      firmware: expect.stringMatching(/^\d+(\.\d+){3}$/),
      pcr_banks: ['sha256'],
      lockout: { active: false, failures: 0 },
      transient: { free: 3, loaded: 0 },
      endorsement_certificates: [
        { template: 'L-1', algorithm: 'rsa', nv_index: '0x01c00002' },
        { template: 'H-3', algorithm: 'ecc', nv_index: '0x01c00016' },
      ],
    });
    expect((await run('tpm', 'info')).stdout).toContain('lockout          no');
    expect(await leftInTpm()).toBe('');
  });

  test('tells of a TPM in lockout', async () => {
    const locked = await startSwtpm();
    await locked.tpm2('tpm2_dictionarylockout', ['-s', '-n', '1', '-t', '1000', '-l', '1000']);
    await locked.tpm2('tpm2_createprimary', ['-C', 'o', '-c', 'locked.ctx', '-p', 'right']);
    await locked.tpm2('tpm2_flushcontext', ['-t']);
    const guess = ['-C', 'locked.ctx', '-p', 'wrong', '-G', 'aes128', '-u', 'k.pub', '-r', 'k.priv'];
    await expect(locked.tpm2('tpm2_create', guess)).rejects.toThrow();
    await locked.tpm2('tpm2_flushcontext', ['-t']);
    const { stdout } = await cli(['tpm', 'info', '--json', '--tcti', locked.tcti]);
    expect(JSON.parse(stdout)).toMatchObject({ lockout: { active: true, failures: 1, max_failures: 1 } });
  });
});

describe('ek', () => {
  test.each([
    { ek: 'rsa', index: '0x1c00002', algorithm: 'rsa-2048', template: 'L-1' },
    { ek: 'ecc', index: '0x1c00016', algorithm: 'ecc-P-384', template: 'H-3' },
  ])('hash of kind $ek is that of the certificate in NV', async ({ ek, index, algorithm, template }) => {
    await tpm.tpm2('tpm2_nvread', [index, '-C', 'o', '-o', `${ek}.der`]);
    const certificate = new X509Certificate(readFileSync(join(tpm.folder, `${ek}.der`)));
    const spki = certificate.publicKey.export({ format: 'der', type: 'spki' });
    const pubHash = createHash('sha256').update(spki).digest('hex');
    const hash = await run('ek', 'hash', '--ek', ek);
    expect(hash).toMatchObject({ code: 0, stdout: `${pubHash}\n` });
    expect(hash.stderr).toContain(`template ${template} (${algorithm})\n`);
    expect(hash.stderr.includes('by default')).toBe(template !== 'L-1');
    const shown = JSON.parse((await run('ek', 'show', '--ek', ek, '--json')).stdout);
    expect(shown).toMatchObject({ template, algorithm, pub_hash: pubHash, persistent_handle: null, chain: 0 });
    expect(shown.certificate.issuer).toContain('CN=');
    expect(await leftInTpm()).toBe('');
  });
});

describe.each(['ecc', 'rsa'])('a quote by an AK of kind %s', (ak) => {
  test('is trusted by policy and nonce, and accepted by tpm2_checkquote', async () => {
    await quote('evidence.json', '--ak', ak, '--tpm2-tools', 'tools');
    expect(await leftInTpm()).toBe('');
    const { code, document } = await verify('evidence.json', '--nonce', NONCE);
    expect(code).toBe(0);
    const quoted = { verdict: 'trusted', scope: 'quote', fresh: true, findings: [], clock: { safe: true } };
    expect(document).toMatchObject(quoted);
    expect(document.pcrs.map(({ bank, index }: { bank: string; index: number }) => `${bank}:${index}`)).toEqual(
      Array.from({ length: 8 }, (_, index) => `sha256:${index}`),
    );
    const files = ['-u', 'ak.pem', '-m', 'quote.msg', '-s', 'quote.sig', '-f', 'quote.pcrs', '-g', 'sha256'];
    const cwd = join(tpm.folder, 'tools');
    await tpm.tpm2('tpm2_checkquote', [...files, '-q', NONCE], { cwd });
    await expect(tpm.tpm2('tpm2_checkquote', [...files, '-q', `${NONCE}00`], { cwd })).rejects.toThrow();
  });

  test('answers a challenge, which proves the endorsement key too', async () => {
    await quote('who.json', '--ak', ak);
    expect(await run('challenge', 'who.json', '--policy', 'policy.hcl', '-o', 'challenge.json')).toMatchObject({
      code: 0,
    });
    expect(statSync(join(tpm.folder, 'challenge.json.secret')).mode & 0o777).toBe(0o600);
    const answer = ['tpm', 'quote', '--challenge', 'challenge.json', '--evidence', 'who.json', '-o', 'answered.json'];
    expect(await run(...answer)).toMatchObject({ code: 0 });
    const { code, document } = await verify('answered.json', '--challenge', 'challenge.json');
    expect(code).toBe(0);
    expect(document).toMatchObject({ verdict: 'trusted', scope: 'attestation', fresh: true, findings: [] });
    expect(await leftInTpm()).toBe('');
    // Without the secret the same file is a quote, which carries the commitment to that challenge.
    const unasked = await verify('answered.json');
    expect(unasked.document).toMatchObject({ verdict: 'trusted', scope: 'quote', fresh: false });
    expect(unasked.stderr).toContain('without --nonce the quote may be of any age');
  });
});

describe('an evidence file', () => {
  beforeAll(() => quote('good.json'));

  const changed = (change: (file: Record<string, Record<string, unknown>>) => void): string => {
    const evidence = JSON.parse(read('good.json'));
    change(evidence);
    return JSON.stringify(evidence);
  };
  const flip = (base64: unknown): string => {
    const bytes = Buffer.from(String(base64), 'base64');
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    return bytes.toString('base64');
  };

  test.each([
    [
      'another signature',
      ['quote.signature'],
      ({ response = {} }) => Object.assign(response, { signature: flip(response.signature) }),
    ],
    [
      'another PCR value',
      ['quote.pcr_digest'],
      ({ response = {} }) => {
        const [first, ...rest] = response.pcrValues as string[];
        response.pcrValues = [flip(first), ...rest];
      },
    ],
    ['no certificate', ['ek.no_certificate'], ({ payload = {} }) => Object.assign(payload, { ekCertificates: [] })],
  ] as [string, string[], Parameters<typeof changed>[0]][])(
    'with %s is untrusted for one reason',
    async (_, codes, change) => {
      write('changed.json', changed(change));
      expect(await verify('changed.json', '--nonce', NONCE)).toMatchObject({ code: 1, codes });
    },
  );

  test('that holds what no evidence holds is untrusted with a report', async () => {
    const good = read('good.json');
    for (const bad of [
      good.slice(0, -9),
      good.replace('"versions": [', '"versions": [-'),
      good.replace('{', '{"x": 1,'),
    ]) {
      write('bad.json', bad);
      const answer = await verify('bad.json', '--nonce', NONCE, '--junit', 'bad.xml');
      expect(answer).toMatchObject({ code: 1, codes: ['evidence.malformed'] });
      expect(read('bad.xml')).toContain('<failure type="evidence.malformed"');
    }
  });

  test('is untrusted for another nonce, other PCRs, another CA and a TPM of software', async () => {
    expect(await verify('good.json', '--nonce', NONCE)).toMatchObject({ code: 0, codes: [] });
    expect(await verify('good.json', '--nonce', 'a0')).toMatchObject({ code: 1, codes: ['quote.commitment'] });
    write('policy-pcrs.hcl', policy(tpm.caPath, 'pcrs = "sha256:0-3"\n'));
    write('policy-ca.hcl', policy(other.caPath));
    write('policy-hardware.hcl', policy().replace('allow_software_tpm = true', ''));
    const judgedBy = async (file: string): Promise<string[]> => (await verify('good.json', '--policy', file)).codes;
    expect(await judgedBy('policy-pcrs.hcl')).toEqual(['quote.selection']);
    expect(await judgedBy('policy-ca.hcl')).toEqual(['ek.unknown_issuer']);
    expect(await judgedBy('policy-hardware.hcl')).toEqual(['ek.software_tpm']);
  });

  test('without --nonce is judged, and nowhere called fresh', async () => {
    const { code, document, stderr } = await verify('good.json', '--junit', 'old.xml');
    expect([code, document.fresh]).toEqual([0, false]);
    expect(stderr).toContain('without --nonce the quote may be of any age');
    expect(read('old.xml')).not.toContain('fresh');
    const asText = (...more: string[]) => run('verify', 'good.json', '--policy', 'policy.hcl', ...more);
    expect((await asText()).stdout).toMatch(/^trusted \(scope: quote\)\n/);
    expect((await asText('--nonce', NONCE)).stdout).toMatch(/^trusted \(scope: quote, fresh\)\n/);
    expect((await asText('--nonce', 'a0')).stdout).toMatch(/^untrusted \(scope: quote\)\n/);
  });

  test('for another nonce is not fresh', async () => {
    expect((await verify('good.json', '--nonce', 'a0')).document).toMatchObject({ verdict: 'untrusted', fresh: false });
  });

  test('comes from standard input and goes to standard output where its name is -', async () => {
    const { code, stdout, stderr } = await run('tpm', 'quote', '--nonce', NONCE, '-o', '-');
    expect([code, stderr]).toEqual([0, '']);
    const args = ['verify', '-', '--policy', 'policy.hcl', '--nonce', NONCE];
    const piped = (input: string, ...more: string[]) => cli([...args, ...more], { cwd: tpm.folder, input });
    expect(await piped(stdout)).toMatchObject({ code: 0 });
    // Without --pcrs it quoted what the server plugin asks for by default, which this policy does.
    expect((await piped(stdout, '--nonce', 'a0')).stdout).toContain('quote.commitment');
    const twice = await cli(['verify', '-', '--policy', '-'], { cwd: tpm.folder, input: stdout });
    expect([twice.code, twice.stderr]).toEqual([2, expect.stringContaining('two files are "-"')]);
    const alsoPolicy = ['verify', 'good.json', '--policy', '-', '--nonce', NONCE];
    expect(await cli(alsoPolicy, { cwd: tpm.folder, input: policy() })).toMatchObject({ code: 0 });
  });

  test('is judged by a policy whose CAs lie beside it, wherever the command is run', async () => {
    mkdirSync(join(tpm.folder, 'rules', 'cas'), { recursive: true });
    copyFileSync(tpm.caPath, join(tpm.folder, 'rules', 'cas', 'ca.pem'));
    write('rules/policy.hcl', policy('cas'));
    expect(await verify('good.json', '--policy', 'rules/policy.hcl')).toMatchObject({ code: 0, codes: [] });
    write('astray.hcl', policy('cas'));
    const astray = await verify('good.json', '--policy', 'astray.hcl');
    expect([astray.code, astray.stderr]).toEqual([2, expect.stringContaining(`${join(tpm.folder, 'cas')}: no such`)]);
  });

  test('is reported as JUnit: one case for each class of checks, findings escaped', async () => {
    await verify('good.json', '--nonce', 'a0', '--junit', 'report.xml');
    const report = read('report.xml');
    expect(report).toContain('<testsuite name="tpm-attestor verify" tests="7" failures="1" errors="0" skipped="4">');
    expect(report.match(/<testcase /g)).toHaveLength(7);
    expect(report).toContain('<failure type="quote.commitment"');
    await verify('good.json', '--nonce', NONCE, '--junit', 'report.xml');
    expect(read('report.xml')).toContain('failures="0"');
    expect(read('report.xml')).toContain('name="quote: the quote is genuine, fresh and covers the PCRs"/>');
    expect(readdirSync(tpm.folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

describe('a challenge', () => {
  beforeAll(async () => {
    await quote('mine.json');
    await run('challenge', 'mine.json', '--policy', 'policy.hcl', '-o', 'ask.json');
    const answer = ['tpm', 'quote', '--challenge', 'ask.json', '--evidence', 'mine.json', '-o', 'told.json'];
    expect(await run(...answer)).toMatchObject({ code: 0 });
  });

  test('is refused to evidence whose certificate no CA of the policy issued', async () => {
    write('policy-other.hcl', policy(other.caPath));
    const { code, stderr } = await run('challenge', 'mine.json', '--policy', 'policy-other.hcl', '-o', 'refused.json');
    expect([code, existsSync(join(tpm.folder, 'refused.json'))]).toEqual([1, false]);
    expect(stderr).toContain('ek.unknown_issuer');
  });

  test('is refused to evidence for another trust domain, with what to do', async () => {
    await quote('elsewhere.json', '--trust-domain', 'other.example');
    const { code, stderr } = await run('challenge', 'elsewhere.json', '--policy', 'policy.hcl', '-o', 'refused.json');
    expect(code).toBe(2);
    expect(stderr).toContain('tpm quote --trust-domain example.org');
  });

  test('is answered only for the evidence it was made for', async () => {
    await quote('namesake.json', '--trust-domain', 'other.example');
    await quote('rsa.json', '--ak', 'rsa');
    for (const evidence of ['namesake.json', 'rsa.json']) {
      const answer = ['tpm', 'quote', '--challenge', 'ask.json', '--evidence', evidence, '-o', 'mixed.json'];
      const { code, stderr } = await run(...answer);
      expect([code, existsSync(join(tpm.folder, 'mixed.json'))]).toEqual([2, false]);
      expect(stderr).toContain('ask.json was made for other evidence than ');
    }
  });

  test('is not answered by another TPM', async () => {
    const answer = ['tpm', 'quote', '--challenge', 'ask.json', '--evidence', 'mine.json', '-o', 'stolen.json'];
    const { code, stderr } = await run(...answer, '--tcti', other.tcti);
    expect([code, existsSync(join(tpm.folder, 'stolen.json'))]).toEqual([2, false]);
    expect(stderr).toContain('does not fit the keys and PCR banks of this TPM');
  });

  test('is not answered by the quote that was there before', async () => {
    expect(await verify('mine.json', '--challenge', 'ask.json')).toMatchObject({
      code: 1,
      codes: ['response.other_exchange'],
    });
  });

  test('is judged with the payload it was made for, whatever came back with the answer', async () => {
    const told = JSON.parse(read('told.json'));
    write('dressed-up.json', JSON.stringify({ ...told, payload: { ...told.payload, ekCertificates: [] } }));
    expect(await verify('dressed-up.json', '--challenge', 'ask.json')).toMatchObject({ code: 0, codes: [] });
    const asked = JSON.parse(read('ask.json'));
    write('swapped.json', JSON.stringify({ ...asked, payload: { ...asked.payload, versions: [1] } }));
    write('swapped.json.secret', read('ask.json.secret'));
    const { code, stderr } = await verify('told.json', '--challenge', 'swapped.json');
    expect(code).toBe(2);
    expect(stderr).toContain('is for another challenge');
  });

  test('is answered too late after attest_timeout', async () => {
    const kept = JSON.parse(read('ask.json.secret'));
    write('late.json', read('ask.json'));
    write('late.json.secret', JSON.stringify({ ...kept, issuedAt: new Date(Date.now() - 61_000).toISOString() }));
    expect(await verify('told.json', '--challenge', 'late.json')).toMatchObject({ code: 1, codes: ['response.late'] });
  });

  test('is not answered with another secret', async () => {
    const told = JSON.parse(read('told.json'));
    const secret = Buffer.alloc(32, 7).toString('base64');
    write('guessed.json', JSON.stringify({ ...told, response: { ...told.response, secret } }));
    expect(await verify('guessed.json', '--challenge', 'ask.json')).toMatchObject({
      code: 1,
      codes: ['credential.secret'],
    });
  });
});
