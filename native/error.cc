// Makes the JS errors of the addon.
#include "error.h"

#include <cstdio>
#include <string>

namespace tpm_attestor {

Napi::Error TssError(Napi::Env env, const char* command, TSS2_RC rc, const char* field) {
  char code[16];
  std::snprintf(code, sizeof(code), "0x%08x", static_cast<unsigned>(rc));
  Napi::Error error = Napi::Error::New(env, std::string(command) + " answered " + code);
  error.Set("rc", Napi::Number::New(env, rc));
  error.Set("command", Napi::String::New(env, command));
  if (field != nullptr) error.Set("field", Napi::String::New(env, field));
  return error;
}

void Check(Napi::Env env, const char* command, TSS2_RC rc) {
  if (rc != TSS2_RC_SUCCESS) throw TssError(env, command, rc);
}

Napi::Error MisuseError(Napi::Env env, const char* code, const char* message) {
  Napi::Error error = Napi::TypeError::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

}  // namespace tpm_attestor
