// The methods of NativeContext, and the file that defines each.
#ifndef TPM_ATTESTOR_NATIVE_COMMANDS_H_
#define TPM_ATTESTOR_NATIVE_COMMANDS_H_

#include <napi.h>

#include "context.h"

namespace tpm_attestor {

/// A method of NativeContext. `info` holds one record with the field names of Part 3.
using Command = Napi::Value(Context& context, const Napi::CallbackInfo& info);

// TPM commands, by the chapters of Part 3. They return a promise.

Command StartAuthSession;                                                           // session.cc
Command ActivateCredential, Create, CreatePrimary, Load, LoadExternal, ReadPublic;  // object.cc
Command GetRandom, GetCapability;                                                   // capability.cc
Command CertifyCreation, Quote;                                                     // attestation.cc
Command PcrRead;                                                                    // integrity.cc
Command PolicyGetDigest, PolicyOr, PolicySecret;                                    // policy.cc
Command ContextLoad, ContextSave, FlushContext;                                     // management.cc
Command NvRead, NvReadPublic;                                                       // nv.cc

// ESYS objects (resource.cc). TrFromTpmPublic reads the public area from the TPM and returns a promise. The others run
// within ESYS and return at once.

Command TrFromTpmPublic;
Command SessionGetAttributes, SessionSetAttributes;
Command TrClose, TrDeserialize, TrGetName, TrGetTpmHandle, TrSerialize, TrSetAuth;

}  // namespace tpm_attestor

#endif  // TPM_ATTESTOR_NATIVE_COMMANDS_H_
