/** UEFI_IMAGE_LOAD_EVENT (PC Client Platform Firmware Profile 1.06, 10.2.3). No digest covers it: for display alone. */
import { LittleEndianReader } from './little-endian.ts';
import { utf16Text } from './utf16.ts';

/** Where the image is said to lie; undefined for bytes that are no such event. */
export function imagePath(data: Uint8Array): string | undefined {
  const reader = new LittleEndianReader(data);
  // Address, length, link-time address.
  if (reader.take(24) === undefined) return undefined;
  const pathBytes = reader.count();
  const path = pathBytes === undefined ? undefined : reader.take(pathBytes);
  return path === undefined || reader.remaining > 0 ? undefined : devicePathText(path);
}

/** The file paths in EFI_DEVICE_PATH_PROTOCOL (UEFI 2.10, 10.3): nodes of type, subtype and length. */
function devicePathText(path: Uint8Array): string {
  const files: string[] = [];
  const reader = new LittleEndianReader(path);
  while (reader.remaining > 0) {
    const type = reader.u8();
    const subtype = reader.u8();
    const length = reader.u16();
    const body = length === undefined || length < 4 ? undefined : reader.take(length - 4);
    if (body === undefined) break;
    // Media device path, file path.
    if (type === 0x04 && subtype === 0x04) files.push((utf16Text(body) ?? '').replace(/\0[\s\S]*/, ''));
  }
  return files.join('\\') || '(no file path)';
}
