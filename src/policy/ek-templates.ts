/** The options `ek_algorithms` and `ek_templates`: which EKs of a machine are accepted, and so how many IDs it has. */
import { EK_TEMPLATE_NAMES, type EkTemplate, type EkTemplateName, ekTemplateNamed } from '../tpm/templates.ts';
import { EK_TEMPLATE_OF_KIND, POLICY_DEFAULTS } from '../verifier/policy-options.ts';

export type EkAlgorithm = EkTemplate['algorithm'];

export function isEkAlgorithm(text: string): text is EkAlgorithm {
  return Object.hasOwn(EK_TEMPLATE_OF_KIND, text);
}

export function isEkTemplateName(text: string): text is EkTemplateName {
  return (EK_TEMPLATE_NAMES as readonly string[]).includes(text);
}

/** The problem of a list of `ek_templates`, as a predicate for the option's name. */
export function ekTemplatesProblem(list: readonly string[]): string | undefined {
  if (list.length > 0 && list.every(isEkTemplateName)) return undefined;
  return `must list templates of endorsement keys: ${EK_TEMPLATE_NAMES.join(', ')}`;
}

/** Both options. Undefined for an option that was not given. */
export interface EkTemplateOptions {
  readonly algorithms: readonly EkAlgorithm[] | undefined;
  readonly templates: readonly EkTemplateName[] | undefined;
}

/** `ek_templates` if it is given, otherwise the default template of each kind in `ek_algorithms`. */
export function acceptedEkTemplates({ algorithms, templates }: EkTemplateOptions): readonly EkTemplateName[] {
  const listed = templates ?? algorithms?.map((algorithm) => EK_TEMPLATE_OF_KIND[algorithm]);
  return [...new Set(listed ?? POLICY_DEFAULTS.ekTemplates)];
}

/** A contradiction between the two options, as a predicate for `ek_templates`. */
export function ekTemplatesConflict({ algorithms, templates }: EkTemplateOptions): string | undefined {
  if (algorithms === undefined || templates === undefined) return undefined;
  const other = templates.find((name) => !algorithms.includes(ekTemplateNamed(name).algorithm));
  if (other !== undefined)
    return `names ${other}, of kind "${ekTemplateNamed(other).algorithm}", which ek_algorithms does not list`;
  const left = algorithms.find((kind) => !templates.some((name) => ekTemplateNamed(name).algorithm === kind));
  return left === undefined ? undefined : `names no template of kind "${left}", which ek_algorithms lists`;
}

/** The log's warning if a machine can have several IDs, one for each template. */
export function ekTemplateWarnings(accepted: readonly EkTemplateName[]): readonly string[] {
  if (accepted.length < 2) return [];
  return [
    `ek_templates: endorsement keys of ${accepted.join(', ')} are accepted, so one TPM has up to ${accepted.length} IDs. ` +
      'A machine that is denied or banned by one ID can come back by another: put every hash of "tpm-attestor ek hash --all" into deny_path',
  ];
}

/** The configuration lines that make a server accept one more template. Empty if it accepts the template already. */
export function linesAccepting(name: EkTemplateName, accepted: readonly EkTemplateName[]): readonly string[] {
  if (accepted.includes(name)) return [];
  const all = [...accepted, name];
  const before = kindsOf(accepted);
  const kinds = kindsOf(all);
  const defaults = acceptedEkTemplates({ algorithms: kinds, templates: undefined });
  const isDefault = defaults.length === all.length && all.every((one) => defaults.includes(one));
  return [
    ...(kinds.length > before.length ? [`ek_algorithms = ${JSON.stringify(kinds).replaceAll(',', ', ')}`] : []),
    ...(isDefault ? [] : [`ek_templates = ${JSON.stringify(all).replaceAll(',', ', ')}`]),
  ];
}

function kindsOf(templates: readonly EkTemplateName[]): readonly EkAlgorithm[] {
  return (['rsa', 'ecc'] as const).filter((kind) => templates.some((name) => ekTemplateNamed(name).algorithm === kind));
}
