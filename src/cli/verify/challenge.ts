/** `challenge`: the question only the machine of an evidence file can answer. */
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

/** Where the maker of a challenge keeps what must not leave it. */
export function secretPathOf(challengePath: string): string {
  return `${challengePath}.secret`;
}

export function challengeCommand(): Command {
  return new Command('challenge')
    .description('judge who an evidence file says it is, and make the challenge that proves it')
    .argument('<evidence>', 'evidence file of "tpm quote --trust-domain"')
    .requiredOption('--policy <file>', 'policy: options of the server plugin, and trust_domain')
    .requiredOption('-o, --output <file>', 'challenge file to write; its secret lies beside it and must stay here')
    .action(async (evidencePath: string, { policy: policyPath, output }: ChallengeOptions) => {
      if (output === STANDARD) throw new UsageError('the secret lies beside the challenge: --output must be a file');
      refuseInputAsOutput([output, secretPathOf(output)], [evidencePath, policyPath]);
      const { payload } = readEvidence(evidencePath, 'payload');
      const policy = readPolicyFile(policyPath);
      if (policy.trustDomain === '')
        throw new UsageError(
          `${nameOf(policyPath)} names no trust_domain; add one, such as trust_domain = "example.org"`,
        );
      if (payload.trustDomain !== policy.trustDomain)
        throw new UsageError(
          `${nameOf(evidencePath)} is for the trust domain "${payload.trustDomain}" and the policy for "${policy.trustDomain}"; ` +
            `make it anew with "tpm quote --trust-domain ${policy.trustDomain}"`,
        );
      const made = makeChallenge(payload, policy, randomBytes, new Date());
      if (made.outcome === 'rejected') {
        remarkFindings(made.verdict.findings);
        process.exitCode = EXIT.UNTRUSTED;
        return;
      }
      // The secret first: a challenge without it could not be judged.
      await writeSecret(secretPathOf(output), secretToJson(made.secret));
      try {
        await writeOutput(output, evidenceToJson({ payload, challenge: made.challenge, response: undefined }));
      } catch (error) {
        rmSync(secretPathOf(output), { force: true });
        throw error;
      }
      remark(`wrote ${output}, to be answered within ${policy.challengeTimeoutMs / 1000} s (attest_timeout)`);
      remark(`wrote ${secretPathOf(output)}, which must not leave this machine`);
    });
}
