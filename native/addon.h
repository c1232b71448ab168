#ifndef TPM_ATTESTOR_NATIVE_ADDON_H_
#define TPM_ATTESTOR_NATIVE_ADDON_H_

#include <napi.h>

#include <memory>

#include "context.h"

namespace tpm_attestor {

/// Everything the addon keeps, once per environment: there is no static mutable state, so that worker threads and a
/// second copy of the addon are independent.
struct Addon {
  Napi::FunctionReference context_class;
  /// Handed to the Context constructor by the addon itself; empty at any other time, which is how a constructor called
  /// from JS is told apart.
  std::shared_ptr<Tpm> opened;
  std::shared_ptr<OpenContexts> contexts = std::make_shared<OpenContexts>();
};

}  // namespace tpm_attestor

#endif  // TPM_ATTESTOR_NATIVE_ADDON_H_
