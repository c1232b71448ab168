// The keeper: a process that flushes a TPM without resource manager when the agent is killed.
#ifndef TPM_ATTESTOR_NATIVE_KEEPER_H_
#define TPM_ATTESTOR_NATIVE_KEEPER_H_

#include <sys/types.h>
#include <tss2/tss2_tcti.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace tpm_attestor {

/// A child process that talks to the TPM for this process. When this process ends, even by SIGKILL, the keeper waits
/// for the current command, flushes what was loaded through it, and ends.
///
/// A TPM without resource manager keeps what was loaded, and does not record who loaded it. Only a process that has
/// seen the answer with the handle may flush it. SIGKILL can make this process lose that answer, but not the keeper.
class Keeper {
 public:
  Keeper() = default;
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;
  ~Keeper();

  /// Connects by the TCTI string, and forks a keeper with the connection. TSS2_TCTI_RC_GENERAL_FAILURE when the fork
  /// fails.
  TSS2_RC Start(const std::string& configuration);

  TSS2_RC Transmit(size_t size, const uint8_t* command);
  TSS2_RC Receive(size_t* size, uint8_t* response, int32_t timeout);

  /// Tells every keeper of this process to end, and waits at most `milliseconds` for their flushing.
  static void EndAll(unsigned milliseconds);

 private:
  int socket_ = -1;
  pid_t process_ = -1;
};

}  // namespace tpm_attestor

#endif  // TPM_ATTESTOR_NATIVE_KEEPER_H_
