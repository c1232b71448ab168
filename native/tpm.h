#ifndef TPM_ATTESTOR_NATIVE_TPM_H_
#define TPM_ATTESTOR_NATIVE_TPM_H_

#include <tss2/tss2_esys.h>

#include <string>

#include "tcti.h"

namespace tpm_attestor {

/// A connection to a TPM: the TCTI and the ESYS context over it.
///
/// Shared by the JS object and by the worker whose command is running, so that whoever is last finalizes it: closing or
/// collecting the JS object never pulls it from under a command. Its destructor sends nothing to the TPM; a keeper does.
class Tpm {
 public:
  Tpm() = default;
  Tpm(const Tpm&) = delete;
  Tpm& operator=(const Tpm&) = delete;
  ~Tpm() { Esys_Finalize(&esys_); }  // tcti_ outlives it: members die after the destructor's body

  /// May block, as a TCTI may connect here.
  TSS2_RC Open(const std::string& configuration, bool kept);

  ESYS_CONTEXT* Esys() const { return esys_; }
  const Tcti& Transport() const { return tcti_; }

  /// An ESYS context is a state machine that admits one command at a time. The queue in TypeScript sees to that; this
  /// flag, touched on the JS thread only, turns a mistake there into an error instead of a race.
  bool busy = false;

 private:
  Tcti tcti_;
  ESYS_CONTEXT* esys_ = nullptr;
};

}  // namespace tpm_attestor

#endif  // TPM_ATTESTOR_NATIVE_TPM_H_
