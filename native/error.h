// The JS errors of the addon.
#ifndef TPM_ATTESTOR_NATIVE_ERROR_H_
#define TPM_ATTESTOR_NATIVE_ERROR_H_

#include <napi.h>
#include <tss2/tss2_common.h>

namespace tpm_attestor {

/// Carries a TSS2_RC out of a function that has no environment to make a JS error in.
struct TssFailure {
  TSS2_RC rc;
};

/// An Error with `rc`, `command` and, when one argument was at fault, `field`. TypeScript decodes the code.
Napi::Error TssError(Napi::Env env, const char* command, TSS2_RC rc, const char* field = nullptr);

/// Throws TssError unless `rc` is success.
void Check(Napi::Env env, const char* command, TSS2_RC rc);

/// A TypeError with a stable `code`, for a call that the caller must not make.
Napi::Error MisuseError(Napi::Env env, const char* code, const char* message);

}  // namespace tpm_attestor

#endif  // TPM_ATTESTOR_NATIVE_ERROR_H_
