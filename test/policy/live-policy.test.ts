/** The policy follows its files, as a whole or not at all. */
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LivePolicy, type PolicyInForce } from '../../src/policy/live-policy.ts';
import { readServerSettings } from '../../src/policy/server-settings.ts';
import type { Policy } from '../../src/verifier/policy.ts';
import { commonName } from '../support/certificate-recipe.ts';
import { crlPem, mintCrl } from '../support/crl-recipe.ts';
import { UNHEARD } from '../support/live-policy.ts';
import { keyPair, mintAuthority, mintEkChain, pem } from '../support/pki.ts';

const HASH = '0123456789abcdef'.repeat(4);
const OTHER = 'fedcba9876543210'.repeat(4);
const { root, rootKey } = mintEkChain();
const second = mintAuthority('Second TPM Root', keyPair('p256', 'second'), {
  issuer: 'Second TPM Root',
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
  /** Entries of the deny list, each time that it was told. */
  readonly denied: number[];
  readonly warnings: string[];
  /** One list for each failed look. */
  readonly failed: (readonly string[])[];
}

interface Live {
  readonly policy: LivePolicy;
  /** What is in force after a look. */
  readonly seen: () => Promise<PolicyInForce>;
  readonly told: Told;
}

/** @param whenRead happens each time between the reading of the files and their being in force */
async function live(whenRead: () => void = () => {}): Promise<Live> {
  const told: Told = { reloaded: [], denied: [], warnings: [], failed: [] };
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
  const policy = await LivePolicy.open(settings, {
    ...UNHEARD,
    reloaded: (reloaded, warnings) => {
      told.reloaded.push(reloaded);
      told.warnings.push(...warnings);
    },
    denied: (entries) => told.denied.push(entries),
    failed: (problems) => told.failed.push(problems),
  });
  const seen = async (): Promise<PolicyInForce> => {
    await policy.look();
    return policy.current();
  };
  return { policy, seen, told };
}

/** Since a file may be written within one tick of the clock, it is read once more when it has been left alone for a while. */
const SETTLED_MS = 2100;

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
];

function replace(name: string, contents: string): void {
  write(`${name}.new`, contents);
  renameSync(path(`${name}.new`), path(name));
}

test.each(CHANGES)('%s is in force after the next look, once', async (_, change, changed) => {
  const { policy, seen, told } = await live();
  const before = policy.current();
  expect(facts(before.policy)).toEqual(FIRST);
  change();
  const after = await seen();
  expect(facts(after.policy)).toEqual({ ...FIRST, ...changed });
  const none =
    after.policy.crls.lists.length === 0 ? [expect.stringMatching(/^crl_path: holds no revocation list/)] : [];
  expect(told).toEqual({ reloaded: [after.policy], denied: [], warnings: none, failed: [] });
  // Who is known was known under the other policy.
  expect([after.policy === before.policy, after.known === before.known]).toEqual([false, false]);
  expect(await seen()).toBe(after);
  await delay(SETTLED_MS);
  expect(await seen()).toBe(after);
  expect(told.reloaded).toHaveLength(1);
  // An attestation keeps what it began with, but for a folder of hashes, in which the list lies itself.
  expect(facts(before.policy)).toMatchObject({ anchors: [1, 1], crls: 1, denied: [false, false] });
});

const THIRD = { issuer: 'Third', key: keyPair('p256', 'third') };

/** Bytes that this process has read from files so far. */
const bytesRead = (): number => Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);

async function readBy(work: () => Promise<unknown>): Promise<number> {
  const before = bytesRead();
  await work();
  return bytesRead() - before;
}

