/** Notes for reports about PCR values that prove little. Pure. */
import type { PcrValue } from './verdict.ts';

/** Each note is one sentence. */
export function pcrNotes(pcrs: readonly PcrValue[]): readonly string[] {
  const banks = [...new Set(pcrs.map(({ bank }) => bank))];
  return banks.flatMap((bank) => {
    const ofBank = pcrs.filter((pcr) => pcr.bank === bank);
    const untouched = ofBank.filter(({ value }) => isResetValue(value)).map(({ index }) => index);
    return [
      ...(untouched.length === 0
        ? []
        : [
            `${bank}:${untouched.join(',')} ${untouched.length === 1 ? 'was' : 'were'} never extended: ` +
              'nothing was measured there, so it does not show what booted',
          ]),
      ...(bank === 'sha1'
        ? [`${bank}:${ofBank.map(({ index }) => index).join(',')} of the SHA-1 bank: SHA-1 collisions can be made`]
        : []),
    ];
  });
}

/** All zeros, or all ones. PCR 17 to 22 are all ones before a dynamic launch (PC Client Platform TPM Profile, 4.6). */
function isResetValue(value: string): boolean {
  return /^(0+|f+)$/.test(value);
}
