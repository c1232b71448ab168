/** Runs the server plugin's executable as a process, and checks how it judges evidence. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect } from 'vitest';
import { STATUS, StatusError } from '../../src/spire/status.ts';
import type { HostedLogRecord } from '../../src/testing/plugin-host/hclog-reader.ts';
import type { ServerAttestation } from '../../src/testing/plugin-host/host-attestation.ts';
import { type PluginHost, startPlugin } from '../../src/testing/plugin-host/plugin-host.ts';
import type { FindingCode } from '../../src/verifier/findings.ts';
import { type Forger, type Forgery, forger } from './forger.ts';
import { mintEkChain, pem } from './pki.ts';
import { type SoftwareDevice, softwareDevice, TRUST_DOMAIN } from './software-device.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CLIENT_IP = '192.0.2.9';
/** The only sentence that a peer learns. */
export const REFUSAL: RegExp =
  /^attestation refused; the reasons are in the log of the SPIRE server \(attestation ([0-9a-f]{8})\)$/;

const UNREADABLE: readonly FindingCode[] = [
  'evidence.malformed',
  'evidence.wire',
  'response.malformed',
  'boot.log_malformed',
];

const CHANGED = 'files of the configuration changed and are';
/** The beginnings of the server's log messages about changed files. */
const TOLD: Readonly<Record<'in force' | 'denied' | 'not used' | 'deny list not used', string>> = {
  'in force': `${CHANGED} in force`,
  denied: 'deny_path changed and is in force',
  'not used': `${CHANGED} not used, those from before stay in force: ca_path`,
  'deny list not used': `${CHANGED} not used, those from before stay in force: "deny_path"`,
};

export interface JudgeOptions {
  /** Lines of `plugin_data` in addition to `ca_path`. */
  readonly config?: string;
  /** The PEM file for `ca_path`. Default: only the root of the test manufacturer. null for no `ca_path`. */
  readonly caPath?: string | null;
  /** A script that the process loads first, to change its environment, such as the clock. */
  readonly preload?: string;
  /** The machine that must be admitted after each attack. Default: an honest software device. */
  readonly control?: () => Promise<Forger> | Forger;
}

export type Judgement =
  | { readonly outcome: 'admitted'; readonly agentId: string; readonly selectors: readonly string[] }
  | { readonly outcome: 'refused'; readonly code: number; readonly message: string }
  /** The attacker could not make an answer to its challenge. */
  | { readonly outcome: 'gave up'; readonly error: unknown };

/** `native` in TPM_ATTESTOR_STEPS: every judge uses the addon for public keys. */
const STEPS = process.env['TPM_ATTESTOR_STEPS'] === 'native' ? '\npublic_key_steps = "native"\n' : '';

/** The executable under test. TPM_ATTESTOR_SERVER can name another one. */
function executable(): string {
  const given = process.env['TPM_ATTESTOR_SERVER'];
  if (given !== undefined) return given;
  execFileSync(process.execPath, [join(ROOT, 'scripts/bundle.mjs')], { stdio: ['ignore', 'ignore', 'pipe'] });
  return join(ROOT, 'dist/bin/tpm-attestor-server.cjs');
}

/** One server process for the test file that calls this. */
export function useJudge(options: JudgeOptions | (() => Promise<JudgeOptions>) = {}): Judge {
  const judge = new Judge();
  beforeAll(async () => judge.start(typeof options === 'function' ? await options() : options));
  afterAll(() => judge.stop());
  return judge;
}

const started = new Set<Judge>();

export class Judge {
  readonly #records: HostedLogRecord[] = [];
  #host: PluginHost<'server'> | undefined;
  #control: () => Promise<Forger> | Forger = () => forger(softwareDevice());
  #folder = '';
  #args: readonly string[] = [];
  #config = '';
  #admitted = 0;

