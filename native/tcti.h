#ifndef TPM_ATTESTOR_NATIVE_TCTI_H_
#define TPM_ATTESTOR_NATIVE_TCTI_H_

#include <tss2/tss2_tcti.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "keeper.h"

namespace tpm_attestor {

/// A TCTI found by its configuration string, which counts the commands that pass through it.
///
/// Counting where the bytes leave is the only count that is true: ESYS sends commands of its own (TPM2_ReadPublic
/// inside Esys_TR_FromTPMPublic) and sends a command again when the TPM answers TPM_RC_RETRY.
class Tcti {
 public:
  Tcti() = default;
  Tcti(const Tcti&) = delete;
  Tcti& operator=(const Tcti&) = delete;
  ~Tcti();

  /// @param kept by a keeper, for a TPM that has no resource manager
  TSS2_RC Open(const std::string& configuration, bool kept);

  /// What ESYS is given.
  TSS2_TCTI_CONTEXT* Context() { return reinterpret_cast<TSS2_TCTI_CONTEXT*>(&frame_); }

  /// Commands transmitted so far, by TPM_CC. Any thread.
  std::map<uint32_t, uint32_t> Counts() const;

 private:
  /// The common TCTI header comes first, as tpm2-tss requires; `self` is how its functions find this object.
  struct Frame {
    TSS2_TCTI_CONTEXT_COMMON_V2 common;
    Tcti* self;
  };

  static Tcti& Self(TSS2_TCTI_CONTEXT* context) { return *reinterpret_cast<Frame*>(context)->self; }
  static TSS2_RC Transmit(TSS2_TCTI_CONTEXT* context, size_t size, const uint8_t* command);
  static TSS2_RC Receive(TSS2_TCTI_CONTEXT* context, size_t* size, uint8_t* response, int32_t timeout);
  void Count(size_t size, const uint8_t* command);

  Frame frame_ = {};
  /// One of the two is there.
  TSS2_TCTI_CONTEXT* inner_ = nullptr;
  std::unique_ptr<Keeper> keeper_;
  mutable std::mutex mutex_;
  std::map<uint32_t, uint32_t> counts_;
};

}  // namespace tpm_attestor

#endif  // TPM_ATTESTOR_NATIVE_TCTI_H_
