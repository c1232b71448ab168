// ESYS objects, which stand for objects and sessions in the TPM.
#include "answer.h"
#include "commands.h"
#include "input.h"

namespace tpm_attestor {

/// Makes an ESYS object for an object or NV index in the TPM. ESYS reads the public area and computes the Name itself.
Napi::Value TrFromTpmPublic(Context& context, const Napi::CallbackInfo& info) {
  struct Outputs {
    ESYS_TR object;
  };
  const Input in(info, "Esys_TR_FromTPMPublic");
  return context.Send<Outputs>(
      info.Env(), in.Command(),
      [handle = in.Number("tpmHandle"), sessions = in.GetSessions()](ESYS_CONTEXT* esys, Outputs& out) {
        return Esys_TR_FromTPMPublic(esys, handle, sessions[0], sessions[1], sessions[2], &out.object);
      },
      [](Napi::Env env, const Outputs& out) -> Napi::Value { return Answer(env).Number("object", out.object); });
}

Napi::Value TrSerialize(Context& context, const Napi::CallbackInfo& info) {
  const Input in(info, "Esys_TR_Serialize");
  const ESYS_TR object = in.Handle("object");
  Owned<uint8_t> bytes;
  size_t size = 0;
  Check(info.Env(), in.Command(), Esys_TR_Serialize(context.Esys(info.Env()), object, bytes.Receive(), &size));
  return CopyOut(info.Env(), &*bytes, size);
}

Napi::Value TrDeserialize(Context& context, const Napi::CallbackInfo& info) {
  const Input in(info, "Esys_TR_Deserialize");
  const std::vector<uint8_t> bytes = in.Bytes("serialized");
  ESYS_TR object = ESYS_TR_NONE;
  Check(info.Env(), in.Command(), Esys_TR_Deserialize(context.Esys(info.Env()), bytes.data(), bytes.size(), &object));
  return Napi::Number::New(info.Env(), object);
}

Napi::Value TrClose(Context& context, const Napi::CallbackInfo& info) {
  const Input in(info, "Esys_TR_Close");
  ESYS_TR object = in.Handle("object");
  Check(info.Env(), in.Command(), Esys_TR_Close(context.Esys(info.Env()), &object));
  return info.Env().Undefined();
}

Napi::Value TrSetAuth(Context& context, const Napi::CallbackInfo& info) {
  const Input in(info, "Esys_TR_SetAuth");
  const ESYS_TR object = in.Handle("object");
  const Secret<TPM2B_AUTH> auth = in.SecretSized<TPM2B_AUTH>("authValue");
  Check(info.Env(), in.Command(), Esys_TR_SetAuth(context.Esys(info.Env()), object, auth.Get()));
  return info.Env().Undefined();
}

Napi::Value TrGetName(Context& context, const Napi::CallbackInfo& info) {
  const Input in(info, "Esys_TR_GetName");
  const ESYS_TR object = in.Handle("object");
  Owned<TPM2B_NAME> name;
  Check(info.Env(), in.Command(), Esys_TR_GetName(context.Esys(info.Env()), object, name.Receive()));
  return CopyOut(info.Env(), name->name, name->size);
}

Napi::Value TrGetTpmHandle(Context& context, const Napi::CallbackInfo& info) {
  const Input in(info, "Esys_TR_GetTpmHandle");
  const ESYS_TR object = in.Handle("object");
  TPM2_HANDLE handle = 0;
  Check(info.Env(), in.Command(), Esys_TR_GetTpmHandle(context.Esys(info.Env()), object, &handle));
  return Napi::Number::New(info.Env(), handle);
}

Napi::Value SessionGetAttributes(Context& context, const Napi::CallbackInfo& info) {
  const Input in(info, "Esys_TRSess_GetAttributes");
  const ESYS_TR session = in.Handle("session");
  TPMA_SESSION attributes = 0;
  Check(info.Env(), in.Command(), Esys_TRSess_GetAttributes(context.Esys(info.Env()), session, &attributes));
  return Napi::Number::New(info.Env(), attributes);
}

Napi::Value SessionSetAttributes(Context& context, const Napi::CallbackInfo& info) {
  const Input in(info, "Esys_TRSess_SetAttributes");
  const ESYS_TR session = in.Handle("session");
  const auto flags = static_cast<TPMA_SESSION>(in.Number("flags", UINT8_MAX));
  const auto mask = static_cast<TPMA_SESSION>(in.Number("mask", UINT8_MAX));
  Check(info.Env(), in.Command(), Esys_TRSess_SetAttributes(context.Esys(info.Env()), session, flags, mask));
  return info.Env().Undefined();
}

}  // namespace tpm_attestor
