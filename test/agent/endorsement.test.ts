import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { Attestor } from '../../src/agent/attest.ts';
import { type KeyChoice, loadEndorsement } from '../../src/agent/endorsement/load-endorsement.ts';
import { HierarchyPasswords } from '../../src/agent/passwords/hierarchy-passwords.ts';
import { spkiOfPublicArea } from '../../src/tpm/public-key.ts';
import { TPMA_OBJECT } from '../../src/tpm/structures/attributes.ts';
import { decode, encode } from '../../src/tpm/structures/codec.ts';
import { TPM_HT_FIRST } from '../../src/tpm/structures/constants.ts';
import { tpmtPublic } from '../../src/tpm/structures/public.ts';
import { EK_TEMPLATES, type EkTemplate, type EkTemplateName } from '../../src/tpm/templates.ts';
import type { Policy } from '../../src/verifier/policy.ts';
import { anchorsOf } from '../../src/x509/file/trust-store.ts';
import { attestTo, type JudgedAttestation, policyFor, TRUST_DOMAIN } from '../support/agent-attestation.ts';
import { storeIndex } from '../support/ek-storage.ts';
import { storeOddIndex } from '../support/odd-index.ts';
import { handles, leftInTpm, openTpm } from '../support/open-tpm.ts';
import { keyPair, mintEkChain, pem, spkiOf } from '../support/pki.ts';
import { bundle, SOFTWARE } from '../support/policy.ts';
import { type SoftwareTpm, startSwtpm } from '../support/swtpm.ts';
import { interpose } from '../support/tpm-interposer.ts';

let tpm: SoftwareTpm;

afterEach(() => tpm.stop());

/** By hash, as a key without certificate is admitted. */
const LISTED: Partial<Policy> = { mode: 'hash', bundles: [], isListed: () => true };

function attest(ek: KeyChoice = 'auto', policy: Partial<Policy> = {}): Promise<JudgedAttestation> {
  const attestor = new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => tpm.tcti, ek });
  return attestTo(attestor, policyFor(tpm, policy));
}

function template(name: EkTemplateName): EkTemplate {
  const found = EK_TEMPLATES.find((candidate) => candidate.name === name);
  if (found === undefined) throw new RangeError(name);
  return found;
}

async function persistentHandles(): Promise<string> {
  return (await tpm.tpm2('tpm2_getcap', ['handles-persistent'])).stdout;
}

/** An index as the platform's manufacturer defines it. */
async function store(index: number, contents: Uint8Array): Promise<void> {
  const nv = `0x${index.toString(16)}`;
  await writeFile(join(tpm.folder, 'contents'), contents);
  const attributes = 'ppwrite|ppread|ownerread|authread|no_da|platformcreate';
  await tpm.tpm2('tpm2_nvdefine', [nv, '-C', 'p', '-s', `${contents.length}`, '-a', attributes]);
  await tpm.tpm2('tpm2_nvwrite', [nv, '-C', 'p', '-i', 'contents']);
}

describe('auto', () => {
  test.each([
    [['L-2', 'H-1', 'H-6'], 'H-1'],
    [['L-2', 'H-3'], 'L-2'],
    [['H-3', 'H-4', 'H-2', 'H-6'], 'H-2'],
    [['H-4', 'H-6'], 'H-4'],
  ] as const)('of the certificates %o takes that of %s', async (templates, expected) => {
    tpm = await startSwtpm({ templates });
    expect((await attest()).endorsement.template.name).toBe(expected);
  });

  test('takes the first that can be made where there is no certificate', async () => {
    tpm = await startSwtpm({ templates: [] });
    const { endorsement, verdict } = await attest('auto', LISTED);
    expect(endorsement).toMatchObject({ template: { name: 'L-1' }, certificates: [] });
    expect(verdict).toMatchObject({ verdict: 'trusted', device: { ek: { admittedBy: 'hash' } } });
  });
});

test.each([
  ['rsa', 'L-1'],
  ['ecc', 'H-3'],
] as const)('%s takes %s of a TPM with both', async (choice, expected) => {
  tpm = await startSwtpm();
  expect((await attest(choice)).endorsement.template.name).toBe(expected);
});

