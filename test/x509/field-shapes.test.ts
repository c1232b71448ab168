/**
 * Chains in the shapes of the vendors' own, of whose TPMs the corpus may have no certificate: how each is built, that
 * it is admitted, and the nearest chain that is not.
 */
import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { concat } from '../../src/bytes/bytes.ts';
import { parseCertificate } from '../../src/x509/certificate.ts';
import { odditiesOf } from '../../src/x509/ek/oddities.ts';
import { takeChain } from '../../src/x509/intake.ts';
import { MalformedCertificateError } from '../../src/x509/malformed-certificate.ts';
import type { CertificateRecipe, NameEntry, NameRecipe } from '../support/certificate-recipe.ts';
import { bitString, boolean, derNull, oid, printableString, sequence, set, tlv } from '../support/der-writer.ts';
import { admits, type EkEvidence, refuses } from '../support/ek-verdict.ts';
import { EK_USAGE, keyPair } from '../support/pki.ts';
import { SOFTWARE } from '../support/policy.ts';
import { type Authority, certified, chained, dn, endorsed, policies } from '../support/vendor-chain.ts';

const day = (date: string): Date => new Date(`${date}T00:00:00Z`);
const at = (evidence: EkEvidence, now: Date): EkEvidence => ({ ...evidence, now });
const SECOND = 1000;
const after = (moment: Date): Date => new Date(moment.getTime() + SECOND);

const ca = (pathLength?: number): CertificateRecipe => ({
  basicConstraints: pathLength === undefined ? { ca: true } : { ca: true, pathLength },
});
const noKeyIds: CertificateRecipe = { authorityKeyId: null, subjectKeyId: null };
/** The same moment as RFC 5280 §4.1.2.5.2 has it from 2050 on only. */
const generalized = (date: Date): Uint8Array =>
  tlv(0x18, Buffer.from(date.toISOString().replace(/[-:T]|\.\d+/g, ''), 'latin1'));

describe('AMD fTPM', () => {
  const AMD = ['O=Advanced Micro Devices'];
  const name = (...rest: readonly string[]): NameRecipe => dn('OU=Engineering', 'C=US', ...AMD, ...rest);
  const ends = { rsa: day('2039-10-23'), ecc: day('2041-01-01') };
  const rootOf = (kind: 'rsa' | 'ecc', times: 'UTCTime' | 'GeneralizedTime'): Authority => ({
    subject: name('CN=AMDTPM'),
    key: keyPair(kind === 'rsa' ? 'rsa2048' : 'p256', 'amd root'),
    recipe: { ...noKeyIds, notAfter: times === 'UTCTime' ? ends[kind] : generalized(ends[kind]) },
  });
  const familyOf = (kind: 'rsa' | 'ecc'): Authority => ({
    subject: name('CN=PRG-RMB'),
    key: keyPair(kind === 'rsa' ? 'rsa2048' : 'p256', 'amd family'),
    recipe: { ...ca(0), ...noKeyIds },
  });
  const families = (['rsa', 'ecc'] as const).map((kind) => certified(familyOf(kind), rootOf(kind, 'UTCTime')));
  const leafOf = (kind: 'rsa' | 'ecc'): Uint8Array =>
    endorsed(
      familyOf(kind),
      { authorityKeyId: null, san: { manufacturer: 'id:414D4400' } },
      kind === 'rsa' ? 'rsa2048' : 'p256',
    );
  const roots = (['rsa', 'ecc'] as const).flatMap((kind) =>
    (['UTCTime', 'GeneralizedTime'] as const).map((times) => certified(rootOf(kind, times))),
  );
  const [rsaUtc, rsaGeneralized, eccUtc, eccGeneralized] = roots as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  const other = { rsa: [eccUtc, eccGeneralized], ecc: [rsaUtc, rsaGeneralized] };

  test.each([
    ['rsa', 'UTCTime', [rsaUtc]],
    ['rsa', 'GeneralizedTime', [rsaGeneralized]],
    ['ecc', 'UTCTime', [eccUtc]],
    ['ecc', 'GeneralizedTime', [eccGeneralized]],
    ['rsa', 'both', roots],
    ['ecc', 'both', roots.toReversed()],
  ] as const)('admits an %s key below RSA and ECC CAs of one name, the root in %s', (kind, _, anchors) => {
    for (const intermediates of [families, families.toReversed()])
      admits({ leaf: leafOf(kind), intermediates, anchors });
    // The root of the other kind has the same name, and has signed nothing here.
    refuses({ leaf: leafOf(kind), intermediates: families, anchors: other[kind] }, 'path bad_signature');
  });

  test('the two encodings of one root are two certificates of one key, and only one of them is odd', () => {
    const twins = [rsaUtc, rsaGeneralized].map((der) => parseCertificate(Uint8Array.from(der)));
    const [first, second] = twins;
    expect(twins.map((root) => odditiesOf(root))).toEqual([[], ['GeneralizedTime-before-2050']]);
    expect(first?.notAfter).toEqual(second?.notAfter);
    expect(first?.subjectPublicKeyInfo.der).toEqual(second?.subjectPublicKeyInfo.der);
    expect(first?.fingerprint).not.toBe(second?.fingerprint);
  });

  test('refuses a CA below the family’s own, which allows none', () => {
    const below: Authority = { subject: name('CN=Below'), key: keyPair('p256', 'amd below'), recipe: noKeyIds };
    const chain = [rootOf('ecc', 'UTCTime'), { ...familyOf('ecc'), recipe: { ...ca(1), ...noKeyIds } }, below];
    admits(chained(chain, { authorityKeyId: null }));
    refuses(chained(chain.with(1, familyOf('ecc')), { authorityKeyId: null }), 'path path_length');
  });
});

