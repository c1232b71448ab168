import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MalformedError } from '../../src/bytes/malformed.ts';
import { decodeEkPem, encodeEkPem } from '../../src/evidence/ek-pem.ts';
import {
  decodePluginChallenge,
  decodePluginPayload,
  decodePluginResponse,
  encodePluginChallenge,
  encodePluginPayload,
  encodePluginResponse,
} from '../../src/evidence/legacy-messages.ts';
import { encodePayload } from '../../src/evidence/messages.ts';
import { isWire, WIRES, wireOf } from '../../src/evidence/wires.ts';
import { encode } from '../../src/tpm/structures/codec.ts';
import { tpmsIdObject } from '../../src/tpm/structures/credential.ts';
import { describeCorpus, readCorpusBytes } from '../support/corpus.ts';
import { payloads } from '../support/evidence.ts';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const base64 = (value: Uint8Array | string): string => Buffer.from(value).toString('base64');
const text = (document: unknown): Uint8Array => Uint8Array.from(Buffer.from(JSON.stringify(document)));
const raw = (document: string): Uint8Array => Uint8Array.from(Buffer.from(document));

const AK = {
  Public: 'AQ==',
  UseTCSDActivationFormat: false,
  CreateData: 'Ag==',
  CreateAttestation: 'Aw==',
  CreateSignature: 'BA==',
};
const EK = base64(encodeEkPem({ publicKey: Uint8Array.of(1), certificate: undefined }));

