#ifndef TPM_ATTESTOR_NATIVE_LEDGER_H_
#define TPM_ATTESTOR_NATIVE_LEDGER_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace tpm_attestor {

/// Which objects and sessions a TPM holds because of the commands that passed here: what was loaded, and neither flushed
/// nor ended by the TPM itself. Allocates nothing, as it is used behind fork().
class Ledger {
 public:
  /// A command and the answer of the TPM, both whole.
  void Note(const uint8_t* command, size_t command_bytes, const uint8_t* response, size_t response_bytes);

  /// Takes one handle out, the last loaded first. False when there is none.
  bool Take(uint32_t* handle);

 private:
  void Add(uint32_t handle);
  void Remove(uint32_t handle);
  void RemoveEndedSessions(uint32_t code, const uint8_t* command, size_t bytes);

  /// More than any TPM holds at a time.
  std::array<uint32_t, 64> handles_ = {};
  size_t count_ = 0;
};

}  // namespace tpm_attestor

#endif  // TPM_ATTESTOR_NATIVE_LEDGER_H_
