import { expect, test } from 'vitest';
import { cleanUpOf } from '../../src/tpm/device/resource-manager.ts';

test.each([
  ['device:/dev/tpmrm0', 'manager'],
  ['pcap:device:/dev/tpmrm1', 'manager'],
  ['libtss2-tcti-device.so.0:/dev/tpmrm0', 'manager'],
  ['/opt/lib/libtss2-tcti-device.so.0:/dev/tpmrm0', 'manager'],
  ['/opt/lib/libtss2-tcti-device.so.0:/dev/tpm0', 'keeper'],
  ['tabrmd', 'manager'],
  ['tabrmd:bus_type=session', 'manager'],
  ['device:/dev/tpm0', 'keeper'],
  ['device:/tmp/tpmrm0/tpm0', 'keeper'],
  ['swtpm:path=/run/tpm.sock', 'keeper'],
  ['pcap:libtss2-tcti-swtpm:host=localhost', 'keeper'],
  ['mssim:host=localhost', 'nobody'],
  ['cmd:tpm2_send', 'nobody'],
  ['', 'nobody'],
] as const)('behind %s cleans up: %s', (tcti, cleanUp) => {
  expect(cleanUpOf(tcti)).toBe(cleanUp);
});
