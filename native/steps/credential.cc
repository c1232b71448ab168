#include <string.h>

#include <algorithm>
#include <vector>

#include "keys.h"
#include "steps.h"

namespace tpm_attestor::steps {
namespace {

using Secret = SecretBytes<EVP_MAX_MD_SIZE>;

/// With its NUL (Part 1, B.4 and 11.4.10).
constexpr char kLabel[] = "IDENTITY";
constexpr size_t kBlock = 16;

/// The hash that rules everything, the cipher, and what both are used on.
struct Recipe {
  const EVP_MD* hash;
  const EVP_CIPHER* cipher;
  Bytes identity;
  Bytes name;
  size_t DigestBytes() const { return EVP_MD_get_size(hash); }
  size_t KeyBytes() const { return EVP_CIPHER_get_key_length(cipher); }
};

void PutCounter(uint32_t value, uint8_t* out) {
  for (int shift = 24; shift >= 0; shift -= 8) *out++ = static_cast<uint8_t>(value >> shift);
}

/// KDFa for a key of at most one digest (Part 1, 11.4.10.2): one HMAC. `context` is contextU; there is no contextV.
template <size_t kLabelSize>
bool Kdfa(HMAC_CTX* hmac, const Recipe& recipe, const Secret& seed, const char (&label)[kLabelSize], Bytes context,
          size_t key_bytes, Secret* key) {
  uint8_t counter[4], bits[4];
  PutCounter(1, counter);
  PutCounter(static_cast<uint32_t>(key_bytes * 8), bits);
  return key_bytes <= recipe.DigestBytes() &&
         HMAC_Init_ex(hmac, seed.data(), static_cast<int>(recipe.DigestBytes()), recipe.hash, nullptr) == 1 &&
         HMAC_Update(hmac, counter, sizeof(counter)) == 1 &&
         HMAC_Update(hmac, reinterpret_cast<const uint8_t*>(label), kLabelSize) == 1 &&
         HMAC_Update(hmac, context.data, context.size) == 1 && HMAC_Update(hmac, bits, sizeof(bits)) == 1 &&
         HMAC_Final(hmac, key->data(), nullptr) == 1;
}

/// KDFe for one digest (Part 1, 11.4.10.3): one hash.
bool Kdfe(const Recipe& recipe, const uint8_t* z, const uint8_t* party_u, const uint8_t* party_v, size_t width,
          Secret* seed) {
  uint8_t counter[4];
  PutCounter(1, counter);
  const DigestContext context(EVP_MD_CTX_new());
  return context != nullptr && EVP_DigestInit_ex2(context.get(), recipe.hash, nullptr) == 1 &&
         EVP_DigestUpdate(context.get(), counter, sizeof(counter)) == 1 &&
         EVP_DigestUpdate(context.get(), z, width) == 1 &&
         EVP_DigestUpdate(context.get(), kLabel, sizeof(kLabel)) == 1 &&
         EVP_DigestUpdate(context.get(), party_u, width) == 1 &&
         EVP_DigestUpdate(context.get(), party_v, width) == 1 &&
         EVP_DigestFinal_ex(context.get(), seed->data(), nullptr) == 1;
}

/// Appends the HMAC and the encrypted identity (Part 1, 24.4).
bool Seal(const Recipe& recipe, const Secret& seed, std::vector<uint8_t>* out) {
  const HmacContext hmac(HMAC_CTX_new());
  const CipherContext cipher(EVP_CIPHER_CTX_new());
  if (hmac == nullptr || cipher == nullptr) return false;
  Secret sym_key, hmac_key;
  const uint8_t iv[kBlock] = {};
  const size_t digest_bytes = recipe.DigestBytes();
  const int size = static_cast<int>(recipe.identity.size);
  const size_t at = out->size();
  out->resize(at + digest_bytes + recipe.identity.size);
  uint8_t* integrity = out->data() + at;
  uint8_t* encrypted = integrity + digest_bytes;
  int written = 0;
  return Kdfa(hmac.get(), recipe, seed, "STORAGE", recipe.name, recipe.KeyBytes(), &sym_key) &&
         EVP_EncryptInit_ex2(cipher.get(), recipe.cipher, sym_key.data(), iv, nullptr) == 1 &&
         EVP_EncryptUpdate(cipher.get(), encrypted, &written, recipe.identity.data, size) == 1 && written == size &&
         Kdfa(hmac.get(), recipe, seed, "INTEGRITY", {iv, 0}, digest_bytes, &hmac_key) &&
         HMAC_Init_ex(hmac.get(), hmac_key.data(), static_cast<int>(digest_bytes), recipe.hash, nullptr) == 1 &&
         HMAC_Update(hmac.get(), encrypted, recipe.identity.size) == 1 &&
         HMAC_Update(hmac.get(), recipe.name.data, recipe.name.size) == 1 &&
         HMAC_Final(hmac.get(), integrity, nullptr) == 1;
}

/// RSAES-OAEP, the label with its NUL (Part 1, B.4). OpenSSL draws OAEP's own random seed.
bool SealByRsa(RSA* key, Bytes seed, const Recipe& recipe, std::vector<uint8_t>* out) {
  const int size = RSA_size(key);
  if (seed.size != recipe.DigestBytes()) return false;
  Secret kept;
  memcpy(kept.data(), seed.data, seed.size);
  SecretBytes<OPENSSL_RSA_MAX_MODULUS_BITS / 8> padded;
  out->resize(size);
  return RSA_padding_add_PKCS1_OAEP_mgf1(padded.data(), size, seed.data, static_cast<int>(seed.size),
                                         reinterpret_cast<const uint8_t*>(kLabel), sizeof(kLabel), recipe.hash,
                                         recipe.hash) == 1 &&
         RSA_public_encrypt(size, padded.data(), out->data(), key, RSA_NO_PADDING) == size && Seal(recipe, kept, out);
}

/// One-pass Diffie-Hellman with this ephemeral scalar (Part 1, C.6.1).
bool SealByEc(EC_KEY* key, Bytes scalar, const Recipe& recipe, size_t width, std::vector<uint8_t>* out) {
  const EC_GROUP* group = EC_KEY_get0_group(key);
  const Scratch scratch(BN_CTX_secure_new());
  const SecretNumber secret(BN_bin2bn(scalar.data, static_cast<int>(scalar.size), nullptr));
  const Point own(EC_POINT_new(group));
  const SecretPoint shared(EC_POINT_new(group));
  if (scratch == nullptr || secret == nullptr || own == nullptr || shared == nullptr) return false;
  BN_set_flags(secret.get(), BN_FLG_CONSTTIME);
  if (BN_is_zero(secret.get()) || BN_cmp(secret.get(), EC_GROUP_get0_order(group)) >= 0) return false;
  if (EC_POINT_mul(group, own.get(), secret.get(), nullptr, nullptr, scratch.get()) != 1) return false;
  const EC_POINT* theirs = EC_KEY_get0_public_key(key);
  if (EC_POINT_mul(group, shared.get(), nullptr, theirs, secret.get(), scratch.get()) != 1) return false;
  const SecretNumber x(BN_new());
  // Fails at the point at infinity.
  if (x == nullptr || EC_POINT_get_affine_coordinates(group, shared.get(), x.get(), nullptr, scratch.get()) != 1) {
    return false;
  }
  SecretBytes<66> z;
  uint8_t sent[1 + 2 * 66], received[1 + 2 * 66];
  const auto form = POINT_CONVERSION_UNCOMPRESSED;
  if (BN_bn2binpad(x.get(), z.data(), static_cast<int>(width)) < 0) return false;
  if (EC_POINT_point2oct(group, own.get(), form, sent, sizeof(sent), scratch.get()) != 1 + 2 * width) return false;
  if (EC_POINT_point2oct(group, theirs, form, received, sizeof(received), scratch.get()) != 1 + 2 * width) return false;
  Secret seed;
  if (!Kdfe(recipe, z.data(), sent + 1, received + 1, width, &seed)) return false;
  out->assign(sent + 1, sent + 1 + 2 * width);
  return Seal(recipe, seed, out);
}

Recipe RecipeOf(const Napi::CallbackInfo& info, const Arguments& arguments) {
  const Recipe recipe = {HashArgument(info, arguments, 3), CipherArgument(info, arguments, 5), arguments.GetBytes(6),
                         arguments.GetBytes(7)};
  // A TPM2B_DIGEST.
  if (recipe.identity.size > 2 + EVP_MAX_MD_SIZE) throw arguments.Wrong(6, "a TPM2B_DIGEST");
  return recipe;
}

Napi::Value Answer(Napi::Env env, bool is_sealed, const std::vector<uint8_t>& bytes) {
  if (!is_sealed) return env.Undefined();
  Napi::Uint8Array array = Napi::Uint8Array::New(env, bytes.size());
  std::copy(bytes.begin(), bytes.end(), array.Data());
  return array;
}

}  // namespace

Napi::Value RsaCredential(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "rsaCredential", 8);
  const Recipe recipe = RecipeOf(info, arguments);
  const Bytes seed = arguments.GetBytes(4);
  const ErrorMark mark;
  const RsaKey key = MakeRsaKey(arguments.GetBytes(1), arguments.GetBytes(2));
  std::vector<uint8_t> bytes;
  return Answer(info.Env(), key != nullptr && SealByRsa(key.get(), seed, recipe, &bytes), bytes);
}

Napi::Value EccCredential(const Napi::CallbackInfo& info) {
  const Arguments arguments(info, "eccCredential", 8);
  const Curve& curve = CurveArgument(info, arguments, 0);
  const Recipe recipe = RecipeOf(info, arguments);
  const Bytes scalar = arguments.GetBytes(4);
  const ErrorMark mark;
  const EcKey key = MakeEcKey(curve, arguments.GetBytes(1), arguments.GetBytes(2));
  std::vector<uint8_t> bytes;
  const bool is_sealed = key != nullptr && scalar.size == curve.Bytes() &&
                         SealByEc(key.get(), scalar, recipe, curve.Bytes(), &bytes);
  return Answer(info.Env(), is_sealed, bytes);
}

}  // namespace tpm_attestor::steps
