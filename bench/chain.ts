/**
 * Times building and checking the chain of an EK certificate, and loading a store of CAs. Compares with the bare
 * signature checks, and with other programs.
 */
import { verify } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseCertificate } from '../src/x509/certificate.ts';
import { anchorsOf } from '../src/x509/file/trust-store.ts';
import { validatePath } from '../src/x509/path/path.ts';
import { PathCache } from '../src/x509/path/path-cache.ts';
import { measureStore } from './ca-store.ts';
import { goProgram, opensslProgram, type Peer, peculiarProcess } from './chain-peers.ts';
import { type EkChain, ekChains } from './ek-chain.ts';
import { buildGoPeer } from './go-peer.ts';
import { type Row, withRatios } from './row.ts';
import { Stopwatch } from './stopwatch.ts';

const ROUNDS = 9;
const RAW = 'raw signatures, keys imported';

/** Exports for the new processes that load this bundle. */
export { readTrustStore } from '../src/policy/trust-files.ts';
export { answerRounds } from './peculiar-builder.ts';

export async function measure({
  root,
  folder,
}: {
  readonly root: URL;
  readonly folder: string;
}): Promise<readonly Row[]> {
  const go = await buildGoPeer(root, folder, 'crypto-x509');
  const rows: Row[] = [...(await measureStore(folder))];
  for (const chain of ekChains(root)) {
    const own = join(folder, chain.name.replaceAll(/\W+/g, '-'));
    await mkdir(own);
    const peers = [
      opensslProgram(chain, own),
      goProgram(chain, own, go),
      peculiarProcess(chain, root, join(folder, 'chain.mjs')),
    ];
    try {
      rows.push(...(await measureChain(chain, peers)));
    } finally {
      for (const peer of peers) peer.end?.();
    }
  }
  return rows;
}

async function measureChain(chain: EkChain, peers: readonly Peer[]): Promise<readonly Row[]> {
  const own = ours(chain);
  const unable = new Map<Peer, string>();
  for (const peer of peers) {
    try {
      await peer.measure();
    } catch (error) {
      unable.set(peer, error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : `${error}`);
    }
  }
  // The first action in a round suffers from cold caches. It must not be RAW, with which the others are compared.
  const watch = new Stopwatch({ ...own, [RAW]: rawSignatures(chain) });
  for (let round = 0; round < ROUNDS; round++) {
    watch.round();
    for (const peer of peers.filter((one) => !unable.has(one))) {
      const figures = await peer.measure();
      for (const [i, title] of peer.rows.entries()) watch.note(title, figures[i] ?? Number.NaN);
    }
  }
  const of = `${chain.name} (${chain.intermediates.length + 2} certificates)`;
  const row = (title: string, note?: string): Parameters<typeof withRatios>[0][number] => ({
    name: `${of}: ${title}`,
    ...(note === undefined ? watch.timing(title) : { value: null, best: null, note }),
    unit: 'µs',
    of: title === RAW ? null : `${of}: ${RAW}`,
  });
  return withRatios([
    ...[RAW, ...Object.keys(own)].map((title) => row(title)),
    ...peers.flatMap((peer) => peer.rows.map((title) => row(title, unable.get(peer)))),
  ]);
}

/** One signature for each certificate except the root, because a self-signature proves nothing. */
function rawSignatures({ leaf, intermediates, root }: EkChain): () => void {
  const path = [leaf, ...intermediates, root].map(parseCertificate);
  const links = path.slice(0, -1).map(({ tbs, signature, signatureAlgorithm }, i) => {
    const key = path[i + 1]?.publicKey;
    if (key === undefined || signatureAlgorithm.scheme === 'other')
      throw new Error('the chain has an unknown signature algorithm');
    const { hash } = signatureAlgorithm;
    return () => verify(hash, tbs, key, signature);
  });
  return () => {
    if (!links.every((link) => link())) throw new Error('a signature does not verify');
  };
}

/** The actions by title of their rows. */
function ours({ leaf, intermediates, root, now }: EkChain): Readonly<Record<string, () => void>> {
  const parsed = {
    leaf: parseCertificate(leaf),
    intermediates: intermediates.map(parseCertificate),
    anchors: anchorsOf([parseCertificate(root)]),
    now,
  };
  const check = (question: Parameters<typeof validatePath>[0]): void => {
    const verdict = validatePath(question);
    if (!verdict.ok) throw new Error(verdict.problems.map(({ message }) => message).join('; '));
  };
  // The state of a server plugin after it admitted a machine of the same make: the next machine sends the same chain.
  const cache = new PathCache();
  check({ ...parsed, cache });
  return {
    'reading the leaf': () => void parseCertificate(leaf),
    'ours, cold': () =>
      check({
        leaf: parseCertificate(leaf),
        intermediates: intermediates.map(parseCertificate),
        anchors: anchorsOf([parseCertificate(root)]),
        now,
      }),
    'ours, CAs loaded': () => check({ ...parsed, leaf: parseCertificate(leaf) }),
    'ours, all parsed': () => check(parsed),
    'ours, CAs known from before': () =>
      check({
        leaf: parseCertificate(leaf),
        intermediates: intermediates.map((der) => cache.certificate(der)),
        anchors: parsed.anchors,
        now,
        cache,
      }),
  };
}
