// Converts structures between C and TPM wire form.
#ifndef TPM_ATTESTOR_NATIVE_MARSHAL_H_
#define TPM_ATTESTOR_NATIVE_MARSHAL_H_

#include <tss2/tss2_mu.h>

#include <cstdint>
#include <vector>

#include "error.h"

namespace tpm_attestor {

/// The tpm2-tss marshalling functions (MU) of the structures that pass between JS and the addon.
template <typename T>
struct Mu;

template <>
struct Mu<TPML_DIGEST> {
  static constexpr auto kMarshal = Tss2_MU_TPML_DIGEST_Marshal;
  static constexpr auto kUnmarshal = Tss2_MU_TPML_DIGEST_Unmarshal;
};
template <>
struct Mu<TPML_PCR_SELECTION> {
  static constexpr auto kMarshal = Tss2_MU_TPML_PCR_SELECTION_Marshal;
  static constexpr auto kUnmarshal = Tss2_MU_TPML_PCR_SELECTION_Unmarshal;
};
template <>
struct Mu<TPMS_CAPABILITY_DATA> {
  static constexpr auto kMarshal = Tss2_MU_TPMS_CAPABILITY_DATA_Marshal;
};
template <>
struct Mu<TPMS_CONTEXT> {
  static constexpr auto kMarshal = Tss2_MU_TPMS_CONTEXT_Marshal;
  static constexpr auto kUnmarshal = Tss2_MU_TPMS_CONTEXT_Unmarshal;
};
template <>
struct Mu<TPMS_CREATION_DATA> {
  static constexpr auto kMarshal = Tss2_MU_TPMS_CREATION_DATA_Marshal;
};
template <>
struct Mu<TPMS_NV_PUBLIC> {
  static constexpr auto kMarshal = Tss2_MU_TPMS_NV_PUBLIC_Marshal;
};
template <>
struct Mu<TPMS_SENSITIVE_CREATE> {
  static constexpr auto kUnmarshal = Tss2_MU_TPMS_SENSITIVE_CREATE_Unmarshal;
};
template <>
struct Mu<TPMT_PUBLIC> {
  static constexpr auto kMarshal = Tss2_MU_TPMT_PUBLIC_Marshal;
  static constexpr auto kUnmarshal = Tss2_MU_TPMT_PUBLIC_Unmarshal;
};
template <>
struct Mu<TPMT_SIG_SCHEME> {
  static constexpr auto kUnmarshal = Tss2_MU_TPMT_SIG_SCHEME_Unmarshal;
};
template <>
struct Mu<TPMT_SIGNATURE> {
  static constexpr auto kMarshal = Tss2_MU_TPMT_SIGNATURE_Marshal;
};
template <>
struct Mu<TPMT_SYM_DEF> {
  static constexpr auto kUnmarshal = Tss2_MU_TPMT_SYM_DEF_Unmarshal;
};
template <>
struct Mu<TPMT_TK_AUTH> {
  static constexpr auto kMarshal = Tss2_MU_TPMT_TK_AUTH_Marshal;
};
template <>
struct Mu<TPMT_TK_CREATION> {
  static constexpr auto kMarshal = Tss2_MU_TPMT_TK_CREATION_Marshal;
  static constexpr auto kUnmarshal = Tss2_MU_TPMT_TK_CREATION_Unmarshal;
};

/// Fills `structure` from exactly `size` bytes. Bytes left over are an error.
template <typename T>
TSS2_RC Unmarshal(const uint8_t* data, size_t size, T* structure) {
  size_t offset = 0;
  const TSS2_RC rc = Mu<T>::kUnmarshal(data, size, &offset, structure);
  if (rc != TSS2_RC_SUCCESS) return rc;
  return offset == size ? TSS2_RC_SUCCESS : TSS2_MU_RC_BAD_SIZE;
}

/// The wire form. @throws TssFailure.
template <typename T>
std::vector<uint8_t> Marshal(const T& structure) {
  // sizeof(T) suffices: no field is wider on the wire than in memory, and TPMLs and TPM2Bs have full capacity in
  // memory.
  std::vector<uint8_t> bytes(sizeof(T));
  size_t size = 0;
  const TSS2_RC rc = Mu<T>::kMarshal(&structure, bytes.data(), bytes.size(), &size);
  if (rc != TSS2_RC_SUCCESS) throw TssFailure{rc};
  bytes.resize(size);
  return bytes;
}

}  // namespace tpm_attestor

#endif  // TPM_ATTESTOR_NATIVE_MARSHAL_H_
