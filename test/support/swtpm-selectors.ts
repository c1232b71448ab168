import { expect } from 'vitest';

/** The selectors of a machine with a software TPM whose certificate a CA of `ca_path` issued. */
export function swtpmSelectors(pubHash: unknown): readonly unknown[] {
  return [
    pubHash,
    'tpm:ca:ca_path',
    'tpm:manufacturer:00001014',
    'tpm:model:swtpm',
    expect.stringMatching(/^tpm:tpm_firmware:[0-9a-f]{8}$/),
    expect.stringMatching(/^tpm:ek_issuer:[0-9a-f]{64}$/),
  ];
}
