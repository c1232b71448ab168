/** The operator's rules for the TPMs that the CAs of a bundle may certify. */
import { printable } from '../name.ts';
import type { EkCertificateFacts, EkProblem } from './ek-profile.ts';
import { type TpmKind, vendorLetters } from './vendors.ts';

/** Which TPMs the CAs of a bundle may certify, judged by the EK certificates. */
export interface EkRules {
  readonly kinds: readonly TpmKind[];
  /** Vendor ids of eight upper-case hex digits. Undefined accepts every manufacturer of these kinds. */
  readonly manufacturers: readonly string[] | undefined;
  /**
   * Model names, compared without case. `SLB 96*` matches every name with that prefix. Undefined accepts every model.
   */
  readonly models: readonly string[] | undefined;
  /** The lowest firmware version accepted, in the vendor's own hex digits. */
  readonly minFirmware: string | undefined;
}

/** The most characters of a model that a message shows. */
const MAX_MODEL_CHARS = 64;

/** The rules that the TPM of a certificate breaks. */
export function ruleProblems(facts: EkCertificateFacts, rules: EkRules): EkProblem[] {
  return [...kindProblems(facts, rules), ...modelProblems(facts, rules), ...firmwareProblems(facts, rules)];
}

function kindProblems({ manufacturer: { id, name, kind } }: EkCertificateFacts, rules: EkRules): EkProblem[] {
  const whose = `manufacturer id:${id} (${name ?? 'unknown'})`;
  // tooth A67, A68: any CA may vouch for any kind of TPM
  if (!rules.kinds.includes(kind)) {
    if (kind === 'software') return [{ code: 'software_tpm', message: `${whose} makes no hardware TPMs` }];
    const wanted = rules.kinds.join(' or ');
    return [
      { code: 'manufacturer', message: `${whose} makes ${kind} TPMs; these CAs may certify only ${wanted} TPMs` },
    ];
  }
  // tooth A68 [true]: any manufacturer will do
  if (rules.manufacturers === undefined || rules.manufacturers.includes(id)) return [];
  const wanted = rules.manufacturers.map((one) => vendorLetters(one) ?? `id:${one}`).join(', ');
  return [{ code: 'manufacturer', message: `${whose} is not a manufacturer that these CAs may certify: ${wanted}` }];
}

function modelProblems({ model }: EkCertificateFacts, { models }: EkRules): EkProblem[] {
  if (models === undefined) return [];
  if (model === undefined)
    return [{ code: 'model', message: 'the certificate names no model, but only listed models are accepted' }];
  if (models.some((pattern) => isModel(model, pattern))) return [];
  // tooth A75 [printable(model.slice(0, MAX_MODEL_CHARS)) -> model.slice(0, MAX_MODEL_CHARS)]: a model stands in the
  //   log as it is
  return [{ code: 'model', message: `model "${printable(model.slice(0, MAX_MODEL_CHARS))}" is not accepted` }];
}

function isModel(model: string, pattern: string): boolean {
  const [name, wanted] = [comparable(model), comparable(pattern)];
  // tooth A27 [startsWith -> includes]: a pattern matches anywhere in a model
  return wanted.endsWith('*') ? name.startsWith(wanted.slice(0, -1)) : name === wanted;
}

function firmwareProblems({ version }: EkCertificateFacts, { minFirmware }: EkRules): EkProblem[] {
  if (minFirmware === undefined) return [];
  if (version === undefined)
    return [
      { code: 'firmware', message: `the certificate names no firmware version, but min_firmware is ${minFirmware}` },
    ];
  // Vendors write versions with different widths. Only versions of the same width are comparable.
  // tooth A56: firmware versions of different widths are compared
  if (version.length !== minFirmware.length)
    return [{ code: 'firmware', message: `firmware ${version} cannot be compared with min_firmware ${minFirmware}` }];
  if (version >= minFirmware.toUpperCase()) return [];
  return [
    {
      code: 'firmware',
      message: `the TPM was shipped with firmware ${version}, which is below min_firmware ${minFirmware}`,
    },
  ];
}

function comparable(text: string): string {
  // Folds ASCII only: some other letters have an ASCII letter as their lower case.
  const folded = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return folded.replace(/ +/g, ' ').replace(/^ | $/g, '');
}
