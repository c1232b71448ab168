/** Formats the judgement of `verify` as text, as JSON and as a JUnit report. */
import { printable } from '../../spire/log/hclog.ts';
import type { Finding } from '../../verifier/findings.ts';
import { type CheckClass, isFresh, type Judgement } from '../../verifier/judgement.ts';
import { remark, say } from '../terminal/terminal.ts';

const CLASSES: Readonly<Record<CheckClass, string>> = {
  evidence: 'the evidence is for this policy',
  ek: 'the endorsement key is one of a trusted TPM',
  ak: 'the attestation key signs only what its TPM made',
  pcr: 'an accepted PCR bank is allocated',
  response: 'the answer is the one to this challenge',
  credential: 'both keys live in one TPM',
  quote: 'the quote is genuine and covers the PCRs',
};
const FRESH_QUOTE = 'the quote is genuine, fresh and covers the PCRs';

const MAX_TEXT_CHARS = 4096;

export function sayJudgement(judgement: Judgement): void {
  const { verdict, scope, findings, pcrs, notes } = judgement;
  say(`${verdict} (scope: ${scope}${isFresh(judgement) ? ', fresh' : ''})`);
  for (const line of findingLines(findings)) say(line);
  for (const { bank, index, value } of pcrs) say(`  ${bank}:${index} ${value}`);
  for (const note of notes) remark(`note: ${note}`);
}

export function remarkFindings(findings: readonly Finding[]): void {
  for (const line of findingLines(findings)) remark(line);
}

function findingLines(findings: readonly Finding[]): readonly string[] {
  return findings.flatMap(({ code, message, remedy }) => [`  ${code}: ${message}`, `    ${remedy}`]);
}

/** The document of `verify --json`. */
export function judgementDocument(judgement: Judgement): object {
  const { verdict, scope, findings, pcrs, clock, notes } = judgement;
  return {
    verdict,
    scope,
    fresh: isFresh(judgement),
    findings,
    pcrs,
    clock:
      clock === undefined
        ? null
        : {
            clock_ms: Number(clock.clock),
            reset_count: clock.resetCount,
            restart_count: clock.restartCount,
            safe: clock.safe,
          },
    notes,
  };
}

/** A JUnit report with one test case for each class of checks. A class that was not judged is skipped. */
export function junitReport({ findings, judged, unjudged = {}, scope, asked, notes }: Judgement): string {
  const sentences = asked ? { ...CLASSES, quote: FRESH_QUOTE } : CLASSES;
  const names = Object.keys(CLASSES) as CheckClass[];
  const failed = (name: CheckClass): readonly Finding[] => findings.filter(({ code }) => code.startsWith(`${name}.`));
  const cases = names.map((name) => {
    const open = `  <testcase classname="tpm-attestor.${scope}" name="${xml(`${name}: ${sentences[name]}`)}"`;
    const failures = failed(name);
    if (failures.length > 0)
      return [`${open}>`, ...failures.slice(0, 1).map(() => failure(failures)), '  </testcase>'].join('\n');
    return judged.includes(name) ? `${open}/>` : `${open}>${skippedBecause(unjudged[name])}</testcase>`;
  });
  const failures = names.filter((name) => failed(name).length > 0).length;
  const skipped = names.filter((name) => failed(name).length === 0 && !judged.includes(name)).length;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="tpm-attestor verify" tests="${names.length}" failures="${failures}" errors="0" skipped="${skipped}">`,
    ...cases,
    ...(notes.length === 0
      ? []
      : [`  <system-out>${xml(notes.map((note) => `note: ${note}`).join('\n'))}</system-out>`]),
    '</testsuite>',
    '',
  ].join('\n');
}

function skippedBecause(reason: string | undefined): string {
  return reason === undefined ? '<skipped/>' : `<skipped message="${xml(reason)}"/>`;
}

/** All findings of a class in one failure: programs that read such reports expect at most one for each test case. */
function failure(findings: readonly Finding[]): string {
  const [first] = findings;
  const text = findings.map(({ code, message, remedy }) => `${code}: ${message}\n${remedy}`).join('\n');
  return `    <failure type="${xml(first?.code ?? '')}" message="${xml(first?.message ?? '')}">${xml(text)}</failure>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/**
 * Escapes text for XML 1.0, without characters that XML forbids (2.2): controls, lone surrogates, U+FFFE and U+FFFF.
 */
function xml(text: string): string {
  return text
    .split('\n')
    .map((line) => printable(line, MAX_TEXT_CHARS).replace(/[\ufffe\uffff]/g, '\ufffd'))
    .join('\n')
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