describe('Pluton', () => {
  const WINDOWS = '1.3.6.1.4.1.311.122.2';
  const usages = (...purposes: readonly string[]): CertificateRecipe => ({ extKeyUsage: purposes });
  // The CAs sign more than certificates, and say so.
  const signing: CertificateRecipe = { keyUsage: ['digitalSignature', 'keyCertSign', 'cRLSign'] };
  const amd = (purposes: readonly string[]): readonly Authority[] => [
    { subject: dn('C=US', 'O=Advanced Micro Devices, Inc', 'CN=AMD Root CA R4'), key: keyPair('rsa4096', 'root') },
    {
      subject: dn('C=US', 'O=Advanced Micro Devices Inc.', 'CN=AMD Pluton Global Factory ICA'),
      key: keyPair('p384', 'pluton factory'),
      recipe: { hash: 'sha384' },
    },
    {
      subject: dn(
        'C=US',
        'O=Advanced Micro Devices Inc.',
        'CN=AMD Pluton Per-Product Factory FIPS EK ICA DFID00B20F00',
      ),
      key: keyPair('p384', 'pluton product'),
      recipe: { ...ca(2), ...signing, ...usages(...purposes), hash: 'sha384' },
    },
    {
      subject: dn('CN=00112233445566778899AABBCCDDEEFF'),
      key: keyPair('p384', 'pluton device'),
      recipe: { ...ca(0), ...signing, ...usages(...purposes), hash: 'sha384' },
    },
  ];
  const microsoft = (purposes: readonly string[]): readonly Authority[] => [
    {
      subject: dn('C=US', 'O=Microsoft Corporation', 'CN=Microsoft Pluton Root CA'),
      key: keyPair('p384', 'pluton root'),
    },
    {
      subject: dn('C=US', 'O=Microsoft Corporation', 'CN=Microsoft Pluton Policy CA A'),
      key: keyPair('p256', 'pluton policy'),
      recipe: { hash: 'sha384' },
    },
    {
      subject: dn('C=US', 'O=Advanced Micro Devices Inc.', 'CN=Pluton Factory DEVICE EK ICA DFID0001'),
      key: keyPair('p256', 'pluton device'),
      recipe: { ...ca(1), ...signing, ...usages(...purposes) },
    },
  ];

  test.each([
    ['AMD’s', amd],
    ['Microsoft’s', microsoft],
  ])('admits %s chain, whose CAs are for endorsement keys among others', (_, authorities) => {
    admits(chained(authorities([EK_USAGE, WINDOWS]), { ...usages(EK_USAGE, WINDOWS), hash: 'sha256' }));
    refuses(chained(authorities([WINDOWS]), usages(EK_USAGE, WINDOWS)), 'path eku');
  });

  test('refuses a leaf for the other purpose alone', () => {
    refuses(chained(microsoft([EK_USAGE, WINDOWS]), usages(WINDOWS)), 'path eku', 'profile eku');
  });
});

