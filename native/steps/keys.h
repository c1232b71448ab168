#ifndef TPM_ATTESTOR_NATIVE_STEPS_KEYS_H_
#define TPM_ATTESTOR_NATIVE_STEPS_KEYS_H_

#include "arguments.h"
#include "libcrypto.h"

namespace tpm_attestor::steps {

/// The key of these numbers, big-endian; null when OpenSSL would not compute with them.
RsaKey MakeRsaKey(Bytes modulus, Bytes exponent);

/// The key of this point; null unless both coordinates have the curve's width, lie below its prime, and are on the curve.
EcKey MakeEcKey(const Curve& curve, Bytes x, Bytes y);

}  // namespace tpm_attestor::steps

#endif  // TPM_ATTESTOR_NATIVE_STEPS_KEYS_H_
