/** What admits an endorsement key, in each mode of a policy. */
import { describe, expect, test } from 'vitest';
import { spkiHash, spkiOfPublicArea } from '../../src/tpm/public-key.ts';
import { encode } from '../../src/tpm/structures/codec.ts';
import { tpmtPublic } from '../../src/tpm/structures/public.ts';
import { judgeEndorsement, type TrustedEk, trustAgain } from '../../src/verifier/endorsement.ts';
import { type DenySubject, MODES, type Mode, type Policy } from '../../src/verifier/policy.ts';
import { Findings } from '../../src/verifier/verdict.ts';
import { anchorsOf } from '../../src/x509/file/trust-store.ts';
import { crlsFrom } from '../../src/x509/path/revocation.ts';
import { commonName, NOW } from '../support/certificate-recipe.ts';
import { mintCrl } from '../support/crl-recipe.ts';
import { mintEkChain } from '../support/pki.ts';
import { bundle, testPolicy } from '../support/policy.ts';
import { softwareDevice } from '../support/software-device.ts';

const chain = mintEkChain();
const device = softwareDevice();
const stranger = softwareDevice({ chain: { leaf: { notAfter: new Date('2024-01-01T00:00:00Z') } } });
const evidenceOf = (certificates: readonly Uint8Array[]) => ({
  ekPublic: encode(tpmtPublic, device.ek.publicArea),
  ekCertificates: [...certificates],
});
const pubHash = spkiHash(spkiOfPublicArea(device.ek.publicArea) ?? new Uint8Array());

/** What a machine brings along: a certificate that is vouched for, one that is not, none. */
const CERTIFICATES = {
  sound: device.certificates,
  expired: stranger.certificates,
  none: [],
} as const;

interface Case {
  readonly mode: Mode;
  readonly listed: boolean;
  readonly certificate: keyof typeof CERTIFICATES;
}

function policyOf({ mode, listed }: Pick<Case, 'mode' | 'listed'>, changes: Partial<Policy> = {}): Policy {
  return testPolicy({
    mode,
    bundles: mode === 'hash' ? [] : [bundle(chain.anchors)],
    isListed: mode === 'certificate' ? undefined : (hash) => listed && hash === pubHash,
    ...changes,
  });
}

function judge(
  policy: Policy,
  certificates: readonly Uint8Array[],
): { readonly ek: TrustedEk | undefined; readonly codes: readonly string[] } {
  const findings = new Findings();
  const ek = judgeEndorsement(evidenceOf(certificates), policy, NOW, findings);
  expect(ek === undefined).toBe(!findings.none);
  return { ek, codes: findings.list.map(({ code }) => code) };
}

/** What admits, or what is found; written out. */
const TABLE: Readonly<Record<Mode, readonly (readonly [boolean, Case['certificate'], string])[]>> = {
  certificate: [
    [false, 'sound', 'certificate'],
    [false, 'expired', 'ek.expired'],
    [false, 'none', 'ek.no_certificate'],
  ],
  hash: [
    [true, 'sound', 'hash'],
    [true, 'expired', 'hash'],
    [true, 'none', 'hash'],
    [false, 'sound', 'ek.not_listed'],
    [false, 'expired', 'ek.not_listed'],
    [false, 'none', 'ek.not_listed'],
  ],
  either: [
    [true, 'sound', 'hash'],
    [true, 'expired', 'hash'],
    [true, 'none', 'hash'],
    [false, 'sound', 'certificate'],
    [false, 'expired', 'ek.expired'],
    [false, 'none', 'ek.no_certificate'],
  ],
  both: [
    [true, 'sound', 'both'],
    [true, 'expired', 'ek.expired'],
    [true, 'none', 'ek.no_certificate'],
    [false, 'sound', 'ek.not_listed'],
    [false, 'expired', 'ek.expired ek.not_listed'],
    [false, 'none', 'ek.not_listed ek.no_certificate'],
  ],
};
const rows = MODES.flatMap((mode) =>
  TABLE[mode].map(([listed, certificate, expected]) => ({ mode, listed, certificate, expected })),
);

test.each(rows)(
  'mode $mode, listed: $listed, certificate: $certificate gives $expected',
  ({ certificate, expected, ...row }) => {
    const { ek, codes } = judge(policyOf(row), CERTIFICATES[certificate]);
    expect(ek?.admittedBy ?? codes.join(' ')).toBe(expected);
    expect(ek?.overlooked ?? []).toEqual([]);
    // Where no CA is asked, none vouches.
    if (ek !== undefined) expect(ek.certified !== undefined).toBe(certificate === 'sound' && row.mode !== 'hash');
  },
);

test.each(rows)(
  'not enforced, mode $mode, listed: $listed, certificate: $certificate admits, and tells what $expected tells',
  ({ certificate, expected, ...row }) => {
    const { ek } = judge(policyOf(row, { enforce: false }), CERTIFICATES[certificate]);
    const isAdmitted = !expected.startsWith('ek.');
    expect(ek?.admittedBy).toBe(isAdmitted ? expected : 'unenforced');
    expect(ek?.overlooked.map(({ code }) => code).join(' ')).toBe(isAdmitted ? '' : expected);
    // What is overlooked is overlooked at each attestation anew.
    if (!isAdmitted && ek !== undefined) expect(trustAgain(ek, policyOf(row, { enforce: false }), NOW)).toBeUndefined();
  },
);

test('a list is not looked at in mode certificate', () => {
  const policy = policyOf({ mode: 'certificate', listed: true }, { isListed: () => true });
  expect(judge(policy, []).codes).toEqual(['ek.no_certificate']);
  expect(judge(policy, device.certificates).ek?.admittedBy).toBe('certificate');
});

