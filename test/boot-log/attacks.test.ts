/** Attacks on a log and on what is derived from it, each beside the nearest log that is accepted. Replay succeeds in most. */
import { expect, test } from 'vitest';
import { type BootLog, readBootLog } from '../../src/boot-log/boot-log.ts';
import type { Claim } from '../../src/boot-log/claims/claim.ts';
import type { BootClaims } from '../../src/boot-log/claims/claims.ts';
import { MalformedLogError } from '../../src/boot-log/tcg/malformed-log.ts';
import { readUefiVariable } from '../../src/boot-log/tcg/uefi-variable.ts';
import { concat } from '../../src/bytes/bytes.ts';
import {
  action,
  agileEvent,
  agileLog,
  application,
  ascii,
  authority,
  dbHash,
  driverConfig,
  extended,
  file,
  GRUB_BOOT,
  gpt,
  grub,
  guidBytes,
  line,
  PHASES,
  SHA256_TYPE,
  section,
  separator,
  signatureList,
  specIdEvent,
  tag,
  UKI_BOOT,
  u32,
  u64,
  userspaceLog,
  utf16,
  type WrittenEvent,
} from '../support/event-log-writer.ts';

type Name = keyof BootClaims;
const SECURE_BOOT: readonly Name[] = ['secureBoot', 'secureBootMode', 'pk', 'kek', 'db', 'dbx', 'authorities'];

/** The log as written, with the values of a TPM that was really extended by `truth`. */
function boot(events: readonly WrittenEvent[], truth: readonly WrittenEvent[] = events): BootLog {
  return readBootLog(agileLog(events), { pcrValues: new Map([['sha256', extended(truth)]]) });
}

const withheld = (claim: Claim<unknown>): string | undefined => ('withheld' in claim ? claim.withheld : undefined);
const provenBy = <T>(claim: Claim<T>): T | undefined => ('value' in claim ? claim.value : undefined);

function expectWithheld(log: BootLog, names: readonly Name[], reason: RegExp): void {
  for (const name of names) expect([name, withheld(log.claims[name])]).toEqual([name, expect.stringMatching(reason)]);
}

function expectProven(log: BootLog, names: readonly Name[]): void {
  expect(log.proven).toBe(true);
  for (const name of names) expect([name, withheld(log.claims[name])]).toEqual([name, undefined]);
}

const replaced = (
  events: readonly WrittenEvent[],
  which: (event: WrittenEvent) => boolean,
  change: (event: WrittenEvent) => readonly WrittenEvent[],
): readonly WrittenEvent[] => events.flatMap((event) => (which(event) ? change(event) : [event]));
const isVariable =
  (name: string) =>
  ({ type, data }: WrittenEvent): boolean =>
    type === 'EV_EFI_VARIABLE_DRIVER_CONFIG' && readUefiVariable(data)?.name === name;
const isSeparatorOf =
  (pcr: number) =>
  (event: WrittenEvent): boolean =>
    event.type === 'EV_SEPARATOR' && event.pcr === pcr;
/** The same digest under another type, with data of one's own. */
const relabelled = (event: WrittenEvent, type: WrittenEvent['type'], data = event.data): WrittenEvent => ({
  ...event,
  type,
  data,
  hashed: event.hashed ?? event.data,
});

test('an honest boot proves its claims', () => {
  expectProven(boot(GRUB_BOOT), [...SECURE_BOOT, 'bootApplications', 'kernelCommandLine', 'grubFiles', 'gpt', 'mok']);
  expectProven(boot(UKI_BOOT), [...SECURE_BOOT, 'bootApplications', 'kernelCommandLine', 'uki', 'initrd', 'gpt']);
  expect(provenBy(boot(GRUB_BOOT).claims.secureBoot)).toBe('enabled');
});

test('A39 withholds Secure Boot when its real events are relabelled and better ones appended', () => {
  const off = replaced(GRUB_BOOT, isVariable('SecureBoot'), () => [driverConfig('SecureBoot', Uint8Array.of(0))]);
  const better = GRUB_BOOT.filter(({ pcr }) => pcr === 7);
  for (const type of ['EV_UNUSED', 0x7777, 'EV_EFI_ACTION', 'EV_IPL'] as const) {
    const hidden = replaced(
      off,
      ({ pcr }) => pcr === 7,
      (event) => [relabelled(event, type)],
    );
    expectWithheld(boot([...hidden, ...better], [...off, ...better]), SECURE_BOOT, /PCR 7/);
  }
  expect(provenBy(boot(off).claims.secureBoot)).toBe('disabled');
});

