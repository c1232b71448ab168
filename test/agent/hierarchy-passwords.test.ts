import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Attestor } from '../../src/agent/attest.ts';
import { HierarchyPasswords, type PasswordFiles } from '../../src/agent/passwords/hierarchy-passwords.ts';
import { ESYS_TR } from '../../src/tpm/device/handles.ts';
import { withPrimary } from '../../src/tpm/device/scope.ts';
import { Tpm } from '../../src/tpm/device/tpm.ts';
import { encode } from '../../src/tpm/structures/codec.ts';
import { tpmtPublic } from '../../src/tpm/structures/public.ts';
import { akTemplate, EK_TEMPLATES } from '../../src/tpm/templates.ts';
import { attestTo, policyFor, TRUST_DOMAIN } from '../support/agent-attestation.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';
import { readTraffic } from '../support/tpm-traffic.ts';

const PASSWORD = 'correct horse battery';
let tpm: SoftwareTpm;
let recording: string;
let file: string;

beforeEach(async () => {
  tpm = await startSwtpm();
  recording = join(tpm.folder, 'traffic.pcap');
  file = join(tpm.folder, 'password');
  process.env['TCTI_PCAP_FILE'] = recording;
});
afterEach(async () => {
  delete process.env['TCTI_PCAP_FILE'];
  await tpm.stop();
});

function attestor(files: PasswordFiles): Attestor {
  const passwords = new HierarchyPasswords(files);
  return new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => `pcap:${tpm.tcti}`, passwords });
}

async function lockoutCounter(): Promise<number> {
  const { stdout } = await tpm.tpm2('tpm2_getcap', ['properties-variable']);
  return Number(/TPM2_PT_LOCKOUT_COUNTER:\s*(\S+)/.exec(stdout)?.[1]);
}

function authFailures(): number {
  // TPM_RC_AUTH_FAIL and TPM_RC_BAD_AUTH, whatever session they are on.
  return readTraffic(recording).responseCodes.filter((code) => [0x08e, 0x0a2].includes(code & 0x0bf)).length;
}

describe('the endorsement password', () => {
  beforeEach(() => tpm.tpm2('tpm2_changeauth', ['-c', 'e', PASSWORD]));

  test.each(['', '\n', '\r\n'])(
    'in a file that ends in %j lets the agent attest, and is never on the bus',
    async (end) => {
      await writeFile(file, PASSWORD + end);
      const agent = attestor({ endorsement: file });
      for (const warm of [false, true]) {
        expect(await attestTo(agent, policyFor(tpm))).toMatchObject({ warm, verdict: { verdict: 'trusted' } });
      }
      expect(readFileSync(recording).includes(PASSWORD)).toBe(false);
      const { mostTransients, left } = readTraffic(recording);
      expect(mostTransients).toBeLessThanOrEqual(3);
      expect(left).toEqual([]);
    },
  );

  test('would be on the bus in a password session: the recording shows it', async () => {
    const device = await Tpm.open(`pcap:${tpm.tcti}`);
    const endorsement = ESYS_TR.RH_ENDORSEMENT;
    await device.exclusive(async (run) => {
      await run.trSetAuth({ object: endorsement, authValue: Buffer.from(PASSWORD) });
      const inPublic = encode(tpmtPublic, akTemplate('ecc', TRUST_DOMAIN));
      await withPrimary(run, { primaryHandle: endorsement, sessions: [ESYS_TR.PASSWORD], inPublic }, async () => {});
    });
    await device.close();
    expect(readFileSync(recording).includes(PASSWORD)).toBe(true);
  });

  test('that is wrong fails once and is not tried again before the file says another one', async () => {
    const before = await lockoutCounter();
    await writeFile(file, 'wrong');
    const agent = attestor({ endorsement: file });
    const refused = attestTo(agent, policyFor(tpm));
    await expect(refused).rejects.toMatchObject({ code: 'ERR_TPM', name: expect.stringMatching(/AUTH/) });
    expect(authFailures()).toBe(1);

    await expect(attestTo(agent, policyFor(tpm))).rejects.toMatchObject({ code: 'ERR_PASSWORD' });
    expect(authFailures()).toBe(1);
    expect((await lockoutCounter()) - before).toBeLessThanOrEqual(1);
    expect((await tpm.tpm2('tpm2_getcap', ['handles-transient'])).stdout.trim()).toBe('');

    await writeFile(file, PASSWORD);
    expect((await attestTo(agent, policyFor(tpm))).verdict.verdict).toBe('trusted');
  });

  test('that is not given fails once', async () => {
    await expect(attestTo(attestor({}), policyFor(tpm))).rejects.toMatchObject({ code: 'ERR_TPM' });
    expect(authFailures()).toBe(1);
  });
});

