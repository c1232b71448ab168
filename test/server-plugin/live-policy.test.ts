/** The policy follows its files, as a whole or not at all. */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readServerSettings } from '../../src/server-plugin/config.ts';
import { LivePolicy } from '../../src/server-plugin/live-policy.ts';
import type { Policy } from '../../src/verifier/policy.ts';
import { commonName } from '../support/certificate-recipe.ts';
import { crlPem, mintCrl } from '../support/crl-recipe.ts';
import { keyPair, mintAuthority, mintEkChain, pem } from '../support/pki.ts';

const HASH = '0123456789abcdef'.repeat(4);
const OTHER = 'fedcba9876543210'.repeat(4);
const { root, rootKey } = mintEkChain();
const second = mintAuthority('Second Root', keyPair('p256', 'second'), {
  issuer: 'Second Root',
  key: keyPair('p256', 'second'),
});
const crl = mintCrl({ issuer: commonName('Test TPM Root CA'), signer: rootKey.privateKey });

let folder: string;
const path = (name: string): string => join(folder, name);
const write = (name: string, contents: string | Uint8Array): void => writeFileSync(path(name), contents);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'live-'));
  mkdirSync(path('cas'));
  write('cas/root.pem', pem(root.der));
  write('ca.pem', pem(root.der));
  mkdirSync(path('crls'));
  write('crls/one.crl', crlPem(crl));
  write('hashes', `${HASH}\n`);
  write('denied', '');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Told {
  readonly reloaded: Policy[];
  readonly warnings: string[];
  /** One list for each failed look. */
  readonly failed: (readonly string[])[];
}

/**
 * Looks at its files at every question, unless told otherwise.
 *
 * @param whenRead happens each time between the reading of the files and their being in force
 */
function live(lookEveryMs = 0, whenRead: () => void = () => {}): { readonly policy: LivePolicy; readonly told: Told } {
  const told: Told = { reloaded: [], warnings: [], failed: [] };
  const option = (name: string, file: string): string => `${name} = ${JSON.stringify(path(file))}\n`;
  const bundle = `bundle "b" {\n${option('ca_path', 'cas')}}\n`;
  const files = [
    ['ca_path', 'ca.pem'],
    ['hash_path', 'hashes'],
    ['deny_path', 'denied'],
    ['crl_path', 'crls'],
  ] as const;
  const hcl = bundle + files.map(([name, file]) => option(name, file)).join('');
  const settings = {
    ...readServerSettings('example.org', hcl),
    get attestTimeoutMs(): number {
      whenRead();
      return 60_000;
    },
  };
  const report = {
    reloaded: (policy: Policy, warnings: readonly string[]) => {
      told.reloaded.push(policy);
      told.warnings.push(...warnings);
    },
    failed: (problems: readonly string[]) => told.failed.push(problems),
  };
  return { policy: new LivePolicy(settings, report, lookEveryMs), told };
}

const facts = ({ bundles, crls, isListed, isDenied }: Policy): unknown => ({
  anchors: bundles.map(({ anchors }) => anchors.certificates.length),
  crls: crls.lists.length,
  listed: [HASH, OTHER].map((hash) => isListed?.(hash)),
  denied: [HASH, OTHER].map((pubHash) => isDenied?.({ pubHash, serial: undefined })),
});
const FIRST = { anchors: [1, 1], crls: 1, listed: [true, false], denied: [false, false] };

const CHANGES: readonly (readonly [string, () => void, Partial<typeof FIRST>])[] = [
  ['a CA file that is written over', () => write('ca.pem', pem(root.der, second.der)), { anchors: [2, 1] }],
  ['a CA file that is replaced', () => replace('ca.pem', pem(root.der, second.der)), { anchors: [2, 1] }],
  ['a file more in a CA folder', () => write('cas/second.der', second.der), { anchors: [1, 2] }],
  ['a link more in a CA folder', () => symlinkSync(path('ca.pem'), path('cas/link')), { anchors: [1, 1] }],
  ['a revocation list more', () => write('crls/two.crl', mintCrl({ signer: rootKey.privateKey })), { crls: 2 }],
  ['a revocation list less', () => rmSync(path('crls/one.crl')), { crls: 0 }],
  ['a hash more', () => write('hashes', `${HASH}\n${OTHER}\n`), { listed: [true, true] }],
  ['a hash of the same length', () => write('hashes', `${OTHER}\n`), { listed: [false, true] }],
  ['no hash', () => write('hashes', ''), { listed: [false, false] }],
  [
    'a folder in place of the file of hashes',
    () => {
      rmSync(path('hashes'));
      mkdirSync(path('hashes'));
      write(`hashes/${OTHER}`, '');
    },
    { listed: [false, true] },
  ],
  ['a denied machine', () => write('denied', HASH), { denied: [true, false] }],
];

