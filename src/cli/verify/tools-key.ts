/** Reads the AK of `verify --ak`. The file is the user's own, so an unreadable key is wrong usage, not a verdict. */
import { MalformedError } from '../../bytes/malformed.ts';
import { readToolsKey, type ToolsKey } from '../../evidence/tpm2-tools.ts';
import { type ToolsAk, toolsAkOf } from '../../verifier/tools-judgement.ts';
import { UsageError } from '../terminal/failure.ts';

/** @throws UsageError */
export function readToolsAk(bytes: Uint8Array): ToolsAk {
  const read = readKey(bytes);
  const ak = toolsAkOf(read);
  if (ak !== undefined) return ak;
  const key = read.kind === 'key' ? read.key : undefined;
  throw new UsageError(
    `the key of --ak, ${key?.asymmetricKeyDetails?.namedCurve ?? key?.asymmetricKeyType}, is not supported: quotes are signed by RSA keys of at most 4096 bits or on P-256, P-384, P-521`,
  );
}

function readKey(bytes: Uint8Array): ToolsKey {
  try {
    return readToolsKey(bytes);
  } catch (cause) {
    if (!(cause instanceof MalformedError)) throw cause;
    throw new UsageError(
      `the file of --ak cannot be read: ${cause.message}; give the attestation key as tpm2_createak -u or tpm2_readpublic -o write it, with -f tss, tpmt, pem or der`,
      { cause },
    );
  }
}