describe('the documents', () => {
  test('come back as they were written', () => {
    const one = bytes(600);
    const ak = fc.record({ Public: one, CreateData: one, CreateAttestation: one, CreateSignature: one });
    fc.assert(
      fc.property(one, ak, (EK, AK) => {
        const payload = { EK, AK: { ...AK, UseTCSDActivationFormat: false as const } };
        expect(decodePluginPayload(encodePluginPayload(payload))).toEqual(payload);
      }),
    );
    fc.assert(
      fc.property(bytes(32), bytes(98), bytes(512), (integrityHmac, encIdentity, encryptedSecret) => {
        const challenge = { credentialBlob: encode(tpmsIdObject, { integrityHmac, encIdentity }), encryptedSecret };
        expect(decodePluginChallenge(encodePluginChallenge(challenge))).toEqual(challenge);
      }),
    );
    fc.assert(
      fc.property(bytes(64), (Secret) => {
        expect(decodePluginResponse(encodePluginResponse({ Secret }))).toEqual({ Secret });
      }),
    );
  });

  test('have the text that is written down here', () => {
    const document = text({ EK, AK });
    expect(Buffer.from(encodePluginPayload(decodePluginPayload(document))).toString()).toBe(
      `{"EK":"${EK}","AK":{"Public":"AQ==","UseTCSDActivationFormat":false,"CreateData":"Ag==",` +
        '"CreateAttestation":"Aw==","CreateSignature":"BA=="}}',
    );
    const challenge = { credentialBlob: Uint8Array.of(0, 1, 7, 8), encryptedSecret: Uint8Array.of(9) };
    expect(Buffer.from(encodePluginChallenge(challenge)).toString()).toBe(
      `{"EC":{"Credential":"${base64(Uint8Array.of(0, 4, 0, 1, 7, 8))}","Secret":"${base64(Uint8Array.of(0, 1, 9))}"}}`,
    );
  });

  const PVE = { cuid: '951e201df8044442b922699be0534f1b', uuid: 'fa34b48b-5657-41e0-8bbc-4866da9f2935', vmid: 123 };

  test.each([{}, { PVE: null }, { PVE }, { PVE: { cuid: '', uuid: '', vmid: -(2 ** 31) } }])(
    'of a newer agent are read and come back byte for byte: %j',
    (newer) => {
      const document = text({ EK, AK, ...newer });
      const payload = decodePluginPayload(document);
      expect(payload).toMatchObject(newer);
      expect('PVE' in payload).toBe('PVE' in newer);
      expect(encodePluginPayload(payload)).toEqual(document);
    },
  );

  test.each<[string, unknown, string]>([
    ['no object', 1, 'Payload.PVE at byte 0: is not an object'],
    ['false', false, 'Payload.PVE at byte 0: is not an object'],
    ['a list', [], 'Payload.PVE at byte 0: is not an object'],
    ['nothing in it', {}, 'Payload.PVE.cuid at byte 0: is missing'],
    ['a name missing', { cuid: '', uuid: '' }, 'Payload.PVE.vmid at byte 0: is missing'],
    ['a name too many', { ...PVE, node: 'x' }, 'Payload.PVE at byte 0: has the unknown name "node"'],
    ['another order', { vmid: 1, cuid: '', uuid: '' }, 'not in its one accepted form'],
    ['a part that is null', { ...PVE, uuid: null }, 'Payload.PVE.uuid at byte 0: is not plain text'],
    ['a line end', { ...PVE, uuid: 'a\nlevel=error' }, 'Payload.PVE.uuid at byte 0: is not plain text'],
    ['an escape sequence', { ...PVE, cuid: '\u001b[31m' }, 'Payload.PVE.cuid at byte 0: is not plain text'],
    ['what Go escapes', { ...PVE, cuid: '<&>' }, 'Payload.PVE.cuid at byte 0: is not plain text'],
    ['a text too long', { ...PVE, cuid: 'a'.repeat(65) }, 'Payload.PVE.cuid at byte 0: is not plain text'],
    ['a fraction', { ...PVE, vmid: 1.5 }, 'Payload.PVE.vmid at byte 0: is not a 32-bit integer'],
    ['a number too large', { ...PVE, vmid: 2 ** 31 }, 'Payload.PVE.vmid at byte 0: is not a 32-bit integer'],
    ['a number in quotes', { ...PVE, vmid: '123' }, 'Payload.PVE.vmid at byte 0: is not a 32-bit integer'],
  ])('of a newer agent are refused with %s', (_name, value, message) => {
    expect(() => decodePluginPayload(text({ EK, AK, PVE: value }))).toThrow(MalformedError);
    expect(() => decodePluginPayload(text({ EK, AK, PVE: value }))).toThrow(message);
  });

  test('of a newer agent have the member once, in its place and in one spelling', () => {
    const written = JSON.stringify({ EK, AK, PVE });
    for (const other of [
      JSON.stringify({ EK, PVE, AK }),
      written.replace('"PVE":', '"PVE":null,"PVE":'),
      written.replace('123', '1.23e2'),
      written.replace('123', '-0'),
      written.replace('fa34', '\\u0066a34'),
    ])
      expect(() => decodePluginPayload(raw(other)), other).toThrow('not in its one accepted form');
    expect(() => decodePluginPayload(text({ EK, AK, PVE: null, AWS: null }))).toThrow('unknown name "AWS"');
    expect(() => decodePluginPayload(text({ EK, AK: null, PVE: null }))).toThrow('Payload.AK at byte 0');
  });

  const { CreateData: _, ...lacking } = AK;
  test.each<[string, Uint8Array, string]>([
    ['no JSON', raw('{'), 'Payload at byte 0: not JSON'],
    ['no object', raw('[]'), 'Payload at byte 0: is not an object'],
    ['null', raw('null'), 'Payload at byte 0: is not an object'],
    ['a name missing', text({ EK }), 'Payload.AK at byte 0: is missing'],
    ['a name missing further in', text({ EK, AK: lacking }), 'Payload.AK.CreateData at byte 0: is missing'],
    ['a name too many', text({ EK, AK, Name: 'x' }), 'Payload at byte 0: has the unknown name "Name"'],
    ['a name of every object', raw(`{"EK":"","AK":{},"__proto__":1}`), 'has the unknown name "__proto__"'],
    ['a name in small letters', text({ ek: EK, AK }), 'Payload at byte 0: has the unknown name "ek"'],
    [
      'the flag of TPM 1.2',
      text({ EK, AK: { ...AK, UseTCSDActivationFormat: true } }),
      'TCSDActivationFormat at byte 0',
    ],
    ['a flag that is none', text({ EK, AK: { ...AK, UseTCSDActivationFormat: 0 } }), 'TCSDActivationFormat at byte 0'],
    ['bytes that are null', text({ EK: null, AK }), 'Payload.EK at byte 0: is not a string'],
    ['bytes without padding', text({ EK, AK: { ...AK, Public: 'AQ' } }), 'Public at byte 0: is not canonical base64'],
    ['bytes in the URL alphabet', text({ EK, AK: { ...AK, Public: '_-8=' } }), 'is not canonical base64'],
    ['bits behind the last byte', text({ EK, AK: { ...AK, Public: 'AR==' } }), 'is not canonical base64'],
    ['a line break in base64', text({ EK, AK: { ...AK, Public: 'AQ\n==' } }), 'is not canonical base64'],
    ['a part too long', text({ EK, AK: { ...AK, Public: base64(new Uint8Array(1025)) } }), '1025 bytes are over 1024'],
    ['a document too long', text({ EK: 'A'.repeat(65_536), AK }), 'bytes are over 65536'],
    ['another order', text({ AK, EK }), 'not in its one accepted form'],
    ['a name twice', raw(`{"EK":"AAAA",${JSON.stringify({ EK, AK }).slice(1)}`), 'not in its one accepted form'],
    ['white space', raw(` ${JSON.stringify({ EK, AK })}`), 'not in its one accepted form'],
    ['a line end behind it', raw(`${JSON.stringify({ EK, AK })}\n`), 'not in its one accepted form'],
    ['a letter escaped', raw(JSON.stringify({ EK, AK }).replace('"AK"', '"\\u0041K"')), 'not in its one accepted form'],
  ])('are refused with %s', (_name, document, message) => {
    expect(() => decodePluginPayload(document)).toThrow(MalformedError);
    expect(() => decodePluginPayload(document)).toThrow(message);
  });

  test.each<[string, unknown, string]>([
    [
      'a credential shorter than it says',
      { EC: { Credential: base64('\0\x05abcd'), Secret: 'AAE=' } },
      'TPM2B_ID_OBJECT',
    ],
    [
      'a credential longer than it says',
      { EC: { Credential: base64('\0\x02\0\0x'), Secret: 'AAE=' } },
      'TPM2B_ID_OBJECT',
    ],
    ['a credential without an HMAC', { EC: { Credential: base64('\0\x01x'), Secret: 'AAE=' } }, 'integrityHmac'],
    [
      'no size before the secret',
      { EC: { Credential: base64('\0\x02\0\0'), Secret: 'AQ==' } },
      'TPM2B_ENCRYPTED_SECRET',
    ],
    ['nothing', { EC: { Credential: '', Secret: '' } }, 'TPM2B_ID_OBJECT'],
    ['parts that are null', { EC: { Credential: null, Secret: null } }, 'Challenge.EC.Credential at byte 0'],
    ['no EC', {}, 'Challenge.EC at byte 0: is missing'],
  ])('are refused with %s in a challenge', (_name, document, message) => {
    expect(() => decodePluginChallenge(text(document))).toThrow(MalformedError);
    expect(() => decodePluginChallenge(text(document))).toThrow(message);
  });

  test('hold in a challenge what goes to a TPM and not a byte more', () => {
    const challenge = (identity: number, secret: number) => ({
      credentialBlob: Uint8Array.of(0, 64, ...new Uint8Array(64 + identity)),
      encryptedSecret: new Uint8Array(secret),
    });
    expect(decodePluginChallenge(encodePluginChallenge(challenge(66, 512)))).toEqual(challenge(66, 512));
    const sized = (bytes: number) =>
      Buffer.from([bytes >> 8, bytes & 255, ...new Uint8Array(bytes)]).toString('base64');
    const document = (credential: number, secret: number) =>
      text({ EC: { Credential: sized(credential), Secret: sized(secret) } });
    expect(() => decodePluginChallenge(document(133, 512))).toThrow('135 bytes are over 134');
    expect(() => decodePluginChallenge(document(132, 513))).toThrow('515 bytes are over 514');
  });

  test('whatever comes, it is decoded or malformed', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string({ maxLength: 80 })), (any) => {
        for (const decode of [decodePluginPayload, decodePluginChallenge, decodePluginResponse])
          try {
            decode(raw(any));
          } catch (error) {
            expect(error).toBeInstanceOf(MalformedError);
          }
      }),
    );
  });
});

