#include "tpm.h"

namespace tpm_attestor {

TSS2_RC Tpm::Open(const std::string& configuration) {
  const TSS2_RC rc = tcti_.Open(configuration);
  if (rc != TSS2_RC_SUCCESS) return rc;
  return Esys_Initialize(&esys_, tcti_.Context(), nullptr);
}

}  // namespace tpm_attestor
