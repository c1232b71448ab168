/** systemd writes the words that it measures with the escapes of C (src/basic/escape.c, cescape_char). */
const LETTERS: Readonly<Record<string, number>> = {
  a: 0x07,
  b: 0x08,
  f: 0x0c,
  n: 0x0a,
  r: 0x0d,
  t: 0x09,
  v: 0x0b,
  '\\': 0x5c,
  '"': 0x22,
  "'": 0x27,
};
const ESCAPE = /\\(?:([abfnrtv\\"'])|([0-3][0-7]{2})|x([0-9a-fA-F]{2}))|\\/g;

/** systemd cuts a word after 1024 bytes, and an escape takes four characters at most. */
const MOST_CHARS = 4 * 1024;

/** The bytes that were measured; undefined for an escape, or a length, that systemd does not write. */
export function unescaped(text: string): Uint8Array | undefined {
  if (text.length > MOST_CHARS) return undefined;
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const match of text.matchAll(ESCAPE)) {
    const [whole, letter, octal, hexadecimal] = match;
    if (whole === '\\') return undefined;
    const byte =
      letter !== undefined
        ? (LETTERS[letter] ?? 0)
        : parseInt(octal ?? hexadecimal ?? '', octal === undefined ? 16 : 8);
    parts.push(Buffer.from(text.slice(from, match.index)), Uint8Array.of(byte));
    from = match.index + whole.length;
  }
  parts.push(Buffer.from(text.slice(from)));
  return Uint8Array.from(Buffer.concat(parts));
}