test('A39 withholds the command line when another string gets its label', () => {
  const evil = [
    grub('grub_cmd', 'linux /vmlinuz init=/bin/sh'),
    grub('kernel_cmdline', '/vmlinuz init=/bin/sh'),
    grub('grub_cmd', 'linux /vmlinuz quiet'),
    grub('grub_cmd', '/vmlinuz quiet'),
  ];
  const told = [
    grub('grub_cmd', 'linux /vmlinuz init=/bin/sh'),
    grub('grub_cmd', '/vmlinuz init=/bin/sh'),
    grub('grub_cmd', 'linux /vmlinuz quiet'),
    grub('kernel_cmdline', '/vmlinuz quiet'),
  ];
  const others = GRUB_BOOT.filter(({ pcr }) => pcr !== 8);
  expectWithheld(boot([...others, ...told], [...others, ...evil]), ['kernelCommandLine'], /2 commands that start/);
  const unstarted = told.filter((_, i) => i !== 2);
  expectWithheld(boot([...others, ...unstarted]), ['kernelCommandLine'], /not that of the command/);
  expect(provenBy(boot([...others, ...evil.slice(0, 2)]).claims.kernelCommandLine)).toEqual({
    source: 'grub',
    text: '/vmlinuz init=/bin/sh',
  });
});

test('A40 withholds Secure Boot when a variable follows the separator', () => {
  const late = [...GRUB_BOOT, driverConfig('SecureBoot', Uint8Array.of(1))];
  expectWithheld(boot(late), SECURE_BOOT, /after its separator/);
  const twice = replaced(GRUB_BOOT, isVariable('SecureBoot'), (event) => [event, event]);
  expectWithheld(boot(twice), SECURE_BOOT, /twice/);
  expectProven(boot([...GRUB_BOOT, authority('MokListRT', dbHash(9))]), ['secureBoot', 'authorities']);
});

test('A41 withholds claims when a separator hides under another type, is one of an error, is missing or doubled', () => {
  for (const byte of [0, 0xff]) {
    const hidden = replaced(GRUB_BOOT, isSeparatorOf(7), () => [
      { ...action(7, 'UEFI Debug Mode'), hashed: new Uint8Array(4).fill(byte) },
    ]);
    expectWithheld(boot([...hidden, separator(7)]), SECURE_BOOT, /separator under the type EV_EFI_ACTION/);
  }
  const of = (change: (event: WrittenEvent) => readonly WrittenEvent[]): BootLog =>
    boot(replaced(GRUB_BOOT, isSeparatorOf(7), change));
  expectWithheld(
    of(() => [separator(7, 0xff)]),
    SECURE_BOOT,
    /firmware failed/,
  );
  expectWithheld(
    of(() => []),
    SECURE_BOOT,
    /separator|does not belong/,
  );
  expectWithheld(
    of((event) => [event, event]),
    SECURE_BOOT,
    /2 separators/,
  );
  expectWithheld(
    of(() => [{ pcr: 7, type: 'EV_SEPARATOR', data: ascii('WBCL') }]),
    SECURE_BOOT,
    /unknown separator/,
  );
  expectWithheld(boot(replaced(GRUB_BOOT, isSeparatorOf(4), () => [])), ['bootApplications'], /no separator/);
});

test('A42 withholds claims of a PCR that the log does not cover', () => {
  const without = GRUB_BOOT.filter(({ pcr }) => pcr !== 7);
  const missing = boot(without, GRUB_BOOT);
  expectWithheld(missing, SECURE_BOOT, /does not replay to the value of PCR 7/);
  expect(missing.problems.map(({ code }) => code)).toContain('pcr.mismatch');
  const cut = [...GRUB_BOOT];
  cut.splice(
    cut.findIndex(({ type }) => type === 'EV_EFI_VARIABLE_AUTHORITY'),
    1,
  );
  expectWithheld(boot(cut, GRUB_BOOT), SECURE_BOOT, /does not replay/);
  expectWithheld(boot([], GRUB_BOOT), ['secureBoot', 'bootApplications', 'gpt', 'mok'], /does not replay/);
  expectWithheld(boot([], []), ['secureBoot', 'bootApplications', 'gpt', 'mok'], /has no event/);
  const values = extended(GRUB_BOOT);
  values.delete(7);
  const unquoted = readBootLog(agileLog(GRUB_BOOT), { pcrValues: new Map([['sha256', values]]) });
  expectWithheld(unquoted, SECURE_BOOT, /not among those given/);
  expectProven(unquoted, ['bootApplications']);
});

