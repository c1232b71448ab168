#include <openssl/ecdsa.h>
#include <openssl/objects.h>

#include <vector>

#include "keys.h"
#include "steps.h"

namespace tpm_attestor::steps {
namespace {

/// In place of a salt length.
constexpr int32_t kPkcs1 = -1;
constexpr int32_t kAnySalt = -2;

struct Digest {
  uint8_t bytes[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
};

bool Hashed(const EVP_MD* hash, Bytes data, Digest* digest) {
  return EVP_Digest(data.data, data.size, digest->bytes, &digest->size, hash, nullptr) == 1;
}

bool IsPss(RSA* key, const EVP_MD* hash, int32_t salt, const Digest& digest, Bytes signature) {
  std::vector<uint8_t> encoded(RSA_size(key));
  const int size =
      RSA_public_decrypt(static_cast<int>(signature.size), signature.data, encoded.data(), key, RSA_NO_PADDING);
  if (size != static_cast<int>(encoded.size())) return false;
  const int salt_bytes = salt == kAnySalt ? RSA_PSS_SALTLEN_AUTO : salt;
  return RSA_verify_PKCS1_PSS_mgf1(key, digest.bytes, hash, hash, encoded.data(), salt_bytes) == 1;
}

bool IsRaw(EC_KEY* key, size_t width, const Digest& digest, Bytes signature) {
  if (signature.size != 2 * width) return false;
  std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>> numbers(ECDSA_SIG_new());
  Number r(BN_bin2bn(signature.data, static_cast<int>(width), nullptr));
  Number s(BN_bin2bn(signature.data + width, static_cast<int>(width), nullptr));
  if (numbers == nullptr || r == nullptr || s == nullptr) return false;
  if (ECDSA_SIG_set0(numbers.get(), r.get(), s.get()) != 1) return false;
  r.release();
  s.release();
  // Refuses numbers outside 1..n-1.
  return ECDSA_do_verify(digest.bytes, static_cast<int>(digest.size), numbers.get(), key) == 1;
}

}  // namespace

Napi::Value IsOnCurve(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "isOnCurve", 3);
  const Curve& curve = CurveArgument(info, arguments, 0);
  const ErrorMark mark;
  const bool is_key = MakeEcKey(curve, arguments.GetBytes(1), arguments.GetBytes(2)) != nullptr;
  return Napi::Boolean::New(info.Env(), is_key);
}

Napi::Value VerifyRsa(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "verifyRsa", 6);
  const EVP_MD* hash = HashArgument(info, arguments, 2);
  const int32_t salt = arguments.GetInteger(3);
  const Bytes modulus = arguments.GetBytes(0), exponent = arguments.GetBytes(1);
  const Bytes data = arguments.GetBytes(4), signature = arguments.GetBytes(5);
  const ErrorMark mark;
  const RsaKey key = MakeRsaKey(modulus, exponent);
  Digest digest;
  if (key == nullptr || signature.size > static_cast<size_t>(RSA_size(key.get())) ||
      !Hashed(hash, data, &digest)) {
    return Napi::Boolean::New(info.Env(), false);
  }
  const bool is_good = salt == kPkcs1
                           ? RSA_verify(EVP_MD_get_type(hash), digest.bytes, digest.size, signature.data,
                                        static_cast<unsigned int>(signature.size), key.get()) == 1
                           : IsPss(key.get(), hash, salt, digest, signature);
  return Napi::Boolean::New(info.Env(), is_good);
}

Napi::Value VerifyEcdsa(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "verifyEcdsa", 7);
  const Curve& curve = CurveArgument(info, arguments, 0);
  const EVP_MD* hash = HashArgument(info, arguments, 3);
  const bool is_der = arguments.GetBoolean(4);
  const Bytes x = arguments.GetBytes(1), y = arguments.GetBytes(2);
  const Bytes data = arguments.GetBytes(5), signature = arguments.GetBytes(6);
  const ErrorMark mark;
  const EcKey key = MakeEcKey(curve, x, y);
  Digest digest;
  // No ECDSA-Sig-Value is longer than its two numbers and three headers.
  if (key == nullptr || signature.size > 2 * (curve.Bytes() + 1) + 9 ||
      !Hashed(hash, data, &digest)) {
    return Napi::Boolean::New(info.Env(), false);
  }
  // ECDSA_verify refuses what is not the shortest DER, and trailing bytes.
  const bool is_good = is_der ? ECDSA_verify(0, digest.bytes, static_cast<int>(digest.size), signature.data,
                                             static_cast<int>(signature.size), key.get()) == 1
                              : IsRaw(key.get(), curve.Bytes(), digest, signature);
  return Napi::Boolean::New(info.Env(), is_good);
}

}  // namespace tpm_attestor::steps