describe('a certificate index', () => {
  test.each([0x00, 0xff])('that was reserved and never filled (0x%i) holds no certificate', async (fill) => {
    tpm = await startSwtpm({ templates: ['H-3'] });
    await store(template('L-1').certificateNvIndex, new Uint8Array(1000).fill(fill));
    expect((await attest()).endorsement.template.name).toBe('H-3');
  });

  test('that holds something else is passed over, with a note', async () => {
    tpm = await startSwtpm({ templates: ['H-3'] });
    await store(template('L-1').certificateNvIndex, new Uint8Array(1000).fill(0x42));
    const { endorsement, verdict } = await attest();
    expect([endorsement.template.name, verdict.verdict]).toEqual(['H-3', 'trusted']);
    expect(endorsement.notes).toEqual([expect.stringMatching(/^NV index 0x01c00002 holds no certificate.*Restore/)]);
  });

  test('that holds its certificate as PEM text is read, and DER is sent', async () => {
    tpm = await startSwtpm({ templates: ['L-1', 'H-3'] });
    const [der = new Uint8Array()] = (await attest()).endorsement.certificates;
    await tpm.tpm2('tpm2_nvundefine', ['0x01c00002', '-C', 'p']);
    await store(0x01c00002, Buffer.concat([Buffer.from(pem(der)), Buffer.alloc(30, 0xff)]));
    const { endorsement, verdict } = await attest();
    expect([endorsement.template.name, endorsement.certificates, verdict.verdict]).toEqual(['L-1', [der], 'trusted']);
    expect(endorsement.notes).toEqual([expect.stringMatching(/^NV index 0x01c00002 .* PEM text/)]);
  });

  test('for a key that the TPM cannot make is passed over', async () => {
    tpm = await startSwtpm({ templates: ['L-1'] });
    await store(template('H-6').certificateNvIndex, mintEkChain().leaf.der);
    expect((await attest('rsa')).endorsement.template.name).toBe('L-1');
  });
});

describe('what may pass stops the attestation, as the machine would be another one by it', () => {
  test.each([
    ['TPM_RC_NV_UNAVAILABLE', 0x923],
    ['TPM_RC_LOCKOUT', 0x921],
    ['TPM_RC_FAILURE', 0x101],
    ['TPM_RC_NV_RATE', 0x920],
  ])('%s of the index of L-1, beside a sound H-3', { timeout: 60_000 }, async (name, code) => {
    tpm = await startSwtpm({ templates: ['L-1', 'H-3'] });
    for (const answering of ['TPM2_NV_ReadPublic', 'TPM2_NV_Read']) {
      let reads = 0;
      const bus = await interpose(tpm, async (command, bytes, transmit) => {
        if (command !== answering || bytes.indexOf(Buffer.from('01c00002', 'hex')) < 0) return transmit(bytes);
        reads++;
        return Buffer.from(`80010000000a${code.toString(16).padStart(8, '0')}`, 'hex');
      });
      try {
        const attestor = new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => bus.tcti });
        await expect(attestTo(attestor, policyFor(tpm))).rejects.toMatchObject({ code: 'ERR_TPM', name });
        expect(reads).toBeGreaterThan(0);
      } finally {
        await bus.stop();
      }
    }
  });
});

test('the owner password decides neither which key it is, nor that it can be named', async () => {
  tpm = await startSwtpm({ templates: ['L-1', 'H-3'] });
  const before = (await attest()).endorsement;
  const [der = new Uint8Array()] = before.certificates;
  await tpm.tpm2('tpm2_nvundefine', ['0x01c00002', '-C', 'p']);
  await storeIndex(tpm, 0x01c00002, der, 'ppwrite|ppread|ownerread|no_da|platformcreate');
  await tpm.tpm2('tpm2_changeauth', ['-c', 'o', 'secret']);
  const { endorsement, verdict } = await attest('auto', LISTED);
  expect([endorsement.name, endorsement.certificates, verdict.verdict]).toEqual([before.name, [], 'trusted']);
  expect(endorsement.notes).toEqual([expect.stringMatching(/^NV index 0x01c00002 .*--owner-auth-file here\.$/)]);
  await writeFile(join(tpm.folder, 'password'), 'secret');
  const passwords = new HierarchyPasswords({ owner: join(tpm.folder, 'password') });
  const attestor = new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => tpm.tcti, passwords });
  expect((await attestTo(attestor, policyFor(tpm))).endorsement).toMatchObject({ certificates: [der], notes: [] });
});