test('A43 claims nothing of what no digest covers', () => {
  const path = (name: string): Uint8Array =>
    concat(u64(0), u64(1), u64(0), u64(name.length * 2 + 4), u32(0x404), utf16(name));
  const honest = boot(GRUB_BOOT);
  const told = boot(
    GRUB_BOOT.map((event) => {
      if (event.pcr === 9) return { ...event, data: ascii('/boot/vmlinuz-good\0') };
      if (event.pcr === 14) return { ...event, data: ascii('MokListX\0') };
      return event.type === 'EV_EFI_BOOT_SERVICES_APPLICATION' ? { ...event, data: path('\\good.efi') } : event;
    }),
    GRUB_BOOT,
  );
  expect(told.claims).toEqual(honest.claims);
  const [first = GRUB_BOOT[0]] = GRUB_BOOT.filter(({ pcr }) => pcr === 8);
  const other = replaced(
    GRUB_BOOT,
    (event) => event === first,
    (event) => [{ ...event, data: ascii('grub_cmd: linux /good\0') }],
  );
  expectWithheld(boot(other, GRUB_BOOT), ['kernelCommandLine', 'grubCommands'], /whose data its digest does not cover/);
});

test('A43 withholds command lines of PCR 12 beside an event that may hide one', () => {
  const hidden = [
    ...UKI_BOOT,
    { ...line('init=/bin/sh'), hashed: utf16('init=/bin/sh\0'), data: utf16('Credentials initrd\0') },
  ];
  expectWithheld(boot(hidden), ['stubCommandLines', 'kernelCommandLine'], /may be a command line/);
  expectProven(boot(hidden), ['uki', 'loadOptions']);
  expect(provenBy(boot(UKI_BOOT).claims.stubCommandLines)).toEqual(['extra=1']);
});

test('A43 takes no partition table from a file that a boot loader measured', () => {
  const fake = gpt('99999999-9999-9999-9999-999999999999');
  const isTable = ({ type }: WrittenEvent): boolean => type === 'EV_EFI_GPT_EVENT';
  const truth = [...GRUB_BOOT, relabelled(fake, 'EV_EVENT_TAG')];
  for (const disguise of ['EV_EVENT_TAG', 'EV_POST_CODE', 'EV_COMPACT_HASH'] as const) {
    const told = [...replaced(GRUB_BOOT, isTable, (event) => [relabelled(event, disguise)]), fake];
    expectWithheld(boot(told, truth), ['gpt'], /PCR 5/);
    const blurred = [...replaced(GRUB_BOOT, isTable, (event) => [relabelled(event, disguise, ascii('x'))]), fake];
    expectWithheld(boot(blurred, truth), ['gpt'], /PCR 5/);
  }
  expectProven(boot([...GRUB_BOOT, tag(5, 0xf5bc582a, 'loader.conf', ascii('timeout 3'))]), ['gpt']);
});

test('A44 gives the whole list of boot applications, whatever was appended to it or relabelled in it', () => {
  const evil = replaced(
    GRUB_BOOT,
    ({ hashed }) => hashed !== undefined && Buffer.from(hashed).toString() === 'grub',
    () => [application('evil')],
  );
  const appended = boot([...evil, application('grub')]);
  expect(provenBy(appended.claims.bootApplications)?.length).toBe(3);
  expect(provenBy(appended.claims.bootApplications)).not.toEqual(provenBy(boot(GRUB_BOOT).claims.bootApplications));
  const hidden = [
    ...replaced(
      evil,
      ({ hashed }) => hashed !== undefined && Buffer.from(hashed).toString() === 'evil',
      (event) => [relabelled(event, 'EV_EFI_ACTION', ascii('Returning from EFI Application from Boot Option'))],
    ),
    application('grub'),
  ];
  expectWithheld(boot(hidden), ['bootApplications'], /EV_EFI_ACTION, whose data its digest does not cover/);
});

