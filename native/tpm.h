// A connection to a TPM.
#ifndef TPM_ATTESTOR_NATIVE_TPM_H_
#define TPM_ATTESTOR_NATIVE_TPM_H_

#include <tss2/tss2_esys.h>

#include <string>

#include "tcti.h"

namespace tpm_attestor {

/// A connection to a TPM: the TCTI and the ESYS context over it.
///
/// The JS object and the worker of a running command share it, and the last of them finalizes it. So closing or
/// collecting the JS object never takes it away from a command. The destructor sends nothing to the TPM; a keeper may
/// flush.
class Tpm {
 public:
  Tpm() = default;
  Tpm(const Tpm&) = delete;
  Tpm& operator=(const Tpm&) = delete;
  ~Tpm() { Esys_Finalize(&esys_); }  // tcti_ outlives it: members die after the destructor's body

  /// May block while the TCTI connects.
  TSS2_RC Open(const std::string& configuration, bool kept);

  ESYS_CONTEXT* Esys() const { return esys_; }
  const Tcti& Transport() const { return tcti_; }

  /// An ESYS context allows one command at a time, and the queue in TypeScript ensures that. This flag turns a mistake
  /// there into an error instead of a race. Only the JS thread uses it.
  bool busy = false;

 private:
  Tcti tcti_;
  ESYS_CONTEXT* esys_ = nullptr;
};

}  // namespace tpm_attestor

#endif  // TPM_ATTESTOR_NATIVE_TPM_H_
