// The transport to a TPM, which counts the commands.
#include "tcti.h"

#include <tss2/tss2_tctildr.h>

namespace tpm_attestor {

Tcti::~Tcti() { Tss2_TctiLdr_Finalize(&inner_); }

TSS2_RC Tcti::Open(const std::string& configuration, bool kept) {
  TSS2_RC rc;
  if (kept) {
    keeper_ = std::make_unique<Keeper>();
    rc = keeper_->Start(configuration);
  } else {
    rc = Tss2_TctiLdr_Initialize(configuration.c_str(), &inner_);
  }
  if (rc != TSS2_RC_SUCCESS) return rc;

  // Cancelling, polling, localities and sticky handles stay null, which means "not implemented". ESYS does not need
  // them.
  frame_.self = this;
  frame_.common.v1.magic = 0x54504d4154544553;  // "TPMATTES", which no TCTI of tpm2-tss uses
  frame_.common.v1.version = 2;
  frame_.common.v1.transmit = Transmit;
  frame_.common.v1.receive = Receive;
  // The destructor of this object finalizes the inner TCTI, after the ESYS context is gone.
  frame_.common.v1.finalize = [](TSS2_TCTI_CONTEXT*) {};
  return TSS2_RC_SUCCESS;
}

std::map<uint32_t, uint32_t> Tcti::Counts() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return counts_;
}

TSS2_RC Tcti::Transmit(TSS2_TCTI_CONTEXT* context, size_t size, const uint8_t* command) {
  Tcti& self = Self(context);
  const TSS2_RC rc = self.keeper_ != nullptr ? self.keeper_->Transmit(size, command)
                                             : Tss2_Tcti_Transmit(self.inner_, size, command);
  if (rc == TSS2_RC_SUCCESS) self.Count(size, command);
  return rc;
}

TSS2_RC Tcti::Receive(TSS2_TCTI_CONTEXT* context, size_t* size, uint8_t* response, int32_t timeout) {
  Tcti& self = Self(context);
  return self.keeper_ != nullptr ? self.keeper_->Receive(size, response, timeout)
                                 : Tss2_Tcti_Receive(self.inner_, size, response, timeout);
}

void Tcti::Count(size_t size, const uint8_t* command) {
  // TPMI_ST_COMMAND_TAG, UINT32 commandSize, TPM_CC (Part 1, 18.1).
  constexpr size_t kHeaderBytes = 10;
  if (size < kHeaderBytes) return;
  const uint32_t code =
      uint32_t{command[6]} << 24 | uint32_t{command[7]} << 16 | uint32_t{command[8]} << 8 | command[9];
  const std::lock_guard<std::mutex> lock(mutex_);
  ++counts_[code];
}

}  // namespace tpm_attestor
