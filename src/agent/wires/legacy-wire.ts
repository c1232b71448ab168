/**
 * The wire of spire-tpm-plugin, for a server that still speaks it. The answer is the secret alone, without a quote. It
 * is not bound to a server or a trust domain. So this wire has an AK of its own, which opens no credential of our own
 * wire.
 */
import { encodeEkPem } from '../../evidence/ek-pem.ts';
import { decodePluginChallenge, encodePluginPayload, encodePluginResponse } from '../../evidence/legacy-messages.ts';
import { LEGACY_EK_TEMPLATE } from '../../evidence/wires.ts';
import { ESYS_TR } from '../../tpm/device/handles.ts';
import { publicKeyOf, spkiOf } from '../../tpm/public-key.ts';
import { decode } from '../../tpm/structures/codec.ts';
import { tpmtPublic } from '../../tpm/structures/public.ts';
import { ekTemplateOf } from '../../tpm/templates.ts';
import { type Endorsement, EndorsementError } from '../endorsement/load-endorsement.ts';
import type { AgentWire } from './agent-wire.ts';

export function pluginWire(trustDomain: string): AgentWire {
  return {
    name: 'spire-tpm-plugin',
    ekTemplates: [LEGACY_EK_TEMPLATE],
    // A trust domain has no slash, so this purpose differs from every purpose of our own wire.
    akPurpose: `/spire-tpm-plugin/${trustDomain}`,
    payload: async (run, endorsement, ak) => {
      const EK = encodeEkPem({ publicKey: ekKey(endorsement), certificate: endorsement.certificates[0] });
      const { certifyInfo, signature } = await run.certifyCreation({
        signHandle: ak.objectHandle,
        objectHandle: ak.objectHandle,
        sessions: [ESYS_TR.PASSWORD],
        creationHash: ak.creationHash,
        creationTicket: ak.creationTicket,
      });
      const AK = {
        Public: ak.outPublic,
        UseTCSDActivationFormat: false,
        CreateData: ak.creationData,
        CreateAttestation: certifyInfo,
        CreateSignature: signature,
      } as const;
      return encodePluginPayload({ EK, AK });
    },
    read: (challenge) => ({
      ...decodePluginChallenge(challenge),
      logs: [],
      answer: async (_, { secret }) => encodePluginResponse({ Secret: secret }),
    }),
  };
}

/** SubjectPublicKeyInfo. @throws EndorsementError when a server could not derive the EK's public area from it */
function ekKey({ publicArea }: Endorsement): Uint8Array {
  const area = decode(tpmtPublic, publicArea);
  const key = publicKeyOf(area);
  if (key === undefined || ekTemplateOf(area)?.name !== LEGACY_EK_TEMPLATE) {
    throw new EndorsementError(
      `the wire of spire-tpm-plugin needs an endorsement key of template ${LEGACY_EK_TEMPLATE}, but this TPM makes its key from another template`,
    );
  }
  return spkiOf(key);
}
