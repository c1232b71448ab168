/** UTF-16LE as firmware and systemd write it. */
const DECODER = new TextDecoder('utf-16le', { fatal: true, ignoreBOM: true });

/** Undefined for an odd number of bytes and for half a character. */
export function utf16Text(bytes: Uint8Array): string | undefined {
  try {
    return DECODER.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Without the NUL at the end, which must be there and be the only one. */
export function utf16WithNul(bytes: Uint8Array): string | undefined {
  const text = utf16Text(bytes);
  return text !== undefined && text.indexOf('\0') === text.length - 1 ? text.slice(0, -1) : undefined;
}
