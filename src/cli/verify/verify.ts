/** `verify`: judges an evidence file, or the files of tpm2-tools. */
import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { judgeEvidence } from '../../verifier/evidence-judgement.ts';
import { attestationJudgement, type Judgement, unreadableJudgement } from '../../verifier/judgement.ts';
import type { PcrRequirement } from '../../verifier/policy.ts';
import { judgeToolsQuote } from '../../verifier/tools-judgement.ts';
import { readPolicyFile } from '../policy/policy-file.ts';
import { EXIT, UsageError } from '../terminal/failure.ts';
import { readInput, readText, refuseInputAsOutput, STANDARD, writeOutput } from '../terminal/files.ts';
import { type JsonOptions, jsonOption, nonceOption, pcrsOption } from '../terminal/options.ts';
import { remark, sayJson } from '../terminal/terminal.ts';
import { secretPathOf } from './challenge.ts';
import { judgeAnswer, secretFromJson } from './challenge-file.ts';
import { readEvidence, readNodesEvidence, UselessEvidenceError } from './evidence-file.ts';
import { readQuoteFile } from './tools-files.ts';
import { readToolsAk } from './tools-key.ts';
import { judgementDocument, junitReport, sayJudgement } from './verify-report.ts';

interface VerifyOptions extends JsonOptions {
  readonly policy?: string;
  readonly nonce?: Uint8Array;
  readonly challenge?: string;
  readonly message?: string;
  readonly signature?: string;
  readonly pcrValues?: string;
  readonly ak?: string;
  readonly pcrs?: PcrRequirement;
  readonly junit?: string;
}

const EXIT_CODES = `
Whatever the node wrote is judged. Evidence that is damaged, crafted, empty, too long or no JSON is untrusted, with a report.
A mistake, without a report: a file that cannot be read, a folder, a key or policy of no use, and a file of another kind:
  as evidence: certificates, keys and revocation lists (PEM, DER, PKCS#7), and the files of tpm2-tools;
  as a file of tpm2_quote: PEM, JSON, HTML, YAML, and the file of another option.
Exit codes: 0 trusted, 1 untrusted, 2 usage or a file given by mistake.`;

export function verifyCommand(): Command {
  return new Command('verify')
    .description('judge an evidence file by a policy, or a quote of tpm2_quote by its key')
    .argument(
      '[evidence]',
      'evidence file of "tpm quote"; - for standard input, as for every input file except the challenge',
    )
    .option('--policy <file>', 'policy file for the evidence: options of the server plugin, and trust_domain')
    .addOption(
      nonceOption(
        'nonce that the quote must carry; required for a quote of other tools. Without it, an evidence file may hold an old quote',
      ),
    )
    .option('--challenge <file>', 'challenge file that the evidence answers, with its secret beside it')
    .option('--message <file>', 'of other tools: the quote (tpm2_quote -m)')
    .option('--signature <file>', 'of other tools: its signature (tpm2_quote -s)')
    .option('--pcr-values <file>', 'of other tools: the PCR values (tpm2_quote -o)')
    .option('--ak <file>', 'of other tools: the attestation key (tpm2_createak -u), in any of its forms')
    .addOption(pcrsOption('of other tools: PCRs that must be quoted (default: any)'))
    .option('--junit <file>', 'also write a JUnit report, except after wrong usage (exit code 2)')
    .addOption(jsonOption())
    .addHelpText('after', EXIT_CODES)
    .action(async (evidence: string | undefined, options: VerifyOptions) => {
      if (options.junit === STANDARD)
        throw new UsageError('--junit is standard output, which has the answer; give a file');
      if (options.junit !== undefined) refuseInputAsOutput([options.junit], inputsOf(evidence, options));
      const judgement = evidence === undefined ? judgeTools(options) : judgeFile(evidence, options);
      if (options.json) {
        for (const note of judgement.notes) remark(`note: ${note}`);
        sayJson(judgementDocument(judgement));
      } else sayJudgement(judgement);
      // Written last: if the report cannot be written, the verdict has been printed.
      if (options.junit !== undefined) await writeOutput(options.junit, junitReport(judgement));
      process.exitCode = judgement.verdict === 'trusted' ? EXIT.OK : EXIT.UNTRUSTED;
    });
}

function inputsOf(evidence: string | undefined, options: VerifyOptions): readonly (string | undefined)[] {
  const { policy, challenge, message, signature, pcrValues, ak } = options;
  const secret = challenge && secretPathOf(challenge);
  return [evidence, policy, challenge, secret, message, signature, pcrValues, ak];
}

function judgeFile(path: string, options: VerifyOptions): Judgement {
  const { policy: policyPath, nonce, challenge, message, signature, pcrValues, ak, pcrs } = options;
  if ([message, signature, pcrValues, ak, pcrs].some((option) => option !== undefined))
    throw new UsageError(
      'an evidence file and options for other tools are given; judge the evidence file by --policy, without --message, --ak and the like',
    );
  if (policyPath === undefined) throw new UsageError('no policy is given for the evidence file; give --policy');
  if (challenge !== undefined && nonce !== undefined)
    throw new UsageError('--nonce and --challenge are given, and a quote carries only one of them; leave one out');
  if (challenge === STANDARD)
    throw new UsageError('--challenge is standard input, and a secret is read beside the challenge; give a file');
  const evidence = readWhole(path);
  const policy = readPolicyFile(policyPath);
  if (evidence instanceof UselessEvidenceError)
    return unreadableJudgement(evidence.message, challenge !== undefined || nonce !== undefined);
  if (challenge === undefined) return judgeEvidence(evidence, policy, nonce, new Date());
  // Payload and challenge come from the user's own file: the node wrote the copies in the answer.
  const asked = readEvidence(challenge, 'payload', 'challenge');
  const kept = secretFromJson(readText(secretPathOf(challenge)));
  return attestationJudgement(judgeAnswer(asked, evidence.response, kept, policy, randomBytes, new Date()));
}

function readWhole(path: string): ReturnType<typeof readNodesEvidence<'payload' | 'response'>> | UselessEvidenceError {
  try {
    return readNodesEvidence(path, 'payload', 'response');
  } catch (error) {
    if (error instanceof UselessEvidenceError) return error;
    throw error;
  }
}

function judgeTools({ message, signature, pcrValues, ak, nonce, pcrs, policy, challenge }: VerifyOptions): Judgement {
  if (policy !== undefined || challenge !== undefined)
    throw new UsageError('--policy and --challenge are for an evidence file; give the file');
  if (
    message === undefined ||
    signature === undefined ||
    pcrValues === undefined ||
    ak === undefined ||
    nonce === undefined
  )
    throw new UsageError(
      'give an evidence file and --policy, or all of --message, --signature, --pcr-values, --ak and --nonce',
    );
  const files = {
    message: readQuoteFile(message, 'message'),
    signature: readQuoteFile(signature, 'signature'),
    pcrValues: readQuoteFile(pcrValues, 'pcr-values'),
    ak: readToolsAk(readInput(ak)),
  };
  return judgeToolsQuote(files, nonce, pcrs);
}
