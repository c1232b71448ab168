/** Canonical base64 (RFC 4648, 4 and 3.5): padded, no white space, unused bits zero. Pure. */

/** Undefined when the text is not canonical base64. */
export function fromBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  // Node skips characters that are not base64. Encoding again shows whether it skipped any.
  return bytes.toString('base64') === text
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : undefined;
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
