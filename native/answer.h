// Builds the JS record that a command answers.
#ifndef TPM_ATTESTOR_NATIVE_ANSWER_H_
#define TPM_ATTESTOR_NATIVE_ANSWER_H_

#include <napi.h>
#include <string.h>

#include <cstdint>

#include "marshal.h"

namespace tpm_attestor {

/// A Uint8Array with its own memory. Not a Buffer, whose `slice` does not copy.
inline Napi::Uint8Array CopyOut(Napi::Env env, const uint8_t* data, size_t size) {
  Napi::Uint8Array array = Napi::Uint8Array::New(env, size);
  if (size != 0) memcpy(array.Data(), data, size);
  return array;
}

/// The record that a command answers. Each method adds one field.
class Answer {
 public:
  explicit Answer(Napi::Env env) : object_(Napi::Object::New(env)) {}

  Answer& Number(const char* field, uint32_t value) {
    object_.Set(field, Napi::Number::New(object_.Env(), value));
    return *this;
  }

  Answer& Flag(const char* field, bool value) {
    object_.Set(field, Napi::Boolean::New(object_.Env(), value));
    return *this;
  }

  /// The bytes inside a TPM2B.
  template <typename T>
  Answer& Sized(const char* field, const T& tpm2b) {
    const auto& [size, bytes] = tpm2b;
    if (size > sizeof(bytes)) throw TssFailure{TSS2_MU_RC_BAD_SIZE};
    object_.Set(field, CopyOut(object_.Env(), bytes, size));
    return *this;
  }

  /// A structure in wire form.
  template <typename T>
  Answer& Structure(const char* field, const T& structure) {
    const std::vector<uint8_t> bytes = Marshal(structure);
    object_.Set(field, CopyOut(object_.Env(), bytes.data(), bytes.size()));
    return *this;
  }

  operator Napi::Value() const { return object_; }

 private:
  Napi::Object object_;
};

/// The outputs of a command whose response has no parameters.
struct Nothing {};
inline constexpr auto kNoAnswer = [](Napi::Env env, const Nothing&) { return env.Undefined(); };

}  // namespace tpm_attestor

#endif  // TPM_ATTESTOR_NATIVE_ANSWER_H_
