#ifndef TPM_ATTESTOR_NATIVE_STEPS_ARGUMENTS_H_
#define TPM_ATTESTOR_NATIVE_STEPS_ARGUMENTS_H_

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace tpm_attestor::steps {

/// What a Uint8Array holds. A step runs while JavaScript waits, so nothing changes it meanwhile and nothing is copied.
struct Bytes {
  const uint8_t* data;
  size_t size;
};

/// The arguments of one step, by position. A wrong one is a TypeError.
class Arguments {
 public:
  Arguments(const Napi::CallbackInfo& info, const char* step, size_t count);

  Bytes GetBytes(size_t index) const;
  int32_t GetInteger(size_t index) const;
  bool GetBoolean(size_t index) const;
  Napi::Error Wrong(size_t index, const std::string& what) const;

 private:
  const Napi::CallbackInfo& info_;
  const char* step_;
};

}  // namespace tpm_attestor::steps

#endif  // TPM_ATTESTOR_NATIVE_STEPS_ARGUMENTS_H_
