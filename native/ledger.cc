// Follows the commands through a keeper, to know what they left loaded.
#include "ledger.h"

#include <tss2/tss2_tpm2_types.h>

#include <algorithm>

namespace tpm_attestor {
namespace {

/// TPMI_ST_COMMAND_TAG, UINT32 size, TPM_CC or TPM_RC (Part 1, 18.1).
constexpr size_t kHeaderBytes = 10;
constexpr size_t kHandleBytes = 4;
constexpr size_t kUnknown = SIZE_MAX;

uint32_t Number(const uint8_t* bytes, size_t width) {
  uint32_t value = 0;
  for (size_t i = 0; i < width; i++) value = value << 8 | bytes[i];
  return value;
}

/// True when the command loads something and answers with its handle.
bool Loads(uint32_t code) {
  switch (code) {
    case TPM2_CC_ContextLoad:
    case TPM2_CC_CreatePrimary:
    case TPM2_CC_Load:
    case TPM2_CC_LoadExternal:
    case TPM2_CC_StartAuthSession:
      return true;
    default:
      return false;
  }
}

/// Number of handles in front of the authorization area (Part 3), for every command that the addon sends.
size_t HandlesOf(uint32_t code) {
  switch (code) {
    case TPM2_CC_GetCapability:
    case TPM2_CC_GetRandom:
    case TPM2_CC_LoadExternal:
    case TPM2_CC_PCR_Read:
      return 0;
    case TPM2_CC_Create:
    case TPM2_CC_CreatePrimary:
    case TPM2_CC_Load:
    case TPM2_CC_NV_ReadPublic:
    case TPM2_CC_PolicyGetDigest:
    case TPM2_CC_PolicyOR:
    case TPM2_CC_Quote:
    case TPM2_CC_ReadPublic:
      return 1;
    case TPM2_CC_ActivateCredential:
    case TPM2_CC_CertifyCreation:
    case TPM2_CC_NV_Read:
    case TPM2_CC_PolicySecret:
    case TPM2_CC_StartAuthSession:
      return 2;
    default:
      return kUnknown;
  }
}

}  // namespace

void Ledger::Note(const uint8_t* command, size_t command_bytes, const uint8_t* response, size_t response_bytes) {
  if (command_bytes < kHeaderBytes || response_bytes < kHeaderBytes) return;
  if (Number(response + 6, 4) != TPM2_RC_SUCCESS) return;
  const uint32_t code = Number(command + 6, 4);
  if (Loads(code) && response_bytes >= kHeaderBytes + kHandleBytes) Add(Number(response + kHeaderBytes, 4));
  if (code == TPM2_CC_FlushContext && command_bytes >= kHeaderBytes + kHandleBytes) {
    Remove(Number(command + kHeaderBytes, 4));
  }
  if (Number(command, 2) == TPM2_ST_SESSIONS) RemoveEndedSessions(code, command, command_bytes);
}

bool Ledger::Take(uint32_t* handle) {
  if (count_ == 0) return false;
  *handle = handles_[--count_];
  return true;
}

void Ledger::Add(uint32_t handle) {
  if (count_ < handles_.size()) handles_[count_++] = handle;
}

void Ledger::Remove(uint32_t handle) {
  count_ = static_cast<size_t>(std::remove(handles_.begin(), handles_.begin() + count_, handle) - handles_.begin());
}

/// The TPM ends a session that is used without continueSession (Part 1, 17.6), and may reuse its handle at once.
void Ledger::RemoveEndedSessions(uint32_t code, const uint8_t* command, size_t bytes) {
  const size_t handles = HandlesOf(code);
  if (handles == kUnknown) return;
  size_t at = kHeaderBytes + handles * kHandleBytes + 4;
  if (at > bytes) return;
  const size_t end = std::min(bytes, at + Number(command + at - 4, 4));
  // TPMS_AUTH_COMMAND: handle, nonce, attributes, hmac.
  while (at + 6 <= end) {
    const uint32_t session = Number(command + at, 4);
    const size_t attributes_at = at + 6 + Number(command + at + 4, 2);
    if (attributes_at + 3 > end) return;
    if ((command[attributes_at] & TPMA_SESSION_CONTINUESESSION) == 0) Remove(session);
    at = attributes_at + 3 + Number(command + attributes_at + 1, 2);
  }
}

}  // namespace tpm_attestor
