// Commands that create, load, read and use objects.
#include "answer.h"
#include "commands.h"
#include "input.h"

namespace tpm_attestor {
namespace {

/// The answer fields that TPM2_Create and TPM2_CreatePrimary have in common.
struct Creation {
  Owned<TPM2B_PUBLIC> out_public;
  Owned<TPM2B_CREATION_DATA> data;
  Owned<TPM2B_DIGEST> hash;
  Owned<TPMT_TK_CREATION> ticket;

  Answer& Present(Answer& answer) const {
    return answer.Structure("outPublic", out_public->publicArea)
        .Structure("creationData", data->creationData)
        .Sized("creationHash", *hash)
        .Structure("creationTicket", *ticket);
  }
};

}  // namespace

Napi::Value CreatePrimary(Context& context, const Napi::CallbackInfo& info) {
  struct Outputs {
    ESYS_TR handle;
    Creation creation;
  };
  const Input in(info, "TPM2_CreatePrimary");
  return context.Send<Outputs>(
      info.Env(), in.Command(),
      [hierarchy = in.Handle("primaryHandle"), sessions = in.GetSessions(), sensitive = in.Sensitive("inSensitive"),
       area = in.Public("inPublic"), outside = in.Sized<TPM2B_DATA>("outsideInfo"),
       pcrs = in.Structure<TPML_PCR_SELECTION>("creationPCR")](ESYS_CONTEXT* esys, Outputs& out) {
        return Esys_CreatePrimary(esys, hierarchy, sessions[0], sessions[1], sessions[2], sensitive.Get(), &area,
                                  &outside, &pcrs, &out.handle, out.creation.out_public.Receive(),
                                  out.creation.data.Receive(), out.creation.hash.Receive(),
                                  out.creation.ticket.Receive());
      },
      [](Napi::Env env, const Outputs& out) -> Napi::Value {
        Answer answer(env);
        return out.creation.Present(answer.Number("objectHandle", out.handle));
      });
}

Napi::Value Create(Context& context, const Napi::CallbackInfo& info) {
  struct Outputs {
    Owned<TPM2B_PRIVATE> out_private;
    Creation creation;
  };
  const Input in(info, "TPM2_Create");
  return context.Send<Outputs>(
      info.Env(), in.Command(),
      [parent = in.Handle("parentHandle"), sessions = in.GetSessions(), sensitive = in.Sensitive("inSensitive"),
       area = in.Public("inPublic"), outside = in.Sized<TPM2B_DATA>("outsideInfo"),
       pcrs = in.Structure<TPML_PCR_SELECTION>("creationPCR")](ESYS_CONTEXT* esys, Outputs& out) {
        return Esys_Create(esys, parent, sessions[0], sessions[1], sessions[2], sensitive.Get(), &area, &outside, &pcrs,
                           out.out_private.Receive(), out.creation.out_public.Receive(), out.creation.data.Receive(),
                           out.creation.hash.Receive(), out.creation.ticket.Receive());
      },
      [](Napi::Env env, const Outputs& out) -> Napi::Value {
        Answer answer(env);
        return out.creation.Present(answer.Sized("outPrivate", *out.out_private));
      });
}

Napi::Value Load(Context& context, const Napi::CallbackInfo& info) {
  struct Outputs {
    ESYS_TR handle;
  };
  const Input in(info, "TPM2_Load");
  return context.Send<Outputs>(
      info.Env(), in.Command(),
      [parent = in.Handle("parentHandle"), sessions = in.GetSessions(), part = in.Sized<TPM2B_PRIVATE>("inPrivate"),
       area = in.Public("inPublic")](ESYS_CONTEXT* esys, Outputs& out) {
        return Esys_Load(esys, parent, sessions[0], sessions[1], sessions[2], &part, &area, &out.handle);
      },
      [](Napi::Env env, const Outputs& out) -> Napi::Value { return Answer(env).Number("objectHandle", out.handle); });
}

/// Loads the public part only: this product puts no private key into a TPM.
Napi::Value LoadExternal(Context& context, const Napi::CallbackInfo& info) {
  struct Outputs {
    ESYS_TR handle;
  };
  const Input in(info, "TPM2_LoadExternal");
  return context.Send<Outputs>(
      info.Env(), in.Command(),
      [hierarchy = in.Handle("hierarchy"), sessions = in.GetSessions(), area = in.Public("inPublic")](
          ESYS_CONTEXT* esys, Outputs& out) {
        return Esys_LoadExternal(esys, sessions[0], sessions[1], sessions[2], nullptr, &area, hierarchy, &out.handle);
      },
      [](Napi::Env env, const Outputs& out) -> Napi::Value { return Answer(env).Number("objectHandle", out.handle); });
}

Napi::Value ReadPublic(Context& context, const Napi::CallbackInfo& info) {
  struct Outputs {
    Owned<TPM2B_PUBLIC> out_public;
    Owned<TPM2B_NAME> name;
    Owned<TPM2B_NAME> qualified_name;
  };
  const Input in(info, "TPM2_ReadPublic");
  return context.Send<Outputs>(
      info.Env(), in.Command(),
      [object = in.Handle("objectHandle"), sessions = in.GetSessions()](ESYS_CONTEXT* esys, Outputs& out) {
        return Esys_ReadPublic(esys, object, sessions[0], sessions[1], sessions[2], out.out_public.Receive(),
                               out.name.Receive(), out.qualified_name.Receive());
      },
      [](Napi::Env env, const Outputs& out) -> Napi::Value {
        return Answer(env)
            .Structure("outPublic", out.out_public->publicArea)
            .Sized("name", *out.name)
            .Sized("qualifiedName", *out.qualified_name);
      });
}

Napi::Value ActivateCredential(Context& context, const Napi::CallbackInfo& info) {
  struct Outputs {
    OwnedSecret<TPM2B_DIGEST> cert_info;
  };
  const Input in(info, "TPM2_ActivateCredential");
  return context.Send<Outputs>(
      info.Env(), in.Command(),
      [activate = in.Handle("activateHandle"), key = in.Handle("keyHandle"), sessions = in.GetSessions(),
       blob = in.Sized<TPM2B_ID_OBJECT>("credentialBlob"),
       secret = in.Sized<TPM2B_ENCRYPTED_SECRET>("secret")](ESYS_CONTEXT* esys, Outputs& out) {
        return Esys_ActivateCredential(esys, activate, key, sessions[0], sessions[1], sessions[2], &blob, &secret,
                                       out.cert_info.Receive());
      },
      [](Napi::Env env, const Outputs& out) -> Napi::Value { return Answer(env).Sized("certInfo", *out.cert_info); });
}

}  // namespace tpm_attestor
