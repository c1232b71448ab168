#ifndef TPM_ATTESTOR_NATIVE_KEEPER_H_
#define TPM_ATTESTOR_NATIVE_KEEPER_H_

#include <sys/types.h>
#include <tss2/tss2_tcti.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace tpm_attestor {

/// A process that talks to the TPM for this one. When this one ends, however it ends, the keeper lets the command that is
/// under way finish, flushes what was loaded through it, and ends too.
///
/// A TPM without resource manager forgets nothing, and nothing in it says whose an endorsement key or a session is: only
/// who saw the answer that named its handle may flush it. SIGKILL can lose that answer here, not in the keeper.
class Keeper {
 public:
  Keeper() = default;
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;
  ~Keeper();

  /// Connects by the TCTI string and hands the connection over. Without room for a process, TSS2_TCTI_RC_GENERAL_FAILURE.
  TSS2_RC Start(const std::string& configuration);

  TSS2_RC Transmit(size_t size, const uint8_t* command);
  TSS2_RC Receive(size_t* size, uint8_t* response, int32_t timeout);

  /// Ends every keeper of this process, and waits for what they still flush, but no longer than `milliseconds`.
  static void EndAll(unsigned milliseconds);

 private:
  int socket_ = -1;
  pid_t process_ = -1;
};

}  // namespace tpm_attestor

#endif  // TPM_ATTESTOR_NATIVE_KEEPER_H_
