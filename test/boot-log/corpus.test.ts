/** Public event logs against what an independent reader made of them. */
import { expect, test } from 'vitest';
import { type BootLog, readBootLog } from '../../src/boot-log/boot-log.ts';
import type { BootClaims } from '../../src/boot-log/claims/claims.ts';
import { replay } from '../../src/boot-log/replay/replay.ts';
import type { Bank } from '../../src/boot-log/tcg/banks.ts';
import { bindingOf } from '../../src/boot-log/tcg/binding.ts';
import { eventTypeName } from '../../src/boot-log/tcg/event-types.ts';
import { type FirmwareLog, readFirmwareLog } from '../../src/boot-log/tcg/log.ts';
import { MalformedLogError } from '../../src/boot-log/tcg/malformed-log.ts';
import { hex } from '../../src/bytes/bytes.ts';
import { corpusRows, describeCorpus, hasCorpusFile, readCorpusBytes } from '../support/corpus.ts';
import { CORPUS_LOGS, type CorpusLog, corpusLog, RECORDED_BOOTS, recordedPcrs } from '../support/event-log-corpus.ts';

function valuesOf({ events }: FirmwareLog, bank: Bank): Readonly<Record<string, string>> {
  const { pcrs } = replay(events, bank);
  return Object.fromEntries(
    [...pcrs].flatMap(([pcr, { value }]) => (value === undefined ? [] : [[`${pcr}`, hex(value)]])),
  );
}

function read({ file, kind }: CorpusLog): FirmwareLog {
  return readFirmwareLog(corpusLog(file), kind === 'ccel');
}

describeCorpus('event logs of the corpus', () => {
  const readable = CORPUS_LOGS.filter(({ kind, expected }) => kind === 'ccel' || expected.parse !== 'reject');
  const rejected = CORPUS_LOGS.filter(({ expected }) => expected.parse === 'reject');

  test.each(readable)('$file has the events and types of the manifest', (row) => {
    const log = read(row);
    expect(log.format).toBe(row.format);
    expect(log.banks.map(({ name }) => name)).toEqual(row.banks);
    expect(log.events.length).toBe(row.events);
    expect(log.specId ?? null).toEqual(row.spec === null ? null : expect.objectContaining(row.spec));
    const types: Record<string, number> = {};
    for (const { type } of log.events) {
      const name = eventTypeName(type) ?? '';
      types[name] = (types[name] ?? 0) + 1;
    }
    expect(types).toEqual(row.types);
  });

  test.each(readable)('$file replays to the values of the manifest in every bank', (row) => {
    const log = read(row);
    const expected = row.pcrs ?? row.registers ?? {};
    for (const bank of log.banks) {
      const values = expected[bank.name];
      // The manifest's reader has no SM3.
      if (values !== null) expect([bank.name, valuesOf(log, bank)]).toEqual([bank.name, values]);
    }
  });

  test.each(readable.filter(({ boundEvents, kind }) => kind === 'tpm' && boundEvents !== undefined))(
    '$file binds as many events as the manifest says',
    (row) => {
      const log = read(row);
      const bank = log.banks.find(({ name }) => name === 'sha256') ?? log.banks[0];
      const bound = log.events.filter((event) => bank !== undefined && bindingOf(event, bank) !== undefined);
      expect(bound.length).toBe(row.boundEvents);
    },
  );

  test.each(rejected)('$file is refused as the log of a TPM', ({ file }) => {
    expect(() => readFirmwareLog(corpusLog(file), false)).toThrow(MalformedLogError);
  });
});

/** Logs whose PCR 7 is outside the grammar of claims, or which do not say whether Secure Boot is on. */
const UNKNOWN_STATE: Readonly<Record<string, RegExp>> = { 'single-event-uefi-variable.bin': /no separator/ };

