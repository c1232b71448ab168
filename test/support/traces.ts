/** Searches a text for secret bytes in all usual encodings. */
const SPELLINGS: Readonly<Record<string, (bytes: Buffer) => string>> = {
  hex: (bytes) => bytes.toString('hex'),
  HEX: (bytes) => bytes.toString('hex').toUpperCase(),
  base64: (bytes) => bytes.toString('base64').replace(/=+$/, ''),
  base64url: (bytes) => bytes.toString('base64url'),
  'UTF-8': (bytes) => bytes.toString('utf8'),
  'JSON of UTF-8': (bytes) => JSON.stringify(bytes.toString('utf8')).slice(1, -1),
  'Latin 1': (bytes) => bytes.toString('latin1'),
  decimals: (bytes) => [...bytes].join(','),
};

export function spellingsIn(text: string, secret: Uint8Array): readonly string[] {
  const bytes = Buffer.from(secret);
  return Object.keys(SPELLINGS).filter((spelling) => text.includes(SPELLINGS[spelling]?.(bytes) ?? ''));
}
