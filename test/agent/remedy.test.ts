/** What an operator is told of a TPM that cannot be opened or used: one instruction for each reason. */
import { describe, expect, test } from 'vitest';
import { unusedTctiVariable } from '../../src/agent/device-choice.ts';
import { remedyFor } from '../../src/agent/remedy.ts';
import { deviceRemedy, type Surroundings } from '../../src/agent/unreachable-device.ts';
import { TpmError } from '../../src/tpm/device/errors.ts';

const around = (failure: string | undefined, isContainer: boolean): Surroundings => ({
  failureOf: () => failure,
  isContainer: () => isContainer,
  userId: () => 1234,
});

/** With what each says that no other does. */
const REASONS = [
  ['ENOENT', false, 'enable it in the firmware setup'],
  ['ENODEV', false, 'enable it in the firmware setup'],
  ['ENOENT', true, 'start it with --device /dev/tpmrm0'],
  ['EPERM', true, 'start it with --device /dev/tpmrm0'],
  ['EACCES', false, 'usermod -aG tss USER'],
  ['EACCES', true, 'usermod -aG tss USER'],
  ['EPERM', false, 'usermod -aG tss USER'],
  ['EBUSY', false, 'fuser -v /dev/tpm0'],
  ['EBUSY', true, 'fuser -v /dev/tpm0'],
  ['EIO', false, 'dmesg'],
  [undefined, false, 'dmesg'],
] as const;

describe('a device that cannot be opened', () => {
  test.each(REASONS)('%s, in a container: %j', (failure, isContainer, words) => {
    const remedy = deviceRemedy('/dev/tpm0', around(failure, isContainer));
    expect(remedy).toContain(words);
    for (const [, , others] of REASONS) if (others !== words) expect(remedy).not.toContain(others);
  });

  test('who may not open it is named by number', () => {
    expect(deviceRemedy('/dev/tpm0', around('EACCES', false))).toContain('UID 1234');
  });
});

test('a TPM that was not started is told how to be, and one that is busy that it passes', () => {
  const of = (rc: number): string | undefined => remedyFor(new TpmError({ rc, command: 'TPM2_GetCapability' }));
  expect(of(0x100)).toContain('tpm2_startup -c');
  expect(of(0x922)).toContain('busy');
  expect(of(0x922)).not.toContain('tpm2_startup');
});

test.each(['device:/nonesuch/tpm', 'pcap:device:/nonesuch/tpm', 'libtss2-tcti-device.so.0:/nonesuch/tpm'])(
  'the device of %s is looked at',
  (tcti) => {
    const error = new TpmError({ rc: 0xa000a, command: `open ${tcti}` });
    expect(remedyFor(error)).toMatch(
      /^\/nonesuch\/tpm does not exist(: give the device|, and this process runs in a container that was not given a TPM)/,
    );
  },
);

describe('TPM2TOOLS_TCTI', () => {
  test('is said not to be used, with the option that counts', () => {
    const said = unusedTctiVariable(undefined, '--tcti', { TPM2TOOLS_TCTI: 'swtpm:path=/x' });
    expect(said).toMatch(/^TPM2TOOLS_TCTI is set and is ignored: the TPM is device:\/dev\/tpm\w+; .* set --tcti$/);
  });

  test.each([
    ['where a TPM is named', 'device:/dev/tpm0', { TPM2TOOLS_TCTI: 'swtpm:' }],
    ['where it is empty', undefined, { TPM2TOOLS_TCTI: '' }],
    ['where it is not set', undefined, {}],
  ])('is not spoken of %s', (_, configured, environment) => {
    expect(unusedTctiVariable(configured, '--tcti', environment)).toBeUndefined();
  });
});
