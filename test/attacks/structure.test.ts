/** Malformed, mislabelled and doubled structures: what is judged is exactly what was signed and sent. */
import { test } from 'vitest';
import { concat } from '../../src/bytes/bytes.ts';
import type { QuoteAttest, TpmsAttest } from '../../src/tpm/structures/attest.ts';
import { TPM_ALG } from '../../src/tpm/structures/constants.ts';
import { type Forgery, protobufField } from '../support/forger.ts';
import { useJudge } from '../support/judge.ts';
import { eccAk, schemeOf, signed, softwareDevice } from '../support/software-device.ts';

const judge = useJudge();
const zeros = (count: number): Uint8Array => new Uint8Array(count);

function patched(bytes: Uint8Array, offset: number, ...octets: readonly number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(octets, offset);
  return copy;
}

test('A08 refuses a validly signed structure whose magic is not TPM_GENERATED', async () => {
  await judge.refuses({ quoted: (quoted) => patched(quoted, 0, 0, 0, 0, 0) }, 'quote.magic');
  await judge.refuses({ quoted: (quoted) => patched(quoted, 3, 0x48) }, 'quote.magic');
});

test('A09 refuses every other structure that a TPM signs, even with the right commitment', async () => {
  const name = concat(Uint8Array.of(0, TPM_ALG.SHA256), zeros(32));
  const { clockInfo, firmwareVersion } = {
    clockInfo: { clock: 1n, resetCount: 1, restartCount: 0, safe: true },
    firmwareVersion: 1n,
  };
  const others: readonly ((quote: QuoteAttest) => TpmsAttest)[] = [
    (quote) => ({ ...quote, type: 'certify', attested: { name, qualifiedName: name } }),
    (quote) => ({ ...quote, type: 'creation', attested: { objectName: name, creationHash: zeros(32) } }),
    (quote) => ({ ...quote, type: 'time', attested: { time: 1n, clockInfo, firmwareVersion } }),
    (quote) => ({ ...quote, type: 'nv', attested: { indexName: name, offset: 0, nvContents: zeros(46) } }),
    (quote) => ({ ...quote, type: 'nvDigest', attested: { indexName: name, nvDigest: zeros(32) } }),
    (quote) => ({ ...quote, type: 'sessionAudit', attested: { exclusiveSession: true, sessionDigest: zeros(32) } }),
    (quote) => ({
      ...quote,
      type: 'commandAudit',
      attested: { auditCounter: 1n, digestAlg: TPM_ALG.SHA256, auditDigest: zeros(32), commandDigest: zeros(32) },
    }),
  ];
  for (const attest of others) await judge.refuses({ attest }, 'quote.type');
});

test('A09 refuses the body of a quote under another or an unknown type', async () => {
  for (const type of [0x17, 0x1a, 0x00])
    await judge.refuses({ quoted: (quoted) => patched(quoted, 5, type) }, 'quote.type');
});

test('A10 refuses a signed quote with a byte too many, a byte too few or a false size', async () => {
  const changes: readonly NonNullable<Forgery['quoted']>[] = [
    (quoted) => concat(quoted, zeros(1)),
    (quoted) => quoted.slice(0, -1),
    (quoted) => quoted.slice(0, 5),
    (quoted) => patched(quoted, 6, 0xff, 0xff),
    () => zeros(0),
  ];
  for (const quoted of changes) await judge.refuses({ quoted }, 'quote.malformed');
});

test('A10 refuses a signed quote in which a yes/no byte is neither 0 nor 1', () => {
  // Behind magic, type, qualified signer, extra data, clock and two counters.
  const safe = 4 + 2 + (2 + 34) + (2 + 32) + 8 + 4 + 4;
  return judge.refuses({ quoted: (quoted) => patched(quoted, safe, 2) }, 'quote.malformed');
});

test('A10 refuses a signature with a byte too many or too few', async () => {
  await judge.refuses({ signature: (signature) => concat(signature, zeros(1)) }, 'quote.malformed');
  await judge.refuses({ signature: (signature) => signature.slice(0, -1) }, 'quote.malformed');
});

test('A10 refuses an attestation key with a byte too many or too few', async () => {
  await judge.refuses({ payload: (p) => ({ ...p, akPublic: concat(p.akPublic, zeros(1)) }) }, 'ak.malformed');
  await judge.refuses({ payload: (p) => ({ ...p, akPublic: p.akPublic.slice(0, -1) }) }, 'ak.malformed');
  await judge.refuses({ payload: (p) => ({ ...p, akPublic: zeros(0) }) }, 'ak.malformed');
});

