import { describe, expect, test } from 'vitest';
import type { EkCertificateFacts } from '../../src/x509/ek/ek-profile.ts';
import { type EkRules, ruleProblems } from '../../src/x509/ek/ek-rules.ts';
import { TPM_KINDS, tpmVendor } from '../../src/x509/ek/vendors.ts';

const ANY: EkRules = { kinds: TPM_KINDS, manufacturers: undefined, models: undefined, minFirmware: undefined };

function facts(changes: {
  readonly id?: string;
  readonly model?: string | undefined;
  readonly version?: string | undefined;
}): EkCertificateFacts {
  const { id = '49465800' } = changes;
  const vendor = tpmVendor(id);
  const manufacturer = { id, name: vendor?.name, kind: vendor?.kind ?? 'hardware' };
  return { manufacturer, model: 'SLB 9670', version: '073F', specification: undefined, oddities: [], ...changes };
}

const problems = (
  changes: Parameters<typeof facts>[0],
  rules: Partial<EkRules>,
): readonly (readonly [string, string])[] =>
  ruleProblems(facts(changes), { ...ANY, ...rules }).map(({ code, message }) => [code, message]);

const HARDWARE = '49465800';
const CLOUD = '474F4F47';
const SOFTWARE = '00001014';
const UNKNOWN = 'ABCDEF01';

describe('kinds', () => {
  test.each([
    [HARDWARE, 'hardware'],
    [CLOUD, 'cloud'],
    [SOFTWARE, 'software'],
    // Whoever it is: the rule on manufacturers is for those who mind.
    [UNKNOWN, 'hardware'],
  ] as const)('TPMs of manufacturer %s are accepted as %s, and as nothing else', (id, kind) => {
    expect(problems({ id }, { kinds: [kind] })).toEqual([]);
    expect(problems({ id }, { kinds: TPM_KINDS })).toEqual([]);
    const [first, ...more] = problems({ id }, { kinds: TPM_KINDS.filter((one) => one !== kind) });
    expect([first?.[0], more]).toEqual([kind === 'software' ? 'software_tpm' : 'manufacturer', []]);
  });

  test('are told in a sentence', () => {
    expect(problems({ id: SOFTWARE }, { kinds: ['hardware', 'cloud'] })).toEqual([
      ['software_tpm', 'manufacturer id:00001014 (swtpm) makes no hardware TPMs'],
    ]);
    expect(problems({ id: CLOUD }, { kinds: ['hardware'] })).toEqual([
      ['manufacturer', 'manufacturer id:474F4F47 (Google) makes cloud TPMs; these CAs may certify only hardware TPMs'],
    ]);
    expect(problems({ id: UNKNOWN }, { kinds: ['cloud', 'software'] })).toEqual([
      [
        'manufacturer',
        'manufacturer id:ABCDEF01 (unknown) makes hardware TPMs; these CAs may certify only cloud or software TPMs',
      ],
    ]);
  });

  test('of which one is not accepted are told before its manufacturer', () => {
    expect(problems({ id: SOFTWARE }, { kinds: ['hardware'], manufacturers: [HARDWARE] })).toHaveLength(1);
  });
});

describe('manufacturers', () => {
  test('are those that are listed', () => {
    expect(problems({ id: HARDWARE }, { manufacturers: ['53544D20', HARDWARE] })).toEqual([]);
    expect(problems({ id: UNKNOWN }, { manufacturers: [UNKNOWN] })).toEqual([]);
    expect(problems({ id: HARDWARE }, { manufacturers: ['53544D20', UNKNOWN] })).toEqual([
      [
        'manufacturer',
        'manufacturer id:49465800 (Infineon) is not a manufacturer that these CAs may certify: STM, id:ABCDEF01',
      ],
    ]);
    expect(problems({ id: HARDWARE }, { manufacturers: [] })).toHaveLength(1);
  });
});

describe('models', () => {
  test.each([
    ['SLB 9670', 'SLB 9670'],
    ['SLB 9670', 'slb 9670'],
    ['SLB  9670 ', ' SLB 9670'],
    ['SLB 9670', 'SLB 96*'],
    ['SLB 9670', 'SLB 9670*'],
    ['SLB 9670', '*'],
    ['NPCT75x', 'NPCT75X'],
  ])('%j is accepted by %j', (model, pattern) => {
    expect(problems({ model }, { models: ['other', pattern] })).toEqual([]);
  });

  test.each([
    ['SLB 9670', 'SLB 967'],
    ['SLB 9670', 'SLB9670'],
    ['SLB 9670', 'SLB 9670 TPM2.0*'],
    // Nothing but a star at the end means others.
    ['SLB 9670', '*9670'],
    ['SLB 9670', 'SLB ????'],
    ['SLB 9670', 'SLB.9670'],
    ['SLB 9670', 'SLB_9670'],
    ['SLB 9670', 'S*0'],
  ])('%j is not accepted by %j', (model, pattern) => {
    expect(problems({ model }, { models: [pattern] })).toEqual([['model', 'model "SLB 9670" is not accepted']]);
  });

  test('that are not named are not accepted where models matter, and are where they do not', () => {
    expect(problems({ model: undefined }, { models: ['*'] })).toEqual([
      ['model', 'the certificate names no model, but only listed models are accepted'],
    ]);
    expect(problems({ model: undefined }, {})).toEqual([]);
  });

  test('are told up to 64 characters, and cannot forge a line of a log', () => {
    const [[, message] = []] = problems({ model: `a\n"${'b'.repeat(100)}` }, { models: ['x'] });
    expect(message).toBe(`model "a\\u{a}\\"${'b'.repeat(61)}" is not accepted`);
  });
});

describe('the least firmware', () => {
  test.each([
    ['073F', '073f'],
    ['073F', '073E'],
    ['073F', '0700'],
    ['13', '12'],
    ['000100C0', '000100bf'],
  ])('%s is enough for %s', (version, minFirmware) => {
    expect(problems({ version }, { minFirmware })).toEqual([]);
  });

  test.each([
    ['073F', '0740', 'the TPM was shipped with firmware 073F, which is below min_firmware 0740'],
    ['0739', '073A', 'the TPM was shipped with firmware 0739, which is below min_firmware 073A'],
    // The same number in another width may be another version.
    ['073F', '73', 'firmware 073F cannot be compared with min_firmware 73'],
    ['FF', '0001', 'firmware FF cannot be compared with min_firmware 0001'],
    [undefined, '00', 'the certificate names no firmware version, but min_firmware is 00'],
  ])('%s is not enough for %s', (version, minFirmware, message) => {
    expect(problems({ version }, { minFirmware })).toEqual([['firmware', message]]);
  });
});

test('each rule that is broken is told', () => {
  const rules = { manufacturers: ['53544D20'], models: ['ST33*'], minFirmware: 'FFFF' };
  expect(problems({}, rules).map(([code]) => code)).toEqual(['manufacturer', 'model', 'firmware']);
});
