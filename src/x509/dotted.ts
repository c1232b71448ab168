import { ByteMemo } from '../bytes/byte-memo.ts';

/** The longest object identifier accepted, in content bytes. A UUID under 2.25 takes 20. */
const MAX_BYTES = 64;

/** Caches texts: all certificates use the same few identifiers, and formatting costs five times as much as a lookup. */
const TEXTS = new ByteMemo<string>();

/**
 * Formats the content of an OBJECT IDENTIFIER (X.690 §8.19) in dotted decimal form. The content is `bytes` from `start`
 * to `end`.
 *
 * @param element its `fail` is called with the reason if the content is not valid
 */
export function dotted(
  bytes: Uint8Array,
  start: number,
  end: number,
  element: { fail(reason: string): never },
): string {
  const kept = TEXTS.recall(bytes, start, end);
  if (kept !== undefined) return kept;
  const text = read(bytes.subarray(start, end), element);
  TEXTS.keep(bytes, start, end, text);
  return text;
}

function read(content: Uint8Array, element: { fail(reason: string): never }): string {
  if (content.length === 0) element.fail('an OBJECT IDENTIFIER without content');
  if (content.length > MAX_BYTES)
    element.fail(`an OBJECT IDENTIFIER of ${content.length} bytes, more than ${MAX_BYTES}`);
  let text = '';
  let arc = 0;
  /** The arc, once it has more than 28 bits. An arc that holds a UUID does. */
  let wide: bigint | undefined;
  let open = false;
  for (const octet of content) {
    if (!open && octet === 0x80) element.fail('an OBJECT IDENTIFIER with a padded arc');
    const bits = octet & 0x7f;
    if (wide === undefined && arc < 0x200000) arc = arc * 128 + bits;
    else wide = (wide ?? BigInt(arc)) * 128n + BigInt(bits);
    open = octet >= 0x80;
    if (open) continue;
    if (text !== '') text += `.${wide ?? arc}`;
    else if (wide !== undefined) text = `2.${wide - 80n}`;
    else if (arc < 80) text = arc < 40 ? `0.${arc}` : `1.${arc - 40}`;
    else text = `2.${arc - 80}`;
    arc = 0;
    wide = undefined;
  }
  if (open) element.fail('an OBJECT IDENTIFIER that ends inside an arc');
  return text;
}
