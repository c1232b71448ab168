/** Writes firmware logs and systemd's log, honest ones and others. */
import { hash } from 'node:crypto';
import { EVENT_TYPES, type EventTypeName } from '../../src/boot-log/tcg/event-types.ts';
import { concat, hex } from '../../src/bytes/bytes.ts';

export const ALGORITHMS = { sha1: [0x04, 20], sha256: [0x0b, 32], sha384: [0x0c, 48], sha512: [0x0d, 64] } as const;
export type Algorithm = keyof typeof ALGORITHMS;

export interface WrittenEvent {
  readonly pcr: number;
  readonly type: EventTypeName | number;
  readonly data: Uint8Array;
  /** What the digests are of; the data where it is left out. */
  readonly hashed?: Uint8Array;
  /** In place of the digests of `hashed`. */
  readonly digests?: readonly (readonly [id: number, digest: Uint8Array])[];
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, value >>> 8);
}

export function u32(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
}

export function u64(value: bigint | number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

export const ascii = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));
export const utf16 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'utf16le'));

export const typeNumber = (type: WrittenEvent['type']): number => (typeof type === 'number' ? type : EVENT_TYPES[type]);

interface SpecIdRecipe {
  readonly pcr?: number;
  readonly vendorInfo?: Uint8Array;
  readonly count?: number;
}

export function specIdEvent(
  algorithms: readonly (readonly [id: number, bytes: number])[],
  { pcr = 0, vendorInfo = new Uint8Array(), count = algorithms.length }: SpecIdRecipe = {},
): Uint8Array {
  const body = concat(
    ascii('Spec ID Event03\0'),
    u32(0),
    Uint8Array.of(0, 2, 0, 2),
    u32(count),
    ...algorithms.flatMap(([id, bytes]) => [u16(id), u16(bytes)]),
    Uint8Array.of(vendorInfo.length),
    vendorInfo,
  );
  return concat(u32(pcr), u32(3), new Uint8Array(20), u32(body.length), body);
}

/** One record after the Spec ID. */
export function agileEvent(event: WrittenEvent, banks: readonly Algorithm[] = ['sha256']): Uint8Array {
  const { pcr, type, data, hashed = data } = event;
  const isMeasured = typeNumber(type) !== EVENT_TYPES.EV_NO_ACTION;
  const digests =
    event.digests ??
    banks.map((bank) => {
      const [id, bytes] = ALGORITHMS[bank];
      return [id, isMeasured ? hash(bank, hashed, 'buffer') : new Uint8Array(bytes)] as const;
    });
  return concat(
    u32(pcr),
    u32(typeNumber(type)),
    u32(digests.length),
    ...digests.flatMap(([id, digest]) => [u16(id), digest]),
    u32(data.length),
    data,
  );
}

export function agileLog(events: readonly WrittenEvent[], banks: readonly Algorithm[] = ['sha256']): Uint8Array {
  return concat(specIdEvent(banks.map((bank) => ALGORITHMS[bank])), ...events.map((event) => agileEvent(event, banks)));
}

export function sha1Log(events: readonly WrittenEvent[]): Uint8Array {
  return concat(
    ...events.map(({ pcr, type, data, hashed = data }) =>
      concat(u32(pcr), u32(typeNumber(type)), hash('sha1', hashed, 'buffer'), u32(data.length), data),
    ),
  );
}

/** PCR values of a TPM that was extended so; EV_NO_ACTION is not. */
export function extended(
  events: readonly WrittenEvent[],
  words: readonly UserspaceWord[] = [],
): Map<number, Uint8Array> {
  const values = new Map(
    Array.from({ length: 24 }, (_, i) => [i, new Uint8Array(32).fill(i > 16 && i < 23 ? 0xff : 0)]),
  );
  const extend = (pcr: number, digest: Uint8Array): void => {
    const before = values.get(pcr) ?? new Uint8Array(32);
    values.set(pcr, new Uint8Array(hash('sha256', concat(before, digest), 'buffer')));
  };
  for (const { pcr, type, data, hashed = data, digests } of events) {
    if (typeNumber(type) === EVENT_TYPES.EV_NO_ACTION) continue;
    const given = digests?.find(([id]) => id === 0x0b)?.[1];
    extend(pcr, given ?? hash('sha256', hashed, 'buffer'));
  }
  for (const { pcr, word } of words) extend(pcr, hash('sha256', word, 'buffer'));
  return values;
}

