// The list of handles that a keeper must flush.
#ifndef TPM_ATTESTOR_NATIVE_LEDGER_H_
#define TPM_ATTESTOR_NATIVE_LEDGER_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace tpm_attestor {

/// The objects and sessions that the commands through a keeper have loaded, and that are neither flushed nor ended by
/// the TPM. It allocates nothing, because it runs after fork().
class Ledger {
 public:
  /// Records a complete command and the TPM's complete answer.
  void Note(const uint8_t* command, size_t command_bytes, const uint8_t* response, size_t response_bytes);

  /// Removes one handle, the last loaded first. False when there is none.
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
