#ifndef TPM_ATTESTOR_NATIVE_STEPS_LIBCRYPTO_H_
#define TPM_ATTESTOR_NATIVE_STEPS_LIBCRYPTO_H_

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include <array>
#include <cstdint>
#include <memory>

namespace tpm_attestor::steps {

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using SecretNumber = std::unique_ptr<BIGNUM, Freed<BN_clear_free>>;
using Scratch = std::unique_ptr<BN_CTX, Freed<BN_CTX_free>>;
using RsaKey = std::unique_ptr<RSA, Freed<RSA_free>>;
using EcKey = std::unique_ptr<EC_KEY, Freed<EC_KEY_free>>;
using Group = std::unique_ptr<EC_GROUP, Freed<EC_GROUP_free>>;
using Point = std::unique_ptr<EC_POINT, Freed<EC_POINT_free>>;
using SecretPoint = std::unique_ptr<EC_POINT, Freed<EC_POINT_clear_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using HmacContext = std::unique_ptr<HMAC_CTX, Freed<HMAC_CTX_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Freed<EVP_CIPHER_CTX_free>>;
using Hash = std::unique_ptr<EVP_MD, Freed<EVP_MD_free>>;
using Cipher = std::unique_ptr<EVP_CIPHER, Freed<EVP_CIPHER_free>>;

/// Memory of a secret, wiped when it dies.
template <size_t kSize>
class SecretBytes {
 public:
  SecretBytes() = default;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() { OPENSSL_cleanse(bytes_.data(), kSize); }

  uint8_t* data() { return bytes_.data(); }
  const uint8_t* data() const { return bytes_.data(); }

 private:
  std::array<uint8_t, kSize> bytes_ = {};
};

/// Removes what a step leaves in the error queue, which is that of node:crypto as well.
class ErrorMark {
 public:
  ErrorMark() { ERR_set_mark(); }
  ErrorMark(const ErrorMark&) = delete;
  ErrorMark& operator=(const ErrorMark&) = delete;
  ~ErrorMark() { ERR_pop_to_mark(); }
};

/// A curve, and the bytes of a coordinate.
struct Curve {
  int bits;
  int nid;
  Group group;
  size_t Bytes() const { return (bits + 7) / 8; }
};

/// Hashes, ciphers and curves, looked up once for each environment.
struct Algorithms {
  /// Throws when this OpenSSL lacks one.
  Algorithms();

  /// By the bytes of its digest; null for an unknown one.
  const EVP_MD* HashOf(int32_t digest_bytes) const;
  /// AES in CFB with full-block feedback, by the bits of its key; null for an unknown one.
  const EVP_CIPHER* CipherOf(int32_t key_bits) const;
  /// By the bits of its field; null for an unknown one.
  const Curve* CurveOf(int32_t bits) const;

 private:
  std::array<Hash, 4> hashes_;
  std::array<Cipher, 3> ciphers_;
  std::array<Curve, 3> curves_;
};

}  // namespace tpm_attestor::steps

#endif  // TPM_ATTESTOR_NATIVE_STEPS_LIBCRYPTO_H_
