/**
 * Times loading 2,500 CA certificates (all TPM vendors together have as many), and compares with Node.js reading them.
 */
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { readTrustStore } from '../src/policy/trust-files.ts';
import { type TrustStore, trustStoreFrom } from '../src/x509/file/trust-store.ts';
import { keyPair, mintAuthority, pem } from '../test/support/pki.ts';
import { type Row, withRatios } from './row.ts';
import { Stopwatch, type Timing } from './stopwatch.ts';

const run = promisify(execFile);

const CERTIFICATES = 2500;
const ROUNDS = 9;
/** RSA keys are slow to make, so certificates share a few of them. Their names still differ. */
const RSA_KEYS = 4;
const MOST_MS = 1000;

export async function measureStore(folder: string): Promise<readonly Row[]> {
  const ders = Array.from({ length: CERTIFICATES }, (_, i) => mintAt(i));
  const bundle = join(folder, 'bundle.pem');
  const files = join(folder, 'cas');
  writeFileSync(bundle, pem(...ders));
  mkdirSync(files);
  for (const [i, der] of ders.entries()) writeFileSync(join(files, `${i}.der`), der);
  const whole = ({ anchors, problems }: TrustStore): void => {
    if (anchors.certificates.length !== CERTIFICATES || problems.length > 0)
      throw new Error('the store lacks certificates');
  };
  const text = [{ name: 'bundle', bytes: Buffer.from(pem(...ders)) }];
  const single = ders.map((bytes, i) => ({ name: `${i}`, bytes }));
  const watch = new Stopwatch({
    [NODE]: () => ders.map((der) => new X509Certificate(der)),
    [READ.bundle]: () => whole(trustStoreFrom(text)),
    [READ.files]: () => whole(trustStoreFrom(single)),
    [LOAD.bundle]: () => whole(readTrustStore(bundle)),
    [LOAD.files]: () => whole(readTrustStore(files)),
  });
  for (let round = 0; round < ROUNDS; round++) {
    watch.round();
    watch.note(FIRST.bundle, await firstLoad(folder, bundle));
    watch.note(FIRST.files, await firstLoad(folder, files));
  }
  const milliseconds = (name: string): Timing => {
    const { value, best } = watch.timing(name);
    return { value: value / 1000, best: best / 1000 };
  };
  const node = milliseconds(NODE);
  const target = { most: MOST_MS / node.value, otherwise: `${MOST_MS} ms for a store are enough` };
  return withRatios([
    { name: NODE, ...node, unit: 'ms', of: null },
    ...[READ, LOAD, FIRST].flatMap(({ bundle: one, files: many }) =>
      [one, many].map((name) => ({ name, ...milliseconds(name), unit: 'ms', of: NODE, target })),
    ),
  ]);
}

const STORE = `${CERTIFICATES} CAs`;
const NODE = `${STORE}: new X509Certificate over DER in memory`;
const READ = { bundle: `${STORE}: trustStoreFrom, one PEM bundle`, files: `${STORE}: trustStoreFrom, DER each` };
const LOAD = { bundle: `${STORE}: readTrustStore, one PEM bundle`, files: `${STORE}: readTrustStore, a folder of DER` };
const FIRST = {
  bundle: `${STORE}: readTrustStore in a new process, one PEM bundle`,
  files: `${STORE}: readTrustStore in a new process, a folder of DER`,
};

/** Half of the certificates have P-256 keys of their own; the other half share RSA keys. */
function mintAt(i: number): Uint8Array {
  const key = i % 2 === 0 ? keyPair('p256', `store ${i}`) : keyPair('rsa2048', `store ${i % (2 * RSA_KEYS)}`);
  const name = (text: string): Parameters<typeof mintAuthority>[3] => ({
    subject: [
      { type: '2.5.4.6', text: 'DE', string: 'printable' },
      { type: '2.5.4.10', text: 'Example Technologies AG' },
      { type: '2.5.4.11', text: 'TPM 2.0' },
      { type: '2.5.4.3', text },
    ],
  });
  const issuer = { issuer: 'Example TPM Root CA', key: keyPair('p256', 'store root') };
  return mintAuthority('', key, issuer, name(`Example TPM Manufacturing CA ${i}`)).der;
}

/** Microseconds of processor time in a new process, in which V8 has compiled nothing, like a server at its start. */
async function firstLoad(folder: string, path: string): Promise<number> {
  const script = `
    const { readTrustStore } = await import(${JSON.stringify(pathToFileURL(join(folder, 'chain.mjs')).href)});
    const before = process.cpuUsage();
    readTrustStore(${JSON.stringify(path)});
    const { user, system } = process.cpuUsage(before);
    console.log(user + system);`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { timeout: 60_000 });
  return Number(stdout);
}
