// The JS object for an open TPM.
#ifndef TPM_ATTESTOR_NATIVE_CONTEXT_H_
#define TPM_ATTESTOR_NATIVE_CONTEXT_H_

#include <napi.h>

#include <memory>
#include <unordered_set>
#include <utility>

#include "tpm.h"
#include "worker.h"

namespace tpm_attestor {

class Context;
using OpenContexts = std::unordered_set<Context*>;

/// The JS object for a Tpm. It gives up its reference at close(), when it is collected, or when the environment ends.
class Context : public Napi::ObjectWrap<Context> {
 public:
  static Napi::Function DefineClass(Napi::Env env);

  /// The context that `value` wraps. @throws TypeError for any other object, without unwrapping it.
  static Context& From(Napi::Env env, const Napi::Value& value);

  /// Called by the addon alone, for a Tpm that it has just opened.
  explicit Context(const Napi::CallbackInfo& info);
  ~Context() override;

  /// Sends a command. `call` is `TSS2_RC(ESYS_CONTEXT*, Outputs&)`; `present` makes the answer from the outputs.
  template <typename Outputs, typename Call, typename Present>
  Napi::Value Send(Napi::Env env, const char* command, Call call, Present present) {
    auto run = [call = std::move(call)](Tpm& tpm, Outputs& outputs) { return call(tpm.Esys(), outputs); };
    return Worker<Outputs, decltype(run), Present>::Start(env, command, Idle(env), std::move(run), std::move(present));
  }

  /// The ESYS context, for calls that send nothing to the TPM. @throws TypeError when closed or busy.
  ESYS_CONTEXT* Esys(Napi::Env env) const { return Idle(env)->Esys(); }

  /// Gives up the reference. A command in flight keeps the Tpm until the TPM has answered.
  void Close() { tpm_.reset(); }

  /// The transport, which counts the commands. @throws TypeError when closed.
  const Tcti& Transport(Napi::Env env) const { return Open(env)->Transport(); }

 private:
  const std::shared_ptr<Tpm>& Open(Napi::Env env) const;
  const std::shared_ptr<Tpm>& Idle(Napi::Env env) const;

  std::shared_ptr<Tpm> tpm_;
  std::shared_ptr<OpenContexts> contexts_;
};

}  // namespace tpm_attestor

#endif  // TPM_ATTESTOR_NATIVE_CONTEXT_H_
