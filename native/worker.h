// Runs a blocking call to the TPM off the JS thread.
#ifndef TPM_ATTESTOR_NATIVE_WORKER_H_
#define TPM_ATTESTOR_NATIVE_WORKER_H_

#include <napi.h>

#include <memory>
#include <utility>

#include "error.h"
#include "tpm.h"

namespace tpm_attestor {

/// Runs one blocking call on a pool thread and settles a promise. The addon has no other asynchronous work.
///
/// `Call` is `TSS2_RC(Tpm&, Outputs&)`; it runs on the pool thread and owns its data. `Present` is
/// `Napi::Value(Napi::Env, Outputs&)`; it runs on the JS thread after success.
template <typename Outputs, typename Call, typename Present>
class Worker final : public Napi::AsyncWorker {
 public:
  static Napi::Value Start(Napi::Env env, const char* command, std::shared_ptr<Tpm> tpm, Call call, Present present) {
    std::unique_ptr<Worker> worker(new Worker(env, command, std::move(tpm), std::move(call), std::move(present)));
    const Napi::Value promise = worker->deferred_.Promise();
    worker->Queue();
    worker.release();  // AsyncWorker deletes itself on completion
    return promise;
  }

  // Frees the context however the work ends, also when queueing failed or the environment is ending.
  ~Worker() override { tpm_->busy = false; }

 private:
  Worker(Napi::Env env, const char* command, std::shared_ptr<Tpm> tpm, Call call, Present present)
      : Napi::AsyncWorker(env, command),
        command_(command),
        tpm_(std::move(tpm)),
        call_(std::move(call)),
        present_(std::move(present)),
        deferred_(Napi::Promise::Deferred::New(env)) {
    tpm_->busy = true;
  }

  void Execute() override { rc_ = call_(*tpm_, outputs_); }

  // Only exceptions from Execute, such as std::bad_alloc, come here. A TSS2_RC goes through OnOK, because SetError
  // carries only a string, and an empty string counts as success.
  void OnError(const Napi::Error& error) override {
    Settle([&] { deferred_.Reject(error.Value()); });
  }

  void OnOK() override {
    Settle([&] {
      Napi::Env env = Env();
      if (rc_ != TSS2_RC_SUCCESS) return deferred_.Reject(TssError(env, command_, rc_).Value());
      try {
        deferred_.Resolve(present_(env, outputs_));
      } catch (const TssFailure& failure) {
        deferred_.Reject(TssError(env, command_, failure.rc).Value());
      }
    });
  }

  // When a worker thread is terminated, its pending work still completes. JS can no longer run then, so ignore the
  // error.
  template <typename Action>
  void Settle(Action action) {
    try {
      action();
    } catch (const Napi::Error&) {
    }
  }

  const char* command_;
  std::shared_ptr<Tpm> tpm_;
  Call call_;
  Present present_;
  Outputs outputs_ = {};
  TSS2_RC rc_ = TSS2_RC_SUCCESS;
  Napi::Promise::Deferred deferred_;
};

}  // namespace tpm_attestor

#endif  // TPM_ATTESTOR_NATIVE_WORKER_H_