test('A44 gives no list of boot applications when one is moved to the log of systemd', () => {
  const [last] = GRUB_BOOT.filter(({ type }) => type === 'EV_EFI_BOOT_SERVICES_APPLICATION').slice(-1);
  const firmware = GRUB_BOOT.filter((event) => event !== last);
  const read = (word: string): BootLog =>
    readBootLog(agileLog(firmware), {
      userspace: userspaceLog([{ pcr: 4, word }]),
      pcrValues: new Map([['sha256', extended(firmware, [{ pcr: 4, word }])]]),
    });
  expectWithheld(read('grub'), ['bootApplications'], /unknown word follows in PCR 4/);
  expectProven(read('os-separator'), ['bootApplications']);
});

test('A45 says the same whatever the order of events of different PCRs', () => {
  const honest = boot(GRUB_BOOT);
  const exits = GRUB_BOOT.filter(({ data }) => Buffer.from(data).toString('latin1').startsWith('Exit Boot'));
  const early = boot([...exits, ...GRUB_BOOT.filter((event) => !exits.includes(event))], GRUB_BOOT);
  expectWithheld(early, [], /./);
  expect({ ...early.claims, gpt: honest.claims.gpt }).toEqual(honest.claims);
  const byPcr = [...GRUB_BOOT].sort((a, b) => b.pcr - a.pcr);
  expect(boot(byPcr, GRUB_BOOT).claims).toEqual(honest.claims);
});

test('A46 uses the digests of one bank, and refuses two of it in one event', () => {
  const log = (sha1: Uint8Array): Uint8Array => {
    const event = { pcr: 7, type: 'EV_SEPARATOR', data: new Uint8Array(4) } as const;
    const sha256 = extended([]).get(0) ?? new Uint8Array(32);
    return concat(
      specIdEvent([
        [0x04, 20],
        [0x0b, 32],
      ]),
      agileEvent({
        ...event,
        digests: [
          [0x04, sha1],
          [0x0b, sha256],
        ],
      }),
    );
  };
  const value = (bytes: Uint8Array): unknown => readBootLog(bytes).replays[1]?.pcrs.get(7);
  expect(value(log(new Uint8Array(20)))).toEqual(value(log(new Uint8Array(20).fill(9))));
  const zeros = new Uint8Array(32);
  const twice = agileEvent({
    pcr: 7,
    type: 'EV_SEPARATOR',
    data: new Uint8Array(4),
    digests: [
      [0x0b, zeros],
      [0x0b, zeros],
    ],
  });
  const banks = specIdEvent([
    [0x04, 20],
    [0x0b, 32],
  ]);
  expect(() => readBootLog(concat(banks, twice))).toThrow(/sha256 has two digests/);
  const half = readBootLog(
    concat(banks, agileEvent({ pcr: 7, type: 'EV_SEPARATOR', data: new Uint8Array(4) }, ['sha1'])),
  );
  expect(half.replays.map(({ pcrs }) => pcrs.get(7)?.value === undefined)).toEqual([false, true]);
  expect(half.problems.map(({ code }) => code)).toEqual(['event.digest_missing']);
});

const withVariable = (name: string, ...events: readonly WrittenEvent[]): BootLog =>
  boot(replaced(GRUB_BOOT, isVariable(name), () => events));

test('A47 does not take Secure Boot for on by an empty variable, or by one that is no flag', () => {
  const read = (data: Uint8Array): Claim<unknown> =>
    withVariable('SecureBoot', driverConfig('SecureBoot', data)).claims.secureBoot;
  expect(withheld(read(new Uint8Array()))).toMatch(/state is unknown/);
  expect(withheld(read(Uint8Array.of(2)))).toMatch(/not one byte/);
  expect(withheld(read(Uint8Array.of(1, 1)))).toMatch(/not one byte/);
  expect(provenBy(read(Uint8Array.of(0)))).toBe('disabled');
});

test('A47 does not take Secure Boot for on when nothing verified an image', () => {
  const unverified = boot(GRUB_BOOT.filter(({ type }) => type !== 'EV_EFI_VARIABLE_AUTHORITY'));
  expectWithheld(unverified, ['secureBoot'], /nothing has verified/);
  expectProven(unverified, ['db', 'dbx']);
});

