// The state of the addon in one Node.js environment.
#ifndef TPM_ATTESTOR_NATIVE_ADDON_H_
#define TPM_ATTESTOR_NATIVE_ADDON_H_

#include <napi.h>

#include <memory>

#include "context.h"

namespace tpm_attestor {

/// All state of the addon, one object for each environment. There is no static mutable state besides the keepers'
/// lists, so worker threads and a second copy of the addon are independent.
struct Addon {
  Napi::FunctionReference context_class;
  /// Set only while the addon itself constructs a Context. It is empty when JS calls the constructor, which then
  /// throws.
  std::shared_ptr<Tpm> opened;
  std::shared_ptr<OpenContexts> contexts = std::make_shared<OpenContexts>();
};

}  // namespace tpm_attestor

#endif  // TPM_ATTESTOR_NATIVE_ADDON_H_
