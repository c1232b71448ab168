#include <exception>

#include "steps.h"

namespace tpm_attestor::steps {
namespace {

const Algorithms& AlgorithmsOf(const Napi::CallbackInfo& info) { return *info.Env().GetInstanceData<Algorithms>(); }

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  const ErrorMark mark;
  try {
    env.SetInstanceData(new Algorithms());  // deleted with the environment
  } catch (const std::exception& error) {
    throw Napi::Error::New(env, error.what());
  }
  // Whose symbols the linker found, for the loader to compare with node's own.
  exports.Set("openssl", Napi::String::New(env, OpenSSL_version(OPENSSL_VERSION_STRING)));
  exports.Set("isOnCurve", Napi::Function::New<IsOnCurve>(env, "isOnCurve"));
  exports.Set("verifyRsa", Napi::Function::New<VerifyRsa>(env, "verifyRsa"));
  exports.Set("verifyEcdsa", Napi::Function::New<VerifyEcdsa>(env, "verifyEcdsa"));
  exports.Set("rsaCredential", Napi::Function::New<RsaCredential>(env, "rsaCredential"));
  exports.Set("eccCredential", Napi::Function::New<EccCredential>(env, "eccCredential"));
  return exports;
}

}  // namespace

const EVP_MD* HashArgument(const Napi::CallbackInfo& info, const Arguments& arguments, size_t index) {
  const EVP_MD* hash = AlgorithmsOf(info).HashOf(arguments.GetInteger(index));
  if (hash == nullptr) throw arguments.Wrong(index, "the bytes of a digest: 20, 32, 48 or 64");
  return hash;
}

const EVP_CIPHER* CipherArgument(const Napi::CallbackInfo& info, const Arguments& arguments, size_t index) {
  const EVP_CIPHER* cipher = AlgorithmsOf(info).CipherOf(arguments.GetInteger(index));
  if (cipher == nullptr) throw arguments.Wrong(index, "the bits of a key for AES: 128, 192 or 256");
  return cipher;
}

const Curve& CurveArgument(const Napi::CallbackInfo& info, const Arguments& arguments, size_t index) {
  const Curve* curve = AlgorithmsOf(info).CurveOf(arguments.GetInteger(index));
  if (curve == nullptr) throw arguments.Wrong(index, "the bits of a NIST curve: 256, 384 or 521");
  return *curve;
}

}  // namespace tpm_attestor::steps

static Napi::Object InitPublicKeySteps(Napi::Env env, Napi::Object exports) {
  return tpm_attestor::steps::Init(env, exports);
}

NODE_API_MODULE(public_key_steps, InitPublicKeySteps)
