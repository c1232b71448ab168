// Commands of policy sessions.
#include "answer.h"
#include "commands.h"
#include "input.h"

namespace tpm_attestor {

Napi::Value PolicySecret(Context& context, const Napi::CallbackInfo& info) {
  struct Outputs {
    Owned<TPM2B_TIMEOUT> timeout;
    Owned<TPMT_TK_AUTH> ticket;
  };
  const Input in(info, "TPM2_PolicySecret");
  return context.Send<Outputs>(
      info.Env(), in.Command(),
      [entity = in.Handle("authHandle"), policy = in.Handle("policySession"), sessions = in.GetSessions(),
       nonce = in.Sized<TPM2B_NONCE>("nonceTPM"), cp_hash = in.Sized<TPM2B_DIGEST>("cpHashA"),
       reference = in.Sized<TPM2B_NONCE>("policyRef"),
       expiration = in.Signed("expiration")](ESYS_CONTEXT* esys, Outputs& out) {
        return Esys_PolicySecret(esys, entity, policy, sessions[0], sessions[1], sessions[2], &nonce, &cp_hash,
                                 &reference, expiration, out.timeout.Receive(), out.ticket.Receive());
      },
      [](Napi::Env env, const Outputs& out) -> Napi::Value {
        return Answer(env).Sized("timeout", *out.timeout).Structure("policyTicket", *out.ticket);
      });
}

Napi::Value PolicyOr(Context& context, const Napi::CallbackInfo& info) {
  const Input in(info, "TPM2_PolicyOR");
  return context.Send<Nothing>(
      info.Env(), in.Command(),
      [policy = in.Handle("policySession"), sessions = in.GetSessions(),
       digests = in.Structure<TPML_DIGEST>("pHashList")](ESYS_CONTEXT* esys, Nothing&) {
        return Esys_PolicyOR(esys, policy, sessions[0], sessions[1], sessions[2], &digests);
      },
      kNoAnswer);
}

Napi::Value PolicyGetDigest(Context& context, const Napi::CallbackInfo& info) {
  struct Outputs {
    Owned<TPM2B_DIGEST> digest;
  };
  const Input in(info, "TPM2_PolicyGetDigest");
  return context.Send<Outputs>(
      info.Env(), in.Command(),
      [policy = in.Handle("policySession"), sessions = in.GetSessions()](ESYS_CONTEXT* esys, Outputs& out) {
        return Esys_PolicyGetDigest(esys, policy, sessions[0], sessions[1], sessions[2], out.digest.Receive());
      },
      [](Napi::Env env, const Outputs& out) -> Napi::Value { return Answer(env).Sized("policyDigest", *out.digest); });
}

}  // namespace tpm_attestor