describe('Intel on-die CA', () => {
  const name = (unit: string): NameRecipe => dn(`OU=${unit}`, 'CN=www.intel.com');
  const step = (unit: string, recipe: CertificateRecipe = {}): Authority => ({
    subject: name(unit),
    key: keyPair('p384', unit),
    recipe: { hash: 'sha384', ...recipe },
  });
  const root = step('OnDie CA Root Cert Signing', {
    signatureAlgorithm: sequence(oid('1.2.840.10045.4.3.3'), derNull()),
  });
  const authorities = [
    root,
    step('ODCA CA2 CSME Intermediate CA'),
    step('ODCA 2 CSME P_TGL 00001881 Issuing CA'),
    step('CSME TGL ROM CA'),
    step('CSME TGL SVN01 Kernel CA'),
    step('CSME TGL PTT  01SVN'),
  ];
  const { leaf, intermediates, anchors } = chained(authorities, {
    hash: 'sha384',
    san: { manufacturer: 'id:494E5443' },
  });
  const known = intermediates.slice(0, 2);
  /** What the TPM has, nearest to the leaf first. */
  const blob = concat(...intermediates.slice(2).toReversed());
  const ask = (stored: Uint8Array): EkEvidence => ({
    leaf,
    intermediates: [...takeChain(stored).certificates, ...known],
    anchors,
  });
  const padding = new Uint8Array(300).fill(0xff);

  test('admits seven certificates, three of which only the TPM has, and one is cut in two by the end of an index', () => {
    // The agent joins the indices in ascending order; a certificate goes on from one to the next.
    for (const cut of [1, 512, Math.floor(blob.length / 2)]) {
      const indices = [blob.subarray(0, cut), concat(blob.subarray(cut), padding)];
      expect(takeChain(concat(...indices)).certificates).toHaveLength(3);
      admits(ask(concat(...indices)));
    }
    expect(odditiesOf(parseCertificate(Uint8Array.from(anchors[0] ?? [])))).toContain(
      'ecdsa-signature-parameters-present',
    );
  });

  test('refuses it where the second index is missing, the first is padded, or the TPM has none of them', () => {
    expect(() => takeChain(blob.subarray(0, 512))).toThrow(MalformedCertificateError);
    expect(() => takeChain(concat(blob.subarray(0, 512), padding, blob.subarray(512)))).toThrow(
      MalformedCertificateError,
    );
    refuses(ask(padding), 'path unknown_issuer');
  });

  test('refuses it without any one of its CAs', () => {
    for (const missing of intermediates.keys())
      refuses({ leaf, intermediates: intermediates.toSpliced(missing, 1), anchors }, 'path unknown_issuer');
    refuses({ leaf, intermediates, anchors: [] }, 'path unknown_issuer');
  });

  test('refuses it where one CA is not for certificates', () => {
    const wrong = { ...authorities[4], recipe: { hash: 'sha384', keyUsage: ['digitalSignature'] } } as Authority;
    refuses(chained(authorities.with(4, wrong), { hash: 'sha384' }), 'path missing_key_cert_sign');
  });
});

describe('Intel EPID', () => {
  const INTEL = ['C=US', 'ST=CA', 'L=Santa Clara', 'O=Intel Corporation'];
  const name = (unit: string): NameRecipe => dn(...INTEL, `OU=${unit}`, 'CN=www.intel.com');
  const root: Authority = {
    subject: name('TPM EK root cert signing'),
    key: keyPair('p256', 'epid root'),
    recipe: ca(1),
  };
  const platform = (unit: string): Authority => ({
    subject: name(`TPM EK intermediate for ${unit}`),
    key: keyPair('p256', `epid ${unit}`),
    recipe: {
      ...ca(0),
      ...noKeyIds,
      extraExtensions: [{ oid: '2.5.29.37', critical: true, value: sequence(oid(EK_USAGE)) }, policies(true)],
    },
  });
  const [glk, spth] = [platform('GLK_EPID_PROD  pid:7'), platform('SPTH_EPID_PROD')];
  const pool = [spth, glk].map((one) => certified(one, root));
  const anchors = [certified(root)];
  const issued = (unit: string, recipe: CertificateRecipe = {}): EkEvidence => ({
    leaf: endorsed(glk, {
      issuer: name(`TPM EK intermediate for ${unit}`),
      authorityKeyId: null,
      keyUsage: ['keyEncipherment'],
      basicConstraints: null,
      extraExtensions: [{ oid: '2.5.29.19', critical: boolean(false), value: sequence(boolean(false)) }],
      ...recipe,
    }),
    intermediates: pool,
    anchors,
  });

  test('admits an EC key for keyEncipherment under one of many CAs that only a unit tells apart', () => {
    // The CA writes two spaces, its leaves one.
    admits(issued('GLK_EPID_PROD pid:7'));
    refuses(issued('GLK_EPID_PROD pid:8'), 'path unknown_issuer');
    refuses(issued('SPTH_EPID_PROD'), 'path bad_signature');
  });

  test('refuses an EC key that signs, whatever else it is for', () => {
    admits(issued('GLK_EPID_PROD pid:7', { keyUsage: ['keyEncipherment', 'keyAgreement'] }));
    refuses(issued('GLK_EPID_PROD pid:7', { keyUsage: ['keyEncipherment', 'digitalSignature'] }), 'profile key_usage');
  });
});

