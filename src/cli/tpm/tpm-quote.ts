/** `tpm quote`: writes a quote as an evidence file, for the verifier's nonce or for a challenge. */
import { join } from 'node:path';
import { Command } from 'commander';
import { type AkMaker, makePrimaryAk } from '../../agent/ak-maker.ts';
import { Attestor } from '../../agent/attest.ts';
import { tctiOrDevice } from '../../agent/device-choice.ts';
import { type EndorsementSearch, loadEndorsement } from '../../agent/endorsement/load-endorsement.ts';
import { allocatedBanks, quotePcrs, signingHash } from '../../agent/wires/pcr-quote.ts';
import { equalBytes } from '../../bytes/bytes.ts';
import { evidenceToJson } from '../../evidence/json.ts';
import {
  type ChallengeResponse,
  decodeResponse,
  type Evidence,
  encodeChallenge,
  encodePayload,
  type Payload,
  PROTOCOL_VERSIONS,
} from '../../evidence/messages.ts';
import { writeToolsPcrValues } from '../../evidence/tools-pcr-values.ts';
import { writeToolsPem } from '../../evidence/tpm2-tools.ts';
import type { TpmCommands } from '../../tpm/device/commands.ts';
import { publicKeyOf } from '../../tpm/public-key.ts';
import { decode } from '../../tpm/structures/codec.ts';
import { TPM_ALG } from '../../tpm/structures/constants.ts';
import { pcrSelection } from '../../tpm/structures/pcr.ts';
import { tpmtPublic } from '../../tpm/structures/public.ts';
import type { AkAlgorithm } from '../../tpm/templates.ts';
import { quotedSelection } from '../../verifier/evidence-judgement.ts';
import type { PcrRequirement } from '../../verifier/policy.ts';
import { isTrustDomain } from '../policy/policy-file.ts';
import { UsageError } from '../terminal/failure.ts';
import { makeFolder, nameOf, refuseInputAsOutput, STANDARD, writeOutput } from '../terminal/files.ts';
import {
  akOption,
  type EkOptions,
  ekOptions,
  nonceOption,
  passwordsOf,
  pcrsOption,
  searchOf,
  tpmOptions,
} from '../terminal/options.ts';
import { remark } from '../terminal/terminal.ts';
import { withTpm } from '../terminal/tpm-device.ts';
import { readEvidence } from '../verify/evidence-file.ts';

/** No trust domain has a slash, so the AK for files is never the AK that an agent uses for its server. */
const PURPOSE = '/quote';

/** The default of the server plugin. */
const DEFAULT_PCRS: PcrRequirement = { hash: TPM_ALG.SHA256, bank: 'sha256', indices: [0, 1, 2, 3, 4, 5, 6, 7] };

interface QuoteOptions extends EkOptions {
  readonly nonce?: Uint8Array;
  readonly pcrs?: PcrRequirement;
  readonly challenge?: string;
  readonly evidence?: string;
  readonly output: string;
  readonly ak: AkAlgorithm;
  readonly trustDomain?: string;
  readonly tpm2Tools?: string;
}

export function tpmQuoteCommand(): Command {
  const command = new Command('quote')
    .description('quote PCRs for a nonce, or answer a challenge file of "challenge"')
    .requiredOption('-o, --output <file>', 'evidence file to write; - for standard output')
    .addOption(nonceOption('nonce that the verifier chose; the quote will carry it'))
    .addOption(pcrsOption('PCRs to quote (default: sha256:0-7)'))
    .option('--trust-domain <name>', 'trust domain of the policy, if "challenge" will read this file')
    .option('--challenge <file>', 'challenge to answer')
    .option('--evidence <file>', 'evidence that the challenge was made for')
    .addOption(akOption())
    .option('--tpm2-tools <folder>', 'also write quote.msg, quote.sig, quote.pcrs and ak.pem for tpm2_checkquote');
  for (const option of [...ekOptions(), ...tpmOptions()]) command.addOption(option);
  return command.action(async (options: QuoteOptions) => {
    refuseInputAsOutput(outputsOf(options), inputsOf(options));
    const evidence = await makeEvidence(options);
    await writeOutput(options.output, evidenceToJson(evidence));
    if (options.output !== STANDARD) remark(`wrote ${options.output}`);
    if (options.tpm2Tools !== undefined) await exportForTools(evidence, options.tpm2Tools);
  });
}

const TOOLS_FILES = { message: 'quote.msg', signature: 'quote.sig', pcrValues: 'quote.pcrs', ak: 'ak.pem' } as const;

function outputsOf({ output, tpm2Tools }: QuoteOptions): readonly string[] {
  return [output, ...(tpm2Tools === undefined ? [] : Object.values(TOOLS_FILES).map((name) => join(tpm2Tools, name)))];
}

function inputsOf({ challenge, evidence, ekCertificate, endorsementAuthFile, ownerAuthFile }: QuoteOptions) {
  return [challenge, evidence, ekCertificate, endorsementAuthFile, ownerAuthFile];
}