test('where the owner hierarchy is switched off, an index opens by its own empty password', async () => {
  tpm = await startSwtpm({ templates: ['L-1'] });
  await tpm.tpm2('tpm2_hierarchycontrol', ['-C', 'p', 'shEnable', 'clear']);
  expect((await attest()).endorsement).toMatchObject({ certificates: [expect.anything()], notes: [] });
});

test('what was refused once is not asked for again in the same process', async () => {
  tpm = await startSwtpm({ templates: ['H-3'] });
  await storeOddIndex(tpm, 0x01c00002, 'own password');
  await storeOddIndex(tpm, 0x01c0000a, 'own password');
  await tpm.tpm2('tpm2_changeauth', ['-c', 'o', 'secret']);
  let refusals = 0;
  const bus = await interpose(tpm, async (name, command, transmit) => {
    const answer = await transmit(command);
    if (name === 'TPM2_NV_Read' && answer.readUInt32BE(6) !== 0) refusals++;
    return answer;
  });
  try {
    const passwords = new HierarchyPasswords();
    // Each attestor looks at the TPM anew.
    for (const expected of [3, 3, 3]) {
      const attestor = new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => bus.tcti, passwords });
      expect((await attestTo(attestor, policyFor(tpm))).endorsement.template.name).toBe('H-3');
      // Both indices, and the owner at that of H-3, which is then read with its own empty password.
      expect(refusals).toBe(expected);
    }
  } finally {
    await bus.stop();
  }
});

describe('the chain', () => {
  test('is read over several indices, ascending, and sent behind the certificate', async () => {
    tpm = await startSwtpm({ templates: ['L-1'] });
    const bare = await attest();
    const [leaf = new Uint8Array()] = bare.endorsement.certificates;
    // Any certificates do: the TPM keeps what it is given.
    const { intermediate, root } = mintEkChain();
    const blob = Buffer.concat([intermediate.der, leaf, root.der]);
    await store(0x01c00101, blob.subarray(700));
    await store(0x01c00100, blob.subarray(0, 700));
    const { endorsement, verdict } = await attest();
    // The key's own is sent once, wherever it lies.
    expect(endorsement.certificates).toEqual([leaf, intermediate.der, root.der].map((der) => Uint8Array.from(der)));
    expect(verdict.verdict).toBe('trusted');
  });

  test('leaves the certificates around a bad part, and padding between parts', async () => {
    tpm = await startSwtpm({ templates: ['L-1'] });
    const { intermediate, root } = mintEkChain();
    await store(0x01c00100, Buffer.concat([intermediate.der, Buffer.alloc(9, 0xff)]));
    await store(0x01c00101, root.der.subarray(0, 300));
    await store(0x01c00102, root.der.subarray(300));
    await storeOddIndex(tpm, 0x01c00103, 'platform only');
    await storeOddIndex(tpm, 0x01c00104, 'garbage');
    await store(0x01c00105, Buffer.from(pem(root.der, intermediate.der)));
    const { endorsement, verdict } = await attest();
    const found = [intermediate, root, root, intermediate].map(({ der }) => Uint8Array.from(der));
    expect(endorsement.certificates.slice(1)).toEqual(found);
    expect(endorsement.notes).toEqual([
      expect.stringMatching(/^NV index 0x01c00103 .* platform firmware/),
      expect.stringMatching(/^NV index 0x01c00104 holds no certificate chain/),
    ]);
    expect(verdict.verdict).toBe('trusted');
  });

  test('that cannot be read is left out, with a note', async () => {
    tpm = await startSwtpm({ templates: ['L-1'] });
    await store(0x01c00100, Uint8Array.of(0x30, 0x82, 0x01, 0x00, 0x00));
    const { endorsement, verdict } = await attest();
    expect(endorsement.certificates).toHaveLength(1);
    expect(endorsement.notes).toEqual([expect.stringContaining('chain')]);
    expect(verdict.verdict).toBe('trusted');
  });
});

