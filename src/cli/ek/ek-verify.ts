/** `ek verify`: judges an EK certificate offline, by the same rules as the server plugin. */
import { Command } from 'commander';
import { finished } from '../../bytes/pausable.ts';
import { type EkReport, ekReport, linesOf, unreadableReport } from '../../enrolment/ek-report.ts';
import { judgeEkCertificate } from '../../verifier/ek-certificate.ts';
import { MalformedCertificateError } from '../../x509/malformed-certificate.ts';
import { REPORT, SignatureChecks } from '../../x509/path/signature-checks.ts';
import {
  intermediatesOf,
  type JudgingOptions,
  type JudgingPolicy,
  judgingOptions,
  policyOfFile,
  policyOfOptions,
} from '../policy/judging-policy.ts';
import { EXIT, UsageError } from '../terminal/failure.ts';
import { nameOf } from '../terminal/files.ts';
import { type JsonOptions, jsonOption } from '../terminal/options.ts';
import { remark, say, sayJson } from '../terminal/terminal.ts';
import { readCertificateFile } from './certificate-file.ts';

type VerifyOptions = JudgingOptions & JsonOptions;

const AFTER = `
Of a policy its CAs, rules and revocation lists count. hash_path, deny_path and mode are for "ek doctor": here their files are
not opened.
Exit codes: 0 trusted, 1 untrusted, 2 usage or configuration.`;

export function ekVerifyCommand(): Command {
  const command = new Command('verify')
    .description('judge an endorsement certificate by trusted CAs, without a TPM or network')
    .argument(
      '<certificate>',
      'file with the certificate and perhaps its chain (PEM, DER, PKCS#7, contents of an NV index, or the answer of a service); - for standard input',
    );
  for (const option of [...judgingOptions(), jsonOption()]) command.addOption(option);
  return command.addHelpText('after', AFTER).action((path: string, options: VerifyOptions) => {
    const report = judge(path, options);
    if (options.json) sayJson(report);
    else for (const line of linesOf(report)) say(line);
    process.exitCode = report.verdict === 'trusted' ? EXIT.OK : EXIT.UNTRUSTED;
  });
}

function judge(path: string, options: VerifyOptions): EkReport {
  const policy = policyOf(options);
  const between = intermediatesOf(options);
  try {
    const { leaf, intermediates, oddities, leftOut } = readCertificateFile(path);
    for (const sentence of leftOut) remark(sentence);
    const now = options.at ?? new Date();
    const question = { leaf, intermediates: [...intermediates, ...between], now, keyIsKnown: false };
    return ekReport(leaf, oddities, finished(judgeEkCertificate(question, policy, new SignatureChecks(REPORT))));
  } catch (error) {
    if (!(error instanceof MalformedCertificateError)) throw error;
    return unreadableReport(nameOf(path), error);
  }
}

function policyOf(options: VerifyOptions): JudgingPolicy {
  const { policy: path, caPath } = options;
  if (path === undefined) {
    if (caPath === undefined) throw new UsageError('no CA is trusted yet; give --ca-path or --policy');
    return policyOfOptions(options);
  }
  const { policy } = policyOfFile(path, options, 'certificates');
  if (policy.bundles.length === 0)
    throw new UsageError(`${nameOf(path)} names no CAs to judge a certificate by; set ca_path or a bundle in it`);
  return policy;
}