test('A10 refuses an endorsement key with a byte too many or too few', async () => {
  await judge.refuses({ payload: (p) => ({ ...p, ekPublic: concat(p.ekPublic, zeros(1)) }) }, 'ek.malformed');
  await judge.refuses({ payload: (p) => ({ ...p, ekPublic: p.ekPublic.slice(0, -1) }) }, 'ek.malformed');
});

test('A10 refuses a payload that is cut off or has trailing bytes', async () => {
  await judge.refuses({ payloadBytes: (bytes) => concat(bytes, zeros(1)) }, 'evidence.malformed');
  await judge.refuses({ payloadBytes: (bytes) => bytes.slice(0, -1) }, 'evidence.malformed');
});

test('A10 refuses an answer that is cut off or has trailing bytes', async () => {
  await judge.refuses({ responseBytes: (bytes) => concat(bytes, zeros(1)) }, 'response.malformed');
  await judge.refuses({ responseBytes: (bytes) => bytes.slice(0, -1) }, 'response.malformed');
});

test('A11 refuses a payload with a decoded copy beside its bytes', () =>
  judge.refuses(
    { payloadBytes: (bytes) => concat(bytes, protobufField(15, '{"ak":"another"}')) },
    'evidence.malformed',
  ));

test('A11 refuses an answer with a decoded copy beside the signed bytes', () =>
  judge.refuses({ responseBytes: (bytes) => concat(bytes, protobufField(15, '{"pcrs":{}}')) }, 'response.malformed'));

test('A11 refuses a field that is given twice, even when the last one is right', async () => {
  await judge.refuses({ payloadBytes: (bytes) => concat(protobufField(3, zeros(314)), bytes) }, 'evidence.malformed');
  await judge.refuses({ responseBytes: (bytes) => concat(protobufField(2, zeros(145)), bytes) }, 'response.malformed');
});

test('A11 refuses fields out of order and numbers encoded longer than necessary', async () => {
  await judge.refuses(
    {
      payload: (payload) => ({ ...payload, trustDomain: '' }),
      payloadBytes: (bytes) => concat(bytes, protobufField(2, 'example.org')),
    },
    'evidence.malformed',
  );
  await judge.refuses(
    { responseBytes: (bytes) => concat(Uint8Array.of(0x8a, 0x00), bytes.slice(1)) },
    'response.malformed',
  );
});

test('A11 refuses a quote in which one bit was changed after signing', async () => {
  const clock = 4 + 2 + (2 + 34) + (2 + 32);
  for (const offset of [clock + 7, clock + 11, clock + 24])
    await judge.refuses(
      { response: (r) => ({ ...r, quoted: patched(r.quoted, offset, (r.quoted[offset] ?? 0) ^ 1) }) },
      'quote.signature',
    );
});

test('A12 refuses a quote by another attestation key of the same machine', async () => {
  const other = eccAk({ label: 'second AK' });
  const sign: Forgery['sign'] = (quoted) => signed(other.privateKey, schemeOf(other.publicArea), quoted);
  await judge.refuses({ sign }, 'quote.signature');
});

test('A79 refuses a payload with too many certificates, too large a field or too many bytes', async () => {
  const certificates = (list: readonly Uint8Array[]): Forgery => ({
    payload: (payload) => ({ ...payload, ekCertificates: [...payload.ekCertificates, ...list] }),
  });
  const junk = (count: number, bytes: number) => Array.from({ length: count }, () => zeros(bytes));
  await judge.admits(softwareDevice(), certificates(junk(8, 16)));
  await judge.refuses(certificates(junk(9, 16)), 'evidence.malformed');
  await judge.refuses(certificates(junk(1, 16 * 1024 + 1)), 'evidence.malformed');
  await judge.refuses(certificates(junk(8, 16 * 1024).concat(junk(1, 64 * 1024))), 'evidence.malformed');
});

test('refuses a payload that offers no version that both sides speak', async () => {
  await judge.refuses({ payload: (payload) => ({ ...payload, versions: [3] }) }, 'evidence.version');
  await judge.refuses({ payload: (payload) => ({ ...payload, versions: [] }) }, 'evidence.version');
});