describe('a certificate in the chain, where the index has none', () => {
  const { intermediate, root } = mintEkChain();

  /** Certificate of a key of this TPM, as somebody's `leaf` is, whose issuer is not asked for here. */
  async function certificateOf(name: EkTemplateName): Promise<Uint8Array> {
    const device = await openTpm(tpm);
    try {
      const publicArea = await device.exclusive(async (run) => {
        const { endorsement } = await loadEndorsement(run, 'auto', new HierarchyPasswords(), { names: [name] });
        return decode(tpmtPublic, endorsement.publicArea);
      });
      return mintEkChain({ leaf: { publicKey: spkiOfPublicArea(publicArea) ?? new Uint8Array() } }).leaf.der;
    } finally {
      await device.close();
    }
  }

  const keep = (...certificates: readonly Uint8Array[]): Promise<void> => {
    return store(0x01c00100, Buffer.concat([...certificates, Buffer.alloc(40, 0xff)]));
  };

  const attestByChain = (
    policy: Partial<Policy> = {},
    passwords = new HierarchyPasswords(),
  ): Promise<JudgedAttestation> => {
    const attestor = new Attestor({ trustDomain: TRUST_DOMAIN, tcti: () => tpm.tcti, passwords });
    return attestTo(
      attestor,
      policyFor(tpm, { bundles: [bundle(anchorsOf([root.certificate]), SOFTWARE)], ...policy }),
    );
  };

  test.each([
    ['L-1', 2],
    ['L-2', 2],
    ['H-1', 3],
    ['H-3', 2],
  ] as const)('is that of %s, and what is around it is its chain', async (name, keysMade) => {
    tpm = await startSwtpm({ templates: [] });
    const leaf = await certificateOf(name);
    await keep(root.der, leaf, intermediate.der);
    const { endorsement, verdict, commands } = await attestByChain();
    expect(verdict).toMatchObject({ verdict: 'trusted', device: { ek: { admittedBy: 'certificate' } } });
    expect(endorsement).toMatchObject({
      template: { name },
      notes: [],
      certificateSource: expect.stringContaining('chain'),
    });
    expect(endorsement.certificates).toEqual([leaf, root.der, intermediate.der].map((der) => Uint8Array.from(der)));
    // With the AK: none is made that no certificate there could be for.
    expect(commands.get('TPM2_CreatePrimary')).toBe(keysMade);
    expect(await leftInTpm(tpm)).toEqual([]);
  });

  test('counts in the order of the keys as one in an index does', async () => {
    tpm = await startSwtpm({ templates: ['H-1', 'L-2'] });
    await keep(await certificateOf('L-1'), intermediate.der);
    expect((await attestByChain()).endorsement.template.name).toBe('L-1');
    await tpm.tpm2('tpm2_nvundefine', ['0x01c00100', '-C', 'p']);
    await keep(await certificateOf('H-2'));
    // No key is made to look for a later one.
    const { endorsement, commands } = await attest();
    expect([endorsement.template.name, commands.get('TPM2_CreatePrimary')]).toEqual(['H-1', 2]);
  });

  test('for another TPM’s key changes nothing, and no key is made twice', async () => {
    tpm = await startSwtpm({ templates: [] });
    const { leaf } = mintEkChain({ leaf: { publicKey: spkiOf(keyPair('rsa2048', 'another machine').publicKey) } });
    await keep(leaf.der, intermediate.der);
    const { endorsement, verdict, commands } = await attestByChain(LISTED);
    expect(endorsement).toMatchObject({ template: { name: 'L-1' }, certificates: [], certificateSource: undefined });
    expect(verdict).toMatchObject({ verdict: 'trusted', device: { ek: { admittedBy: 'hash' } } });
    // L-1 and H-1 to compare, and the AK.
    expect(commands.get('TPM2_CreatePrimary')).toBe(3);
    expect(await leftInTpm(tpm)).toEqual([]);
    const device = await openTpm(tpm);
    const loaded = await device.exclusive(async (run) => {
      await loadEndorsement(run, 'auto', new HierarchyPasswords());
      return handles(run, TPM_HT_FIRST.TRANSIENT);
    });
    expect(loaded).toHaveLength(1);
  });

  test('for another TPM’s key beside one in an index: that of the index is taken', async () => {
    tpm = await startSwtpm({ templates: ['H-3'] });
    const { leaf } = mintEkChain({ leaf: { publicKey: spkiOf(keyPair('rsa2048', 'another machine').publicKey) } });
    await keep(leaf.der);
    const { endorsement } = await attest();
    expect([endorsement.template.name, endorsement.certificateSource]).toEqual(['H-3', 'NV index 0x01c00016']);
  });

  test('that is a CA’s is none of a key, though keys are of its kind', async () => {
    tpm = await startSwtpm({ templates: [] });
    const chain = mintEkChain({ keyAlgorithm: 'p384' });
    await keep(chain.intermediate.der, chain.root.der);
    const { endorsement, commands } = await attestByChain(LISTED);
    expect(endorsement.template.name).toBe('L-1');
    expect(commands.get('TPM2_CreatePrimary')).toBe(2);
  });

  test('leaves the TPM room where the hierarchy has a password', async () => {
    tpm = await startSwtpm({ templates: [] });
    await keep(await certificateOf('H-1'), intermediate.der);
    await tpm.tpm2('tpm2_changeauth', ['-c', 'e', 'secret']);
    await writeFile(join(tpm.folder, 'password'), 'secret');
    const passwords = new HierarchyPasswords({ endorsement: join(tpm.folder, 'password') });
    expect((await attestByChain({}, passwords)).endorsement.template.name).toBe('H-1');
    expect(await leftInTpm(tpm)).toEqual([]);
  });

  test('of a kept key is found without making one', async () => {
    tpm = await startSwtpm({ templates: [] });
    const leaf = await certificateOf('L-1');
    await tpm.tpm2('tpm2_createek', ['-G', 'rsa', '-c', '0x81000042']);
    await keep(leaf, intermediate.der);
    const { endorsement, commands } = await attestByChain();
    expect([endorsement.persistentHandle, commands.get('TPM2_CreatePrimary')]).toEqual([0x81000042, 1]);
  });
});

