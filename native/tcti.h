// The transport to a TPM, which counts the commands.
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

/// A TCTI around the one that a configuration string names. It counts the commands.
///
/// Only a count at this point is right: ESYS sends commands of its own (TPM2_ReadPublic inside Esys_TR_FromTPMPublic),
/// and sends a command again when the TPM answers TPM_RC_RETRY.
class Tcti {
 public:
  Tcti() = default;
  Tcti(const Tcti&) = delete;
  Tcti& operator=(const Tcti&) = delete;
  ~Tcti();

  /// @param kept true to connect through a keeper, for a TPM without resource manager
  TSS2_RC Open(const std::string& configuration, bool kept);

  /// The TCTI context to give to ESYS.
  TSS2_TCTI_CONTEXT* Context() { return reinterpret_cast<TSS2_TCTI_CONTEXT*>(&frame_); }

  /// Number of commands transmitted so far, by TPM_CC. May be called on any thread.
  std::map<uint32_t, uint32_t> Counts() const;

 private:
  /// tpm2-tss requires the common TCTI header at the start. The functions find this object by `self`.
  struct Frame {
    TSS2_TCTI_CONTEXT_COMMON_V2 common;
    Tcti* self;
  };

  static Tcti& Self(TSS2_TCTI_CONTEXT* context) { return *reinterpret_cast<Frame*>(context)->self; }
  static TSS2_RC Transmit(TSS2_TCTI_CONTEXT* context, size_t size, const uint8_t* command);
  static TSS2_RC Receive(TSS2_TCTI_CONTEXT* context, size_t* size, uint8_t* response, int32_t timeout);
  void Count(size_t size, const uint8_t* command);

  Frame frame_ = {};
  /// Exactly one of `inner_` and `keeper_` is set after Open.
  TSS2_TCTI_CONTEXT* inner_ = nullptr;
  std::unique_ptr<Keeper> keeper_;
  mutable std::mutex mutex_;
  std::map<uint32_t, uint32_t> counts_;
};

}  // namespace tpm_attestor

#endif  // TPM_ATTESTOR_NATIVE_TCTI_H_