export interface UserspaceWord {
  readonly pcr: number;
  readonly word: string;
  readonly kind?: string;
}

export function userspaceLog(words: readonly UserspaceWord[], banks: readonly Algorithm[] = ['sha256']): Uint8Array {
  return concat(
    ...words.map(({ pcr, word, kind = 'phase' }) =>
      userspaceRecord({
        pcr,
        digests: banks.map((bank) => ({ hashAlg: bank, digest: hex(hash(bank, word, 'buffer')) })),
        content_type: 'systemd',
        content: { string: word, bootId: '0'.repeat(32), timestamp: 1, eventType: kind },
      }),
    ),
  );
}

export function userspaceRecord(record: unknown): Uint8Array {
  return concat(
    Uint8Array.of(0x1e),
    Buffer.from(typeof record === 'string' ? record : JSON.stringify(record)),
    ascii('\n'),
  );
}

const GUIDS = { global: '8be4df61-93ca-11d2-aa0d-00e098032b8c', security: 'd719b2cb-3d3a-4596-a3bc-dad00e67656f' };

export function guidBytes(text: string): Uint8Array {
  const digits = Buffer.from(text.replaceAll('-', ''), 'hex');
  return Uint8Array.from([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map((at) => digits[at] ?? 0));
}

export function variableData(name: string, data: Uint8Array, guid?: string): Uint8Array {
  const own = guid ?? (/^db/.test(name) ? GUIDS.security : GUIDS.global);
  return concat(guidBytes(own), u64(name.length), u64(data.length), utf16(name), data);
}

export function signatureList(type: string, entries: readonly Uint8Array[], owner: string = GUIDS.global): Uint8Array {
  const size = 16 + (entries[0]?.length ?? 0);
  const body = concat(...entries.map((entry) => concat(guidBytes(owner), entry)));
  return concat(guidBytes(type), u32(28 + body.length), u32(0), u32(size), body);
}

export const SHA256_TYPE = 'c1c41626-504c-4092-aca9-41f936934328';

export const driverConfig = (name: string, data: Uint8Array, guid?: string): WrittenEvent => ({
  pcr: 7,
  type: 'EV_EFI_VARIABLE_DRIVER_CONFIG',
  data: variableData(name, data, guid),
});
export const separator = (pcr: number, byte = 0): WrittenEvent => ({
  pcr,
  type: 'EV_SEPARATOR',
  data: new Uint8Array(4).fill(byte),
});
export const authority = (name: string, data: Uint8Array): WrittenEvent => ({
  pcr: 7,
  type: 'EV_EFI_VARIABLE_AUTHORITY',
  data: variableData(name, data),
});
export const action = (pcr: number, text: string): WrittenEvent => ({ pcr, type: 'EV_EFI_ACTION', data: ascii(text) });
export const application = (content: string): WrittenEvent => ({
  pcr: 4,
  type: 'EV_EFI_BOOT_SERVICES_APPLICATION',
  data: concat(u64(0), u64(1), u64(0), u64(0)),
  hashed: ascii(content),
});
export const grub = (label: string, text: string): WrittenEvent => ({
  pcr: 8,
  type: 'EV_IPL',
  data: ascii(`${label}: ${text}\0`),
  hashed: ascii(text),
});
export const file = (name: string, content: string): WrittenEvent => ({
  pcr: 9,
  type: 'EV_IPL',
  data: ascii(`${name}\0`),
  hashed: ascii(content),
});
export const section = (name: string, content: string): readonly WrittenEvent[] => [
  { pcr: 11, type: 'EV_IPL', data: utf16(`${name}\0`), hashed: ascii(`${name}\0`) },
  { pcr: 11, type: 'EV_IPL', data: utf16(`${name}\0`), hashed: ascii(content) },
];
export const line = (text: string): WrittenEvent => ({ pcr: 12, type: 'EV_IPL', data: utf16(`${text}\0`) });
export const tag = (pcr: number, id: number, label: string, hashed: Uint8Array): WrittenEvent => ({
  pcr,
  type: 'EV_EVENT_TAG',
  data: concat(u32(id), u32(label.length + 1), ascii(`${label}\0`)),
  hashed,
});

/** The first event of a GPT with one partition. */
export function gpt(disk: string, pcr = 5): WrittenEvent {
  const header = new Uint8Array(92);
  header.set(ascii('EFI PART'));
  header.set(guidBytes(disk), 56);
  header.set(u32(128), 84);
  const entry = concat(guidBytes(disk), guidBytes(disk), u64(34), u64(99), u64(0), utf16('ESP'.padEnd(36, '\0')));
  return { pcr, type: 'EV_EFI_GPT_EVENT', data: concat(header, u64(1), entry) };
}

const OWNER = new Uint8Array(16).fill(7);
const one = (byte: number): Uint8Array => Uint8Array.of(byte);
export const dbHash = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

/** Secure Boot is on; shim and GRUB from PCR 4, a command line, a partition table, MOK. */
export const GRUB_BOOT: readonly WrittenEvent[] = [
  { pcr: 0, type: 'EV_S_CRTM_VERSION', data: utf16('1.0\0') },
  driverConfig('SecureBoot', one(1)),
  driverConfig('PK', signatureList(SHA256_TYPE, [dbHash(1)])),
  driverConfig('KEK', signatureList(SHA256_TYPE, [dbHash(2)])),
  driverConfig('db', signatureList(SHA256_TYPE, [dbHash(3)])),
  driverConfig('dbx', signatureList(SHA256_TYPE, [dbHash(4), dbHash(5)])),
  action(4, 'Calling EFI Application from Boot Option'),
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((pcr) => separator(pcr)),
  authority('db', concat(OWNER, dbHash(3))),
  gpt('11111111-2222-3333-4444-555555555555'),
  application('shim'),
  { pcr: 14, type: 'EV_IPL', data: ascii('MokList\0'), hashed: ascii('keys') },
  application('grub'),
  file('(hd0,gpt1)/grub.cfg', 'config'),
  grub('grub_cmd', 'linux /vmlinuz quiet'),
  file('/vmlinuz', 'kernel'),
  grub('kernel_cmdline', '/vmlinuz quiet'),
  grub('grub_cmd', 'initrd /initrd'),
  file('/initrd', 'initrd'),
  action(5, 'Exit Boot Services Invocation'),
  action(5, 'Exit Boot Services Returned with Success'),
];

/** As above, with a unified kernel image in place of shim and GRUB. */
export const UKI_BOOT: readonly WrittenEvent[] = [
  ...GRUB_BOOT.filter(({ pcr }) => ![4, 8, 9, 14].includes(pcr)),
  action(4, 'Calling EFI Application from Boot Option'),
  separator(4),
  application('uki'),
  ...section('.linux', 'kernel'),
  ...section('.cmdline', 'quiet'),
  ...section('.initrd', 'initrd'),
  line('extra=1'),
  tag(9, 0x8f3b22ed, 'LOADED_IMAGE::LoadOptions', utf16('quiet\0')),
  tag(9, 0x8f3b22ec, 'Linux initrd', ascii('initrd')),
];

export const PHASES: readonly UserspaceWord[] = ['enter-initrd', 'leave-initrd', 'sysinit', 'ready'].map((word) => ({
  pcr: 11,
  word,
}));
