/** Random changes that often break parsers: bits, lengths, cuts, repetitions. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';

const mutation = fc.record({
  kind: fc.constantFrom('set', 'flip', 'insert', 'cut', 'copy'),
  at: fc.nat({ max: 0xffff }),
  from: fc.nat({ max: 0xffff }),
  octet: fc.oneof(
    fc.constantFrom(0x00, 0x01, 0x30, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff),
    fc.integer({ min: 0, max: 255 }),
  ),
});
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutate(seed: Uint8Array, mutations: readonly Mutation[]): Uint8Array {
  let bytes: Uint8Array = Uint8Array.from(seed);
  for (const { kind, at, from, octet } of mutations) {
    const position = at % Math.max(bytes.length, 1);
    const source = from % Math.max(bytes.length, 1);
    const before = bytes.subarray(0, position);
    const after = bytes.subarray(position);
    if (kind === 'set') bytes = bytes.length === 0 ? bytes : bytes.with(position, octet);
    else if (kind === 'flip')
      bytes = bytes.length === 0 ? bytes : bytes.with(position, (bytes[position] ?? 0) ^ (1 << (octet & 7)));
    else if (kind === 'insert') bytes = Buffer.concat([before, Uint8Array.of(octet), after]);
    else if (kind === 'cut') bytes = Buffer.concat([before, after.subarray(octet)]);
    else bytes = Buffer.concat([before, bytes.subarray(source, source + octet), after]);
  }
  return bytes;
}

/** Mutations of the seeds. Half of them change one octet, which keeps the length and so passes the first check. */
export function mutated(...seeds: Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const single = mutation.map((change): Mutation[] => [{ ...change, kind: change.octet < 128 ? 'flip' : 'set' }]);
  const several = fc.array(mutation, { minLength: 1, maxLength: 4 });
  return fc
    .tuple(fc.constantFrom(...seeds), fc.oneof(single, several))
    .map(([seed, mutations]) => mutate(seed, mutations));
}
