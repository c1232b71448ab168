// What scripts/teeth.mjs takes out of the server plugin, one check at a time. A stub lies over a copy of the sources:
// it renames the file it replaces to *.real.ts and stands in its place, or changes one passage of it.

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AGENT_PASSAGES } from './agent.mjs';
import { PASSAGES } from './passages.mjs';

/**
 * @typedef {object} Stub
 * @property {string} check what is taken out: a finding code, or a name
 * @property {string} about for the table
 * @property {(test: { test: string, file: string, codes: string[] }) => boolean} concerns whether an attack test has to do with it
 * @property {(root: string) => void} apply changes the copy of the sources under `root`
 * @property {{ file: string, name: string }} [agentTest] the test that must fail, where the check is one of the agent
 */

/** @param {string} file @param {(real: string) => string} source @returns {Stub['apply']} */
const over = (file, source) => (root) => {
  const path = join(root, file);
  const real = path.replace(/\.ts$/, '.real.ts');
  renameSync(path, real);
  writeFileSync(path, source(`./${real.slice(real.lastIndexOf('/') + 1)}`));
};

/** @param {string} file @param {string} from @param {string} to @returns {Stub['apply']} */
const instead = (file, from, to) => (root) => {
  const path = join(root, file);
  const text = readFileSync(path, 'utf8');
  if (text.split(from).length !== 2) throw new Error(`${file} does not hold once: ${from}`);
  writeFileSync(
    path,
    text.replace(from, () => to),
  );
};

/** @param {string} code @returns {Stub} */
const finding = (code) => ({
  check: code,
  about: 'the finding is not made',
  concerns: ({ codes }) => codes.includes(code),
  apply: over(
    'src/verifier/verdict.ts',
    (real) => `
      export * from '${real}';
      import { Findings as Real } from '${real}';
      export class Findings extends Real {
        add(code, message) { if (code !== '${code}') super.add(code, message); }
      }`,
  ),
});

/**
 * Problems of certificates, of which several share a finding. Left out: `unknown_issuer`, without which there is no path
 * to accept; the depth of the search; its budget, which is among the passages; and the profile's own `weak_key` and
 * `roca`, which the check of the public area precedes.
 * @type {readonly (readonly [problem: string, finding: string])[]}
 */
const CERTIFICATE_PROBLEMS = [
  ['bad_signature', 'ek.chain'],
  ['not_a_ca', 'ek.chain'],
  ['missing_key_cert_sign', 'ek.chain'],
  ['path_length', 'ek.chain'],
  ['expired', 'ek.expired'],
  ['not_yet_valid', 'ek.not_yet_valid'],
  ['weak_signature', 'ek.weak_signature'],
  ['unsupported_signature', 'ek.weak_signature'],
  ['weak_key', 'ek.weak_signature'],
  ['unknown_critical_extension', 'ek.critical_extension'],
  ['eku', 'ek.usage'],
  ['key_usage', 'ek.usage'],
  ['leaf_is_ca', 'ek.usage'],
  ['serial', 'ek.profile'],
  ['san_missing', 'ek.profile'],
  ['san_malformed', 'ek.profile'],
  ['san_not_critical', 'ek.profile'],
  ['tpm_attributes', 'ek.profile'],
  ['tpm_family', 'ek.tpm_family'],
  ['software_tpm', 'ek.software_tpm'],
  ['gce_profile', 'ek.gce_profile'],
  ['manufacturer', 'ek.manufacturer'],
  ['model', 'ek.model'],
  ['firmware', 'ek.firmware'],
  ['roca', 'ek.roca'],
  ['revoked', 'ek.revoked'],
  ['revocation_unknown', 'ek.revocation_unknown'],
];

const LIST_RULES = [
  'validityProblems',
  'criticalExtensionProblems',
  'leafUsageProblems',
  'authorityProblems',
  'pathLengthProblems',
  'rocaProblems',
];

