/** PCRs: the banks and indices asked for, with the values that the TPM signed, each in its own place. */
import { expect, test } from 'vitest';
import { concat } from '../../src/bytes/bytes.ts';
import { STATUS } from '../../src/spire/status.ts';
import type { QuoteAttest } from '../../src/tpm/structures/attest.ts';
import { TPM_ALG } from '../../src/tpm/structures/constants.ts';
import { pcrSelection, type TpmlPcrSelection } from '../../src/tpm/structures/pcr.ts';
import type { Forgery } from '../support/forger.ts';
import { useJudge } from '../support/judge.ts';
import { digest, eccAk, rsaAk, softwareDevice } from '../support/software-device.ts';

const judge = useJudge();
const { SHA1, SHA256, SHA384, SHA512 } = TPM_ALG;
const machine = softwareDevice();
const upTo = (last: number): readonly number[] => Array.from({ length: last + 1 }, (_, index) => index);
const valuesOf = (bank: number, indices: readonly number[]): readonly Uint8Array[] =>
  indices.map((index) => machine.pcr(bank, index));

/** A quote that is consistent in itself: selection, digest and values. */
function quoteOf(pcrSelect: TpmlPcrSelection, values: readonly Uint8Array[], sent = values): Forgery {
  return {
    attest: (quote): QuoteAttest => ({ ...quote, attested: { pcrSelect, pcrDigest: digest('sha256', ...values) } }),
    values: () => sent,
  };
}

/** Splices bytes over the selection of `sha256:0-7` before signing. */
function selectionBytes(...octets: readonly number[]): Forgery {
  const digestBytes = 2 + 32;
  const ours = 4 + 2 + 1 + 3;
  return {
    quoted: (quoted) => {
      const start = quoted.length - digestBytes - ours;
      return concat(quoted.slice(0, start), Uint8Array.from(octets), quoted.slice(start + ours));
    },
  };
}

test('A23 refuses a machine that offers the SHA-1 bank alone', async () => {
  await judge.refuses({ payload: (payload) => ({ ...payload, pcrBanks: [SHA1] }) }, 'pcr.bank');
  await judge.refuses({ payload: (payload) => ({ ...payload, pcrBanks: [] }) }, 'pcr.bank');
});

test('A23 refuses a quote over the SHA-1 bank where SHA-256 was asked for', () =>
  judge.refuses(quoteOf([pcrSelection(SHA1, upTo(7))], valuesOf(SHA1, upTo(7))), 'quote.selection'));

test('A28 refuses a quote over no PCR', async () => {
  await judge.refuses(quoteOf([], []), 'quote.selection');
  await judge.refuses(quoteOf([pcrSelection(SHA256, [])], []), 'quote.selection');
});

test('A28 refuses a quote over no PCR that comes with values', () =>
  judge.refuses(quoteOf([], [], valuesOf(SHA256, upTo(7))), 'quote.selection', 'quote.pcr_values', 'quote.pcr_digest'));

test('A29 refuses a quote over a bank that is not allocated, with any values', async () => {
  const unallocated = [pcrSelection(SHA512, [])];
  await judge.refuses(quoteOf(unallocated, []), 'quote.selection');
  await judge.refuses(
    quoteOf(unallocated, [], valuesOf(SHA512, [0, 1])),
    'quote.selection',
    'quote.pcr_values',
    'quote.pcr_digest',
  );
});

test('A30 refuses a quote over fewer or more PCRs than asked for', async () => {
  const [six, seven, eight] = [upTo(6), upTo(7), upTo(8)];
  await judge.refuses(quoteOf([pcrSelection(SHA256, six)], valuesOf(SHA256, six)), 'quote.selection');
  await judge.refuses(quoteOf([pcrSelection(SHA256, eight)], valuesOf(SHA256, eight)), 'quote.selection');
  await judge.refuses(
    quoteOf([pcrSelection(SHA256, six)], valuesOf(SHA256, six), valuesOf(SHA256, seven)),
    'quote.selection',
    'quote.pcr_values',
    'quote.pcr_digest',
  );
});

test('A30 refuses a right quote with a value too few or too many', async () => {
  await judge.refuses({ values: (values) => values.slice(0, 7) }, 'quote.pcr_values', 'quote.pcr_digest');
  await judge.refuses(
    { values: (values) => [...values, ...values.slice(0, 1)] },
    'quote.pcr_values',
    'quote.pcr_digest',
  );
  await judge.refuses({ values: () => [] }, 'quote.pcr_values', 'quote.pcr_digest');
});

test('A31 refuses values that have changed places', () =>
  judge.refuses({ values: (values) => values.toReversed() }, 'quote.pcr_digest'));