describeCorpus('claims on the event logs of the corpus', () => {
  const logs = CORPUS_LOGS.filter(({ kind, secureBoot }) => kind === 'tpm' && secureBoot !== null);

  test.each(logs)('$file says of Secure Boot what the manifest says', ({ file, secureBoot }) => {
    const { claims, proven } = readBootLog(corpusLog(file));
    const reason = UNKNOWN_STATE[file] ?? (secureBoot?.state === 'empty' ? /state is unknown/ : undefined);
    expect(proven).toBe(false);
    expect(claims.secureBoot).toEqual(
      reason === undefined ? { value: secureBoot?.state } : { withheld: expect.stringMatching(reason) },
    );
    for (const name of ['pk', 'kek', 'db', 'dbx', 'authorities'] as const)
      expect([name, 'value' in claims[name]]).toEqual([name, UNKNOWN_STATE[file] === undefined]);
  });

  test('db and dbx of a Google machine have the certificates that were published for it', () => {
    const { claims } = readBootLog(corpusLog('gce-ubuntu-2104-no-secure-boot.bin'));
    const published = corpusRows<
      'secureBootReference',
      { readonly file: string; readonly sha256: string; readonly note: string }
    >('event-logs/manifest.json', 'secureBootReference');
    const certificates = (note: string): readonly string[] =>
      published.filter((one) => one.file.endsWith('.crt') && one.note === note).map(({ sha256 }) => sha256);
    const values = (claim: BootClaims['db']): readonly string[] =>
      'value' in claim ? claim.value.map(({ value }) => value) : [];
    expect(values(claims.pk)).toEqual(certificates('platform key of GCE'));
    expect(values(claims.kek)).toEqual(certificates('KEK'));
    expect([...values(claims.db)].sort()).toEqual([...certificates('db')].sort());
    expect(values(claims.dbx)).toEqual(expect.arrayContaining([...certificates('revoked (dbx)')]));
  });

  test('a dbx that was measured empty is an empty list', () => {
    expect(readBootLog(corpusLog('gce-ubuntu-2104-no-dbx.bin')).claims.dbx).toEqual({ value: [] });
  });

  test('the authorities of an old shim are read in spite of its stray bytes', () => {
    const { authorities } = readBootLog(corpusLog('grub-shim-pcrs-8-9.bin')).claims;
    const of = 'value' in authorities ? authorities.value : [];
    expect(of.map(({ variable, signature }) => [variable, signature?.type])).toEqual([
      ['db', 'x509'],
      ['Shim', 'x509'],
      ['MokList', 'x509'],
    ]);
  });

  test.each([
    ['gce-ubuntu-1804-amd-sev.bin', '/boot/vmlinuz-5.4.0-1046-gcp root=LABEL=cloudimg-rootfs ro console=ttyS0'],
    ['gce-cos-85-amd-sev.bin', '/syslinux/vmlinuz.A init=/usr/lib/systemd/systemd boot=local'],
    ['physical-locality-3.bin', '(hd3,gpt2)/vmlinuz-6.11.5-300.fc41.x86_64 root=UUID='],
  ])('the command line of %s is the one that GRUB ran', (file, beginning) => {
    const { kernelCommandLine: claim } = readBootLog(corpusLog(file)).claims;
    expect(claim).toMatchObject({ value: { source: 'grub', text: expect.stringContaining(beginning) } });
  });
});

