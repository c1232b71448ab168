// Opens a connection to a TPM.
#include "tpm.h"

namespace tpm_attestor {

TSS2_RC Tpm::Open(const std::string& configuration, bool kept) {
  const TSS2_RC rc = tcti_.Open(configuration, kept);
  if (rc != TSS2_RC_SUCCESS) return rc;
  return Esys_Initialize(&esys_, tcti_.Context(), nullptr);
}

}  // namespace tpm_attestor
