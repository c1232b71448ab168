import { describe, expect, test } from 'vitest';
import { isSoftwareTcti, tctiOrDevice } from '../../src/agent/device-choice.ts';
import { readAgentConfig } from '../../src/agent-plugin/agent-config.ts';

test('an empty configuration is the machine’s own TPM, any EK, an ECC AK', () => {
  expect(readAgentConfig('')).toEqual({
    ok: true,
    config: {
      tcti: undefined,
      ek: 'auto',
      ak: 'ecc',
      ekCertificatePath: undefined,
      endorsementAuthFile: undefined,
      ownerAuthFile: undefined,
      tpmTimeoutMs: 120_000,
      serverTimeoutMs: 60_000,
      bootLogs: {
        firmware: '/sys/kernel/security/tpm0/binary_bios_measurements',
        userspace: '/run/log/systemd/tpm2-measure.log',
      },
      addon: {},
      wire: 'tpm-attestor',
    },
  });
});

test('every option is read', () => {
  const hcl = `
    tcti = "swtpm:path=/run/tpm.sock"
    ek = "rsa"
    ak = "auto"
    ek_certificate_path = "/etc/spire/ek.pem"
    endorsement_auth_file = "/run/credentials/endorsement"
    owner_auth_file = "/run/credentials/owner"
    tpm_timeout = "30s"
    server_timeout = "5m"
    firmware_log = "/run/credentials/firmware"
    userspace_log = "/run/credentials/userspace"
    addon_path = "/opt/tpm_attestor.node"
    addon_sha256 = "${'0a'.repeat(32)}"
    wire = "spire-tpm-plugin"`;
  expect(readAgentConfig(hcl)).toEqual({
    ok: true,
    config: {
      tcti: 'swtpm:path=/run/tpm.sock',
      ek: 'rsa',
      ak: 'auto',
      ekCertificatePath: '/etc/spire/ek.pem',
      endorsementAuthFile: '/run/credentials/endorsement',
      ownerAuthFile: '/run/credentials/owner',
      tpmTimeoutMs: 30_000,
      serverTimeoutMs: 300_000,
      bootLogs: { firmware: '/run/credentials/firmware', userspace: '/run/credentials/userspace' },
      addon: { path: '/opt/tpm_attestor.node', sha256: '0a'.repeat(32) },
      wire: 'spire-tpm-plugin',
    },
  });
});

test.each([
  ['ek = "sm2"', 'line 1: "ek" must be one of "auto", "rsa", "ecc", not "sm2"'],
  ['\nak = "RSA"', 'line 2: "ak" must be one of "auto", "rsa", "ecc", not "RSA"'],
  ['tpm_timeout = "900ms"', 'line 1: "tpm_timeout" must be 1000 ms to 600000 ms'],
  ['addon_sha256 = "0A"', 'line 1: "addon_sha256" must be 64 lower-case hexadecimal digits'],
  ['wire = "tpm"', 'line 1: "wire" must be "tpm-attestor" or "spire-tpm-plugin", not "tpm"'],
  [
    'wire = "spire-tpm-plugin"\nek = "ecc"',
    '"wire" is "spire-tpm-plugin", which needs an RSA endorsement key, and "ek" is "ecc"; set ek = "rsa"',
  ],
  ['tcti = ""', 'line 1: "tcti" must not be empty'],
  ['\n\ntci = "x"', 'line 3: "tci" is not an option; did you mean "tcti"?'],
])('%j is refused with its line', (hcl, problem) => {
  expect(readAgentConfig(hcl)).toEqual({ ok: false, problems: [problem] });
});

describe('a TCTI', () => {
  test.each(['swtpm:path=/x', 'mssim:port=1', 'swtpm', 'pcap:swtpm:path=/x', 'cmd:nc -U /x', 'libtpms', ''])(
    '%j is a software TPM',
    (tcti) => {
      expect(isSoftwareTcti(tcti)).toBe(true);
    },
  );

  test.each(['device:/dev/tpmrm0', 'device', 'pcap:device:/dev/tpm0', 'tabrmd', 'libtss2-tcti-device.so.0:/dev/tpm0'])(
    '%j is none',
    (tcti) => {
      expect(isSoftwareTcti(tcti)).toBe(false);
    },
  );

  test('that is configured is taken as it is; without one a device is named', () => {
    expect(tctiOrDevice('swtpm')).toBe('swtpm');
    expect(tctiOrDevice(undefined)).toMatch(/^device:\/dev\/tpm(rm)?0$/);
  });
});