describe('what the manufacturer stored about making the key', () => {
  test('a template overrides the default: the same one gives the same key', async () => {
    tpm = await startSwtpm({ templates: ['L-1'] });
    const before = await attest();
    await store(0x01c00004, encode(tpmtPublic, template('L-1').publicArea));
    expect((await attest()).payload).toEqual(before.payload);
  });

  test('another template makes another key, and is still one of the TCG’s where only `unique` differs', async () => {
    tpm = await startSwtpm({ templates: [] });
    const byDefault = await attest('auto', LISTED);
    const { publicArea } = template('L-1');
    if (publicArea.type !== 'rsa') throw new TypeError('L-1 is RSA');
    await store(0x01c00004, encode(tpmtPublic, { ...publicArea, unique: new Uint8Array(256).fill(1) }));
    const stored = await attest('auto', LISTED);
    expect(stored.verdict.verdict).toBe('trusted');
    expect(stored.endorsement).toMatchObject({ template: { name: 'L-1' }, notes: [] });
    expect(stored.endorsement.publicArea).not.toEqual(byDefault.endorsement.publicArea);
  });

  test('a template that is none of the TCG’s: the judge refuses the key', async () => {
    tpm = await startSwtpm({ templates: [] });
    const { publicArea } = template('L-1');
    const objectAttributes = publicArea.objectAttributes | TPMA_OBJECT.noDA;
    await store(0x01c00004, encode(tpmtPublic, { ...publicArea, objectAttributes }));
    await expect(attest('auto', LISTED)).rejects.toThrow('ek.template');
  });

  test.each(['L-1', 'L-2'] as const)('a nonce makes another key of template %s', async (name) => {
    tpm = await startSwtpm({ templates: [] });
    const choice = template(name).algorithm;
    const without = await attest(choice, LISTED);
    await store(template(name).nonceNvIndex ?? 0, new Uint8Array(20).fill(9));
    const nonced = await attest(choice, LISTED);
    expect(nonced.verdict.verdict).toBe('trusted');
    expect(nonced.endorsement.publicArea).not.toEqual(without.endorsement.publicArea);
  });

  test('a nonce that the certificate was not made for: the certificate is not sent, and the judge wants one', async () => {
    tpm = await startSwtpm({ templates: ['L-1'] });
    await store(0x01c00003, new Uint8Array(20).fill(9));
    // The support throws what `begin` found.
    await expect(attest()).rejects.toThrow('ek.no_certificate');
    const { endorsement } = await attest('auto', LISTED);
    expect(endorsement.notes).toEqual([
      expect.stringMatching(/^NV index 0x01c00002 .* is not the key L-1 of this TPM/),
    ]);
  });

  test('bytes that are no template are passed over: the key is made from that of the TCG', async () => {
    tpm = await startSwtpm({ templates: ['L-1'] });
    await store(0x01c00004, Uint8Array.of(1, 2, 3));
    await store(0x01c00003, new Uint8Array(300));
    const { endorsement, verdict } = await attest();
    expect([endorsement.template.name, verdict.verdict]).toEqual(['L-1', 'trusted']);
    expect(endorsement.notes).toEqual(
      ['0x01c00003', '0x01c00004'].map((index) =>
        expect.stringMatching(`^NV index ${index} holds no template or nonce`),
      ),
    );
  });
});

