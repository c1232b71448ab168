// TPM2_NV_ReadPublic and TPM2_NV_Read.
#include "answer.h"
#include "commands.h"
#include "input.h"

namespace tpm_attestor {

Napi::Value NvReadPublic(Context& context, const Napi::CallbackInfo& info) {
  struct Outputs {
    Owned<TPM2B_NV_PUBLIC> nv_public;
    Owned<TPM2B_NAME> name;
  };
  const Input in(info, "TPM2_NV_ReadPublic");
  return context.Send<Outputs>(
      info.Env(), in.Command(),
      [index = in.Handle("nvIndex"), sessions = in.GetSessions()](ESYS_CONTEXT* esys, Outputs& out) {
        return Esys_NV_ReadPublic(esys, index, sessions[0], sessions[1], sessions[2], out.nv_public.Receive(),
                                  out.name.Receive());
      },
      [](Napi::Env env, const Outputs& out) -> Napi::Value {
        return Answer(env).Structure("nvPublic", out.nv_public->nvPublic).Sized("nvName", *out.name);
      });
}

Napi::Value NvRead(Context& context, const Napi::CallbackInfo& info) {
  struct Outputs {
    OwnedSecret<TPM2B_MAX_NV_BUFFER> data;
  };
  const Input in(info, "TPM2_NV_Read");
  return context.Send<Outputs>(
      info.Env(), in.Command(),
      [entity = in.Handle("authHandle"), index = in.Handle("nvIndex"), sessions = in.GetSessions(),
       size = in.Number("size", UINT16_MAX),
       offset = in.Number("offset", UINT16_MAX)](ESYS_CONTEXT* esys, Outputs& out) {
        return Esys_NV_Read(esys, entity, index, sessions[0], sessions[1], sessions[2], static_cast<UINT16>(size),
                            static_cast<UINT16>(offset), out.data.Receive());
      },
      [](Napi::Env env, const Outputs& out) -> Napi::Value { return Answer(env).Sized("data", *out.data); });
}

}  // namespace tpm_attestor
