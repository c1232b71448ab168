#include "libcrypto.h"

#include <openssl/obj_mac.h>

#include <stdexcept>
#include <string>

namespace tpm_attestor::steps {
namespace {

template <typename T>
T Required(T found, const char* name) {
  if (found == nullptr) throw std::runtime_error(std::string("OpenSSL has no ") + name);
  return found;
}

Hash FetchHash(const char* name) { return Required(Hash(EVP_MD_fetch(nullptr, name, nullptr)), name); }

Cipher FetchCipher(const char* name) { return Required(Cipher(EVP_CIPHER_fetch(nullptr, name, nullptr)), name); }

Curve FetchCurve(const char* name, int bits, int nid) {
  return {bits, nid, Required(Group(EC_GROUP_new_by_curve_name(nid)), name)};
}

}  // namespace

Algorithms::Algorithms()
    : hashes_{FetchHash("SHA1"), FetchHash("SHA2-256"), FetchHash("SHA2-384"), FetchHash("SHA2-512")},
      ciphers_{FetchCipher("AES-128-CFB"), FetchCipher("AES-192-CFB"), FetchCipher("AES-256-CFB")},
      curves_{FetchCurve("P-256", 256, NID_X9_62_prime256v1), FetchCurve("P-384", 384, NID_secp384r1),
              FetchCurve("P-521", 521, NID_secp521r1)} {}

const EVP_MD* Algorithms::HashOf(int32_t digest_bytes) const {
  for (const Hash& hash : hashes_) {
    if (EVP_MD_get_size(hash.get()) == digest_bytes) return hash.get();
  }
  return nullptr;
}

const EVP_CIPHER* Algorithms::CipherOf(int32_t key_bits) const {
  for (const Cipher& cipher : ciphers_) {
    if (EVP_CIPHER_get_key_length(cipher.get()) * 8 == key_bits) return cipher.get();
  }
  return nullptr;
}

const Curve* Algorithms::CurveOf(int32_t bits) const {
  for (const Curve& curve : curves_) {
    if (curve.bits == bits) return &curve;
  }
  return nullptr;
}

}  // namespace tpm_attestor::steps
