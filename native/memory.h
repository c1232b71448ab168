// Owners of memory that ESYS allocates, and of secrets.
#ifndef TPM_ATTESTOR_NATIVE_MEMORY_H_
#define TPM_ATTESTOR_NATIVE_MEMORY_H_

#include <string.h>
#include <tss2/tss2_esys.h>

#include <type_traits>

namespace tpm_attestor {

/// Owns a result that ESYS allocated. Frees it with Esys_Free, and first wipes it when it is a secret.
template <typename T, bool kSecret = false>
class Owned {
 public:
  Owned() = default;
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() {
    if (kSecret && value_ != nullptr) explicit_bzero(value_, sizeof(T));
    Esys_Free(value_);
  }

  /// The output parameter for an ESYS function.
  T** Receive() { return &value_; }
  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_; }

 private:
  T* value_ = nullptr;
};

template <typename T>
using OwnedSecret = Owned<T, true>;

/// Owns a secret argument. Every copy wipes itself in its destructor, also the copy in a moved-from lambda.
template <typename T>
class Secret {
  static_assert(std::is_trivially_copyable_v<T>, "wiped and copied as bytes");

 public:
  Secret() = default;
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret() { explicit_bzero(&value_, sizeof(T)); }

  T& operator*() { return value_; }
  T* operator->() { return &value_; }
  const T* Get() const { return &value_; }

 private:
  T value_ = {};
};

}  // namespace tpm_attestor

#endif  // TPM_ATTESTOR_NATIVE_MEMORY_H_
