/** The agent plugin with a dishonest AK, for the demo. The shipped agent plugin cannot make such keys. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { Argument, Command } from 'commander';
import type { AkMaker } from '../../agent/ak-maker.ts';
import { agentPlugin } from '../../agent-plugin/agent-plugin.ts';
import { servePlugin } from '../../spire/plugin/plugin-server.ts';
import { VERSION } from '../../spire/version.ts';
import { ESYS_TR } from '../../tpm/device/handles.ts';
import { publicAreaOf } from '../../tpm/public-key.ts';
import { TPMA_OBJECT } from '../../tpm/structures/attributes.ts';
import { encode } from '../../tpm/structures/codec.ts';
import { type TpmtPublic, tpmtPublic } from '../../tpm/structures/public.ts';
import { type AkAlgorithm, akTemplate } from '../../tpm/templates.ts';

const MAKERS: Readonly<Record<'unrestricted' | 'software', AkMaker>> = {
  /** The key cannot leave its TPM, but it also signs forged quotes. */
  unrestricted: (run, { choice, purpose, passwords, saltKey }) => {
    const template = akTemplate(algorithmOf(choice), purpose);
    const inPublic = withAttributes(template, template.objectAttributes & ~TPMA_OBJECT.restricted);
    return passwords.authorize(run, 'endorsement', saltKey, (session) =>
      run.createPrimary({ primaryHandle: ESYS_TR.RH_ENDORSEMENT, sessions: [session], inPublic }),
    );
  },
  /** The private key is outside the TPM, where anybody could sign with it. */
  software: async (run, { choice }) => {
    const template = akTemplate(algorithmOf(choice), '');
    const area = publicAreaOf(softwareKey(algorithmOf(choice)), template);
    if (area === undefined) throw new RangeError('the key does not fit the template');
    const inPublic = withAttributes(area, TPMA_OBJECT.userWithAuth | TPMA_OBJECT.sign);
    const { objectHandle } = await run.loadExternal({ hierarchy: ESYS_TR.RH_NULL, inPublic });
    const none = new Uint8Array();
    return { objectHandle, outPublic: inPublic, creationData: none, creationHash: none, creationTicket: none };
  },
};

function softwareKey(algorithm: AkAlgorithm): KeyObject {
  if (algorithm === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
}

function algorithmOf(choice: 'auto' | AkAlgorithm): AkAlgorithm {
  return choice === 'rsa' ? 'rsa' : 'ecc';
}

function withAttributes(publicArea: TpmtPublic, objectAttributes: number): Uint8Array {
  return encode(tpmtPublic, { ...publicArea, objectAttributes });
}

export const TAMPERING_AGENT = 'tampering-agent';

export function tamperingAgentCommand(): Command {
  return new Command(TAMPERING_AGENT)
    .addArgument(new Argument('<ak>').choices(Object.keys(MAKERS)))
    .action((ak: keyof typeof MAKERS) =>
      servePlugin({ kind: 'agent', version: VERSION }, async (logger) => agentPlugin(logger, MAKERS[ak])),
    );
}