describe('Nationz and NSING', () => {
  const end = day('2059-03-27');
  const late: CertificateRecipe = { notAfter: day('2080-01-01') };

  test.each([
    ['p384', 'sha384'],
    ['p521', 'sha512'],
    ['rsa4096', 'sha384'],
  ] as const)('admits a chain of %s CAs to the last second of its root in 2059', (algorithm, hash) => {
    const NSING = ['C=SG', 'O=NSING Technologies Pte. Ltd.', 'OU=TPM Devices'];
    const evidence = chained(
      [
        {
          subject: dn(...NSING, 'CN=NSING TPM ROOT CA 001'),
          key: keyPair(algorithm, 'root'),
          recipe: { hash, notAfter: end },
        },
        {
          subject: dn(...NSING, 'CN=NSING TPM EK CA 001'),
          key: keyPair(algorithm, 'intermediate'),
          recipe: { ...ca(0), ...late, extKeyUsage: [EK_USAGE], hash },
        },
      ],
      { ...late, hash, san: { manufacturer: 'id:4E534700' } },
    );
    admits(evidence);
    admits(at(evidence, end));
    refuses(at(evidence, after(end)), 'path expired');
  });
});

describe('Nuvoton', () => {
  /** One relative name, in an order that no SET OF has (X.690 §11.6). */
  const together = (...attributes: readonly string[]): NameRecipe => [
    dn(...attributes).map((entry): NameEntry => ({ ...entry, string: 'printable' })),
  ];
  const parts = ['CN=Nuvoton TPM Root CA 2111', 'O=Nuvoton Technology Corporation', 'C=TW'];
  const end = day('2037-09-07');
  const root: Authority = {
    subject: together(...parts),
    key: keyPair('p256', 'nuvoton root'),
    recipe: { ...ca(0), keyUsage: ['keyCertSign'], notAfter: end },
  };
  const attribute = (type: string, text: string): Uint8Array => sequence(oid(type), printableString(text));
  const attributes = [
    attribute('2.23.133.2.3', 'id:00070002'),
    attribute('2.23.133.2.2', 'NPCT75x'),
    attribute('2.23.133.2.1', 'id:4E544300'),
  ];
  const leaf = (san: Uint8Array, recipe: CertificateRecipe = {}): EkEvidence =>
    chained(
      [root],
      {
        san: null,
        extraExtensions: [{ oid: '2.5.29.17', critical: true, value: sequence(tlv(0xa4, san)) }],
        notAfter: day('2039-07-19'),
        ...recipe,
      },
      'rsa2048',
    );
  const oneName = sequence(set(...attributes));

  test('admits an RSA key right below the root, names in one unsorted relative name and PrintableString', () => {
    const evidence = leaf(oneName);
    expect(evidence.intermediates).toEqual([]);
    admits(evidence);
    expect(odditiesOf(parseCertificate(Uint8Array.from(evidence.leaf)))).toEqual([
      'RDN-SET-not-sorted',
      'SAN-attribute-not-UTF8String',
      'SAN-critical',
      'empty-subject',
      'multi-valued-RDN',
    ]);
    // The same attributes in any order are the same name, and in as many names another one.
    admits(leaf(oneName, { issuer: together(...parts.toReversed()) }));
    refuses(leaf(oneName, { issuer: dn(...parts) }), 'path unknown_issuer');
    refuses(leaf(sequence(set(...attributes, attribute('2.23.133.2.1', 'id:53544D20')))), 'profile tpm_attributes');
  });

  test('admits a leaf that outlives its root, as long as that lasts', () => {
    admits(at(leaf(oneName), end));
    refuses(at(leaf(oneName), after(end)), 'path expired');
  });

  test('admits the newer chain of P-384 CAs below a root on P-521, with room for more than there are', () => {
    const newer = (below: number): EkEvidence =>
      chained(
        [
          {
            subject: dn('CN=NPCTxxx ECC521 RootCA', ...parts.slice(1)),
            key: keyPair('p521', 'root'),
            recipe: { ...ca(2), hash: 'sha512', notAfter: day('2053-04-27') },
          },
          ...Array.from(
            { length: below },
            (_, i): Authority => ({
              subject: dn(`CN=NPCTxxx ECC384 LeafCA 01211${i}`, ...parts.slice(1)),
              key: keyPair('p384', `nuvoton ${i}`),
              recipe: { ...ca(1), hash: 'sha384' },
            }),
          ),
        ],
        { hash: 'sha384' },
        'p384',
      );
    admits(newer(1));
    admits(newer(2));
    refuses(newer(3), 'path path_length');
  });
});

