// Reads and checks the input record of a command.
#include "input.h"

#include <cmath>

namespace tpm_attestor {
namespace {

bool IsInteger(const Napi::Value& value, double min, double max) {
  if (!value.IsNumber()) return false;
  const double number = value.As<Napi::Number>().DoubleValue();
  return number >= min && number <= max && std::trunc(number) == number;  // NaN compares false
}

}  // namespace

Input::Input(const Napi::CallbackInfo& info, const char* command) : command_(command) {
  if (info.Length() != 1 || !info[0].IsObject()) {
    throw Napi::TypeError::New(info.Env(), std::string(command) + " takes one record");
  }
  record_ = info[0].As<Napi::Object>();
}

uint32_t Input::Number(const char* field, uint32_t max) const {
  const Napi::Value value = Field(field);
  if (!IsInteger(value, 0, max)) throw Wrong(field, "an integer from 0 to " + std::to_string(max));
  return value.As<Napi::Number>().Uint32Value();
}

int32_t Input::Signed(const char* field) const {
  const Napi::Value value = Field(field);
  if (!IsInteger(value, INT32_MIN, INT32_MAX)) throw Wrong(field, "a 32-bit signed integer");
  return value.As<Napi::Number>().Int32Value();
}

Input::Sessions Input::GetSessions() const {
  Sessions sessions;
  sessions.fill(ESYS_TR_NONE);
  const Napi::Value value = Field("sessions");
  const uint32_t count = value.IsArray() ? value.As<Napi::Array>().Length() : UINT32_MAX;
  if (count > sessions.size()) throw Wrong("sessions", "an array of at most three handles");
  for (uint32_t i = 0; i < count; i++) {
    const Napi::Value session = value.As<Napi::Array>().Get(i);
    if (!IsInteger(session, 0, UINT32_MAX)) throw Wrong("sessions", "an array of at most three handles");
    sessions[i] = session.As<Napi::Number>().Uint32Value();
  }
  return sessions;
}

Secret<TPM2B_SENSITIVE_CREATE> Input::Sensitive(const char* field) const {
  Secret<TPM2B_SENSITIVE_CREATE> sensitive;
  UnmarshalInto(field, &sensitive->sensitive);
  return sensitive;
}

std::vector<uint8_t> Input::Bytes(const char* field) const {
  const View view = GetView(field);
  return std::vector<uint8_t>(view.data, view.data + view.size);
}

Napi::Value Input::Field(const char* field) const { return record_.Get(field); }

Input::View Input::GetView(const char* field) const {
  const Napi::Value value = Field(field);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw Wrong(field, "a Uint8Array");
  }
  const Napi::Uint8Array array = value.As<Napi::Uint8Array>();
  // Shared memory could change between two reads. A detached buffer reads as empty; an error is better than an auth
  // value that is silently empty.
  if (!array.ArrayBuffer().IsArrayBuffer()) throw Wrong(field, "a Uint8Array over unshared memory");
  if (array.ArrayBuffer().IsDetached()) throw Wrong(field, "a Uint8Array that is not detached");
  return {array.Data(), array.ElementLength()};
}

Napi::Error Input::Wrong(const char* field, const std::string& what) const {
  return Napi::TypeError::New(record_.Env(), std::string(command_) + ": " + field + " must be " + what);
}

Napi::Error Input::TooLong(const char* field, size_t size, size_t capacity) const {
  return Napi::RangeError::New(record_.Env(), std::string(command_) + ": " + field + " has " + std::to_string(size) +
                                                  " bytes, over " + std::to_string(capacity));
}

}  // namespace tpm_attestor