test('while nothing changes the policy and who is known stay the same, and no file is read', async () => {
  const { policy, seen, told } = await live();
  const before = policy.current();
  await delay(SETTLED_MS);
  expect(await seen()).toBe(before);
  const [idle, again] = [await readBy(seen), await readBy(seen)];
  expect(policy.current()).toBe(before);
  expect([told.reloaded, told.denied]).toEqual([[], []]);
  // What the two lines of /proc take.
  expect(idle).toBe(again);
  write('hashes', `${HASH}\n${OTHER}\n`);
  expect(await readBy(seen)).toBeGreaterThan(idle);
});

test('of many files the one is read that has changed', async () => {
  const large = 4 * 1024 * 1024;
  write('cas/large.pem', `${' '.repeat(large)}\n${pem(second.der)}`);
  const { seen } = await live();
  const [other] = (await seen()).policy.bundles.flatMap(({ anchors }) => anchors.certificates);
  await delay(SETTLED_MS);
  await seen();
  write('cas/root.pem', pem(root.der, mintAuthority('Third', keyPair('p256', 'third'), THIRD).der));
  write('hashes', `${OTHER}\n`);
  expect(await readBy(seen)).toBeLessThan(large);
  const certificates = (await seen()).policy.bundles.flatMap(({ anchors }) => anchors.certificates);
  expect(certificates).toHaveLength(4);
  // The very one from before.
  expect(certificates).toContain(other);
});

test('a file that was touched and says the same is no change', async () => {
  const { policy, seen, told } = await live();
  const before = policy.current();
  for (const name of ['ca.pem', 'cas/root.pem', 'hashes', 'crls/one.crl', 'denied'])
    utimesSync(path(name), 1_700_000_000, 1_700_000_000);
  expect(await seen()).toBe(before);
  expect(told).toEqual({ reloaded: [], denied: [], warnings: [], failed: [] });
});

test('a file that cannot be used is not read again while it stays the same', async () => {
  const large = 4 * 1024 * 1024;
  write('cas/large.pem', `${' '.repeat(large)}\n${pem(second.der)}`);
  const { seen, told } = await live();
  await delay(SETTLED_MS);
  await seen();
  write('cas/large.pem', `${' '.repeat(large)}\nrubbish`);
  expect(await readBy(seen)).toBeGreaterThan(large);
  await delay(SETTLED_MS);
  // Once it has settled it is read once more.
  await seen();
  for (let look = 0; look < 15; look++) expect(await readBy(seen)).toBeLessThan(large);
  expect(told.failed).toHaveLength(1);
  write('cas/large.pem', `${' '.repeat(large)}\n${pem(second.der)}`);
  expect(await readBy(seen)).toBeGreaterThan(large);
  expect([told.failed.length, told.reloaded.length]).toEqual([1, 1]);
});