describe('a persistent handle', () => {
  const ATTRIBUTES = 'fixedtpm|fixedparent|sensitivedataorigin|adminwithpolicy|restricted|decrypt';

  /** A key with the public area of template L-1, at the handle where the EK is expected. */
  async function keepForeignKey(hierarchy: 'o' | 'e'): Promise<void> {
    const { authPolicy } = template('L-1').publicArea;
    await writeFile(join(tpm.folder, 'policy'), authPolicy);
    await writeFile(join(tpm.folder, 'unique'), Buffer.concat([Uint8Array.of(0, 1), new Uint8Array(256).fill(3)]));
    const shape = ['-G', 'rsa2048:null:aes128cfb', '-g', 'sha256', '-a', ATTRIBUTES, '-L', 'policy', '-u', 'unique'];
    await tpm.tpm2('tpm2_createprimary', ['-C', hierarchy, ...shape, '-c', 'foreign.ctx']);
    await tpm.tpm2('tpm2_evictcontrol', ['-C', 'o', '-c', 'foreign.ctx', '0x81010001']);
    await tpm.tpm2('tpm2_flushcontext', ['-t']);
  }

  test.each(['H-3', 'L-1'] as const)('with the key of the certificate (%s) is used as it is', async (name) => {
    tpm = await startSwtpm({ templates: [name], persistentEks: true });
    const { endorsement, verdict, commands } = await attest();
    expect(endorsement.persistentHandle).toBe(name === 'L-1' ? 0x81010001 : 0x81010016);
    // One for the AK.
    expect(commands.get('TPM2_CreatePrimary')).toBe(1);
    expect(verdict.verdict).toBe('trusted');
  });

  test.each(['o', 'e'] as const)(
    'with another key than the certificate’s (made in hierarchy %s) is passed over and not evicted',
    async (hierarchy) => {
      tpm = await startSwtpm({ templates: ['L-1'] });
      await keepForeignKey(hierarchy);
      const before = await persistentHandles();
      expect(before).toContain('0x81010001');
      const { endorsement, verdict } = await attest();
      expect(endorsement.persistentHandle).toBeUndefined();
      expect(verdict.verdict).toBe('trusted');
      expect(await persistentHandles()).toBe(before);
    },
  );

  test('without certificate wins when it has the template and is of the endorsement hierarchy', async () => {
    tpm = await startSwtpm({ templates: [] });
    await tpm.tpm2('tpm2_createek', ['-G', 'rsa', '-c', '0x81000042']);
    const { endorsement, verdict } = await attest('auto', LISTED);
    expect(endorsement.persistentHandle).toBe(0x81000042);
    expect(verdict.verdict).toBe('trusted');
  });

  test('without certificate is passed over when its key is of another hierarchy', async () => {
    tpm = await startSwtpm({ templates: [] });
    await keepForeignKey('o');
    const { endorsement, verdict } = await attest('auto', LISTED);
    expect(endorsement.persistentHandle).toBeUndefined();
    expect(verdict.verdict).toBe('trusted');
  });
});
