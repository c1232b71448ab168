// TPM2_GetCapability and TPM2_GetRandom.
#include "answer.h"
#include "commands.h"
#include "input.h"

namespace tpm_attestor {

Napi::Value GetCapability(Context& context, const Napi::CallbackInfo& info) {
  struct Outputs {
    TPMI_YES_NO more_data;
    Owned<TPMS_CAPABILITY_DATA> capability_data;
  };
  const Input in(info, "TPM2_GetCapability");
  return context.Send<Outputs>(
      info.Env(), in.Command(),
      [sessions = in.GetSessions(), capability = in.Number("capability"), property = in.Number("property"),
       count = in.Number("propertyCount")](ESYS_CONTEXT* esys, Outputs& out) {
        return Esys_GetCapability(esys, sessions[0], sessions[1], sessions[2], capability, property, count,
                                  &out.more_data, out.capability_data.Receive());
      },
      [](Napi::Env env, const Outputs& out) -> Napi::Value {
        return Answer(env).Flag("moreData", out.more_data).Structure("capabilityData", *out.capability_data);
      });
}

Napi::Value GetRandom(Context& context, const Napi::CallbackInfo& info) {
  struct Outputs {
    OwnedSecret<TPM2B_DIGEST> random_bytes;
  };
  const Input in(info, "TPM2_GetRandom");
  return context.Send<Outputs>(
      info.Env(), in.Command(),
      [sessions = in.GetSessions(), size = in.Number("bytesRequested", UINT16_MAX)](ESYS_CONTEXT* esys, Outputs& out) {
        return Esys_GetRandom(esys, sessions[0], sessions[1], sessions[2], size, out.random_bytes.Receive());
      },
      [](Napi::Env env, const Outputs& out) -> Napi::Value {
        return Answer(env).Sized("randomBytes", *out.random_bytes);
      });
}

}  // namespace tpm_attestor