  get host(): PluginHost<'server'> {
    if (this.#host === undefined) throw new Error('the judge has not started');
    return this.#host;
  }

  async start({ config = '', caPath, preload, control }: JudgeOptions): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), 'judge-'));
    const defaultCaPath = join(this.#folder, 'ca.pem');
    await writeFile(defaultCaPath, pem(mintEkChain().root.der));
    this.#args = [...(preload === undefined ? [] : ['--require', preload]), executable()];
    const ca = caPath === null ? '' : `ca_path = ${JSON.stringify(caPath ?? defaultCaPath)}\n`;
    this.#config = `${ca}${config}${STEPS}`;
    if (control !== undefined) this.#control = control;
    started.add(this);
    await this.launch();
  }

  async stop(): Promise<void> {
    started.delete(this);
    await this.#host?.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Starts a new process, with an empty memory and an empty log. */
  async launch(): Promise<void> {
    this.#records.length = 0;
    this.#admitted = 0;
    this.#host = await startPlugin({
      kind: 'server',
      command: process.execPath,
      args: this.#args,
      onLog: (record) => this.#records.push(record),
    });
    await this.#host.configure(this.#config, TRUST_DOMAIN);
  }

  /** One attestation on a stream of its own. */
  async judge({ payload, answer, logPart }: Forger): Promise<Judgement> {
    const stream = this.host.openAttestation();
    stream.sendPayload(payload);
    try {
      const challenge = await stream.next();
      if (challenge.kind !== 'challenge') throw new Error('admitted without a challenge');
      return await this.answered(stream, answer(challenge.bytes), logPart);
    } catch (error) {
      if (error instanceof StatusError) return { outcome: 'refused', code: error.code, message: error.message };
      return { outcome: 'gave up', error };
    } finally {
      stream.cancel();
    }
  }

  /** Sends the answer of a challenged attestation, and returns the judgement. */
  async answered(
    stream: ServerAttestation,
    response: Uint8Array,
    logPart?: (request: Uint8Array) => Uint8Array,
  ): Promise<Judgement> {
    stream.sendChallengeResponse(response);
    try {
      let end = await stream.next();
      for (; end.kind === 'challenge' && logPart !== undefined; end = await stream.next())
        stream.sendChallengeResponse(logPart(end.bytes));
      if (end.kind !== 'agent_attributes') throw new Error('challenged twice');
      this.#admitted += 1;
      return { outcome: 'admitted', agentId: end.spiffeId, selectors: end.selectorValues };
    } catch (error) {
      if (error instanceof StatusError) return { outcome: 'refused', code: error.code, message: error.message };
      throw error;
    }
  }

  /**
   * Claims that exactly these findings are logged, that the peer learns none of them, and that an honest device passes.
   */
  async refuses(
    forgery: Forgery | { readonly device: SoftwareDevice; readonly forgery?: Forgery },
    ...codes: readonly FindingCode[]
  ): Promise<void> {
    const [device, forged] = 'device' in forgery ? [forgery.device, forgery.forgery] : [softwareDevice(), forgery];
    await this.refused(await this.judge(forger(device, forged)), ...codes);
  }

  /** The same for an attestation that was judged already. */
  async refused(judgement: Judgement, ...codes: readonly FindingCode[]): Promise<void> {
    const control = await this.judge(await this.#control());
    record('control', control.outcome === 'admitted');
    expect(control, 'the untampered control').toMatchObject({ outcome: 'admitted' });
    // Both log through one pipe, so the control's record comes after those of the attack.
    await this.until(() => this.#records.filter(({ message }) => message === 'node attested').length >= this.#admitted);
    const findings = judgement.outcome === 'refused' ? this.#findingsOf(judgement.message) : [];
    record('attack', judgement.outcome === 'admitted');
    expect({ outcome: judgement.outcome, findings: [...new Set(findings)].sort() }).toEqual({
      outcome: 'refused',
      findings: [...codes].sort(),
    });
    const malformed = codes.some((code) => UNREADABLE.includes(code));
    expect(judgement).toEqual({
      outcome: 'refused',
      code: malformed ? STATUS.INVALID_ARGUMENT : STATUS.PERMISSION_DENIED,
      message: expect.stringMatching(REFUSAL),
    });
  }

  /**
   * Claims that an attestation ends with this status, that only the log has the reason, under the id that the peer got,
   * and that an honest device passes.
   */
  async turnedAway(end: Promise<unknown>, code: number, reason: string): Promise<void> {
    const error = await end.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code, message: expect.stringMatching(REFUSAL) });
    const id = /([0-9a-f]{8})\)$/.exec(String(error))?.[1];
    const warnings = () =>
      this.#records.filter(({ level, fields }) => level === 'warn' && fields['attestation'] === id);
    await this.until(() => warnings().length > 0);
    expect(warnings()).toMatchObject([{ message: `attestation refused: ${reason}`, fields: { client_ip: CLIENT_IP } }]);
    expect(await this.judge(await this.#control()), 'the untampered control').toMatchObject({ outcome: 'admitted' });
  }

  /** Opens an attestation with the address of the peer, as SPIRE passes it. */
  open(): ServerAttestation {
    return this.host.openAttestation({ 'x-forwarded-client-ip': CLIENT_IP });
  }

  /** Claims that odd evidence is admitted. It shows the limit of a check: slightly different evidence is refused. */
  async admits(device: SoftwareDevice, forgery: Forgery = {}): Promise<string> {
    const judgement = await this.judge(forger(device, forgery));
    expect(judgement).toMatchObject({ outcome: 'admitted' });
    return judgement.outcome === 'admitted' ? judgement.agentId : '';
  }

  /**
   * Changes files that the configuration names, and waits until the server has logged each of these messages once more.
   * Nobody attests meanwhile: the server must notice the change by itself.
   */
  async changes(files: () => void, ...said: readonly (keyof typeof TOLD)[]): Promise<void> {
    const awaited = (said.length === 0 ? (['in force'] as const) : said).map((one) => TOLD[one]);
    const told = () => awaited.map((text) => this.#records.filter(({ message }) => message.startsWith(text)).length);
    const before = told();
    files();
    const isTold = (): boolean => told().every((count, i) => count > (before[i] ?? 0));
    await expect.poll(isTold, { timeout: 30_000, interval: 50 }).toBe(true);
  }

  /** The selectors of a machine that is admitted. */
  async selectors(device: SoftwareDevice): Promise<readonly string[]> {
    const judgement = await this.judge(forger(device));
    expect(judgement).toMatchObject({ outcome: 'admitted' });
    return judgement.outcome === 'admitted' ? judgement.selectors : [];
  }

  async until(condition: () => boolean): Promise<void> {
    await expect.poll(condition, { timeout: 10_000, interval: 5 }).toBe(true);
  }

  get records(): readonly HostedLogRecord[] {
    return this.#records;
  }

  #findingsOf(message: string): readonly string[] {
    const id = REFUSAL.exec(message)?.[1];
    return this.#records
      .filter(({ fields }) => fields['attestation'] === id && fields['finding'] !== undefined)
      .map(({ fields }) => String(fields['finding']));
  }
}

/** The outcome of an attack, or of the honest control after it. */
export interface AttackRecord {
  readonly kind: 'attack' | 'control';
  readonly admitted: boolean;
}

let records: AttackRecord[] = [];

function record(kind: AttackRecord['kind'], admitted: boolean): void {
  records.push({ kind, admitted });
}

/** Records the outcomes of attacks, for scripts/teeth, which compares them with and without a check. */
export async function recordAttacks(during: () => Promise<void>): Promise<readonly AttackRecord[]> {
  records = [];
  await during();
  return records;
}

/** Stops the processes of this test file's judges, calls `meanwhile`, and starts them again. */
export async function restartJudges(meanwhile: () => void): Promise<void> {
  await Promise.all([...started].map((judge) => judge.host.stop()));
  meanwhile();
  await Promise.all([...started].map((judge) => judge.launch()));
}

/** Starts an attestation up to the challenge. The returned function sends the answer. */
export async function challenged(by: Judge, machine: Forger): Promise<() => Promise<Judgement>> {
  const stream = by.host.openAttestation();
  stream.sendPayload(machine.payload);
  const challenge = await stream.next();
  if (challenge.kind !== 'challenge') throw new Error('no challenge');
  return () => by.answered(stream, machine.answer(challenge.bytes));
}
