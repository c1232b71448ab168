/** What an event says, for people. Whether its digest covers that is another question. */
import { hex } from '../bytes/bytes.ts';
import { EVENT_TAGS } from './systemd/event-tags.ts';
import type { FirmwareEvent, LogEvent } from './tcg/event.ts';
import { EVENT_TYPES } from './tcg/event-types.ts';
import { readGpt } from './tcg/gpt.ts';
import { imagePath } from './tcg/image-load.ts';
import { readTaggedEvents } from './tcg/tagged-event.ts';
import { readUefiVariable, SHIM_STRAY_BYTES } from './tcg/uefi-variable.ts';
import { utf16Text } from './tcg/utf16.ts';

const MAX_CHARS = 1024;
const MAX_BYTES = 32;

/** One line at most `MAX_CHARS` long; it may hold any character but NUL. */
export function eventText(event: LogEvent): string {
  const text = event.log === 'userspace' ? wordText(event.word) : firmwareText(event);
  return text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS - 1)}…` : text;
}

const wordText = (word: Uint8Array | undefined): string =>
  word === undefined ? '' : Buffer.from(word).toString('utf8').replaceAll('\0', '␀');

type Describe = (data: Uint8Array) => string | undefined;

const image: Describe = imagePath;
const variable: Describe = (data) => {
  const read = readUefiVariable(data, SHIM_STRAY_BYTES);
  return read === undefined ? undefined : `${read.name} (${read.data.length} bytes)`;
};

const DESCRIPTIONS: ReadonlyMap<number, Describe> = new Map([
  [EVENT_TYPES.EV_EFI_VARIABLE_DRIVER_CONFIG, variable],
  [EVENT_TYPES.EV_EFI_VARIABLE_BOOT, variable],
  [EVENT_TYPES.EV_EFI_VARIABLE_BOOT2, variable],
  [EVENT_TYPES.EV_EFI_VARIABLE_AUTHORITY, variable],
  [EVENT_TYPES.EV_EFI_BOOT_SERVICES_APPLICATION, image],
  [EVENT_TYPES.EV_EFI_BOOT_SERVICES_DRIVER, image],
  [EVENT_TYPES.EV_EFI_RUNTIME_SERVICES_DRIVER, image],
  [EVENT_TYPES.EV_EFI_GPT_EVENT, gptText],
  [EVENT_TYPES.EV_EVENT_TAG, tagText],
]);

function firmwareText({ type, data }: FirmwareEvent): string {
  const beginning = data.subarray(0, 2 * MAX_CHARS);
  return DESCRIPTIONS.get(type)?.(data) ?? plainText(beginning) ?? hexText(data);
}

function gptText(data: Uint8Array): string | undefined {
  const table = readGpt(data);
  return table === undefined ? undefined : `disk ${table.disk}, ${table.partitions.length} partitions`;
}

const TAG_NAMES: ReadonlyMap<number, string> = new Map([
  [EVENT_TAGS.loaderConf, 'loader.conf'],
  [EVENT_TAGS.linuxInitrd, 'initrd'],
  [EVENT_TAGS.loadOptions, 'load options'],
]);

function tagText(data: Uint8Array): string | undefined {
  return readTaggedEvents(data)
    ?.map(({ id, data: body }) => {
      const text = plainText(body.subarray(0, MAX_CHARS)) ?? hexText(body);
      return `${TAG_NAMES.get(id) ?? `tag 0x${id.toString(16)}`}: ${text}`;
    })
    .join('; ');
}

const PRINTABLE = /^[^\p{Cc}\p{Cn}\p{Co}\p{Cs}]+$/u;

/** ASCII or UTF-16, with or without NUL at its end. */
function plainText(data: Uint8Array): string | undefined {
  const ascii = Buffer.from(data).toString('latin1').replace(/\0$/, '');
  if (/^[\x20-\x7e]+$/.test(ascii)) return ascii;
  const utf16 = data.length % 2 === 0 ? utf16Text(data)?.replace(/\0$/, '') : undefined;
  return utf16 !== undefined && PRINTABLE.test(utf16) && /^[\x20-\u024f]/.test(utf16) ? utf16 : undefined;
}

function hexText(data: Uint8Array): string {
  const shown = hex(data.subarray(0, MAX_BYTES));
  return data.length > MAX_BYTES ? `${shown}… (${data.length} bytes)` : shown;
}
