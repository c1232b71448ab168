#ifndef TPM_ATTESTOR_NATIVE_COMMANDS_H_
#define TPM_ATTESTOR_NATIVE_COMMANDS_H_

#include <napi.h>

#include "context.h"

namespace tpm_attestor {

/// A method of NativeContext. `info` holds one record whose fields are named as in Part 3.
using Command = Napi::Value(Context& context, const Napi::CallbackInfo& info);

// TPM commands, by the chapters of Part 3. They answer a promise.

Command StartAuthSession;                                                           // session.cc
Command ActivateCredential, Create, CreatePrimary, Load, LoadExternal, ReadPublic;  // object.cc
Command GetRandom, GetCapability;                                                   // capability.cc
Command CertifyCreation, Quote;                                                     // attestation.cc
Command PcrRead;                                                                    // integrity.cc
Command PolicyGetDigest, PolicyOr, PolicySecret;                                    // policy.cc
Command ContextLoad, ContextSave, FlushContext;                                     // management.cc
Command NvRead, NvReadPublic;                                                       // nv.cc

// ESYS's own objects (resource.cc). TrFromTpmPublic reads the public area from the TPM and answers a promise; the
// others are local and answer at once.

Command TrFromTpmPublic;
Command SessionGetAttributes, SessionSetAttributes;
Command TrClose, TrDeserialize, TrGetName, TrGetTpmHandle, TrSerialize, TrSetAuth;

}  // namespace tpm_attestor

#endif  // TPM_ATTESTOR_NATIVE_COMMANDS_H_