function replace(name: string, contents: string): void {
  write(`${name}.new`, contents);
  renameSync(path(`${name}.new`), path(name));
}

test.each(CHANGES)('%s is in force at the next question, once', (_, change, changed) => {
  const { policy, told } = live();
  const before = policy.current();
  expect(facts(before.policy)).toEqual(FIRST);
  change();
  const after = policy.current();
  expect(facts(after.policy)).toEqual({ ...FIRST, ...changed });
  const none =
    after.policy.crls.lists.length === 0 ? [expect.stringMatching(/^crl_path: holds no revocation list/)] : [];
  expect(told).toEqual({ reloaded: [after.policy], warnings: none, failed: [] });
  // Who is known was known under the other policy.
  expect([after.policy === before.policy, after.known === before.known]).toEqual([false, false]);
  expect(policy.current()).toBe(after);
  expect(told.reloaded).toHaveLength(1);
  // An attestation keeps what it began with, but for a folder of hashes, in which the list lies itself.
  expect(facts(before.policy)).toMatchObject({ anchors: [1, 1], crls: 1, denied: [false, false] });
});

/** Bytes that this process has read from files so far. */
const bytesRead = (): number => Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);

test('while nothing changes the policy and who is known stay the same, and no file is read', () => {
  const large = 4 * 1024 * 1024;
  write('ca.pem', `${' '.repeat(large)}\n${pem(root.der)}`);
  const { policy, told } = live();
  const reading = (change: () => void): boolean => {
    const before = bytesRead();
    change();
    policy.current();
    return bytesRead() - before > large;
  };
  const before = policy.current();
  expect(reading(() => {})).toBe(false);
  expect(policy.current()).toBe(before);
  expect(told.reloaded).toEqual([]);
  expect(reading(() => write('denied', HASH))).toBe(true);
  expect(reading(() => {})).toBe(false);
});

test('files that cannot be used are read again at once when they change, and else at one look of twelve', () => {
  const large = 4 * 1024 * 1024;
  write('ca.pem', `${' '.repeat(large)}\n${pem(root.der)}`);
  const { policy, told } = live();
  const reads = (): boolean => {
    const before = bytesRead();
    policy.current();
    return bytesRead() - before > large;
  };
  const once = [true, ...Array<boolean>(11).fill(false), true, false];
  write('denied', 'edge-7');
  expect(once.map(reads)).toEqual(once);
  write('denied', 'edge-8');
  expect(once.map(reads)).toEqual(once);
  expect(told.failed).toHaveLength(2);
  write('denied', HASH);
  expect([reads(), reads(), told.reloaded.length]).toEqual([true, false, 1]);
});

test('between two looks nothing is seen, and then it is', async () => {
  const { policy } = live(200);
  const before = policy.current();
  write('denied', HASH);
  expect(policy.current()).toBe(before);
  await expect.poll(() => facts(policy.current().policy), { timeout: 10_000 }).toMatchObject({ denied: [true, false] });
});

test('files that nobody named change nothing: hidden ones, what lies in folders below, and what lies beside', () => {
  const { policy, told } = live();
  const before = policy.current();
  write('cas/.root.pem.swp', 'x');
  mkdirSync(path('cas/below'));
  write('cas/below/second.der', second.der);
  write('beside', 'x');
  expect(policy.current()).toBe(before);
  expect(told.reloaded).toEqual([]);
});