describe('the PEM text of an endorsement key', () => {
  const key = { publicKey: Uint8Array.from({ length: 100 }, (_, i) => i), certificate: undefined };
  const both = { ...key, certificate: new Uint8Array(48).fill(0xfb) };
  const [certificate = '', publicKey = ''] = Buffer.from(encodeEkPem(both))
    .toString()
    .split(/(?=-----BEGIN PUBLIC)/);

  test('comes back as it was written, with a certificate and without, whichever block is first', () => {
    expect(decodeEkPem(encodeEkPem(key))).toEqual(key);
    expect(decodeEkPem(encodeEkPem(both))).toEqual(both);
    expect(decodeEkPem(raw(publicKey + certificate))).toEqual(both);
    expect(decodeEkPem(encodeEkPem({ ...key, publicKey: new Uint8Array() }))).toEqual({
      ...key,
      publicKey: new Uint8Array(),
    });
  });

  test.each<[string, string, string]>([
    ['nothing', '', 'no PUBLIC KEY block'],
    ['no key', certificate, 'no PUBLIC KEY block'],
    ['two keys', publicKey + publicKey, 'a second PUBLIC KEY block'],
    ['two certificates', certificate + publicKey + certificate, 'a second CERTIFICATE block'],
    ['a private key', publicKey.replaceAll('PUBLIC', 'PRIVATE'), 'neither a CERTIFICATE nor'],
    ['two names for one block', publicKey.replace('END PUBLIC KEY', 'END CERTIFICATE'), 'neither a CERTIFICATE nor'],
    ['words before', `a key:\n${publicKey}`, 'neither a CERTIFICATE nor'],
    ['words between', `${certificate}\n${publicKey}`, 'neither a CERTIFICATE nor'],
    ['words behind', `${publicKey}.`, 'neither a CERTIFICATE nor'],
    ['a header', publicKey.replace('-----\n', '-----\nA: b\n\n'), 'neither a CERTIFICATE nor'],
    ['lines of another length', publicKey.replace(/^(.{60})(.{4})\n/m, '$1\n$2\n'), 'not in canonical form'],
    ['lines ended as on Windows', publicKey.replaceAll('\n', '\r\n'), 'neither a CERTIFICATE nor'],
    ['no last line end', publicKey.trimEnd(), 'neither a CERTIFICATE nor'],
    ['a key too large', Buffer.from(encodeEkPem({ ...key, publicKey: new Uint8Array(1025) })).toString(), 'over 1024'],
  ])('is refused with %s', (_name, pem, message) => {
    expect(() => decodeEkPem(raw(pem))).toThrow(MalformedError);
    expect(() => decodeEkPem(raw(pem))).toThrow(message);
  });
});