describe('the owner password', () => {
  beforeEach(async () => {
    // An index that only the owner may read.
    const template = EK_TEMPLATES.find(({ name }) => name === 'L-1');
    if (template === undefined) throw new RangeError('no L-1');
    const contents = encode(tpmtPublic, template.publicArea);
    await writeFile(join(tpm.folder, 'contents'), contents);
    const index = '0x1c00004';
    await tpm.tpm2('tpm2_nvdefine', [
      index,
      '-C',
      'p',
      '-s',
      `${contents.length}`,
      '-a',
      'ppwrite|ownerread|platformcreate',
    ]);
    await tpm.tpm2('tpm2_nvwrite', [index, '-C', 'p', '-i', 'contents']);
    await tpm.tpm2('tpm2_changeauth', ['-c', 'o', PASSWORD]);
  });

  test('reads what only the owner may read, and is never on the bus', async () => {
    await writeFile(file, PASSWORD);
    expect((await attestTo(attestor({ owner: file }), policyFor(tpm))).verdict.verdict).toBe('trusted');
    expect(readFileSync(recording).includes(PASSWORD)).toBe(false);
  });

  test('that is wrong stops the attestation', async () => {
    await writeFile(file, 'wrong');
    await expect(attestTo(attestor({ owner: file }), policyFor(tpm))).rejects.toMatchObject({ code: 'ERR_TPM' });
  });
});

describe('a password file', () => {
  test('that is not there is named', async () => {
    const missing = join(tpm.folder, 'missing');
    const { verdict } = await attestTo(attestor({}), policyFor(tpm));
    expect(verdict.verdict).toBe('trusted');
    const failed = attestTo(attestor({ endorsement: missing }), policyFor(tpm));
    await expect(failed).rejects.toMatchObject({ code: 'ERR_PASSWORD', message: expect.stringContaining(missing) });
  });

  const read = (owner: string): Promise<Uint8Array | undefined> => new HierarchyPasswords({ owner }).read('owner');
  const pipe = (): string => {
    execFileSync('mkfifo', [file]);
    return file;
  };

  test('that is a device, a folder or a pipe nobody writes into is refused', async () => {
    for (const other of ['/dev/zero', '/dev/null', tpm.folder])
      await expect(read(other)).rejects.toMatchObject({
        code: 'ERR_PASSWORD',
        message: expect.stringMatching(/neither a regular file nor a pipe/),
      });
    await expect(read(pipe())).rejects.toMatchObject({
      code: 'ERR_PASSWORD',
      message: expect.stringMatching(/a pipe without contents/),
    });
  });

  test('may be a pipe that is written into and closed, in any pieces', async () => {
    const writer = await open(pipe(), 'r+');
    await writer.write('se');
    const reading = read(file);
    await delay(50);
    await writer.write('cret\n');
    await writer.close();
    expect(await reading).toEqual(Uint8Array.from(Buffer.from('secret')));
  });

  test('that is a pipe held open is not waited for', async () => {
    const writer = await open(pipe(), 'r+');
    await writer.write('secret');
    const message = expect.stringMatching(/a pipe that its writer did not close/);
    await expect(read(file)).rejects.toMatchObject({ code: 'ERR_PASSWORD', message });
    await writer.close();
  });

  test('that never ends is read no further than a password may be long', async () => {
    const endless = '/proc/self/pagemap';
    await expect(read(endless)).rejects.toMatchObject({ message: expect.stringContaining('is longer than 64 bytes') });
  });

  test.each([
    [0o600, 0],
    [0o640, 0],
    [0o604, 1],
    [0o602, 1],
  ])('of mode %o is warned of %i times, however often it is read', async (mode, times) => {
    await writeFile(file, PASSWORD);
    await chmod(file, mode);
    const warnings: string[] = [];
    const passwords = new HierarchyPasswords({ owner: file }, (message) => warnings.push(message));
    for (let i = 0; i < 3; i++) await passwords.read('owner');
    expect(warnings).toHaveLength(times);
    for (const warning of warnings) expect(warning).toContain(file);
  });

  test('longer than any TPM takes is refused without its content', async () => {
    await writeFile(file, 'x'.repeat(65));
    const error = await new HierarchyPasswords({ owner: file }).read('owner').catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'ERR_PASSWORD' });
    expect(`${error}`).not.toContain('xxx');
  });

  test('keeps all but one line end', async () => {
    await writeFile(file, 'a\n\n');
    expect(await new HierarchyPasswords({ owner: file }).read('owner')).toEqual(Uint8Array.of(0x61, 0x0a));
  });

  test('with nothing in it is the empty password', async () => {
    await writeFile(file, '\n');
    expect(await new HierarchyPasswords({ owner: file }).read('owner')).toBeUndefined();
  });
});