test('files that nobody named change nothing: hidden ones, what lies in folders below, and what lies beside', async () => {
  const { policy, seen, told } = await live();
  const before = policy.current();
  write('cas/.root.pem.swp', 'x');
  mkdirSync(path('cas/below'));
  write('cas/below/second.der', second.der);
  write('beside', 'x');
  expect(await seen()).toBe(before);
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
        'ca_path of bundle "b" cannot be used: PATH/cas: PATH/cas/root.pem was readable in whole before, but now: it is text without a certificate in it. Give a certificate in PEM ("-----BEGIN CERTIFICATE-----") or DER',
      ],
    ],
    [
      'half a revocation list',
      () => write('crls/one.crl', readFileSync(path('crls/one.crl')).subarray(0, 100)),
      [
        '"crl_path" cannot be used: PATH/crls: PATH/crls/one.crl was readable in whole before, but now: pem.line[1]: a block without END line (at offset 0)',
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
    ['a deny-list that has gone', () => rmSync(path('denied')), ['"deny_path" GONE denied']],
    [
      'a pipe in place of the hashes',
      () => {
        rmSync(path('hashes'));
        execFileSync('mkfifo', [path('hashes')]);
      },
      ['"hash_path" cannot be used: PATH/hashes: PATH/hashes is not a regular file'],
    ],
    [
      'a deny-list of rubbish',
      () => write('denied', `${OTHER}\nedge-7`),
      [
        '"deny_path" cannot be used: PATH/denied: line 2 ("edge-7") can deny no machine; write 64 hexadecimal digits, or "serial:" and hexadecimal digits, with names after a #',
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
        rmSync(path('hashes'));
      },
      ['"ca_path" GONE ca.pem', '"hash_path" GONE hashes'],
    ],
  ];
  const spelled = (text: string): string =>
    text.replace(/GONE (.*)/, (_, name: string) => gone(name)).replaceAll('PATH', folder);

  test.each(FAULTS)('%s leaves what was in force, and is told once', async (_, spoil, problems) => {
    const { policy, seen, told } = await live();
    const before = policy.current();
    spoil();
    for (let i = 0; i < 3; i++) expect(await seen()).toBe(before);
    expect(told).toMatchObject({ reloaded: [], failed: [problems.map(spelled)] });
  });

  test('is told again when it is another, and when there is more of it', async () => {
    const { policy, seen, told } = await live();
    const before = policy.current();
    write('ca.pem', 'rubbish');
    await seen();
    rmSync(path('ca.pem'));
    await seen();
    rmSync(path('hashes'));
    await seen();
    expect(await seen()).toBe(before);
    expect(told.failed.map((problems) => problems.length)).toEqual([1, 1, 2]);
  });

  test('holds back what is sound beside it, until all is sound', async () => {
    const { seen, told } = await live();
    write('hashes', `${OTHER}\n`);
    rmSync(path('ca.pem'));
    expect(facts((await seen()).policy)).toEqual(FIRST);
    write('ca.pem', pem(second.der));
    expect(facts((await seen()).policy)).toEqual({ ...FIRST, listed: [false, true] });
    expect([told.failed.length, told.reloaded.length]).toEqual([1, 1]);
    // The same mistake once more is news.
    rmSync(path('ca.pem'));
    await seen();
    expect(told.failed).toHaveLength(2);
  });

  test('is over when the very files from before are back, and the same mistake once more is news', async () => {
    const { policy, seen, told } = await live();
    const before = policy.current();
    const vanish = () => renameSync(path('cas'), path('elsewhere'));
    vanish();
    expect(await seen()).toBe(before);
    renameSync(path('elsewhere'), path('cas'));
    expect(await seen()).toBe(before);
    vanish();
    expect(await seen()).toBe(before);
    expect([told.failed.length, told.reloaded.length]).toEqual([2, 0]);
  });

  test('in a new file of a folder is left out and told, and the rest is in force', async () => {
    const { seen, told } = await live();
    write('cas/cut.pem', pem(second.der).slice(0, 200));
    expect(facts((await seen()).policy)).toEqual(FIRST);
    expect(told.warnings).toEqual([expect.stringMatching(/^ca_path of bundle "b": .*\/cas\/cut\.pem is left out: /)]);
    write('cas/cut.pem', pem(second.der));
    expect(facts((await seen()).policy)).toEqual({ ...FIRST, anchors: [1, 2] });
  });
});