describe('whatever vouches for it, and enforced or not', () => {
  const everywhere = MODES.flatMap((mode) => [true, false].map((enforce) => ({ mode, enforce })));

  test.each(everywhere)('mode $mode, enforced: $enforce admits no denied machine', ({ mode, enforce }) => {
    const asked: DenySubject[] = [];
    const denying = (answer: boolean) =>
      judge(
        policyOf(
          { mode, listed: true },
          {
            enforce,
            isDenied: (subject) => {
              asked.push(subject);
              return answer;
            },
          },
        ),
        device.certificates,
      );
    expect(denying(false).codes).toEqual([]);
    expect(denying(true).codes).toEqual(['ek.denied']);
    // The serial number is that of the certificate, though no CA is asked.
    expect(asked).toEqual(Array(2).fill({ pubHash, serial: Uint8Array.of(0x01, 0x23) }));
  });

  test.each(everywhere)('mode $mode, enforced: $enforce admits no certificate of another key', ({ mode, enforce }) => {
    const { codes } = judge(policyOf({ mode, listed: true }, { enforce }), [chain.leaf.der, chain.intermediate.der]);
    expect(codes).toEqual(['ek.key_mismatch']);
  });

  test.each(everywhere)('mode $mode, enforced: $enforce admits no key of another kind', ({ mode, enforce }) => {
    const { codes } = judge(policyOf({ mode, listed: true }, { enforce, ekTemplates: ['L-2'] }), device.certificates);
    expect(codes).toEqual(['ek.algorithm']);
  });
});

describe('a listed machine whose certificate was revoked', () => {
  const crls = crlsFrom([
    {
      name: 'crl',
      bytes: mintCrl({
        issuer: commonName('Test TPM Intermediate CA'),
        signer: chain.intermediateKey.privateKey,
        revoked: [{ serial: Uint8Array.of(0x01, 0x23) }],
      }),
    },
  ]).crls;
  const changes = { bundles: [bundle(chain.anchors, { crlPolicy: 'warn' })], crls };

  test('is admitted by the list in mode either, and the log is told', () => {
    const { ek } = judge(policyOf({ mode: 'either', listed: true }, changes), device.certificates);
    expect(ek).toMatchObject({
      admittedBy: 'hash',
      certified: undefined,
      notes: [expect.stringMatching(/^the allow-list admits the machine despite its certificate: .* was revoked at /)],
    });
  });

  test('is refused in mode both, and unlisted in mode either', () => {
    expect(judge(policyOf({ mode: 'both', listed: true }, changes), device.certificates).codes).toEqual(['ek.revoked']);
    expect(judge(policyOf({ mode: 'either', listed: false }, changes), device.certificates).codes).toEqual([
      'ek.revoked',
    ]);
  });
});

test('a certificate that cannot be read is told as such, and the list counts all the same', () => {
  const certificates = [device.certificates[0]?.subarray(1) ?? new Uint8Array()];
  expect(judge(policyOf({ mode: 'either', listed: false }), certificates).codes).toEqual(['ek.certificate_malformed']);
  expect(judge(policyOf({ mode: 'either', listed: true }), certificates).ek?.admittedBy).toBe('hash');
});

test('an intermediate that cannot be read is one that is not there', () => {
  const [leaf = new Uint8Array(), intermediate = new Uint8Array()] = device.certificates;
  const policy = policyOf({ mode: 'certificate', listed: false });
  expect(judge(policy, [leaf, intermediate.subarray(1), intermediate]).ek?.admittedBy).toBe('certificate');
  expect(judge(policy, [leaf, intermediate.subarray(1)]).codes).toEqual(['ek.unknown_issuer']);
});

test('the bundle that vouches is that of the key, and its notes are told', () => {
  const lenient = bundle(chain.anchors, { allowExpiredLeaf: true }, 'lenient');
  const other = bundle(anchorsOf([]), {}, 'other');
  const policy = policyOf({ mode: 'certificate', listed: false }, { bundles: [other, lenient] });
  expect(judge(policy, stranger.certificates).ek).toMatchObject({
    certified: { bundle: 'lenient' },
    notes: ['allow_expired_ek: the endorsement certificate has expired'],
  });
});

describe('once more', () => {
  const again = (mode: Mode, listedThen: boolean, listedNow: boolean): string | undefined => {
    let listed = listedThen;
    const policy = policyOf({ mode, listed }, mode === 'certificate' ? {} : { isListed: () => listed });
    const { ek } = judge(policy, device.certificates);
    if (ek === undefined) throw new Error('not admitted');
    listed = listedNow;
    return trustAgain(ek, policy, NOW)?.admittedBy;
  };

  test.each([
    ['certificate', false, false, 'certificate'],
    ['hash', true, true, 'hash'],
    ['hash', true, false, undefined],
    ['either', true, true, 'hash'],
    ['either', true, false, 'certificate'],
    ['either', false, true, 'hash'],
    ['both', true, true, 'both'],
    ['both', true, false, undefined],
  ] as const)('mode %s looks at the list anew: listed then %s, now %s, gives %s', (mode, then, now, expected) => {
    expect(again(mode, then, now)).toBe(expected);
  });

  test('a certificate is good for the time in which nothing of it begins or ends', () => {
    const policy = policyOf({ mode: 'certificate', listed: false });
    const { ek } = judge(policy, device.certificates);
    if (ek?.steady === undefined) throw new Error('not admitted for a time');
    const at = (moment: number): string | undefined => trustAgain(ek, policy, new Date(moment))?.admittedBy;
    const { from, until } = ek.steady;
    expect([from - 1, from, until, until + 1].map(at)).toEqual([undefined, 'certificate', 'certificate', undefined]);
  });
});