describe('STMicroelectronics', () => {
  const ST = ['C=CH', 'O=STMicroelectronics NV'];
  const globalSign: Authority = {
    subject: dn('O=GlobalSign', 'CN=GlobalSign Trusted Platform Module Root CA'),
    key: keyPair('rsa2048', 'globalsign'),
  };
  const root: Authority = {
    subject: dn(...ST, 'CN=STM TPM EK Root CA'),
    key: keyPair('rsa2048', 'stm root'),
    recipe: ca(1),
  };
  const end = day('2029-12-31');
  const intermediate = (recipe: CertificateRecipe = {}): Authority => ({
    subject: dn(...ST, 'CN=STM TPM EK Intermediate CA 05'),
    key: keyPair('rsa2048', 'stm intermediate'),
    recipe: { ...ca(0), notAfter: end, extraExtensions: [policies(true)], ...recipe },
  });
  const leaf = endorsed(
    intermediate(),
    { notAfter: new Date('9999-12-31T00:00:00Z'), san: { manufacturer: 'id:53544D20', version: 'id:00490004' } },
    'rsa2048',
  );
  const cross = certified(root, globalSign);
  const issuing = certified(intermediate(), root);

  test('admits a leaf without end below the cross-signed root: under that alone, and under the root above it', () => {
    admits({ leaf, intermediates: [issuing], anchors: [cross] });
    admits({ leaf, intermediates: [issuing, cross], anchors: [certified(globalSign)] });
    refuses({ leaf, intermediates: [issuing, cross], anchors: [] }, 'path unknown_issuer');
    // The root above it has signed nothing but the one that is left out.
    refuses({ leaf, intermediates: [issuing], anchors: [certified(globalSign)] }, 'path unknown_issuer');
  });

  test('admits the issuing CA as the anchor, with nothing above it', () => {
    admits({ leaf, intermediates: [], anchors: [issuing] });
    refuses({ leaf, intermediates: [issuing], anchors: [leaf] }, 'path unknown_issuer');
  });

  test('admits a leaf that outlives its CA, as long as that lasts', () => {
    const evidence = { leaf, intermediates: [issuing], anchors: [cross] };
    admits(at(evidence, end));
    refuses(at(evidence, after(end)), 'path expired');
  });

  test('admits each spelling of one CA’s serial number, and either beside the other', () => {
    const spellings = [[0, 0, 0, 1], [1], [0x40, 0, 0, 1]].map((serial) =>
      certified(intermediate({ serial: Uint8Array.from(serial) }), root),
    );
    for (const one of spellings) admits({ leaf, intermediates: [one], anchors: [cross] });
    admits({ leaf, intermediates: spellings, anchors: [cross] });
    const long = certified(intermediate({ serial: new Uint8Array(22) }), root);
    refuses(
      { leaf, intermediates: [long], anchors: [cross] },
      'malformed input.certificate.tbsCertificate.serialNumber: a serial number of 22 bytes',
    );
  });

  test('admits the chain of the RSA root without end, signed over SHA-384', () => {
    const forever = new Date('9999-12-31T00:00:00Z');
    const chain = (usages: CertificateRecipe): EkEvidence =>
      chained(
        [
          {
            subject: dn(...ST, 'CN=STSAFE RSA Root CA 02'),
            key: keyPair('rsa4096', 'root'),
            recipe: { hash: 'sha384', notAfter: forever },
          },
          {
            subject: dn(...ST, 'CN=STSAFE TPM RSA Intermediate CA 21'),
            key: keyPair('rsa4096', 'intermediate'),
            recipe: { ...ca(0), hash: 'sha384', notAfter: forever, extraExtensions: [policies(true)], ...usages },
          },
        ],
        { hash: 'sha384', notAfter: forever },
        'rsa2048',
      );
    admits(at(chain({}), day('2600-01-01')));
    refuses(chain({ extraExtensions: [{ ...policies(true), oid: '2.5.29.36' }] }), 'path unknown_critical_extension');
  });
});