describe('what cannot be used', () => {
  const gone = (name: string) => `cannot be used: ${path(name)}: no such file or directory`;
  const FAULTS: readonly (readonly [string, () => void, readonly string[]])[] = [
    [
      'a CA file of rubbish',
      () => write('ca.pem', 'rubbish'),
      [
        '"ca_path" cannot be used: PATH/ca.pem: holds no certificate that can be read: it is text without a certificate in it. Give a certificate in PEM ("-----BEGIN CERTIFICATE-----") or DER',
      ],
    ],
    [
      'an empty CA file, as there is before it is written',
      () => write('ca.pem', ''),
      [
        '"ca_path" cannot be used: PATH/ca.pem: holds no certificate that can be read: it is an empty file. Write or download it again',
      ],
    ],
    [
      'half a CA file',
      () => write('ca.pem', readFileSync(path('ca.pem')).subarray(0, 300)),
      ['"ca_path" cannot be used: PATH/ca.pem: holds no certificate that can be read'],
    ],
    [
      'a second certificate in a CA file of which half is there',
      () => write('ca.pem', `${readFileSync(path('ca.pem'), 'utf8')}-----BEGIN CERTIFICATE-----\nMIIB`),
      ['"ca_path" cannot be used: PATH/ca.pem: holds no certificate that can be read'],
    ],
    [
      'a file of a folder that could be read, beside others that still can',
      () => {
        write('cas/other.pem', readFileSync(path('ca.pem')));
        write('cas/root.pem', 'rubbish');
      },
      [
        'ca_path of bundle "b" cannot be used: PATH/cas: PATH/cas/root.pem could be read in whole before; now it is text without a certificate in it. Give a certificate in PEM ("-----BEGIN CERTIFICATE-----") or DER',
      ],
    ],
    [
      'half a revocation list',
      () => write('crls/one.crl', readFileSync(path('crls/one.crl')).subarray(0, 100)),
      [
        '"crl_path" cannot be used: PATH/crls: PATH/crls/one.crl could be read in whole before; now pem.line[1]: is not ended (at offset 0)',
      ],
    ],
    [
      'an empty folder of a bundle',
      () => rmSync(path('cas/root.pem')),
      [
        'ca_path of bundle "b" cannot be used: PATH/cas: holds no file; put CA certificates there (PEM or DER), with "tpm-attestor ca import" or by hand',
      ],
    ],
    ['a folder that has gone', () => rmSync(path('cas'), { recursive: true }), ['ca_path of bundle "b" GONE cas']],
    ['a CA file that has gone', () => rmSync(path('ca.pem')), ['"ca_path" GONE ca.pem']],
    ['lists that have gone', () => rmSync(path('crls'), { recursive: true }), ['"crl_path" GONE crls']],
    ['hashes that have gone', () => rmSync(path('hashes')), ['"hash_path" GONE hashes']],
    [
      'a deny-list of rubbish',
      () => write('denied', `${OTHER}\nedge-7`),
      [
        '"deny_path" cannot be used: PATH/denied: line 2 ("edge-7") is no entry: one is 64 hexadecimal digits, or "serial:" and hexadecimal digits, with names behind a #',
      ],
    ],
    [
      'a link to nothing in a folder',
      () => symlinkSync(path('nonesuch'), path('cas/link')),
      ['ca_path of bundle "b" cannot be used: PATH/cas: no such file or directory'],
    ],
    [
      'two things at once',
      () => {
        rmSync(path('ca.pem'));
        rmSync(path('denied'));
      },
      ['"ca_path" GONE ca.pem', '"deny_path" GONE denied'],
    ],
  ];
  const spelled = (text: string): string =>
    text.replace(/GONE (.*)/, (_, name: string) => gone(name)).replaceAll('PATH', folder);

  test.each(FAULTS)('%s leaves what was in force, and is told once', (_, spoil, problems) => {
    const { policy, told } = live();
    const before = policy.current();
    spoil();
    for (let i = 0; i < 3; i++) expect(policy.current()).toBe(before);
    expect(told).toMatchObject({ reloaded: [], failed: [problems.map(spelled)] });
  });

  test('is told again when it is another, and when there is more of it', () => {
    const { policy, told } = live();
    const before = policy.current();
    write('denied', 'edge-7');
    policy.current();
    write('denied', 'edge-8');
    policy.current();
    write('denied', 'edge-8\n');
    policy.current();
    rmSync(path('hashes'));
    policy.current();
    expect(policy.current()).toBe(before);
    expect(told.failed.map((problems) => problems.length)).toEqual([1, 1, 2]);
    expect(told.failed[1]?.[0]).toContain('edge-8');
  });

  test('holds back what is sound beside it, until all is sound', () => {
    const { policy, told } = live();
    write('denied', 'edge-7');
    write('cas/second.der', second.der);
    expect(facts(policy.current().policy)).toEqual(FIRST);
    write('denied', HASH);
    expect(facts(policy.current().policy)).toEqual({ ...FIRST, anchors: [1, 2], denied: [true, false] });
    expect([told.failed.length, told.reloaded.length]).toEqual([1, 1]);
    // The same mistake once more is news.
    write('denied', 'edge-7');
    policy.current();
    expect(told.failed).toHaveLength(2);
  });

  test('is over when the very files from before are back, and the same mistake once more is news', () => {
    const { policy, told } = live();
    const before = policy.current();
    const vanish = () => renameSync(path('cas'), path('elsewhere'));
    vanish();
    expect(policy.current()).toBe(before);
    renameSync(path('elsewhere'), path('cas'));
    expect(policy.current()).toBe(before);
    vanish();
    expect(policy.current()).toBe(before);
    expect([told.failed.length, told.reloaded.length]).toEqual([2, 0]);
  });

  test('in a new file of a folder is left out and told, and the rest is in force', () => {
    const { policy, told } = live();
    write('cas/cut.pem', pem(second.der).slice(0, 200));
    expect(facts(policy.current().policy)).toEqual(FIRST);
    expect(told.warnings).toEqual([expect.stringMatching(/^ca_path of bundle "b": .*\/cas\/cut\.pem is left out: /)]);
    write('cas/cut.pem', pem(second.der));
    expect(facts(policy.current().policy)).toEqual({ ...FIRST, anchors: [1, 2] });
  });
});