describe('the deny list', () => {
  const denied = ({ policy }: PolicyInForce): unknown => (facts(policy) as typeof FIRST).denied;

  test('is in force after the next look, in the same policy and for what began before', async () => {
    const { policy, seen, told } = await live();
    const before = policy.current();
    write('denied', HASH);
    expect(await seen()).toBe(before);
    expect([denied(before), policy.lists.isDenied?.({ pubHash: HASH, serial: undefined })]).toEqual([
      [true, false],
      true,
    ]);
    expect(told).toEqual({ reloaded: [], denied: [1], warnings: [], failed: [] });
    await seen();
    expect(told.denied).toEqual([1]);
  });

  test.each<readonly [string, () => void]>([
    ['a file of the others is broken', () => write('ca.pem', 'rubbish')],
    [
      'all of them have gone',
      () => ['ca.pem', 'cas', 'hashes', 'crls'].map((name) => rmSync(path(name), { recursive: true })),
    ],
    ['a file of the others is a pipe', () => execFileSync('sh', ['-c', `cd ${folder} && rm hashes && mkfifo hashes`])],
  ])('counts though %s', async (_, spoil) => {
    const { seen } = await live();
    spoil();
    write('denied', HASH);
    expect(denied(await seen())).toEqual([true, false]);
  });

  test('counts though the others change whenever they are read', async () => {
    let count = 0;
    const { seen, told } = await live(() => write('hashes', `${OTHER}\n# ${count++}\n`));
    write('hashes', '');
    write('denied', HASH);
    for (let look = 0; look < 3; look++) expect(denied(await seen())).toEqual([true, false]);
    expect([told.failed, told.reloaded]).toEqual([[['they changed again while they were read']], []]);
  });

  test('counts before a long list beside it has been read', async () => {
    const { policy } = await live();
    write('hashes', `${HASH}\n`.repeat(200_000));
    write('denied', HASH);
    const whole = policy.look();
    await expect.poll(() => denied(policy.current()), { timeout: 20_000, interval: 1 }).toEqual([true, false]);
    await whole;
  });

  test('names whom it named until the file has been left alone for a while', async () => {
    write('denied', HASH);
    const { seen, told } = await live();
    write('denied', OTHER);
    expect(denied(await seen())).toEqual([true, true]);
    await delay(SETTLED_MS);
    expect(denied(await seen())).toEqual([false, true]);
    write('denied', '');
    await delay(SETTLED_MS);
    expect(denied(await seen())).toEqual([false, false]);
    expect(told.denied).toEqual([1, 0]);
  });

  test.each<readonly [string, () => void, RegExp]>([
    ['that has gone', () => rmSync(path('denied')), /no such file/],
    ['with a line that names nobody', () => write('denied', 'edge-7'), /line 1 \("edge-7"\) can deny no machine/],
    [
      'that is a folder',
      () => {
        rmSync(path('denied'));
        mkdirSync(path('denied'));
      },
      /not a regular file|is a directory/,
    ],
    [
      'that is a link to nothing',
      () => {
        rmSync(path('denied'));
        symlinkSync(path('x'), path('denied'));
      },
      /no such file/,
    ],
  ])('%s keeps out whom it named before, and is told once, beside others that change', async (_, spoil, why) => {
    write('denied', HASH);
    const { seen, told } = await live();
    spoil();
    write('hashes', `${OTHER}\n`);
    for (let look = 0; look < 3; look++) await seen();
    expect(facts((await seen()).policy)).toEqual({ ...FIRST, listed: [false, true], denied: [true, false] });
    expect(told.failed).toEqual([[expect.stringMatching(why)]]);
    rmSync(path('denied'), { recursive: true, force: true });
    write('denied', OTHER);
    expect(denied(await seen())).toEqual([true, true]);
    rmSync(path('denied'));
    await seen();
    expect(told.failed).toHaveLength(2);
  });

  test('that is replaced by one as long within the same tick is read when it has settled', async () => {
    const { seen } = await live();
    write('denied', HASH);
    await seen();
    const times = statSync(path('denied'));
    write('denied', OTHER);
    utimesSync(path('denied'), times.atime, times.mtime);
    await delay(SETTLED_MS);
    expect(denied(await seen())).toEqual([false, true]);
  });
});

test('what is wrong at first is no policy, all of it told', async () => {
  rmSync(path('ca.pem'));
  write('denied', 'edge-7');
  write('crls/one.crl', 'rubbish');
  await expect(live()).rejects.toThrow(/^"ca_path" cannot be used: .*; "deny_path" cannot be used: /);
  write('ca.pem', pem(root.der));
  write('denied', '');
  const { policy } = await live();
  expect(policy.warnings).toEqual([
    expect.stringMatching(/^the server admits every TPM that the CAs ever certified/),
    expect.stringMatching(/^crl_path: .*\/crls\/one\.crl is left out: /),
    expect.stringMatching(/^crl_path: holds no revocation list/),
  ]);
});

