import { describe, expect, test } from 'vitest';
import { TPM_ALG } from '../../src/tpm/structures/constants.ts';
import { parsePcrs } from '../../src/verifier/policy.ts';

describe('the PCRs of a policy', () => {
  test.each([
    { text: 'sha256:0-7', hash: TPM_ALG.SHA256, indices: [0, 1, 2, 3, 4, 5, 6, 7] },
    { text: 'sha256:0', hash: TPM_ALG.SHA256, indices: [0] },
    { text: 'sha384:7,0,2-3', hash: TPM_ALG.SHA384, indices: [0, 2, 3, 7] },
    { text: 'sha1:0-2,1-3', hash: TPM_ALG.SHA1, indices: [0, 1, 2, 3] },
    { text: 'sha512:15,17-22', hash: TPM_ALG.SHA512, indices: [15, 17, 18, 19, 20, 21, 22] },
    { text: 'sm3:5-5', hash: TPM_ALG.SM3_256, indices: [5] },
  ])('are read from "$text"', ({ text, hash, indices }) => {
    expect(parsePcrs(text)).toEqual({ hash, bank: text.split(':')[0], indices });
  });

  test.each([
    { text: '', says: 'is not of the form' },
    { text: 'sha256', says: 'is not of the form' },
    { text: 'sha256:', says: 'is not of the form' },
    { text: 'sha256:0,', says: 'is not of the form' },
    { text: 'sha256:,0', says: 'is not of the form' },
    { text: 'sha256:0-', says: 'is not of the form' },
    { text: 'sha256:-1', says: 'is not of the form' },
    { text: 'sha256: 0', says: 'is not of the form' },
    { text: 'sha256:0 ', says: 'is not of the form' },
    { text: 'sha256:0\n', says: 'is not of the form' },
    { text: 'SHA256:0', says: 'is not of the form' },
    { text: 'sha256:0x7', says: 'is not of the form' },
    { text: 'sha256:0+sha1:0', says: 'is not of the form' },
    { text: 'md5:0', says: '"md5" is not a PCR bank' },
    { text: 'constructor:0', says: 'is not a PCR bank' },
    { text: 'sha256:24', says: '"24" is not a PCR or range within 0-23' },
    { text: 'sha256:0-24', says: '"0-24" is not a PCR or range' },
    { text: 'sha256:7-0', says: '"7-0" is not a PCR or range' },
    { text: `sha256:${'9'.repeat(400)}`, says: 'is not a PCR or range' },
  ])('are not read from "$text"', ({ text, says }) => {
    expect(parsePcrs(text)).toContain(says);
  });

  test.each([
    { text: 'sha256:16', says: 'PCR 16 can be reset' },
    { text: 'sha256:0-7,23', says: 'PCR 23 can be reset' },
    { text: 'sha256:0-23', says: 'PCR 16 and 23 can be reset' },
  ])('A36: are none that any software can reset: "$text"', ({ text, says }) => {
    expect(parsePcrs(text)).toContain(says);
  });
});