test('A31 refuses a quote over as many other PCRs', () => {
  const others = upTo(7).map((index) => index + 8);
  return judge.refuses(quoteOf([pcrSelection(SHA256, others)], valuesOf(SHA256, others)), 'quote.selection');
});

test('A31 refuses values of one bank under the label of another', async () => {
  const short = valuesOf(SHA1, upTo(7));
  await judge.refuses(quoteOf([pcrSelection(SHA256, upTo(7))], short), 'quote.pcr_values');
  await judge.refuses(quoteOf([pcrSelection(SHA512, upTo(7))], valuesOf(SHA512, upTo(7))), 'quote.selection');
});

test('A32 refuses a quote over two banks', () => {
  const banks = [pcrSelection(SHA256, upTo(7)), pcrSelection(SHA1, [0])];
  return judge.refuses(quoteOf(banks, [...valuesOf(SHA256, upTo(7)), ...valuesOf(SHA1, [0])]), 'quote.selection');
});

test('A32 refuses the right bytes divided into other values', () =>
  judge.refuses(
    {
      values: ([first = new Uint8Array(), second = new Uint8Array(), ...rest]) => [
        first.slice(0, 20),
        concat(first.slice(20), second),
        ...rest,
      ],
    },
    'quote.pcr_values',
  ));

test('A33 refuses a selection of another size, with PCRs that no TPM has, or with a bank twice', async () => {
  await judge.refuses(selectionBytes(0, 0, 0, 1, 0, SHA256, 4, 0xff, 0, 0, 0), 'quote.selection');
  await judge.refuses(selectionBytes(0, 0, 0, 1, 0, SHA256, 2, 0xff, 0), 'quote.selection');
  await judge.refuses(selectionBytes(0, 0, 0, 1, 0, SHA256, 4, 0x7f, 0, 0, 1), 'quote.selection');
  const low = pcrSelection(SHA256, upTo(3));
  const high = pcrSelection(SHA256, [4, 5, 6, 7]);
  await judge.refuses(quoteOf([low, high], valuesOf(SHA256, upTo(7))), 'quote.selection');
  const again = [...valuesOf(SHA256, upTo(7)), ...valuesOf(SHA256, upTo(7))];
  await judge.refuses(quoteOf(Array(2).fill(pcrSelection(SHA256, upTo(7))), again), 'quote.selection');
});

test('A33 refuses a selection that is longer than any TPM makes', async () => {
  await judge.refuses(selectionBytes(0, 0, 0, 1, 0, SHA256, 5, 0xff, 0, 0, 0, 0), 'quote.malformed');
  const seventeen = Array.from({ length: 17 }, () => [0, SHA256, 0]).flat();
  await judge.refuses(selectionBytes(0, 0, 0, 17, ...seventeen), 'quote.malformed');
  await judge.refuses(selectionBytes(0xff, 0xff, 0xff, 0xff, 0, SHA256, 3, 0xff, 0, 0), 'quote.malformed');
});

test('A34 refuses one changed bit in a value or in the signed digest', async () => {
  const flipped = (bytes: Uint8Array): Uint8Array => bytes.with(0, (bytes[0] ?? 0) ^ 1);
  await judge.refuses({ values: (values) => values.with(7, flipped(machine.pcr(SHA256, 7))) }, 'quote.pcr_digest');
  await judge.refuses(
    {
      attest: (quote) => ({
        ...quote,
        attested: { ...quote.attested, pcrDigest: flipped(quote.attested.pcrDigest) },
      }),
    },
    'quote.pcr_digest',
  );
});

test("A34 refuses a PCR digest by the bank's hash when the key signs with another hash", async () => {
  const scheme = { scheme: TPM_ALG.ECDSA, hashAlg: SHA384 };
  const device = softwareDevice({ ak: eccAk({ algorithm: 'p384', scheme }) });
  await judge.admits(device);
  await judge.admits(softwareDevice({ ak: rsaAk({ scheme: { scheme: TPM_ALG.RSASSA, hashAlg: SHA512 } }) }));
  const attest: Forgery['attest'] = (quote, values) => ({
    ...quote,
    attested: { ...quote.attested, pcrDigest: digest('sha256', ...values) },
  });
  await judge.refuses({ device, forgery: { attest } }, 'quote.pcr_digest');
});

test('A36 refuses a configuration with resettable PCRs, without PCRs, or with SHA-1', async () => {
  const refused = ['sha256:16', 'sha256:0-7,23', 'sha256:0-23', '', 'sha256:', 'sha256:24', 'sha1:0-7'];
  for (const pcrs of refused) {
    const answer = judge.host.configure(`hash_path = "/tmp"\npcrs = "${pcrs}"`, 'example.org');
    await expect(answer, pcrs).rejects.toMatchObject({ code: STATUS.INVALID_ARGUMENT });
  }
  await judge.admits(machine);
});