/** @param {string} problem @param {string} code @returns {Stub} */
function certificateProblem(problem, code) {
  const pathRules = over(
    'src/x509/path/path-rules.ts',
    (real) => `
      export * from '${real}';
      import * as real from '${real}';
      const kept = (problem) => problem?.code !== '${problem}';
      ${LIST_RULES.map((rule) => `export const ${rule} = (...given) => real.${rule}(...given).filter(kept);`).join('\n')}
      export const signatureProblem = (...given) => {
        const problem = real.signatureProblem(...given);
        return kept(problem) ? problem : undefined;
      };`,
  );
  const profile = over(
    'src/x509/ek/ek-profile.ts',
    (real) => `
      export * from '${real}';
      import * as real from '${real}';
      export const checkEkProfile = (...given) => {
        const { problems, ...rest } = real.checkEkProfile(...given);
        return { ...rest, problems: problems.filter(({ code }) => code !== '${problem}') };
      };`,
  );
  const rules = over(
    'src/x509/ek/ek-rules.ts',
    (real) => `
      export * from '${real}';
      import * as real from '${real}';
      export const ruleProblems = (...given) => real.ruleProblems(...given).filter(({ code }) => code !== '${problem}');`,
  );
  const revocation = over(
    'src/x509/path/path-revocation.ts',
    (real) => `
      import { RevocationCheck as Real } from '${real}';
      export class RevocationCheck extends Real {
        problems(...given) { return super.problems(...given).filter(({ code }) => code !== '${problem}'); }
      }`,
  );
  return {
    check: `${code} (${problem})`,
    about: 'the problem is overlooked',
    concerns: ({ codes }) => codes.includes(code),
    apply: (root) => {
      for (const apply of [pathRules, profile, rules, revocation]) apply(root);
    },
  };
}

