// TPM2_ContextSave, TPM2_ContextLoad and TPM2_FlushContext.
#include "answer.h"
#include "commands.h"
#include "input.h"

namespace tpm_attestor {

Napi::Value ContextSave(Context& context, const Napi::CallbackInfo& info) {
  struct Outputs {
    Owned<TPMS_CONTEXT> context;
  };
  const Input in(info, "TPM2_ContextSave");
  return context.Send<Outputs>(
      info.Env(), in.Command(),
      [handle = in.Handle("saveHandle")](ESYS_CONTEXT* esys, Outputs& out) {
        return Esys_ContextSave(esys, handle, out.context.Receive());
      },
      [](Napi::Env env, const Outputs& out) -> Napi::Value { return Answer(env).Structure("context", *out.context); });
}

Napi::Value ContextLoad(Context& context, const Napi::CallbackInfo& info) {
  struct Outputs {
    ESYS_TR handle;
  };
  const Input in(info, "TPM2_ContextLoad");
  return context.Send<Outputs>(
      info.Env(), in.Command(),
      [saved = in.Structure<TPMS_CONTEXT>("context")](ESYS_CONTEXT* esys, Outputs& out) {
        return Esys_ContextLoad(esys, &saved, &out.handle);
      },
      [](Napi::Env env, const Outputs& out) -> Napi::Value { return Answer(env).Number("loadedHandle", out.handle); });
}

Napi::Value FlushContext(Context& context, const Napi::CallbackInfo& info) {
  const Input in(info, "TPM2_FlushContext");
  return context.Send<Nothing>(
      info.Env(), in.Command(),
      [handle = in.Handle("flushHandle")](ESYS_CONTEXT* esys, Nothing&) { return Esys_FlushContext(esys, handle); },
      kNoAnswer);
}

}  // namespace tpm_attestor
