#include "arguments.h"

namespace tpm_attestor::steps {

Arguments::Arguments(const Napi::CallbackInfo& info, const char* step, size_t count) : info_(info), step_(step) {
  if (info.Length() != count) {
    throw Napi::TypeError::New(info.Env(), std::string(step) + " takes " + std::to_string(count) + " arguments");
  }
}

Bytes Arguments::GetBytes(size_t index) const {
  const napi_env env = info_.Env();
  const napi_value value = info_[index];
  bool is_typed_array = false;
  napi_typedarray_type type = napi_int8_array;
  size_t size = 0;
  void* data = nullptr;
  napi_value buffer = nullptr;
  if (napi_is_typedarray(env, value, &is_typed_array) != napi_ok || !is_typed_array ||
      napi_get_typedarray_info(env, value, &type, &size, &data, &buffer, nullptr) != napi_ok ||
      type != napi_uint8_array) {
    throw Wrong(index, "a Uint8Array");
  }
  // Another thread could change shared memory between two reads of it.
  bool is_unshared = false;
  if (napi_is_arraybuffer(env, buffer, &is_unshared) != napi_ok || !is_unshared) {
    throw Wrong(index, "a Uint8Array over unshared memory");
  }
  bool is_detached = false;
  if (size == 0 && (napi_is_detached_arraybuffer(env, buffer, &is_detached) != napi_ok || is_detached)) {
    throw Wrong(index, "a Uint8Array that is not detached");
  }
  static const uint8_t kNothing = 0;
  return {size == 0 ? &kNothing : static_cast<const uint8_t*>(data), size};
}

int32_t Arguments::GetInteger(size_t index) const {
  double number = 0;
  if (napi_get_value_double(info_.Env(), info_[index], &number) != napi_ok || !(number >= -2 && number <= 65536) ||
      number != static_cast<int32_t>(number)) {
    throw Wrong(index, "a small integer");
  }
  return static_cast<int32_t>(number);
}

bool Arguments::GetBoolean(size_t index) const {
  bool value = false;
  if (napi_get_value_bool(info_.Env(), info_[index], &value) != napi_ok) throw Wrong(index, "a boolean");
  return value;
}

Napi::Error Arguments::Wrong(size_t index, const std::string& what) const {
  return Napi::TypeError::New(info_.Env(),
                              std::string(step_) + ": argument " + std::to_string(index) + " must be " + what);
}

}  // namespace tpm_attestor::steps
