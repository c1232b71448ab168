#include "keys.h"

#include <string.h>

namespace tpm_attestor::steps {
namespace {

constexpr size_t kMaxModulusBytes = OPENSSL_RSA_MAX_MODULUS_BITS / 8;
constexpr size_t kMaxPointBytes = 1 + 2 * 66;

Number MakeNumber(Bytes bytes) { return Number(BN_bin2bn(bytes.data, static_cast<int>(bytes.size), nullptr)); }

}  // namespace

RsaKey MakeRsaKey(Bytes modulus, Bytes exponent) {
  if (modulus.size > kMaxModulusBytes || exponent.size > modulus.size) return nullptr;
  Number n = MakeNumber(modulus);
  Number e = MakeNumber(exponent);
  RsaKey key(RSA_new());
  // An even modulus, or none, has no Montgomery form.
  if (n == nullptr || e == nullptr || key == nullptr || !BN_is_odd(n.get())) return nullptr;
  if (RSA_set0_key(key.get(), n.get(), e.get(), nullptr) != 1) return nullptr;
  n.release();
  e.release();
  return key;
}

EcKey MakeEcKey(const Curve& curve, Bytes x, Bytes y) {
  const size_t width = curve.Bytes();
  if (x.size != width || y.size != width) return nullptr;
  uint8_t point[kMaxPointBytes] = {POINT_CONVERSION_UNCOMPRESSED};
  memcpy(point + 1, x.data, width);
  memcpy(point + 1 + width, y.data, width);
  EcKey key(EC_KEY_new());
  if (key == nullptr || EC_KEY_set_group(key.get(), curve.group.get()) != 1) return nullptr;
  // Compares the coordinates with the prime and the point with the curve's equation, which EC_KEY_set_public_key and
  // EC_POINT_set_affine_coordinates do not both. The cofactor is 1, so the point is a key (SP 800-56A 5.6.2.3.4).
  return EC_KEY_oct2key(key.get(), point, 1 + 2 * width, nullptr) == 1 ? std::move(key) : nullptr;
}

}  // namespace tpm_attestor::steps