/** @type {Stub[]} */
const BEHAVIOURS = [
  {
    check: 'ek.key_mismatch (comparison)',
    about: 'the certificate may be for another key',
    concerns: ({ codes }) => codes.includes('ek.key_mismatch'),
    apply: instead('src/verifier/endorsement.ts', 'leaf !== undefined && !isFor(leaf, spki)', 'false'),
  },
  {
    check: 'ek.template (lookup)',
    about: 'any public area counts as a template',
    concerns: ({ codes }) => codes.includes('ek.template'),
    apply: instead(
      'src/verifier/endorsement.ts',
      'const template = ekTemplateOf(publicArea);',
      "const template = ekTemplateOf(publicArea) ?? { name: 'L-1', algorithm: publicArea.type };",
    ),
  },
  {
    check: 'ak.weak_key (weakness)',
    about: 'any key that can be computed with will do',
    concerns: ({ codes }) => codes.includes('ak.weak_key'),
    apply: instead('src/verifier/weak-keys.ts', 'numericWeakness(publicArea) ?? publicKeyOf(', 'publicKeyOf('),
  },
  {
    check: 'quote.magic (comparison)',
    about: 'signed bytes may begin in any way',
    concerns: ({ codes }) => codes.includes('quote.magic'),
    apply: (root) => {
      instead('src/verifier/signed-structure.ts', 'view.getUint32(0) !== TPM_GENERATED', 'false')(root);
      instead('src/tpm/structures/attest.ts', 'magic !== TPM_GENERATED', 'false')(root);
    },
  },
  {
    check: 'evidence.wire (option)',
    about: 'the wire of spire-tpm-plugin is always on',
    concerns: ({ codes }) => codes.includes('evidence.wire'),
    apply: instead('src/verifier/legacy-verify.ts', "policy.wire !== 'spire-tpm-plugin'", 'false'),
  },
  {
    check: 'creation.name (comparison)',
    about: 'the creation of any key will do',
    concerns: ({ codes }) => codes.includes('creation.name'),
    apply: instead('src/verifier/creation.ts', '!equalBytes(objectName, ak.name)', 'false'),
  },
  {
    check: 'creation.data (comparison)',
    about: 'any creation data will do',
    concerns: ({ codes }) => codes.includes('creation.data'),
    apply: instead('src/verifier/creation.ts', '!equalBytes(creationHash, hash)', 'false'),
  },
  {
    check: 'creation data by the Name algorithm',
    about: 'creation data may be hashed with SHA-256 whatever the Name is by',
    concerns: ({ codes }) => codes.includes('creation.data'),
    apply: instead('src/verifier/creation.ts', 'createHash(ak.nameAlg.name)', "createHash('sha256')"),
  },
  {
    check: 'credential.secret (comparison)',
    about: 'any secret will do, on either wire',
    concerns: ({ codes }) => codes.includes('credential.secret'),
    apply: instead(
      'src/verifier/exchange.ts',
      'answer.length === secret.length && timingSafeEqual(answer, secret)',
      'true',
    ),
  },
  {
    check: 'one form of a JSON document',
    about: 'repeated names, white space and another order pass',
    concerns: ({ test }) => test.startsWith('A11 refuses JSON'),
    apply: instead('src/evidence/go-json.ts', '!equalBytes(this.encode(value), bytes)', 'false'),
  },
  {
    check: 'one block of each kind in PEM',
    about: 'the last of several blocks counts',
    concerns: ({ test }) => test.startsWith('A18 refuses on that wire a second block'),
    apply: instead('src/evidence/ek-pem.ts', 'found.has(label)', 'false'),
  },
  {
    check: 'one encoding of a message',
    about: 'unknown, repeated and disordered fields pass',
    concerns: ({ codes }) => codes.includes('evidence.malformed') || codes.includes('response.malformed'),
    apply: instead(
      'src/evidence/messages.ts',
      'if (!equalBytes(message.encode(decoded).finish(), bytes))',
      'if (false && !equalBytes(message.encode(decoded).finish(), bytes))',
    ),
  },
  {
    check: 'limits of messages and fields',
    about: 'fields may be as large and as many as they like',
    concerns: ({ test }) => test.startsWith('A79'),
    apply: instead('src/evidence/messages.ts', '  checkLimits(name, decoded);\n', ''),
  },
  {
    check: 'structures end where they end',
    about: 'bytes left over are overlooked',
    concerns: ({ test }) => test.startsWith('A10'),
    apply: instead(
      'src/tpm/structures/codec.ts',
      'const value = codec.read(reader);\n  reader.end();',
      'const value = codec.read(reader);',
    ),
  },
  {
    check: 'limits of a certificate',
    about: 'it may hold as many extensions as it likes',
    concerns: ({ test }) => test.startsWith('refuses a certificate, and overlooks a CA'),
    apply: instead('src/x509/extensions.ts', 'if (i === MAX_EXTENSIONS)', 'if (false)'),
  },
  {
    check: 'reasons for the log alone',
    about: 'the peer learns limits',
    concerns: ({ test }) => test.startsWith('tells the log and not the peer'),
    apply: instead(
      'src/spire/plugin/attestation-calls.ts',
      "PEER_SENTENCE[attestation?.kind ?? 'server']",
      'error.reason',
    ),
  },
  {
    check: 'a count of those turned away',
    about: 'each of them is a record of the log',
    concerns: ({ test }) => test.startsWith('refuses attestations beyond the limit'),
    apply: instead('src/spire/log/counted-warning.ts', 'if (this.#timer !== undefined) {', 'if (false) {'),
  },
  {
    check: 'places of one endorsement key',
    about: 'one key may hold them all',
    concerns: ({ test }) => test.startsWith('lets one endorsement key hold four places'),
    apply: instead('src/server-plugin/open-challenges.ts', 'waiting.size >= MAX_PER_KEY', 'false'),
  },
  {
    check: 'places that are freed',
    about: 'a challenge holds its place when it was answered',
    concerns: ({ test }) => test.startsWith('frees the place of a challenge'),
    apply: instead('src/server-plugin/open-challenges.ts', '      waiting.delete(end);\n', ''),
  },
  {
    check: 'known machines (time)',
    about: 'who is known stays so when certificates expire',
    concerns: ({ test }) =>
      test.startsWith('A63 refuses a known machine') || test.startsWith('A74 gives a machine fewer selectors'),
    apply: instead('src/verifier/endorsement.ts', 'moment < steady.from || moment > steady.until', 'moment < 0'),
  },
  {
    check: 'known machines (list)',
    about: 'who was listed stays so',
    concerns: ({ test }) => test.startsWith('A69 refuses a known machine'),
    apply: instead(
      'src/verifier/endorsement.ts',
      'return admittedBy === undefined ? undefined : { ...ek, admittedBy };',
      'return { ...ek, admittedBy: admittedBy ?? ek.admittedBy };',
    ),
  },
  {
    check: 'known machines (policy)',
    about: 'who is known stays so under another configuration',
    concerns: ({ test }) =>
      test.endsWith('whose CA was removed') ||
      test.startsWith('A67 refuses a known software TPM') ||
      test.endsWith('once the anchor above is removed') ||
      test.startsWith('A55 refuses a known machine') ||
      test.startsWith('A64 refuses a known machine') ||
      test.startsWith('A74 gives a known machine'),
    apply: over(
      'src/verifier/known-machines.ts',
      (real) => `
        import { KnownMachines as Real } from '${real}';
        const first = [];
        export class KnownMachines {
          constructor(policy) {
            if (first.length === 0) first.push(policy, new Real(policy));
          }
          recall(hash, policy, now) { return first[1].recall(hash, first[0], now); }
          remember(hash, policy, judged) { first[1].remember(hash, first[0], judged); }
        }`,
    ),
  },
  {
    check: 'known machines (whole payload)',
    about: 'who sends the certificate of a known machine passes for it',
    concerns: ({ test }) => test.startsWith("A62 refuses a known machine's certificate"),
    apply: instead(
      'src/verifier/verify.ts',
      "const payloadHash = digestOf('sha256', payload, 'hex');",
      "const payloadHash = digestOf('sha256', decodePayload(payload).ekCertificates[0] ?? payload, 'hex');",
    ),
  },
  {
    check: 'one answer to a challenge',
    about: 'a wrong answer may be followed by another',
    concerns: ({ test }) => test.startsWith('A03 takes one answer'),
    apply: instead(
      'src/server-plugin/attestation.ts',
      'const verdict = finish(begun.pending, response.bytes, new Date(), lists());',
      `let verdict = finish(begun.pending, response.bytes, new Date(), lists());
      if (verdict.verdict === 'untrusted') {
        const again = await stream.receive();
        if (again?.kind === 'challenge_response') verdict = finish(begun.pending, again.bytes, new Date(), lists());
      }`,
    ),
  },
  {
    check: 'a fresh challenge',
    about: 'every nonce and secret is the same',
    concerns: ({ test }) => test.startsWith('A01') || test.startsWith('A03'),
    apply: instead(
      'src/server-plugin/attestation.ts',
      'policy, randomBytes,',
      'policy, (count) => new Uint8Array(count).fill(1),',
    ),
  },
];