describeCorpus('boots recorded in a lab', () => {
  const userspaceOf = (boot: string): Uint8Array | undefined =>
    hasCorpusFile(`${boot}/tpm2-measure.log`) ? readCorpusBytes(`${boot}/tpm2-measure.log`) : undefined;
  const read = (boot: string, pcrs = `${boot}/pcrs.txt`): BootLog =>
    readBootLog(readCorpusBytes(`${boot}/eventlog.bin`), {
      userspace: userspaceOf(boot),
      pcrValues: recordedPcrs(pcrs),
    });

  test.each(RECORDED_BOOTS)('%s replays to the PCRs of the machine in every bank, but for the one of IMA', (boot) => {
    const { problems, standings } = read(boot);
    expect(problems.filter(({ code }) => code !== 'bank.missing')).toEqual([]);
    const states = standings.map(({ state }) => state);
    expect(new Set(states.filter((_, pcr) => pcr !== 10))).toEqual(new Set(['replayed', 'empty']));
    expect(states[10]).toBe('elsewhere');
  });

  test.each(RECORDED_BOOTS.filter((boot) => hasCorpusFile(`${boot}/early/pcrs.txt`)))(
    '%s replays to PCRs that were read before the log of systemd ended',
    (boot) => {
      const { problems, claims } = read(boot, `${boot}/early/pcrs.txt`);
      expect(problems).toEqual([]);
      const phases = 'value' in claims.bootPhases ? claims.bootPhases.value : [];
      const first = userspaceOf(boot) === undefined ? [] : ['enter-initrd', 'leave-initrd', 'sysinit'];
      const before = boot.includes('soft-reboot') ? [...first, 'ready', 'shutdown', 'final', 'sysinit'] : first;
      expect(phases).toEqual(before);
    },
  );

  test.each(RECORDED_BOOTS.filter((boot) => hasCorpusFile(`${boot}/tpm2-measure.log`)))(
    '%s continues after the firmware log when the log of systemd is missing',
    (boot) => {
      const log = readBootLog(readCorpusBytes(`${boot}/eventlog.bin`), {
        pcrValues: recordedPcrs(`${boot}/early/pcrs.txt`),
      });
      expect(log.standings.map(({ state }) => state).filter((state) => state === 'mismatch')).toEqual([]);
      expect([log.standings[11]?.state, log.standings[15]?.state]).toEqual(['continues', 'continues']);
      expect(log.claims.uki).toEqual({ withheld: expect.stringContaining('continues after the firmware log') });
      expect(log.claims.secureBoot).toHaveProperty('value');
    },
  );

  test('what differs between two boots differs in their claims, and nothing else does', () => {
    const base = read('lab13/a-base').claims;
    const changed = (boot: string): readonly string[] => {
      const { claims } = read(boot);
      return (Object.keys(base) as (keyof BootClaims)[]).filter(
        (name) =>
          !Buffer.from(JSON.stringify(plain(base[name]))).equals(Buffer.from(JSON.stringify(plain(claims[name])))),
      );
    };
    expect(changed('lab13/b-first')).toEqual([]);
    expect(changed('lab13/b-second')).toEqual([]);
    expect(changed('lab13/c-cmdline')).toEqual([
      'bootApplications',
      'kernelCommandLine',
      'loadOptions',
      'initrd',
      'uki',
    ]);
    expect(changed('lab13/d-initrd')).toEqual(['bootApplications', 'initrd', 'uki']);
    expect(changed('lab13/e-cred')).toEqual(['kernelCommandLine', 'stubCommandLines', 'initrd']);
    expect(changed('lab13/c-addon')).toEqual([
      'bootApplications',
      'kernelCommandLine',
      'stubCommandLines',
      'loadOptions',
    ]);
    expect(changed('lab13/x-soft-reboot')).toEqual(['bootPhases']);
  });

  test('a boot by GRUB has the command line of the machine', () => {
    for (const boot of ['lab/good', 'lab/a-cmdline', 'lab13/i-grub']) {
      const line = Buffer.from(readCorpusBytes(`${boot}/cmdline`))
        .toString()
        .trim();
      const { kernelCommandLine } = read(boot).claims;
      const told =
        'value' in kernelCommandLine && kernelCommandLine.value.source === 'grub' ? kernelCommandLine.value.text : '';
      expect(`BOOT_IMAGE=${told}`).toBe(line);
    }
  });
});

/** For comparison: bytes as hexadecimal digits, numbers as text. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return hex(value);
  if (typeof value === 'bigint') return `${value}`;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
}
