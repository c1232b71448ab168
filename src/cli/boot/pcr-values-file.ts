/** PCR values of `eventlog --quote-pcrs`, in each form that this project and tpm2-tools write. */
import type { PcrValues } from '../../boot-log/boot-log.ts';
import { type Bank, bankByName, knownBank } from '../../boot-log/tcg/banks.ts';
import { fromHex } from '../../bytes/bytes.ts';
import { MalformedError } from '../../bytes/malformed.ts';
import { evidenceFromJson } from '../../evidence/json.ts';
import { readToolsPcrFile } from '../../evidence/tools-pcr-values.ts';
import { tpmsAttest } from '../../tpm/structures/attest.ts';
import { decode } from '../../tpm/structures/codec.ts';
import { PCR_COUNT, selectedPcrs, type TpmlPcrSelection } from '../../tpm/structures/pcr.ts';
import { UsageError } from '../terminal/failure.ts';
import { nameOf, readInput, utf8Text } from '../terminal/files.ts';

const FORMS =
  'give the PCR values of tpm2_quote -o (-F serialized or marshaled), the output of tpm2_pcrread, an evidence file, or lines of BANK INDEX VALUE';

/** @throws UsageError for a file that is none of these */
export function readPcrValues(path: string): PcrValues {
  const bytes = readInput(path);
  try {
    const text = utf8Text(bytes);
    const values = text === undefined || text.includes('\0') ? fromTools(bytes) : fromText(text);
    if (values.size > 0) return values;
  } catch (cause) {
    if (!(cause instanceof MalformedError)) throw cause;
    throw new UsageError(`${nameOf(path)} cannot be read as PCR values: ${cause.message}; ${FORMS}`, { cause });
  }
  throw new UsageError(`${nameOf(path)} has no PCR values; ${FORMS}`);
}

class Values {
  readonly banks: Map<string, Map<number, Uint8Array>> = new Map();

  /** @throws MalformedError */
  add(name: string, index: number, value: Uint8Array | undefined): void {
    const bank = bankByName(name === 'sm3' ? 'sm3_256' : name);
    const pcrs = this.banks.get(bank?.name ?? '') ?? new Map<number, Uint8Array>();
    const problem = valueProblem(bank, index, value) ?? (pcrs.has(index) ? 'is given twice' : undefined);
    if (bank === undefined || value === undefined || problem !== undefined)
      throw new MalformedError(`${name}:${index}`, 0, problem ?? 'is not there');
    this.banks.set(bank.name, pcrs.set(index, value));
  }

  addSelected(selection: TpmlPcrSelection, values: readonly Uint8Array[]): void {
    const places = selection.flatMap((bank) => selectedPcrs(bank).map((index) => ({ id: bank.hash, index })));
    if (places.length !== values.length)
      throw new MalformedError('PCR values', 0, `${values.length} values, and ${places.length} PCRs are selected`);
    for (const [i, { id, index }] of places.entries())
      this.add(knownBank(id)?.name ?? `0x${id.toString(16)}`, index, values[i]);
  }
}

function valueProblem(bank: Bank | undefined, index: number, value: Uint8Array | undefined): string | undefined {
  if (bank === undefined) return 'is of no bank that is known here';
  if (!Number.isInteger(index) || index < 0 || index >= PCR_COUNT) return 'is not PCR 0 to 23';
  return value?.length === bank.digestBytes ? undefined : `is not ${bank.digestBytes} bytes long`;
}

function fromTools(bytes: Uint8Array): PcrValues {
  const values = new Values();
  const file = readToolsPcrFile(bytes);
  if (file !== undefined) values.addSelected(file.selection, file.values);
  return values.banks;
}

function fromText(text: string): PcrValues {
  return text.trimStart().startsWith('{') ? fromEvidence(text) : fromLines(text);
}

function fromEvidence(text: string): PcrValues {
  const values = new Values();
  const { response } = evidenceFromJson(text);
  const attest = response === undefined ? undefined : decode(tpmsAttest, response.quoted);
  if (attest?.type === 'quote') values.addSelected(attest.attested.pcrSelect, response?.pcrValues ?? []);
  return values.banks;
}

/** `sha256 7 ab12…`, or the YAML of tpm2_pcrread: `sha256:` above `7 : 0xAB12…`. */
function fromLines(text: string): PcrValues {
  const values = new Values();
  let bank = '';
  for (const line of text.split('\n').map((one) => one.trim())) {
    const heading = /^(\w+):$/.exec(line)?.[1];
    const [, name = bank, index, digits = ''] = /^(?:(\w+) +)?(\d{1,2})(?: *: *0x| +)([0-9a-fA-F]+)$/.exec(line) ?? [];
    if (heading !== undefined) bank = heading.toLowerCase();
    else if (index !== undefined) values.add(name.toLowerCase(), Number(index), fromHex(digits));
    else if (line !== '') throw new MalformedError('PCR values', 0, `"${line.slice(0, 40)}" is no value of a PCR`);
  }
  return values.banks;
}