describe('the wire of a first message', () => {
  test('is that of spire-tpm-plugin for JSON, and ours for whatever our encoder writes', () => {
    expect(wireOf(text({ EK, AK }))).toBe('spire-tpm-plugin');
    fc.assert(fc.property(payloads, (payload) => wireOf(encodePayload(payload)) === 'tpm-attestor'));
    expect(wireOf(new Uint8Array())).toBe('tpm-attestor');
  });

  test('has one of two names', () => {
    expect(WIRES.every(isWire)).toBe(true);
    expect(['', 'TPM-ATTESTOR', 'toString'].some(isWire)).toBe(false);
  });
});

describeCorpus('the recorded exchanges of spire-tpm-plugin', () => {
  test.each(['with-certificate', 'hash-only'])(
    '%s: every document is read, and written again byte for byte',
    (name) => {
      const file = (step: string) => readCorpusBytes(`spire-tpm-plugin-wire/${name}/${step}.json`);
      const [payload, challenge, response] = [file('1-payload'), file('2-challenge'), file('3-response')];
      expect(wireOf(payload)).toBe('spire-tpm-plugin');
      const { EK: pem, ...rest } = decodePluginPayload(payload);
      expect(encodePluginPayload({ EK: pem, ...rest })).toEqual(payload);
      expect(encodeEkPem(decodeEkPem(pem))).toEqual(pem);
      expect(encodePluginChallenge(decodePluginChallenge(challenge))).toEqual(challenge);
      expect(encodePluginResponse(decodePluginResponse(response))).toEqual(response);
      expect(decodePluginResponse(response).Secret.length).toBe(32);
    },
  );
});
