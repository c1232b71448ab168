// TPM2_StartAuthSession.
#include "answer.h"
#include "commands.h"
#include "input.h"

namespace tpm_attestor {

/// Salts the session when `tpmKey` is a key. ESYS draws the salt, encrypts it to the key and keeps it; JS never sees
/// it.
Napi::Value StartAuthSession(Context& context, const Napi::CallbackInfo& info) {
  struct Outputs {
    ESYS_TR handle;
  };
  const Input in(info, "TPM2_StartAuthSession");
  return context.Send<Outputs>(
      info.Env(), in.Command(),
      [key = in.Handle("tpmKey"), bind = in.Handle("bind"), sessions = in.GetSessions(),
       type = in.Number("sessionType", UINT8_MAX), symmetric = in.Structure<TPMT_SYM_DEF>("symmetric"),
       hash = in.Number("authHash", UINT16_MAX)](ESYS_CONTEXT* esys, Outputs& out) {
        return Esys_StartAuthSession(esys, key, bind, sessions[0], sessions[1], sessions[2], nullptr,
                                     static_cast<TPM2_SE>(type), &symmetric, static_cast<TPMI_ALG_HASH>(hash),
                                     &out.handle);
      },
      [](Napi::Env env, const Outputs& out) -> Napi::Value { return Answer(env).Number("sessionHandle", out.handle); });
}

}  // namespace tpm_attestor