type Answered = Evidence & { readonly payload: Payload; readonly response: ChallengeResponse };

async function makeEvidence(options: QuoteOptions): Promise<Answered> {
  const { nonce, pcrs, challenge, evidence, trustDomain = '' } = options;
  if (trustDomain !== '' && !isTrustDomain(trustDomain))
    throw new UsageError('--trust-domain must be a name such as example.org');
  if (challenge !== undefined && evidence !== undefined) {
    if (nonce !== undefined || pcrs !== undefined || trustDomain !== '')
      throw new UsageError(
        '--nonce, --pcrs and --trust-domain cannot be used with --challenge, because the files have them; leave them out',
      );
    return answerChallenge(options, challenge, evidence);
  }
  if (challenge !== undefined || evidence !== undefined)
    throw new UsageError(
      '--challenge and --evidence belong together; give both, the challenge and the evidence that it was made for',
    );
  if (nonce === undefined) throw new UsageError('give --nonce, or --challenge and --evidence');
  const search = await searchOf(options);
  return withTpm(options, (run) => quoteForNonce(run, options, search, nonce, pcrs ?? DEFAULT_PCRS, trustDomain));
}

async function quoteForNonce(
  run: TpmCommands,
  options: QuoteOptions,
  search: EndorsementSearch,
  nonce: Uint8Array,
  { hash, bank, indices }: PcrRequirement,
  trustDomain: string,
): Promise<Answered> {
  const passwords = passwordsOf(options);
  const pcrBanks = await allocatedBanks(run);
  if (!pcrBanks.includes(hash))
    throw new UsageError(`the TPM has no PCR bank ${bank}; run "tpm info" to see its banks`);
  const { endorsement, object: ek } = await loadEndorsement(run, options.ek, passwords, search);
  for (const note of endorsement.notes) remark(note);
  const ak = await makePrimaryAk(run, { choice: options.ak, purpose: PURPOSE, passwords, saltKey: ek });
  await run.release(ek);
  const request = {
    ak: ak.objectHandle,
    hash: signingHash(ak.outPublic),
    qualifyingData: nonce,
    selection: pcrSelection(hash, indices),
  };
  const { quoted, signature, values } = await quotePcrs(run, request, undefined);
  await run.release(ak.objectHandle);
  return {
    payload: {
      versions: [...PROTOCOL_VERSIONS],
      trustDomain,
      ekPublic: endorsement.publicArea,
      ekCertificates: [...endorsement.certificates],
      akPublic: ak.outPublic,
      pcrBanks: [...pcrBanks],
    },
    challenge: undefined,
    response: { secret: new Uint8Array(), quoted, signature, pcrValues: [...values] },
  };
}

/** Answers for the trust domain of this machine's own evidence, never for one that the challenge names. */
async function answerChallenge(options: QuoteOptions, challengePath: string, evidencePath: string): Promise<Answered> {
  const { challenge, payload: asked } = readEvidence(challengePath, 'challenge');
  const { payload } = readEvidence(evidencePath, 'payload');
  const sent = encodePayload(payload);
  if (asked !== undefined && !equalBytes(encodePayload(asked), sent))
    throw new UsageError(`${nameOf(challengePath)} was made for other evidence than ${nameOf(evidencePath)}`);
  const kind = decode(tpmtPublic, payload.akPublic).type;
  const ownAk: AkMaker = (run, request) => makePrimaryAk(run, { ...request, purpose: PURPOSE });
  const attestor = new Attestor({
    trustDomain: payload.trustDomain,
    tcti: () => tctiOrDevice(options.tcti),
    ek: decode(tpmtPublic, payload.ekPublic).type === 'rsa' ? 'rsa' : 'ecc',
    ak: kind === 'rsa' ? 'rsa' : 'ecc',
    ekCertificatePath: options.ekCertificate,
    passwords: passwordsOf(options),
    makeAk: ownAk,
  });
  const { response } = await attestor.attest(async (own) => {
    if (!equalBytes(own, sent))
      throw new UsageError(
        `${nameOf(evidencePath)} does not fit the keys and PCR banks of this TPM now; run "tpm quote" again`,
      );
    return encodeChallenge(challenge);
  });
  return { payload, challenge, response: decodeResponse(response) };
}

async function exportForTools({ payload, response }: Answered, folder: string): Promise<void> {
  const key = publicKeyOf(decode(tpmtPublic, payload.akPublic));
  const selection = quotedSelection(response.quoted);
  if (key === undefined || selection === undefined) throw new RangeError('the TPM answered no quote');
  makeFolder(folder);
  await writeOutput(join(folder, TOOLS_FILES.message), response.quoted);
  await writeOutput(join(folder, TOOLS_FILES.signature), response.signature);
  await writeOutput(join(folder, TOOLS_FILES.pcrValues), writeToolsPcrValues(selection, response.pcrValues));
  await writeOutput(join(folder, TOOLS_FILES.ak), writeToolsPem(key));
  remark(`wrote quote.msg, quote.sig, quote.pcrs and ak.pem in ${folder}`);
}
