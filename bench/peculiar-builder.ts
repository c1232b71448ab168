/** Times the chain builder of @peculiar/x509 in the process that loads this file. */
import { createRequire } from 'node:module';
import type { EkChain } from './ek-chain.ts';
import { processorTime } from './stopwatch.ts';

export const PECULIAR_ROWS = [
  '@peculiar/x509, cold',
  '@peculiar/x509, CAs parsed',
  '@peculiar/x509, all parsed',
] as const;

/** Microseconds of processor time for each row, or the error. */
export type PeculiarAnswer = readonly number[] | string;

interface Question {
  readonly chain: EkChain;
  /** URL of the checkout. */
  readonly root: string;
}

interface PeculiarCertificate {
  readonly notBefore: Date;
  readonly notAfter: Date;
  equal(other: PeculiarCertificate): boolean;
}

/** The part of the API that this file uses. The package's own declarations need TypeScript's DOM library. */
interface PeculiarX509 {
  readonly X509Certificate: new (der: Uint8Array) => PeculiarCertificate;
  readonly X509ChainBuilder: new (options: {
    readonly certificates: readonly PeculiarCertificate[];
  }) => {
    build(leaf: PeculiarCertificate): Promise<readonly PeculiarCertificate[]>;
  };
}

/** Measures one round for every message of the parent process. */
export function answerRounds(): void {
  process.on('message', async (question: Question) => {
    const answer: PeculiarAnswer = await round(question).catch((error: unknown) => `${error}`);
    process.send?.(answer);
  });
}

/** The builder checks only the signatures. So this checks the dates, and that the chain ends at the root. */
async function round({ chain, root }: Question): Promise<readonly number[]> {
  const load = createRequire(new URL('package.json', root));
  load('reflect-metadata');
  const { X509Certificate, X509ChainBuilder } = load('@peculiar/x509') as PeculiarX509;
  const parse = (der: Uint8Array): PeculiarCertificate => new X509Certificate(der);
  const parseAuthorities = (): readonly PeculiarCertificate[] => [...chain.intermediates, chain.root].map(parse);
  const verify = async (leaf: PeculiarCertificate, certificates: readonly PeculiarCertificate[]): Promise<void> => {
    const built = await new X509ChainBuilder({ certificates }).build(leaf);
    const [last, anchor] = [built.at(-1), certificates.at(-1)];
    const reaches = last !== undefined && anchor !== undefined && last.equal(anchor);
    const valid = built.every(({ notBefore, notAfter }) => notBefore <= chain.now && chain.now <= notAfter);
    if (!reaches || !valid) throw new Error('finds no chain to the root');
  };
  const [leaf, authorities] = [parse(chain.leaf), parseAuthorities()];
  const actions = [
    () => verify(parse(chain.leaf), parseAuthorities()),
    () => verify(parse(chain.leaf), authorities),
    () => verify(leaf, authorities),
  ];
  const figures: number[] = [];
  for (const action of actions) figures.push(await processorTime(action));
  return figures;
}