test('what is wrong at first is no policy, all of it told', () => {
  rmSync(path('ca.pem'));
  write('denied', 'edge-7');
  write('crls/one.crl', 'rubbish');
  expect(() => live()).toThrow(/^"ca_path" cannot be used: .*; "deny_path" cannot be used: /);
  write('ca.pem', pem(root.der));
  write('denied', '');
  const { policy } = live();
  expect(policy.warnings).toEqual([
    expect.stringMatching(/^every TPM is admitted that the CAs ever certified/),
    expect.stringMatching(/^crl_path: .*\/crls\/one\.crl is left out: /),
    expect.stringMatching(/^crl_path: holds no revocation list/),
  ]);
});

test('a file is seen to change though its size and its time of modification are put back', () => {
  const putBack = (): void => utimesSync(path('hashes'), 1_700_000_000, 1_700_000_000);
  putBack();
  const { policy } = live();
  write('hashes', `${OTHER}\n`);
  putBack();
  expect(facts(policy.current().policy)).toMatchObject({ listed: [false, true] });
});

test('files that change while they are read are not used, which is told once, and are read at the next look', () => {
  const changes = [`# read first\n${HASH}\n`, `${OTHER}\n`, `${OTHER}\n${HASH}\n`];
  const { policy, told } = live(0, () => {
    const text = changes.shift();
    if (text !== undefined) write('hashes', text);
  });
  const listed = (): unknown => facts(policy.current().policy);
  // Of those below each is there when the files are read, and no longer when they have been.
  expect(listed()).toMatchObject({ listed: [true, false] });
  expect(listed()).toMatchObject({ listed: [true, false] });
  expect(told.reloaded).toEqual([]);
  expect(listed()).toMatchObject({ listed: [true, true] });
  expect([changes, told.reloaded.length]).toEqual([[], 1]);
  expect(told.failed).toEqual([['they changed again while they were read']]);
});

test('what changes while the files are read for the first time is seen at the next look', () => {
  const changes = [`${OTHER}\n${HASH}\n`];
  const { policy } = live(0, () => {
    const text = changes.shift();
    if (text !== undefined) write('hashes', text);
  });
  expect(facts(policy.current().policy)).toMatchObject({ listed: [true, true] });
});

test('a fault that is none of the files is thrown, and no reason to go on with those from before', () => {
  let isFaulty = false;
  const { policy, told } = live(0, () => {
    if (isFaulty) throw new RangeError('a fault');
  });
  isFaulty = true;
  write('hashes', `${HASH}\n${OTHER}\n`);
  for (let look = 0; look < 2; look++) expect(() => policy.current()).toThrow(RangeError);
  isFaulty = false;
  expect(facts(policy.current().policy)).toMatchObject({ listed: [true, true] });
  expect(told.failed).toEqual([]);
});
