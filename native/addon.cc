// The entry points of the addon: open() and exitProcess().
#include "addon.h"

#include <unistd.h>

#include <string>

#include "answer.h"
#include "keeper.h"

namespace tpm_attestor {
namespace {

/// open(tcti, kept): Promise<NativeContext>.
Napi::Value Open(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() != 2 || !info[0].IsString() || !info[1].IsBoolean()) {
    throw Napi::TypeError::New(env, "open takes a TCTI string and a boolean (kept)");
  }
  std::string configuration = info[0].As<Napi::String>();
  // tpm2-tss would read the string up to the NUL, and open another device than the caller named.
  if (configuration.find('\0') != std::string::npos) throw Napi::TypeError::New(env, "the TCTI string contains NUL");

  auto tpm = std::make_shared<Tpm>();
  auto call = [configuration = std::move(configuration), kept = info[1].As<Napi::Boolean>().Value()](
                  Tpm& opening, Nothing&) { return opening.Open(configuration, kept); };
  auto present = [tpm](Napi::Env env, const Nothing&) -> Napi::Value {
    Addon& addon = *env.GetInstanceData<Addon>();
    addon.opened = tpm;
    return addon.context_class.New({});
  };
  return Worker<Nothing, decltype(call), decltype(present)>::Start(env, "open", tpm, std::move(call),
                                                                   std::move(present));
}

/// exitProcess(code, patience): waits at most `patience` milliseconds for keepers to flush, and then ends the process.
///
/// process.exit() would wait for the pool threads, and so for a TPM that never answers.
void ExitProcess(const Napi::CallbackInfo& info) {
  if (info.Length() != 2 || !info[0].IsNumber() || !info[1].IsNumber()) {
    throw Napi::TypeError::New(info.Env(), "exitProcess takes two numbers");
  }
  Keeper::EndAll(info[1].As<Napi::Number>().Uint32Value());
  _exit(info[0].As<Napi::Number>().Int32Value());
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  auto addon = std::make_unique<Addon>();
  addon->context_class = Napi::Persistent(Context::DefineClass(env));
  // Drop the remaining references now, while tpm2-tss is certainly still loaded. A command in flight keeps its own
  // reference, and the environment waits for the command.
  env.AddCleanupHook([contexts = addon->contexts] {
    for (Context* context : *contexts) context->Close();
  });
  env.SetInstanceData(addon.release());  // deleted with the environment

  exports.Set("open", Napi::Function::New<Open>(env, "open"));
  exports.Set("exitProcess", Napi::Function::New<ExitProcess>(env, "exitProcess"));
  return exports;
}

NODE_API_MODULE(tpm_attestor, Init)

}  // namespace
}  // namespace tpm_attestor
