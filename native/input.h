// Reads and checks the input record of a command.
#ifndef TPM_ATTESTOR_NATIVE_INPUT_H_
#define TPM_ATTESTOR_NATIVE_INPUT_H_

#include <napi.h>
#include <string.h>
#include <tss2/tss2_esys.h>

#include <array>
#include <cstdint>
#include <string>

#include "error.h"
#include "marshal.h"
#include "memory.h"

namespace tpm_attestor {

/// The argument of a command: a record with the field names of Part 3.
///
/// Every accessor copies, because the caller may change, transfer or shrink its buffers while the command runs. It
/// checks the length against the destination before it copies, so memory safety does not rely on TypeScript.
class Input {
 public:
  using Sessions = std::array<ESYS_TR, 3>;

  Input(const Napi::CallbackInfo& info, const char* command);

  const char* Command() const { return command_; }

  /// An integer from 0 to `max`.
  uint32_t Number(const char* field, uint32_t max = UINT32_MAX) const;
  /// An INT32.
  int32_t Signed(const char* field) const;
  ESYS_TR Handle(const char* field) const { return Number(field); }
  /// The field `sessions`: up to three handles, padded with ESYS_TR_NONE.
  Sessions GetSessions() const;

  /// A TPM2B of bytes, given without its size.
  template <typename T>
  T Sized(const char* field) const {
    T tpm2b = {};
    CopyInto(field, &tpm2b);
    return tpm2b;
  }

  template <typename T>
  Secret<T> SecretSized(const char* field) const {
    Secret<T> tpm2b;
    CopyInto(field, &*tpm2b);
    return tpm2b;
  }

  /// A structure in wire form.
  template <typename T>
  T Structure(const char* field) const {
    T structure = {};
    UnmarshalInto(field, &structure);
    return structure;
  }

  /// A structure in wire form, for a parameter that ESYS takes as TPM2B. The marshalling library (MU) computes the
  /// size.
  TPM2B_PUBLIC Public(const char* field) const { return {0, Structure<TPMT_PUBLIC>(field)}; }
  Secret<TPM2B_SENSITIVE_CREATE> Sensitive(const char* field) const;

  std::vector<uint8_t> Bytes(const char* field) const;

 private:
  struct View {
    const uint8_t* data;
    size_t size;
  };

  Napi::Value Field(const char* field) const;
  View GetView(const char* field) const;
  Napi::Error Wrong(const char* field, const std::string& what) const;
  Napi::Error TooLong(const char* field, size_t size, size_t capacity) const;

  template <typename T>
  void CopyInto(const char* field, T* tpm2b) const {
    auto& [size, bytes] = *tpm2b;
    const View view = GetView(field);
    if (view.size > sizeof(bytes)) throw TooLong(field, view.size, sizeof(bytes));
    size = static_cast<UINT16>(view.size);
    if (view.size != 0) memcpy(bytes, view.data, view.size);
  }

  template <typename T>
  void UnmarshalInto(const char* field, T* structure) const {
    const View view = GetView(field);
    // MU reports a null pointer as "bad reference". A valid pointer makes it report an empty buffer as too short.
    const uint8_t nothing = 0;
    const TSS2_RC rc = Unmarshal(view.size == 0 ? &nothing : view.data, view.size, structure);
    if (rc != TSS2_RC_SUCCESS) throw TssError(record_.Env(), command_, rc, field);
  }

  const char* command_;
  Napi::Object record_;
};

}  // namespace tpm_attestor

#endif  // TPM_ATTESTOR_NATIVE_INPUT_H_
