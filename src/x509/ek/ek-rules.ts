import { printable } from '../name.ts';
import type { EkCertificateFacts, EkProblem } from './ek-profile.ts';
import { type TpmKind, vendorLetters } from './vendors.ts';

/** Which TPMs the CAs of a bundle may vouch for, by what their certificates say. */
export interface EkRules {
  readonly kinds: readonly TpmKind[];
  /** Vendor ids of eight upper-case hex digits; undefined for any of the kinds. */
  readonly manufacturers: readonly string[] | undefined;
  /** Names as certificates have them, compared without case; `SLB 96*` for all that begin so. undefined for any. */
  readonly models: readonly string[] | undefined;
  /** Least firmware version, in the vendor's own hex digits. */
  readonly minFirmware: string | undefined;
}

/** Most characters of a model that a message shows. */
const MAX_MODEL_CHARS = 64;

/** What the rules have against the TPM that a certificate is for. */
export function ruleProblems(facts: EkCertificateFacts, rules: EkRules): EkProblem[] {
  return [...kindProblems(facts, rules), ...modelProblems(facts, rules), ...firmwareProblems(facts, rules)];
}

function kindProblems({ manufacturer: { id, name, kind } }: EkCertificateFacts, rules: EkRules): EkProblem[] {
  const whose = `manufacturer id:${id} (${name ?? 'unknown'})`;
  // tooth A67, A68: any CA may vouch for any kind of TPM
  if (!rules.kinds.includes(kind)) {
    if (kind === 'software') return [{ code: 'software_tpm', message: `${whose} makes no hardware TPMs` }];
    const wanted = rules.kinds.join(' or ');
    return [{ code: 'manufacturer', message: `${whose} makes ${kind} TPMs; these CAs may vouch for ${wanted} ones` }];
  }
  // tooth A68 [true]: any manufacturer will do
  if (rules.manufacturers === undefined || rules.manufacturers.includes(id)) return [];
  const wanted = rules.manufacturers.map((one) => vendorLetters(one) ?? `id:${one}`).join(', ');
  return [{ code: 'manufacturer', message: `${whose} is not among those that these CAs may vouch for: ${wanted}` }];
}

function modelProblems({ model }: EkCertificateFacts, { models }: EkRules): EkProblem[] {
  if (models === undefined) return [];
  if (model === undefined)
    return [{ code: 'model', message: 'the certificate names no model, and only some models are accepted' }];
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
      { code: 'firmware', message: `the certificate names no firmware version, and min_firmware is ${minFirmware}` },
    ];
  // Vendors write their versions in different widths, and those of one model are comparable alone.
  // tooth A56: firmware versions of different widths are compared
  if (version.length !== minFirmware.length)
    return [{ code: 'firmware', message: `firmware ${version} cannot be compared with min_firmware ${minFirmware}` }];
  if (version >= minFirmware.toUpperCase()) return [];
  return [
    {
      code: 'firmware',
      message: `the TPM left its maker with firmware ${version}, and min_firmware is ${minFirmware}`,
    },
  ];
}

function comparable(text: string): string {
  // ASCII alone: there are letters beyond it that have the small form of one within it.
  const folded = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return folded.replace(/ +/g, ' ').replace(/^ | $/g, '');
}