describe('Infineon', () => {
  const OPTIGA = ['C=DE', 'O=Infineon Technologies AG'];
  const trailingZeros: CertificateRecipe = {
    keyUsage: null,
    extraExtensions: [{ oid: '2.5.29.15', critical: true, value: bitString(Uint8Array.of(0x06), 0) }],
  };
  const begin = day('2023-02-08');
  const evidence = chained(
    [
      {
        subject: dn(...OPTIGA, 'OU=OPTIGA(TM) Devices', 'CN=Infineon OPTIGA(TM) ECC Root CA 2'),
        key: keyPair('p521', 'root'),
        recipe: { ...trailingZeros, hash: 'sha512', notAfter: day('2099-12-31') },
      },
      {
        subject: dn(...OPTIGA, 'OU=OPTIGA(TM)', 'CN=Infineon OPTIGA(TM) TPM 2.0 ECC CA 062'),
        key: keyPair('p384', 'infineon'),
        recipe: { ...ca(0), ...trailingZeros, hash: 'sha512', notBefore: begin },
      },
    ],
    { hash: 'sha384', notBefore: day('2023-01-08'), san: { version: 'id:073f' } },
  );

  test('admits a leaf that is older than its CA, from when that begins', () => {
    admits(evidence);
    admits(at(evidence, begin));
    refuses(at(evidence, new Date(begin.getTime() - SECOND)), 'path not_yet_valid');
  });

  test('admits roots that end in 2099', () => {
    admits(at(evidence, day('2049-12-31')));
    const [anchor] = evidence.anchors;
    expect(parseCertificate(Uint8Array.from(anchor ?? [])).notAfter).toEqual(day('2099-12-31'));
    refuses(at(evidence, day('2100-01-01')), 'path expired', 'path expired');
  });
});

describe('swtpm', () => {
  /** Every host makes its own two CAs, under the names of all others. */
  const hostOf = (host: string): readonly Authority[] => [
    { subject: dn('CN=swtpm-localca-rootca'), key: keyPair('p256', `${host} root`), recipe: noKeyIds },
    { subject: dn('CN=swtpm-localca'), key: keyPair('p256', `${host} issuing`), recipe: noKeyIds },
  ];
  const chainOf = (host: string, rules = SOFTWARE): EkEvidence => ({
    ...chained(
      hostOf(host),
      {
        subject: dn('CN=host:uuid'),
        san: { manufacturer: 'id:00001014', model: 'swtpm', version: 'id:20240125' },
        notAfter: new Date('9999-12-31T23:59:59Z'),
        authorityKeyId: null,
      },
      'p384',
    ),
    rules,
  });
  const [first, second] = [chainOf('first'), chainOf('second')];

  test('of two hosts whose roots have one name, each is admitted by its own, whichever comes first', () => {
    const roots = [...first.anchors, ...second.anchors];
    const issuing = [...first.intermediates, ...second.intermediates];
    for (const { leaf, rules } of [first, second]) {
      for (const [anchors, intermediates] of [
        [roots, issuing],
        [roots.toReversed(), issuing.toReversed()],
      ] as const)
        admits({ leaf, intermediates, anchors, rules });
    }
    refuses({ ...first, anchors: second.anchors }, 'path bad_signature');
  });

  test('refuses it where software TPMs are not allowed', () => {
    refuses(chainOf('first', {}), 'rules software_tpm');
  });
});
