import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ESYS_TR } from '../../src/tpm/device/handles.ts';
import { withPrimary, withSession } from '../../src/tpm/device/scope.ts';
import type { Tpm } from '../../src/tpm/device/tpm.ts';
import { makeCredential } from '../../src/tpm/make-credential.ts';
import { TPMA_SESSION } from '../../src/tpm/structures/attributes.ts';
import { decode } from '../../src/tpm/structures/codec.ts';
import { TPM_ALG, TPM_SE } from '../../src/tpm/structures/constants.ts';
import { tpmtPublic } from '../../src/tpm/structures/public.ts';
import { EK_TEMPLATES } from '../../src/tpm/templates.ts';
import {
  AK,
  EK,
  ekTemplate,
  leftInTpm,
  openTpm,
  PASSWORD,
  recorded,
  recordedTest,
  withEkPolicy,
} from '../support/open-tpm.ts';
import { startSwtpm } from '../support/swtpm.ts';

const ENCRYPTED = TPMA_SESSION.encrypt | TPMA_SESSION.decrypt;

describe('sessions', () => {
  recordedTest(
    'a salted session encrypts what the TPM answers; without it the answer is on the wire in clear',
    async () => {
      const software = await startSwtpm();
      let secret: Uint8Array = new Uint8Array();
      let open: Uint8Array = new Uint8Array();
      const { file } = await recorded(software, (tpm) =>
        tpm.exclusive((run) =>
          withPrimary(run, EK, ({ objectHandle }) =>
            withSession(run, { sessionType: TPM_SE.HMAC, tpmKey: objectHandle }, async (session) => {
              await run.setSessionAttributes({ session, flags: ENCRYPTED, mask: ENCRYPTED });
              expect(await run.sessionAttributes({ session })).toBe(ENCRYPTED | TPMA_SESSION.continueSession);
              // A command with no parameter to encrypt refuses the decrypt attribute.
              await run.setSessionAttributes({ session, flags: TPMA_SESSION.encrypt, mask: ENCRYPTED });
              secret = (await run.getRandom({ bytesRequested: 16, sessions: [session] })).randomBytes;
              open = (await run.getRandom({ bytesRequested: 16 })).randomBytes;
            }),
          ),
        ),
      );
      expect(file.includes(Buffer.from(open))).toBe(true);
      expect(file.includes(Buffer.from(secret))).toBe(false);
    },
  );

  test('an EK activates a credential made for the AK, in a session that then is over without a flush', async () => {
    const software = await startSwtpm();
    const tpm = await openTpm(software);
    const secret = randomBytes(32);
    const certInfo = await tpm.exclusive((run) =>
      withPrimary(run, EK, (ek) =>
        withPrimary(run, AK, async (ak) => {
          const { name } = await run.readPublic({ objectHandle: ak.objectHandle });
          const credential = makeCredential(decode(tpmtPublic, ek.outPublic), name, secret, randomBytes);
          return withEkPolicy(run, ek.objectHandle, async (session) => {
            const last = TPMA_SESSION.encrypt;
            await run.setSessionAttributes({ session, flags: last, mask: last | TPMA_SESSION.continueSession });
            const answer = await run.activateCredential({
              activateHandle: ak.objectHandle,
              keyHandle: ek.objectHandle,
              sessions: [ESYS_TR.PASSWORD, session],
              credentialBlob: credential.credentialBlob,
              secret: credential.encryptedSecret,
            });
            return answer.certInfo;
          });
        }),
      ),
    );
    expect(Buffer.from(certInfo).equals(secret)).toBe(true);
    await tpm.close();
    // The two keys; the session ended by itself.
    expect(tpm.commandCounts().get('TPM2_FlushContext')).toBe(2);
    expect(await leftInTpm(software)).toEqual([]);
  });

  test('a policy digest is that of the EK template', async () => {
    const tpm = await openTpm(await startSwtpm());
    const { policyDigest } = await tpm.exclusive((run) =>
      withSession(run, { sessionType: TPM_SE.POLICY }, async (session) => {
        await run.policySecret({ authHandle: ESYS_TR.RH_ENDORSEMENT, policySession: session, sessions: PASSWORD });
        return run.policyGetDigest({ policySession: session });
      }),
    );
    expect(policyDigest).toEqual(ekTemplate('L-1').authPolicy);
  });

  test('PolicyOR turns the first branch into the policy of the high-range template', async () => {
    const template = EK_TEMPLATES.find(({ name }) => name === 'H-3');
    const tpm = await openTpm(await startSwtpm());
    const { policyDigest } = await tpm.exclusive((run) =>
      withSession(run, { sessionType: TPM_SE.POLICY, authHash: TPM_ALG.SHA384 }, async (session) => {
        await run.policySecret({ authHandle: ESYS_TR.RH_ENDORSEMENT, policySession: session, sessions: PASSWORD });
        await run.policyOr({ policySession: session, pHashList: template?.policyOr ?? [] });
        return run.policyGetDigest({ policySession: session });
      }),
    );
    expect(policyDigest).toEqual(template?.publicArea.authPolicy);
  });

  recordedTest(
    'a hierarchy password authorizes through a salted HMAC session without being on the wire; a wrong one does not',
    async () => {
      const software = await startSwtpm();
      const password = 'correct horse battery';
      await software.tpm2('tpm2_changeauth', ['-c', 'e', password]);
      const create = (auth: string) => (tpm: Tpm) =>
        tpm.exclusive(async (run) => {
          await run.trSetAuth({ object: ESYS_TR.RH_ENDORSEMENT, authValue: Buffer.from(auth) });
          await withPrimary(run, { ...EK, primaryHandle: ESYS_TR.RH_OWNER }, (salt) =>
            withSession(run, { sessionType: TPM_SE.HMAC, tpmKey: salt.objectHandle }, (session) =>
              withPrimary(run, { ...AK, sessions: [session] }, async () => {}),
            ),
          );
        });
      const { file } = await recorded(software, create(password));
      expect(file.includes(password)).toBe(false);
      const tpm = await openTpm(software);
      await expect(create('wrong')(tpm)).rejects.toMatchObject({
        name: 'TPM_RC_BAD_AUTH',
        argument: { kind: 'session', index: 1 },
      });
    },
  );
});