/** @type {readonly Stub[]} */
const PASSAGE_STUBS = PASSAGES.map(([check, about, concerns, file, from, to]) => ({
  check,
  about,
  concerns: typeof concerns === 'string' ? ({ test }) => test.startsWith(concerns) : concerns,
  apply: instead(file, from, to),
}));

/** @type {readonly Stub[]} */
const AGENT_STUBS = AGENT_PASSAGES.map(([check, about, file, from, to, testFile, name]) => ({
  check,
  about,
  concerns: () => false,
  apply: instead(file, from, to),
  agentTest: { file: testFile, name },
}));

/** @param {string} root of the project @returns {Stub[]} */
export function stubs(root) {
  const text = readFileSync(join(root, 'src/verifier/findings.ts'), 'utf8');
  const [, union = ''] = /export type FindingCode =([^;]*);/.exec(text) ?? [];
  const codes = [...union.matchAll(/'([^']+)'/g)].map(([, code = '']) => code);
  if (codes.length === 0) throw new Error('src/verifier/findings.ts lists no finding codes');
  return [
    ...codes.map(finding),
    ...CERTIFICATE_PROBLEMS.map(([problem, code]) => certificateProblem(problem, code)),
    ...BEHAVIOURS,
    ...PASSAGE_STUBS,
    ...AGENT_STUBS,
  ];
}