test('A47 tells setup, audit and deployed mode, debug mode and missing DMA protection', () => {
  expect(provenBy(boot(GRUB_BOOT).claims.secureBootMode)).toEqual({
    setup: false,
    audit: undefined,
    deployed: undefined,
    debug: false,
    dmaProtectionDisabled: false,
  });
  const odd = withVariable('PK', driverConfig('PK', new Uint8Array()), driverConfig('AuditMode', Uint8Array.of(1)));
  expect(provenBy(odd.claims.secureBootMode)).toMatchObject({ setup: true, audit: true });
  const debug = boot([action(7, 'UEFI Debug Mode'), action(7, 'DMA Protection Disabled'), ...GRUB_BOOT]);
  expect(provenBy(debug.claims.secureBootMode)).toMatchObject({ debug: true, dmaProtectionDisabled: true });
  expectWithheld(
    withVariable('PK', driverConfig('PK', new Uint8Array()), driverConfig('SetupMode', Uint8Array.of(0))),
    ['secureBootMode'],
    /contradict/,
  );
  expectWithheld(boot([action(7, 'Anything Else'), ...GRUB_BOOT]), SECURE_BOOT, /does not belong/);
});

test('A47 names the keys of shim apart from those of the firmware', () => {
  const log = boot([...GRUB_BOOT, authority('MokListRT', dbHash(9))]);
  expect(provenBy(log.claims.authorities)?.map(({ variable }) => variable)).toEqual(['db', 'MokListRT']);
  const driver = [{ ...application('option ROM'), pcr: 7, type: 'EV_EFI_BOOT_SERVICES_DRIVER' } as const, ...GRUB_BOOT];
  expectWithheld(boot(driver), SECURE_BOOT, /does not belong/);
});

test('A47 asks for the GUID of a variable beside its name', () => {
  const other = 'd719b2cb-3d3a-4596-a3bc-dad00e67656f';
  expectWithheld(
    withVariable('SecureBoot', driverConfig('SecureBoot', Uint8Array.of(1), other)),
    SECURE_BOOT,
    /does not belong/,
  );
  const vendor = '77777777-7777-7777-7777-777777777777';
  for (const name of ['PK', 'db'])
    expectWithheld(withVariable(name, driverConfig(name, new Uint8Array(), vendor)), SECURE_BOOT, /does not belong/);
});

test('A48 tells an empty dbx from one that was not measured', () => {
  expect(provenBy(boot(GRUB_BOOT).claims.dbx)?.map(({ value }) => value.slice(0, 2))).toEqual(['04', '05']);
  expect(provenBy(withVariable('dbx', driverConfig('dbx', new Uint8Array())).claims.dbx)).toEqual([]);
  expectWithheld(withVariable('dbx'), SECURE_BOOT, /SecureBoot, PK, KEK, db, dbx in this order/);
});

test.each([
  ['a list size below its header', concat(guidBytes(SHA256_TYPE), u32(27), u32(0), u32(48)), /under 28/],
  ['a list size beyond the data', concat(guidBytes(SHA256_TYPE), u32(29), u32(0), u32(48)), /more than there is/],
  ['a list size of 2^32 - 1', concat(guidBytes(SHA256_TYPE), u32(0xffffffff), u32(0), u32(48)), /more than there is/],
  ['no entry size', concat(guidBytes(SHA256_TYPE), u32(29), u32(0), u32(0), Uint8Array.of(0)), /no room/],
  [
    'an entry of its owner alone',
    concat(guidBytes(SHA256_TYPE), u32(44), u32(0), u32(16), new Uint8Array(16)),
    /no room/,
  ],
  [
    'a vendor header',
    concat(guidBytes(SHA256_TYPE), u32(77), u32(1), u32(48), new Uint8Array(49)),
    /SignatureHeaderSize/,
  ],
  ['half an entry', concat(guidBytes(SHA256_TYPE), u32(52), u32(0), u32(48), new Uint8Array(24)), /no whole number/],
  ['a list that is cut', guidBytes(SHA256_TYPE), /is cut/],
])('A49 withholds a signature list with %s', (_, data, reason) => {
  const log = withVariable('db', driverConfig('db', data));
  expectWithheld(log, ['db'], reason);
  expectProven(log, ['secureBoot', 'dbx']);
});

test('A49 keeps entries of a type that is not known', () => {
  const type = '12345678-1234-1234-1234-123456789abc';
  const log = withVariable('db', driverConfig('db', signatureList(type, [dbHash(1)])));
  expect(provenBy(log.claims.db)).toMatchObject([{ type, value: '01'.repeat(32) }]);
});

