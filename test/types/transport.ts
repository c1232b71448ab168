/** An agent and a server over a transport of one's own, as a user of the package writes them. */
import { decodePayload, type Payload } from 'tpm-attestor/evidence';
import { type SoftwareTpm, startSoftwareTpm } from 'tpm-attestor/testing';
import { type Attestation, Attestor, ESYS_TR, type Exchange, Tpm, type TpmCommands } from 'tpm-attestor/tpm';
import { decode, type TpmtPublic, tpmtPublic } from 'tpm-attestor/tpm/structures';
import { begin, type Entropy, finish, type Pending, type Policy, type Verdict } from 'tpm-attestor/verifier';

export class Server {
  readonly #policy: Policy;
  readonly #entropy: Entropy;
  readonly #pending: Map<string, Pending> = new Map();

  constructor(policy: Policy, entropy: Entropy) {
    this.#policy = policy;
    this.#entropy = entropy;
  }

  challenge(stream: string, payload: Uint8Array): Uint8Array {
    const begun = begin(payload, this.#policy, this.#entropy, new Date());
    if (begun.outcome === 'rejected') throw new Error(begun.verdict.findings[0]?.message);
    this.#pending.set(stream, begun.pending);
    return begun.challenge;
  }

  judge(stream: string, response: Uint8Array): Verdict | undefined {
    const pending = this.#pending.get(stream);
    this.#pending.delete(stream);
    return pending === undefined ? undefined : finish(pending, response, new Date());
  }
}

export async function attest(exchange: Exchange, signal: AbortSignal): Promise<Attestation> {
  const tpm: SoftwareTpm = await startSoftwareTpm({ templates: ['L-1'] });
  const attestor = new Attestor({ trustDomain: 'example.org', tcti: () => tpm.tcti, ak: 'ecc' });
  return attestor.attest(exchange, { signal });
}

export function keyOf(message: Uint8Array): TpmtPublic {
  const { ekPublic }: Payload = decodePayload(message);
  const area = decode(tpmtPublic, ekPublic);
  // @ts-expect-error: not every key is an RSA key
  area.parameters.keyBits;
  return area;
}

export async function random(tcti: string): Promise<Uint8Array> {
  const tpm = await Tpm.open(tcti);
  const draw = async (run: TpmCommands): Promise<Uint8Array> => {
    // @ts-expect-error: a hierarchy is not a key
    await run.readPublic({ objectHandle: ESYS_TR.RH_OWNER });
    return (await run.getRandom({ bytesRequested: 16 })).randomBytes;
  };
  return tpm.exclusive(draw).finally(() => tpm.close());
}
