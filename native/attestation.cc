// TPM2_Quote and TPM2_CertifyCreation.
#include "answer.h"
#include "commands.h"
#include "input.h"

namespace tpm_attestor {

Napi::Value Quote(Context& context, const Napi::CallbackInfo& info) {
  struct Outputs {
    Owned<TPM2B_ATTEST> quoted;
    Owned<TPMT_SIGNATURE> signature;
  };
  const Input in(info, "TPM2_Quote");
  return context.Send<Outputs>(
      info.Env(), in.Command(),
      [key = in.Handle("signHandle"), sessions = in.GetSessions(), data = in.Sized<TPM2B_DATA>("qualifyingData"),
       scheme = in.Structure<TPMT_SIG_SCHEME>("inScheme"),
       pcrs = in.Structure<TPML_PCR_SELECTION>("pcrSelect")](ESYS_CONTEXT* esys, Outputs& out) {
        return Esys_Quote(esys, key, sessions[0], sessions[1], sessions[2], &data, &scheme, &pcrs, out.quoted.Receive(),
                          out.signature.Receive());
      },
      [](Napi::Env env, const Outputs& out) -> Napi::Value {
        return Answer(env).Sized("quoted", *out.quoted).Structure("signature", *out.signature);
      });
}

Napi::Value CertifyCreation(Context& context, const Napi::CallbackInfo& info) {
  struct Outputs {
    Owned<TPM2B_ATTEST> certify_info;
    Owned<TPMT_SIGNATURE> signature;
  };
  const Input in(info, "TPM2_CertifyCreation");
  return context.Send<Outputs>(
      info.Env(), in.Command(),
      [key = in.Handle("signHandle"), object = in.Handle("objectHandle"), sessions = in.GetSessions(),
       data = in.Sized<TPM2B_DATA>("qualifyingData"), hash = in.Sized<TPM2B_DIGEST>("creationHash"),
       scheme = in.Structure<TPMT_SIG_SCHEME>("inScheme"),
       ticket = in.Structure<TPMT_TK_CREATION>("creationTicket")](ESYS_CONTEXT* esys, Outputs& out) {
        return Esys_CertifyCreation(esys, key, object, sessions[0], sessions[1], sessions[2], &data, &hash, &scheme,
                                    &ticket, out.certify_info.Receive(), out.signature.Receive());
      },
      [](Napi::Env env, const Outputs& out) -> Napi::Value {
        return Answer(env).Sized("certifyInfo", *out.certify_info).Structure("signature", *out.signature);
      });
}

}  // namespace tpm_attestor
