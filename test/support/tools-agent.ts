/** An attacker with root on a machine with a TPM, who uses tpm2-tools instead of the agent. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { concat, hex } from '../../src/bytes/bytes.ts';
import { decodeChallenge, encodePayload, type Payload, PROTOCOL_VERSIONS } from '../../src/evidence/messages.ts';
import { algorithmName } from '../../src/tpm/structures/algorithms.ts';
import { decode, encode } from '../../src/tpm/structures/codec.ts';
import { TPM_ALG } from '../../src/tpm/structures/constants.ts';
import { selectedPcrs, tpmlPcrSelection } from '../../src/tpm/structures/pcr.ts';
import { tpm2bPublic, tpmtPublic } from '../../src/tpm/structures/public.ts';
import { TRUST_DOMAIN } from './software-device.ts';
import type { SoftwareTpm } from './swtpm.ts';

/** The header of files that tpm2_makecredential writes. */
const CREDENTIAL_HEADER = Uint8Array.of(0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1);
export const AK_ATTRIBUTES = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign';

export interface Signed {
  readonly quoted: Uint8Array;
  readonly signature: Uint8Array;
}

export class ToolsAgent {
  readonly #tpm: SoftwareTpm;

  constructor(tpm: SoftwareTpm) {
    this.#tpm = tpm;
  }

  /** Runs one tool and flushes what it left loaded. File names are relative to the TPM's folder. */
  async tool(name: `tpm2_${string}`, ...args: readonly string[]): Promise<string> {
    try {
      return (await this.#tpm.tpm2(name, args)).stdout;
    } finally {
      await this.#tpm.tpm2('tpm2_flushcontext', ['-t']);
    }
  }

  async file(name: string): Promise<Uint8Array> {
    return Uint8Array.from(await readFile(join(this.#tpm.folder, name)));
  }

  async write(name: string, bytes: Uint8Array | string): Promise<void> {
    await writeFile(join(this.#tpm.folder, name), bytes);
  }

  /** Makes `ek.ctx` and the primary key `<ak>.ctx`, and returns a payload with both. */
  async payload(ak: string, attributes: string = AK_ATTRIBUTES, hierarchy = 'e'): Promise<Uint8Array> {
    await this.tool(
      'tpm2_createprimary',
      '-C',
      hierarchy,
      '-G',
      'ecc256:ecdsa-sha256:null',
      '-a',
      attributes,
      '-c',
      `${ak}.ctx`,
    );
    return this.payloadFor(ak);
  }

  /** Makes `ek.ctx`, and returns a payload with it and the saved key `<ak>.ctx`. */
  async payloadFor(ak: string): Promise<Uint8Array> {
    await this.tool('tpm2_createek', '-G', 'rsa', '-c', 'ek.ctx', '-u', 'ek.pub');
    await this.tool('tpm2_nvread', '0x01c00002', '-o', 'ek.der');
    const payload: Payload = {
      versions: [...PROTOCOL_VERSIONS],
      trustDomain: TRUST_DOMAIN,
      ekPublic: encode(tpmtPublic, decode(tpm2bPublic, await this.file('ek.pub'))),
      ekCertificates: [await this.file('ek.der')],
      akPublic: await this.publicArea(ak),
      pcrBanks: [TPM_ALG.SHA256],
    };
    return encodePayload(payload);
  }

  /** TPMT_PUBLIC of a saved key. */
  async publicArea(key: string): Promise<Uint8Array> {
    await this.tool('tpm2_readpublic', '-c', `${key}.ctx`, '-f', 'tss', '-o', `${key}.pub`);
    return encode(tpmtPublic, decode(tpm2bPublic, await this.file(`${key}.pub`)));
  }

  /** Runs TPM2_ActivateCredential. Rejects if the TPM refuses. */
  async activate(
    ak: string,
    { credentialBlob, encryptedSecret }: Pick<ReturnType<typeof decodeChallenge>, 'credentialBlob' | 'encryptedSecret'>,
  ): Promise<Uint8Array> {
    const sized = (bytes: Uint8Array): Uint8Array =>
      concat(Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes);
    await this.write('credential', concat(CREDENTIAL_HEADER, sized(credentialBlob), sized(encryptedSecret)));
    await this.tool('tpm2_startauthsession', '--policy-session', '-S', 'session.ctx');
    try {
      await this.tool('tpm2_policysecret', '-S', 'session.ctx', '-c', 'e');
      const keys = ['-c', `${ak}.ctx`, '-C', 'ek.ctx', '-P', 'session:session.ctx'];
      await this.tool('tpm2_activatecredential', ...keys, '-i', 'credential', '-o', 'secret');
      return await this.file('secret');
    } finally {
      await this.tool('tpm2_flushcontext', 'session.ctx');
    }
  }

  /** @param selection in the syntax of tpm2-tools */
  quote(ak: string, selection: string, qualifyingData: Uint8Array): Promise<Signed> {
    const output = ['-m', 'quoted', '-s', 'signature', '-f', 'tss'];
    return this.attested('tpm2_quote', '-c', `${ak}.ctx`, '-l', selection, '-q', hex(qualifyingData), ...output);
  }

  /** Runs a tool that writes an attestation to `quoted` and its signature to `signature`. */
  async attested(name: `tpm2_${string}`, ...args: readonly string[]): Promise<Signed> {
    await this.tool(name, ...args);
    return { quoted: await this.file('quoted'), signature: await this.file('signature') };
  }

  /** Reads PCR values. @param selection of one bank, in the syntax of tpm2-tools */
  async pcrValues(selection: string, digestBytes = 32): Promise<Uint8Array[]> {
    await this.tool('tpm2_pcrread', selection, '-o', 'values');
    const values = await this.file('values');
    return Array.from({ length: values.length / digestBytes }, (_, i) =>
      values.slice(i * digestBytes, (i + 1) * digestBytes),
    );
  }

  /** The PCR selection of a challenge in the syntax of tpm2-tools: `sha256:0,1,2`. */
  selectionOf(challenge: Uint8Array): string {
    const banks = decode(tpmlPcrSelection, decodeChallenge(challenge).pcrSelection);
    return banks
      .map((bank) => `${algorithmName(bank.hash).slice(8).toLowerCase()}:${selectedPcrs(bank).join(',')}`)
      .join('+');
  }
}