test.each([2n ** 53n + 1n, 2n ** 63n, 0xffffffffn, 2n ** 63n + 5n, 2n ** 64n - 1n])(
  'A50 reads no structure whose length is %s',
  (length) => {
    const guid = guidBytes('8be4df61-93ca-11d2-aa0d-00e098032b8c');
    const named = concat(guid, u64(length), u64(1), utf16('SecureBoot'), Uint8Array.of(1));
    const sized = concat(guid, u64(10), u64(length), utf16('SecureBoot'), Uint8Array.of(1));
    for (const data of [named, sized])
      expectWithheld(
        withVariable('SecureBoot', { pcr: 7, type: 'EV_EFI_VARIABLE_DRIVER_CONFIG', data }),
        SECURE_BOOT,
        /does not belong/,
      );
    const table = gpt('11111111-2222-3333-4444-555555555555').data.slice();
    table.set(u64(length), 92);
    const isTable = ({ type }: WrittenEvent): boolean => type === 'EV_EFI_GPT_EVENT';
    const log = boot(replaced(GRUB_BOOT, isTable, (event) => [{ ...event, data: table }]));
    expectWithheld(log, ['gpt'], /PCR 5/);
    const image = concat(new Uint8Array(24), u64(length), new Uint8Array(4));
    expectProven(boot([...GRUB_BOOT, { ...application('x'), data: image }]), ['bootApplications']);
  },
);

const locality = (...bytes: readonly number[]): WrittenEvent => ({
  pcr: 0,
  type: 'EV_NO_ACTION',
  data: concat(ascii('StartupLocality\0'), Uint8Array.from(bytes)),
});

test('A38 begins PCR 0 with the locality of one proper record before its first event, and with no other', () => {
  const of = (...events: readonly WrittenEvent[]): string => {
    const [replay] = readBootLog(agileLog([...events, separator(0)])).replays;
    return Buffer.from(replay?.pcrs.get(0)?.value ?? []).toString('hex');
  };
  const [zero, three] = [of(), of(locality(3))];
  expect(three).not.toBe(zero);
  expect(of(locality(0))).toBe(zero);
  const ignored = [locality(255), locality(4), locality(), locality(3, 0), { ...locality(3), pcr: 1 }];
  for (const one of ignored) expect(of(one)).toBe(zero);
  expect(of(locality(3), locality(0))).toBe(three);
  expect(of(separator(0), locality(3))).toBe(of(separator(0)));
  const late = readBootLog(agileLog([separator(0), locality(3)]));
  expect(late.problems).toMatchObject([{ code: 'event.startup_locality', event: 1 }]);
  const hcrtm: WrittenEvent = { pcr: 0, type: 'EV_EFI_HCRTM_EVENT', data: ascii('HCRTM') };
  expect(of(hcrtm)).not.toBe(of({ ...hcrtm, type: 'EV_POST_CODE' }));
});

test('A37 replays the registers of a dynamic launch from ones, and claims nothing of them', () => {
  const [replay] = readBootLog(agileLog([separator(17)])).replays;
  expect(replay?.pcrs.get(17)?.value).toEqual(extended([separator(17)]).get(17));
});

test('a section that systemd-stub would not measure there withholds the image', () => {
  const others = UKI_BOOT.filter(({ pcr }) => pcr !== 11);
  const of = (...events: readonly WrittenEvent[]): BootLog => boot([...others, ...events]);
  const linux = section('.linux', 'kernel');
  expectProven(of(...linux, ...section('.initrd', 'x')), ['uki', 'kernel']);
  // A content that is the name of the next section shifts nothing.
  expectProven(of(...linux, ...section('.cmdline', '.initrd\0'), ...section('.initrd', 'x')), ['uki']);
  expectWithheld(of(...section('.cmdline', 'x'), ...linux), ['uki', 'kernel'], /out of the order/);
  expectWithheld(of(...linux, ...section('.cmdline', 'a'), ...section('.cmdline', 'b')), ['uki'], /out of the order/);
  expectWithheld(of(...linux, ...section('.evil', 'x')), ['uki'], /does not belong/);
  expectWithheld(of(...linux, ...section('.cmdline', 'a').slice(0, 1)), ['uki'], /no content/);
  expectWithheld(of(...section('.cmdline', 'x')), ['uki'], /does not begin/);
});

