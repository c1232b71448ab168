// What scripts/teeth.mjs takes out of the server plugin, one check at a time. A stub lies over a copy of the sources:
// it renames the file it replaces to *.real.ts and stands in its place, or changes one passage of it.

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @typedef {object} Stub
 * @property {string} check what is taken out: a finding code, or a name
 * @property {string} about for the table
 * @property {(test: { test: string, file: string, codes: string[] }) => boolean} concerns whether an attack test has to do with it
 * @property {(root: string) => void} apply changes the copy of the sources under `root`
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
 * to accept; the two bounds on the search; and the profile's own `weak_key` and `roca`, which the check of the public area
 * precedes.
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
    'src/x509/path-rules.ts',
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
    'src/x509/ek-profile.ts',
    (real) => `
      export * from '${real}';
      import * as real from '${real}';
      export const checkEkProfile = (...given) => {
        const { problems, ...rest } = real.checkEkProfile(...given);
        return { ...rest, problems: problems.filter(({ code }) => code !== '${problem}') };
      };`,
  );
  const rules = over(
    'src/x509/ek-rules.ts',
    (real) => `
      export * from '${real}';
      import * as real from '${real}';
      export const ruleProblems = (...given) => real.ruleProblems(...given).filter(({ code }) => code !== '${problem}');`,
  );
  const revocation = over(
    'src/x509/path-revocation.ts',
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
    apply: instead('src/verifier/spire-tpm-plugin.ts', "policy.wire !== 'spire-tpm-plugin'", 'false'),
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
    apply: instead('src/spire/status.ts', 'message);\n    this.reason', 'reason);\n    this.reason'),
  },
  {
    check: 'a count of those turned away',
    about: 'each of them is a record of the log',
    concerns: ({ test }) => test.startsWith('refuses attestations beyond the limit'),
    apply: instead('src/spire/counted-warning.ts', 'if (this.#timer !== undefined) {', 'if (false) {'),
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
      'const verdict = finish(begun.pending, response.bytes, new Date());',
      `let verdict = finish(begun.pending, response.bytes, new Date());
      if (verdict.verdict === 'untrusted') {
        const again = await stream.receive();
        if (again?.kind === 'challenge_response') verdict = finish(begun.pending, again.bytes, new Date());
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

/**
 * What the server makes of its lists, bundles and files.
 * @type {readonly (readonly [check: string, about: string, concerns: string | ((test: { test: string, file: string, codes: string[] }) => boolean), file: string, from: string, to: string])[]}
 */
const PASSAGES = [
  [
    'ek.denied (lookup)',
    'nobody is denied',
    ({ codes }) => codes.includes('ek.denied'),
    'src/verifier/endorsement.ts',
    'policy.isDenied?.({ pubHash, serial: leaf?.serial }) === true',
    'false',
  ],
  [
    'ek.denied before the list',
    'who is listed is not denied',
    'A55 refuses a denied machine',
    'src/verifier/endorsement.ts',
    'policy.isDenied?.({ pubHash, serial: leaf?.serial }) === true',
    'policy.isDenied?.({ pubHash, serial: leaf?.serial }) === true && policy.isListed?.(pubHash) !== true',
  ],
  [
    'ek.denied where nothing is enforced',
    'who is denied is admitted unenforced',
    'refuses unenforced a denied machine',
    'src/verifier/endorsement.ts',
    'policy.isDenied?.({ pubHash, serial: leaf?.serial }) === true',
    'policy.enforce && policy.isDenied?.({ pubHash, serial: leaf?.serial }) === true',
  ],
  [
    'ek.denied by serial number',
    'the certificate is not looked at',
    'A55 refuses a machine whose certificate has a denied serial number',
    'src/verifier/endorsement.ts',
    'serial: leaf?.serial }',
    'serial: undefined }',
  ],
  [
    'ek.denied by the value of a number',
    'leading zeros and case count',
    'A55 refuses a machine whose certificate has a denied serial number',
    'src/server-plugin/deny-list.ts',
    "return digits.toLowerCase().replace(/^0+(?=.)/, '');",
    'return digits;',
  ],
  [
    'ek.denied by a hash in capitals',
    'hashes are denied as they are written',
    'A55 refuses a denied machine',
    'src/server-plugin/deny-list.ts',
    '{ hash: hash.toLowerCase() }',
    '{ hash }',
  ],
  [
    'a bad line among the denied',
    'it is overlooked',
    'keeps the files from before',
    'src/server-plugin/deny-list.ts',
    'if (problem !== undefined)',
    'if (false)',
  ],
  [
    'a serial number in pieces',
    'the first octet is taken for the whole',
    'A55 refuses to be configured with',
    'src/server-plugin/deny-list.ts',
    "serial === undefined || OCTET.test(label[0] ?? '')",
    'serial === undefined',
  ],
  [
    'one entry to a line',
    'what follows the first is a name',
    'A55 refuses to be configured with',
    'src/server-plugin/deny-list.ts',
    'if (label.some((word) => PUB_HASH.test(word) || SERIAL.test(word)))',
    'if (false)',
  ],
  [
    'mode both',
    'one of the two will do',
    'A69 refuses a machine with one of the two',
    'src/verifier/endorsement.ts',
    'isOnList && isCertified',
    'isOnList || isCertified',
  ],
  [
    'mode hash',
    'every machine is on the list',
    'A69 refuses a machine with a certificate where the list alone counts',
    'src/verifier/endorsement.ts',
    "const isOnList = mode !== 'certificate' && isListed?.(pubHash) === true;",
    "const isOnList = mode !== 'certificate';",
  ],
  [
    'form of a listed hash',
    'capitals will do',
    'A69 refuses a machine whose line in the list',
    'src/server-plugin/hash-list.ts',
    'return PUB_HASH.test(hash) ? hash : undefined;',
    'return PUB_HASH.test(hash.toLowerCase()) ? hash.toLowerCase() : undefined;',
  ],
  [
    'enforce = false, key of the certificate',
    'a copied certificate will do',
    'refuses unenforced a certificate beside another key',
    'src/verifier/endorsement.ts',
    'leaf !== undefined && !isFor(leaf, spki)',
    'policy.enforce && leaf !== undefined && !isFor(leaf, spki)',
  ],
  [
    'enforce = false, proof of the key',
    'whoever names a key has it',
    'refuses unenforced who does not hold the key',
    'src/verifier/exchange.ts',
    'isSecret({ secret }: PendingCredential, answer: Uint8Array): boolean {',
    'isSecret({ secret, policy }: PendingCredential, answer: Uint8Array): boolean {\n  if (!policy.enforce) return true;',
  ],
  [
    'enforce = false, keys that others can compute',
    'they will do',
    'refuses unenforced keys that are none',
    'src/verifier/endorsement.ts',
    'if (isRocaKey(publicArea))',
    'if (policy.enforce && isRocaKey(publicArea))',
  ],
  [
    'enforce = false in a selector',
    'who is admitted unenforced looks like everybody',
    'admits unenforced whom the policy has something against',
    'src/verifier/identity.ts',
    "ek.admittedBy === 'unenforced'",
    'false',
  ],
  [
    'enforce = false in the log',
    'nobody hears what was overlooked',
    'admits unenforced whom the policy has something against',
    'src/server-plugin/attestation.ts',
    'for (const { code, message, remedy } of overlooked)',
    'for (const { code, message, remedy } of [])',
  ],
  [
    'ek.roca of the anchor',
    'what the operator chose is asked about too',
    'A26 admits what an anchor',
    'src/x509/path-search.ts',
    'isAnchor ? [] : rocaProblems(issuer)',
    'rocaProblems(issuer)',
  ],
  [
    'kinds of a bundle',
    'any CA may vouch for any kind of TPM',
    ({ codes }) => codes.includes('ek.manufacturer') || codes.includes('ek.software_tpm'),
    'src/x509/ek-rules.ts',
    '!rules.kinds.includes(kind)',
    'false',
  ],
  [
    'manufacturers of a bundle',
    'any manufacturer will do',
    'A68 refuses a CA that vouches for the TPM of another manufacturer',
    'src/x509/ek-rules.ts',
    'rules.manufacturers === undefined ||',
    'true ||',
  ],
  [
    'models of a bundle (pattern)',
    'a pattern fits anywhere',
    'A27 refuses a model',
    'src/x509/ek-rules.ts',
    'name.startsWith(',
    'name.includes(',
  ],
  [
    'least firmware (width)',
    'versions in different widths are compared',
    'A56 refuses a TPM',
    'src/x509/ek-rules.ts',
    'version.length !== minFirmware.length',
    'false',
  ],
  [
    'rules of each bundle',
    'what one overlooks, all do',
    'A68 overlooks in no bundle',
    'src/verifier/ek-certificate.ts',
    'ask(bundle, question,',
    'ask({ ...bundle, rules: { ...bundle.rules, allowExpiredLeaf: bundles.some((b) => b.rules.allowExpiredLeaf) } }, question,',
  ],
  [
    'ca: of the bundle that vouches',
    'it is the first one',
    'A68 gives each bundle its own selector',
    'src/verifier/ek-certificate.ts',
    'ask(bundle, question,',
    'ask({ ...bundle, name: bundles[0].name }, question,',
  ],
  [
    'known machines (bundles that refuse)',
    'one that vouches by now is not asked again',
    'A74 gives a known machine the selector',
    'src/verifier/ek-certificate.ts',
    'steady = steady === undefined ? answer.steady : intersection(steady, answer.steady);',
    'steady = answer.steady;',
  ],
  [
    'purposes of a machine of Google',
    'its attestation keys pass as well',
    'A61 refuses the certificate of an attestation key of Google',
    'src/x509/ek-profile.ts',
    'if (!encrypts || signs)',
    'if (false)',
  ],
  [
    'cached signature (issuer)',
    'a signature that was verified once holds for every issuer',
    'A68 refuses a CA below a root that only has the name',
    'src/x509/path-cache.ts',
    'return this.#known.get(subject.fingerprint)?.signers.has(issuer.fingerprint) === true;',
    'return this.#known.has(subject.fingerprint);',
  ],
  [
    'cached certificate (bytes)',
    'one of the same length is taken for it',
    'A62 refuses a chain with one changed byte',
    'src/x509/path-cache.ts',
    "this.#known.get(hash('sha256', der, 'hex'))?.certificate",
    '[...this.#known.values()].find(({ certificate: { der: known } }) => known.length === der.length)?.certificate',
  ],
  [
    'crl_policy (fail-closed)',
    'what no list tells is noted',
    ({ codes }) => codes.includes('ek.revocation_unknown'),
    'src/verifier/ek-certificate.ts',
    "required: rules.crlPolicy === 'fail-closed'",
    'required: false',
  ],
  [
    'crl_policy (warn)',
    'lists are not looked at',
    'A64 refuses a revoked endorsement certificate',
    'src/verifier/ek-certificate.ts',
    "rules.crlPolicy === 'off' ?",
    "rules.crlPolicy !== 'fail-closed' ?",
  ],
  [
    'crl_policy (off)',
    'lists are looked at all the same',
    'A64 looks at no list',
    'src/verifier/ek-certificate.ts',
    "rules.crlPolicy === 'off' ?",
    'false ?',
  ],
  [
    'crl_policy (note)',
    'nobody hears that no list tells',
    'A64 refuses a certificate of which no list tells',
    'src/x509/path.ts',
    'notes: search.openOf(chain)',
    'notes: []',
  ],
  [
    'revocation list (signature)',
    'anybody may write one under the name of a CA',
    'A64 believes no list that another key signed',
    'src/x509/revocation.ts',
    'problems.get(list) === undefined',
    "['bad_signature', undefined].includes(problems.get(list)?.code)",
  ],
  [
    'revocation list (strength)',
    'SHA-1 will do',
    'A64 believes no list that says something',
    'src/x509/revocation.ts',
    'signatureProblemOf(list, () => describeList(list), issuer)',
    'signatureProblemOf(list, () => describeList(list), issuer, { allowSha1: true })',
  ],
  [
    'revocation list (complete)',
    'a part of one, or one that is not understood, will do',
    'A64 believes no list that says something',
    'src/x509/revocation.ts',
    'list.unusable === undefined',
    'true',
  ],
  [
    'revocation list (current)',
    'one that has ended, or not begun, will do',
    'A64 refuses a certificate of which no list tells',
    'src/x509/revocation.ts',
    'usable.find((list) => isCurrent(list, now))',
    'usable[0]',
  ],
  [
    'revocation list (ended)',
    'what it revoked is forgotten',
    'A64 refuses what a list revoked that has ended',
    'src/x509/revocation.ts',
    'for (const list of usable) {',
    'for (const list of usable.filter((one) => isCurrent(one, now))) {',
  ],
  [
    'revocation list (key usage)',
    'a CA signs them that may not',
    'A64 believes no list of a CA that may not',
    'src/x509/revocation.ts',
    "issuer.keyUsage?.has('cRLSign') === false",
    'false',
  ],
  [
    'revocation where both are asked for',
    'a listed machine is admitted with a revoked certificate',
    'A64 refuses a revoked certificate of a listed machine',
    'src/verifier/endorsement.ts',
    "if (mode === 'both') return isOnList && isCertified ? 'both' : undefined;",
    "if (mode === 'both') return isOnList ? 'both' : undefined;",
  ],
  [
    'model in a selector',
    'it is given as it is',
    'A72 gives a model that is no plain word',
    'src/verifier/identity.ts',
    'const isPlain = model.length <= MAX_MODEL_CHARS &&',
    'const isPlain = true ||',
  ],
  [
    'one selector to a model',
    'a blank and "_" are the same',
    'A72 gives a plain model',
    'src/verifier/identity.ts',
    '/^[A-Za-z0-9.-]+( [A-Za-z0-9.-]+)*$/',
    '/^[A-Za-z0-9._-]+( [A-Za-z0-9._-]+)*$/',
  ],
  [
    'length of a model in a selector',
    'it is as long as it likes',
    'A72 gives a model that is no plain word',
    'src/verifier/identity.ts',
    'model.length <= MAX_MODEL_CHARS &&',
    'true &&',
  ],
  [
    'digits of a version',
    'any text will do',
    'A72 refuses a manufacturer or a version',
    'src/x509/ek-profile.ts',
    '/^id:([0-9a-f]{2,8})$/i',
    '/^(?:id:)?(.+)$/is',
  ],
  [
    'digits of a manufacturer',
    'eight of them somewhere will do',
    'A72 refuses a manufacturer or a version',
    'src/x509/ek-profile.ts',
    '/^id:([0-9a-f]{8})$/i',
    '/^id:([0-9a-f]{8})/i',
  ],
  [
    'letters of a manufacturer',
    'an id in no table is spelt out',
    'A72 gives an id in no table',
    'src/x509/vendors.ts',
    "if (vendor === undefined || vendor.kind === 'software') return undefined;",
    '',
  ],
  [
    'length of a name of a TPM',
    'it is as long as it likes',
    'A72 refuses a name of a TPM',
    'src/x509/name.ts',
    'if (value.der.length > MAX_ATTRIBUTE_BYTES)',
    'if (false)',
  ],
  [
    'selectors of what is proved',
    'those of a certificate are given that does not count',
    'A73 gives no selector',
    'src/verifier/endorsement.ts',
    'else for (const { code, message } of verdict.problems) against.add(code, message);',
    `else {
      for (const { code, message } of verdict.problems) against.add(code, message);
      if (policy.isListed?.(pubHash) && verdict.facts)
        certified = { bundle: 'ca_path', facts: verdict.facts, chain: [], issuerKeyHash: '', notes: [], steady: ALWAYS };
    }`,
  ],
  [
    'names in the log',
    'they stand there as they are',
    'A75 lets no text of a certificate',
    'src/x509/name.ts',
    'printable(beginning(text))',
    'beginning(text)',
  ],
  [
    'models in the log',
    'they stand there as they are',
    'A75 lets no text of a certificate',
    'src/x509/ek-rules.ts',
    'printable(model.slice(0, MAX_MODEL_CHARS))',
    'model.slice(0, MAX_MODEL_CHARS)',
  ],
  [
    'one spelling of a length',
    'a longer one will do',
    'A85 refuses a length or a number in a longer spelling',
    'src/x509/der.ts',
    'if (length < (octets === 1 ? 0x80 : 256 ** (octets - 1)))',
    'if (false)',
  ],
  [
    'one spelling of a number',
    'a longer one will do',
    'A85 overlooks a CA that says in a longer spelling',
    'src/x509/der.ts',
    'if (!isShortestInteger(content))',
    'if (false)',
  ],
  [
    'one extension of each kind',
    'the last one counts',
    'A85 refuses an extension that is there twice',
    'src/x509/extensions.ts',
    'if (extensions.has(oid))',
    'if (false)',
  ],
  [
    'one spelling of a flag',
    'anything but zero is true',
    'A85 refuses a flag',
    'src/x509/extensions.ts',
    'element.content.length !== 1 || (octet !== 0x00 && octet !== 0xff)',
    'false',
  ],
  [
    'version of a certificate',
    'any will do',
    'A85 refuses a flag',
    'src/x509/certificate.ts',
    'version.length !== 1 || version[0] !== 2',
    'false',
  ],
  [
    'end of what was signed',
    'more may follow',
    'A85 refuses anything behind the last field',
    'src/x509/certificate.ts',
    '  tbs.finish();\n',
    '',
  ],
  [
    'one algorithm of a signature',
    'the one that is not signed counts',
    'A85 refuses a signature of which one algorithm is signed',
    'src/x509/certificate.ts',
    'Buffer.compare(innerAlgorithm.der, algorithm.der) !== 0',
    'false',
  ],
  [
    'length of an object identifier',
    'it is as long as it likes',
    'A84 refuses an object identifier',
    'src/x509/der.ts',
    'content.length > MAX_OBJECT_IDENTIFIER_BYTES',
    'false',
  ],
  [
    'a look at changed files',
    'they count from the next start on',
    ({ file }) => file.endsWith('reload.test.ts'),
    'src/server-plugin/live-policy.ts',
    'if (stamp === this.#stamp) return;',
    'return;',
  ],
  [
    'changed files as a whole',
    'those that can be used are',
    'keeps the files from before',
    'src/server-plugin/policy-files.ts',
    'if (problems.length > 0) throw new InvalidConfig(problems);',
    '',
  ],
  [
    'a failure told once',
    'it is told at each look',
    'keeps the files from before',
    'src/server-plugin/live-policy.ts',
    'if (error.message !== this.#failure)',
    'if (true)',
  ],
];

/** @type {readonly Stub[]} */
const PASSAGE_STUBS = PASSAGES.map(([check, about, concerns, file, from, to]) => ({
  check,
  about,
  concerns: typeof concerns === 'string' ? ({ test }) => test.startsWith(concerns) : concerns,
  apply: instead(file, from, to),
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
  ];
}