test('a file is seen to change though its size and its time of modification are put back', async () => {
  const putBack = (): void => utimesSync(path('hashes'), 1_700_000_000, 1_700_000_000);
  putBack();
  const { seen } = await live();
  write('hashes', `${OTHER}\n`);
  putBack();
  expect(facts((await seen()).policy)).toMatchObject({ listed: [false, true] });
});

test('files that change while they are read are read again, a few times, and not used before they stay the same', async () => {
  const changes = [`# read first\n${HASH}\n`];
  const { seen, told } = await live(() => {
    const text = changes.shift();
    if (text !== undefined) write('hashes', text);
  });
  const listed = async (): Promise<unknown> => facts((await seen()).policy);
  expect(await listed()).toMatchObject({ listed: [true, false] });
  // Of those below each is there when the files are read, and no longer when they have been.
  changes.push(...Array.from({ length: 4 }, (_, i) => `${OTHER}\n# ${i}\n`), `${OTHER}\n${HASH}\n`);
  write('hashes', '');
  expect(await listed()).toMatchObject({ listed: [true, false] });
  expect(told.failed).toEqual([['they changed again while they were read']]);
  expect(await listed()).toMatchObject({ listed: [true, true] });
  expect([changes, told.failed.length]).toEqual([[], 1]);
});

test('what changes while the files are read for the first time is seen at the next look', async () => {
  const changes = [`${OTHER}\n${HASH}\n`];
  const { seen } = await live(() => {
    const text = changes.shift();
    if (text !== undefined) write('hashes', text);
  });
  expect(facts((await seen()).policy)).toMatchObject({ listed: [true, true] });
});

test('a fault that is none of the files is thrown, and no reason to go on with those from before', async () => {
  let isFaulty = false;
  const { policy, seen, told } = await live(() => {
    if (isFaulty) throw new RangeError('a fault');
  });
  isFaulty = true;
  write('hashes', `${HASH}\n${OTHER}\n`);
  for (let look = 0; look < 2; look++) await expect(policy.look()).rejects.toThrow(RangeError);
  isFaulty = false;
  expect(facts((await seen()).policy)).toMatchObject({ listed: [true, true] });
  expect(told.failed).toEqual([]);
});

test('looks by itself, at the deny list as well, until it is ended', async () => {
  const { policy, told } = await live();
  policy.watch();
  write('denied', HASH);
  write('hashes', `${OTHER}\n`);
  await expect.poll(() => [told.denied, told.reloaded.length], { timeout: 30_000 }).toEqual([[1], 1]);
  policy.end();
  write('denied', OTHER);
  // As nobody would see it from the outside, the look is made here.
  await policy.look();
  expect(told.denied).toEqual([1]);
});

test('a look under way ends with the policy, closes its files and tells nothing', async () => {
  const { policy, told } = await live();
  const before = policy.current();
  const open = (): number => readdirSync('/proc/self/fd').length;
  const files = open();
  write('hashes', `${HASH}\n`.repeat(200_000));
  write('denied', HASH);
  const look = policy.look();
  policy.end();
  await look;
  expect(policy.current()).toBe(before);
  expect([told.reloaded, told.denied, told.failed, open() - files]).toEqual([[], [], [], 0]);
});

test('a long list is read in slices, and everything else has its turn between them', async () => {
  const { policy } = await live();
  write('hashes', `${HASH}\n`.repeat(300_000));
  let turns = 0;
  const counting = setInterval(() => turns++, 1);
  const first = turns;
  await policy.look();
  clearInterval(counting);
  // By one step alone there would be a few.
  expect(turns - first).toBeGreaterThan(20);
});