test('digests of the EFI stub count only where nothing else measured into PCR 9', () => {
  const others = UKI_BOOT.filter(({ pcr }) => pcr !== 9);
  const options = tag(9, 0x8f3b22ed, 'LOADED_IMAGE::LoadOptions', utf16('quiet\0'));
  const initrd = tag(9, 0x8f3b22ec, 'Linux initrd', ascii('initrd'));
  expectProven(boot([...others, options]), ['loadOptions']);
  expectWithheld(boot([...others, options]), ['initrd'], /no initrd/);
  expectWithheld(boot([...others, initrd, options]), ['initrd', 'loadOptions'], /does not belong/);
  expectWithheld(boot([...others, options, initrd, initrd]), ['initrd'], /does not belong/);
  expectWithheld(boot([...others, file('/x', 'x'), options, initrd]), ['initrd'], /does not belong/);
  const byGrub = [...GRUB_BOOT.filter(({ pcr }) => pcr !== 9), options, initrd];
  expectWithheld(boot(byGrub), ['initrd', 'loadOptions'], /GRUB/);
  const hidden = boot(
    byGrub.filter(({ pcr }) => pcr !== 8),
    byGrub,
  );
  expectWithheld(hidden, ['initrd', 'loadOptions', 'kernelCommandLine'], /PCR 8/);
});

test('an entry of systemd-boot has the command line that the kernel was given', () => {
  const others = UKI_BOOT.filter(({ pcr }) => ![9, 11, 12].includes(pcr));
  const options = tag(9, 0x8f3b22ed, 'LOADED_IMAGE::LoadOptions', utf16('initrd=\\i quiet\0'));
  expect(provenBy(boot([...others, line('initrd=\\i quiet'), options]).claims.kernelCommandLine)).toEqual({
    source: 'systemd-boot',
    text: 'initrd=\\i quiet',
  });
  expectWithheld(boot([...others, line('quiet'), options]), ['kernelCommandLine'], /no line of PCR 12/);
});

test('a log that goes on after the firmware gives no claim without the log of systemd', () => {
  const values = new Map([['sha256', extended(UKI_BOOT, PHASES.slice(0, 3))]]);
  const alone = readBootLog(agileLog(UKI_BOOT), { pcrValues: values });
  expect(alone.standings[11]?.state).toBe('continues');
  expectWithheld(alone, ['uki', 'kernel', 'bootPhases'], /continues after the firmware log/);
  expect(alone.problems.map(({ code }) => code)).toEqual(['pcr.continues']);
  const both = readBootLog(agileLog(UKI_BOOT), { userspace: userspaceLog(PHASES), pcrValues: values });
  expectProven(both, ['uki', 'kernel']);
  // systemd went on measuring between the quote and the reading of its log.
  expect(provenBy(both.claims.bootPhases)).toEqual(['enter-initrd', 'leave-initrd', 'sysinit']);
});

test('a word that systemd does not say withholds what its PCR has', () => {
  const read = (word: string, measured = word): BootLog =>
    readBootLog(agileLog(UKI_BOOT), {
      userspace: userspaceLog([{ pcr: 11, word }]),
      pcrValues: new Map([['sha256', extended(UKI_BOOT, [{ pcr: 11, word: measured }])]]),
    });
  expectWithheld(read('.initrd\\000'), ['uki', 'bootPhases'], /unknown word|does not replay/);
  expectWithheld(read('something'), ['uki', 'bootPhases'], /unknown word follows in PCR 11/);
  expectProven(read('ready'), ['uki', 'bootPhases']);
});

test('a log is refused whole, never read in part', () => {
  const log = agileLog(GRUB_BOOT);
  for (const cut of [1, 3, 31, 40, log.length - 1])
    expect(() => readBootLog(log.subarray(0, cut))).toThrow(MalformedLogError);
  expect(() => readBootLog(log)).not.toThrow();
});

test('strings of GRUB that root extends after the boot of another loader are no command line', () => {
  expectProven(boot(UKI_BOOT), ['kernelCommandLine']);
  const forged = [grub('grub_cmd', 'linux /vmlinuz quiet'), grub('kernel_cmdline', '/vmlinuz quiet')];
  expectWithheld(boot([...UKI_BOOT, ...forged]), ['kernelCommandLine'], /^PCR 8 has a command line, and PCR 11 is not/);
  expectProven(boot(GRUB_BOOT), ['kernelCommandLine']);
});
