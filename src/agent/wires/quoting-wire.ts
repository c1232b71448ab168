/** Our own wire. The agent sends the secret only with a quote that binds payload, challenge and trust domain. */

import { hex } from '../../bytes/bytes.ts';
import { MalformedError } from '../../bytes/malformed.ts';
import { commitment } from '../../evidence/binding.ts';
import { decodeChallenge, encodePayload, encodeResponse, PROTOCOL_VERSIONS } from '../../evidence/messages.ts';
import type { TpmCommands } from '../../tpm/device/commands.ts';
import type { CreatePrimaryOutput } from '../../tpm/device/native-context.ts';
import { decode } from '../../tpm/structures/codec.ts';
import { PCR_COUNT, selectedPcrs, type TpmsPcrSelection, tpmlPcrSelection } from '../../tpm/structures/pcr.ts';
import type { Endorsement } from '../endorsement/load-endorsement.ts';
import type { AgentWire, Opened, Question } from './agent-wire.ts';
import { allocatedBanks, quotePcrs, signingHash } from './pcr-quote.ts';

export class QuotingWire implements AgentWire {
  readonly name = 'tpm-attestor';
  readonly ekTemplates = undefined;
  readonly akPurpose: string;
  readonly #trustDomain: string;
  /** PCR values of the last quote, by PCR selection. */
  readonly #pcrValues: Map<string, readonly Uint8Array[]> = new Map();

  /** @param trustDomain from the agent's own configuration, never from a challenge */
  constructor(trustDomain: string) {
    this.akPurpose = trustDomain;
    this.#trustDomain = trustDomain;
  }

  async payload(run: TpmCommands, endorsement: Endorsement, { outPublic }: CreatePrimaryOutput): Promise<Uint8Array> {
    return encodePayload({
      versions: [...PROTOCOL_VERSIONS],
      trustDomain: this.#trustDomain,
      ekPublic: endorsement.publicArea,
      ekCertificates: [...endorsement.certificates],
      akPublic: outPublic,
      pcrBanks: [...(await allocatedBanks(run))],
    });
  }

  read(challenge: Uint8Array): Question {
    const { version, credentialBlob, encryptedSecret, pcrSelection, logs } = decodeChallenge(challenge);
    if (!PROTOCOL_VERSIONS.includes(version))
      throw new MalformedError('Challenge.version', 0, `the agent did not offer version ${version}`);
    // tooth attest: the agent reads one log as often as a server likes
    if (new Set(logs).size < logs.length) throw new MalformedError('Challenge.logs', 0, 'a log is named twice');
    const selection = readSelection(pcrSelection);
    return {
      credentialBlob,
      encryptedSecret,
      logs,
      answer: (run, opened) => this.#answer(run, opened, challenge, selection),
    };
  }

  async #answer(
    run: TpmCommands,
    { secret, ak, akPublic, payload }: Opened,
    challenge: Uint8Array,
    selection: TpmsPcrSelection,
  ): Promise<Uint8Array> {
    const qualifyingData = commitment(this.#trustDomain, payload, challenge);
    const key = `${selection.hash}:${hex(selection.pcrSelect)}`;
    const request = { ak, hash: signingHash(akPublic), qualifyingData, selection };
    const { quoted, signature, values } = await quotePcrs(run, request, this.#pcrValues.get(key));
    // In practice a server always asks for the same selection.
    this.#pcrValues.clear();
    this.#pcrValues.set(key, values);
    return encodeResponse({ secret, quoted, signature, pcrValues: [...values] });
  }
}

/** @throws MalformedError */
function readSelection(pcrSelection: Uint8Array): TpmsPcrSelection {
  const banks = decode(tpmlPcrSelection, pcrSelection);
  const [selection] = banks;
  const indices = selection === undefined ? [] : selectedPcrs(selection);
  // tooth attest [banks.length > 1 -> false]: the agent quotes the first of several banks
  if (selection === undefined || banks.length > 1 || indices.length === 0 || indices.some((i) => i >= PCR_COUNT)) {
    throw new MalformedError('Challenge.pcrSelection', 0, `not PCRs 0 to ${PCR_COUNT - 1} of one bank`);
  }
  return selection;
}
