#ifndef TPM_ATTESTOR_NATIVE_STEPS_STEPS_H_
#define TPM_ATTESTOR_NATIVE_STEPS_STEPS_H_

#include <napi.h>

#include "arguments.h"
#include "libcrypto.h"

namespace tpm_attestor::steps {

/// isOnCurve(curveBits, x, y): boolean.
Napi::Value IsOnCurve(const Napi::CallbackInfo& info);

/// verifyRsa(modulus, exponent, hashBytes, salt, data, signature): boolean. `salt`: bytes of RSASSA-PSS, -2 for any
/// number of them, -1 for PKCS #1 v1.5.
Napi::Value VerifyRsa(const Napi::CallbackInfo& info);

/// verifyEcdsa(curveBits, x, y, hashBytes, isDer, data, signature): boolean.
Napi::Value VerifyEcdsa(const Napi::CallbackInfo& info);

/// rsaCredential(0, modulus, exponent, hashBytes, seed, keyBits, identity, name): encrypted seed ‖ HMAC ‖ encIdentity;
/// undefined when the numbers are no key.
Napi::Value RsaCredential(const Napi::CallbackInfo& info);

/// eccCredential(curveBits, x, y, hashBytes, scalar, keyBits, identity, name): ephemeral x ‖ y ‖ HMAC ‖ encIdentity;
/// undefined when the numbers are no key, or the scalar is none.
Napi::Value EccCredential(const Napi::CallbackInfo& info);

/// Arguments that name an algorithm by its size; a TypeError for any other size.
const EVP_MD* HashArgument(const Napi::CallbackInfo& info, const Arguments& arguments, size_t index);
const EVP_CIPHER* CipherArgument(const Napi::CallbackInfo& info, const Arguments& arguments, size_t index);
const Curve& CurveArgument(const Napi::CallbackInfo& info, const Arguments& arguments, size_t index);

}  // namespace tpm_attestor::steps

#endif  // TPM_ATTESTOR_NATIVE_STEPS_STEPS_H_
