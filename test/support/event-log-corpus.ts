/** Event logs of the corpus: public ones with what an independent reader makes of them, and boots recorded in a lab. */
import { corpusRows, readCorpusBytes } from './corpus.ts';

export interface CorpusLog {
  readonly file: string;
  readonly kind: 'tpm' | 'ccel';
  readonly expected: { readonly parse: 'ok' | 'reject' | null; readonly areaMode?: 'ok' };
  readonly format: 'agile' | 'sha1' | null;
  readonly spec: Readonly<Record<'platformClass' | 'major' | 'minor' | 'errata' | 'uintnSize', number>> | null;
  readonly banks: readonly string[] | null;
  readonly events: number | null;
  readonly pcrs: Readonly<Record<string, Readonly<Record<string, string>>>> | null;
  readonly registers?: Readonly<Record<string, Readonly<Record<string, string>> | null>>;
  readonly secureBoot: { readonly state: 'enabled' | 'disabled' | 'empty' } | null;
  readonly types?: Readonly<Record<string, number>>;
  readonly boundEvents?: number;
}

export const CORPUS_LOGS: readonly CorpusLog[] = corpusRows('event-logs/manifest.json', 'logs');

export function corpusLog(file: string): Uint8Array {
  return readCorpusBytes(`event-logs/${file}`);
}

/** Folders of the recorded boots that have a firmware log. */
export const RECORDED_BOOTS: readonly string[] = [
  ...['a-cmdline', 'good', 'good-with-quote'].map((name) => `lab/${name}`),
  ...['a-base', 'b-first', 'b-second', 'c-addon', 'c-cmdline', 'd-initrd', 'e-cred'].map((name) => `lab13/${name}`),
  ...['f-3banks', 'f-sha1', 'h-sboff', 'i-grub', 'x-soft-reboot'].map((name) => `lab13/${name}`),
];

/** Lines of `bank index value`. */
export function recordedPcrs(path: string): ReadonlyMap<string, ReadonlyMap<number, Uint8Array>> {
  const banks = new Map<string, Map<number, Uint8Array>>();
  for (const line of Buffer.from(readCorpusBytes(path)).toString().trim().split('\n')) {
    const [bank = '', index = '', value = ''] = line.split(' ');
    const pcrs = banks.get(bank) ?? new Map<number, Uint8Array>();
    banks.set(bank, pcrs.set(Number(index), Uint8Array.from(Buffer.from(value, 'hex'))));
  }
  return banks;
}
