// The JS class NativeContext.
#include "context.h"

#include <string>

#include "addon.h"
#include "commands.h"

namespace tpm_attestor {
namespace {

/// Marks the objects that wrap a Context. napi_unwrap alone would reinterpret any wrapped object.
constexpr napi_type_tag kContextTag = {0x7bd1e6a3c54f4f0e, 0x9a0c3f62d8b15e47};

template <Command* kCommand>
Napi::Value Checked(const Napi::CallbackInfo& info) {
  return kCommand(Context::From(info.Env(), info.This()), info);
}

Napi::Value Close(Context& context, const Napi::CallbackInfo& info) {
  context.Close();
  return info.Env().Undefined();
}

/// Pairs of a TPM_CC and the number of its commands transmitted.
Napi::Value CommandCounts(Context& context, const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const auto counts = context.Transport(env).Counts();
  Napi::Array pairs = Napi::Array::New(env, counts.size());
  uint32_t i = 0;
  for (const auto& [code, count] : counts) {
    Napi::Array pair = Napi::Array::New(env, 2);
    pair.Set(0u, Napi::Number::New(env, code));
    pair.Set(1u, Napi::Number::New(env, count));
    pairs.Set(i++, pair);
  }
  return pairs;
}

/// Defines a method that checks the tag of its receiver before it unwraps it, which ObjectWrap's own methods do not.
template <Command* kCommand>
void Method(Napi::Object prototype, const char* name) {
  prototype.DefineProperty(Napi::PropertyDescriptor::Function(prototype.Env(), prototype, name, Checked<kCommand>));
}

}  // namespace

Napi::Function Context::DefineClass(Napi::Env env) {
  Napi::Function context_class = ObjectWrap::DefineClass(env, "NativeContext", {});
  Napi::Object prototype = context_class.Get("prototype").As<Napi::Object>();
  Method<ActivateCredential>(prototype, "activateCredential");
  Method<CertifyCreation>(prototype, "certifyCreation");
  Method<tpm_attestor::Close>(prototype, "close");
  Method<CommandCounts>(prototype, "commandCounts");
  Method<ContextLoad>(prototype, "contextLoad");
  Method<ContextSave>(prototype, "contextSave");
  Method<Create>(prototype, "create");
  Method<CreatePrimary>(prototype, "createPrimary");
  Method<FlushContext>(prototype, "flushContext");
  Method<GetCapability>(prototype, "getCapability");
  Method<GetRandom>(prototype, "getRandom");
  Method<Load>(prototype, "load");
  Method<LoadExternal>(prototype, "loadExternal");
  Method<NvRead>(prototype, "nvRead");
  Method<NvReadPublic>(prototype, "nvReadPublic");
  Method<PcrRead>(prototype, "pcrRead");
  Method<PolicyGetDigest>(prototype, "policyGetDigest");
  Method<PolicyOr>(prototype, "policyOr");
  Method<PolicySecret>(prototype, "policySecret");
  Method<Quote>(prototype, "quote");
  Method<ReadPublic>(prototype, "readPublic");
  Method<SessionGetAttributes>(prototype, "sessionGetAttributes");
  Method<SessionSetAttributes>(prototype, "sessionSetAttributes");
  Method<StartAuthSession>(prototype, "startAuthSession");
  Method<TrClose>(prototype, "trClose");
  Method<TrDeserialize>(prototype, "trDeserialize");
  Method<TrFromTpmPublic>(prototype, "trFromTpmPublic");
  Method<TrGetName>(prototype, "trGetName");
  Method<TrGetTpmHandle>(prototype, "trGetTpmHandle");
  Method<TrSerialize>(prototype, "trSerialize");
  Method<TrSetAuth>(prototype, "trSetAuth");
  return context_class;
}

Context& Context::From(Napi::Env env, const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kContextTag)) {
    throw Napi::TypeError::New(env, "called on an object that is not a NativeContext");
  }
  return *Unwrap(value.As<Napi::Object>());
}

Context::Context(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  Addon& addon = *info.Env().GetInstanceData<Addon>();
  if (addon.opened == nullptr) throw Napi::TypeError::New(info.Env(), "a NativeContext comes from open()");
  tpm_ = std::move(addon.opened);
  contexts_ = addon.contexts;
  contexts_->insert(this);
  info.This().As<Napi::Object>().TypeTag(&kContextTag);
}

Context::~Context() {
  if (contexts_ != nullptr) contexts_->erase(this);
}

const std::shared_ptr<Tpm>& Context::Open(Napi::Env env) const {
  if (tpm_ == nullptr) throw MisuseError(env, "ERR_TPM_CLOSED", "the TPM context is closed");
  return tpm_;
}

const std::shared_ptr<Tpm>& Context::Idle(Napi::Env env) const {
  const std::shared_ptr<Tpm>& tpm = Open(env);
  if (tpm->busy) throw MisuseError(env, "ERR_TPM_BUSY", "a command is in flight on this TPM context");
  return tpm;
}

}  // namespace tpm_attestor
