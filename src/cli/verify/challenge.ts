/** `challenge`: makes a challenge that only the machine of an evidence file can answer. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { Command } from 'commander';
import { evidenceToJson } from '../../evidence/json.ts';
import { readPolicyFile } from '../policy/policy-file.ts';
import { EXIT, UsageError } from '../terminal/failure.ts';
import { nameOf, refuseInputAsOutput, STANDARD, writeOutput, writeSecret } from '../terminal/files.ts';
import { remark } from '../terminal/terminal.ts';
import { makeChallenge, secretToJson } from './challenge-file.ts';
import { readEvidence } from './evidence-file.ts';
import { remarkFindings } from './verify-report.ts';

interface ChallengeOptions {
  readonly policy: string;
  readonly output: string;
}

/** The path of the secret, which must not leave the challenger. */
export function secretPathOf(challengePath: string): string {
  return `${challengePath}.secret`;
}

export function challengeCommand(): Command {
  return new Command('challenge')
    .description('judge the keys of an evidence file, and make a challenge that only its TPM can answer')
    .argument('<evidence>', 'evidence file of "tpm quote --trust-domain"')
    .requiredOption('--policy <file>', 'policy file: options of the server plugin, and trust_domain')
    .requiredOption(
      '-o, --output <file>',
      'challenge file to write; the secret is written beside it and must stay on this machine',
    )
    .action(async (evidencePath: string, { policy: policyPath, output }: ChallengeOptions) => {
      if (output === STANDARD)
        throw new UsageError('--output is standard output, and a secret is written beside the challenge; give a file');
      refuseInputAsOutput([output, secretPathOf(output)], [evidencePath, policyPath]);
      const { payload } = readEvidence(evidencePath, 'payload');
      const policy = readPolicyFile(policyPath);
      if (policy.trustDomain === '')
        throw new UsageError(
          `${nameOf(policyPath)} names no trust domain; add one, such as trust_domain = "example.org"`,
        );
      if (payload.trustDomain !== policy.trustDomain)
        throw new UsageError(
          `${nameOf(evidencePath)} is for the trust domain "${payload.trustDomain}" and the policy for "${policy.trustDomain}"; ` +
            `run "tpm quote --trust-domain ${policy.trustDomain}" again`,
        );
      const made = makeChallenge(payload, policy, randomBytes, new Date());
      if (made.outcome === 'rejected') {
        remarkFindings(made.verdict.findings);
        process.exitCode = EXIT.UNTRUSTED;
        return;
      }
      // The secret first: the answer to a challenge without a secret could not be judged.
      await writeSecret(secretPathOf(output), secretToJson(made.secret));
      try {
        await writeOutput(output, evidenceToJson({ payload, challenge: made.challenge, response: undefined }));
      } catch (error) {
        rmSync(secretPathOf(output), { force: true });
        throw error;
      }
      remark(`wrote ${output}; answer it within ${policy.challengeTimeoutMs / 1000} s (attest_timeout)`);
      remark(`wrote ${secretPathOf(output)}; keep it on this machine`);
    });
}
