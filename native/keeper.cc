// The keeper: a forked process that owns the connection to a TPM without resource manager.
#include "keeper.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <tss2/tss2_tctildr.h>
#include <tss2/tss2_tpm2_types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <vector>

#include "ledger.h"

namespace tpm_attestor {
namespace {

/// As long as the longest `tpm_timeout`. A TPM that has not answered by then never will.
constexpr unsigned kCommandSeconds = 600;
/// A keeper with nothing to flush ends at once.
constexpr unsigned kUsualEndMilliseconds = 100;
/// Command and response buffers of every PC Client TPM are smaller.
constexpr size_t kMessageBytes = 8192;

/// Lets one keeper start at a time, so that no keeper inherits the connection of another one.
std::mutex opening;
/// Guards `running` and `ending`.
std::mutex listing;
/// The socket of each running keeper, by process.
std::map<pid_t, int> running;
/// Keepers that were told to end, and may still flush.
std::vector<pid_t> ending;

/// Closes the sockets and pipes inherited from the parent. Otherwise a peer that waits for the parent to close them
/// would wait for the keeper. A kept TCTI needs none of them: a device is no socket, and swtpm's connects for each
/// command.
void CloseChannelsBut(int kept) {
  const int nowhere = open("/dev/null", O_RDWR);
  for (int file = 0; file <= 2; file++) dup2(nowhere, file);
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) _exit(1);
  while (const dirent* entry = readdir(folder)) {
    struct stat status = {};
    const int file = atoi(entry->d_name);
    if (file <= 2 || file == kept || fstat(file, &status) != 0) continue;
    if (S_ISSOCK(status.st_mode) || S_ISFIFO(status.st_mode)) close(file);
  }
  closedir(folder);
}

TSS2_RC Exchange(TSS2_TCTI_CONTEXT* tcti, const uint8_t* command, size_t command_bytes, uint8_t* response,
                 size_t* response_bytes) {
  // SIGALRM ends the keeper by its default action, even in a call that blocks.
  alarm(kCommandSeconds);
  TSS2_RC rc = Tss2_Tcti_Transmit(tcti, command_bytes, command);
  if (rc == TSS2_RC_SUCCESS) rc = Tss2_Tcti_Receive(tcti, response_bytes, response, TSS2_TCTI_TIMEOUT_BLOCK);
  alarm(0);
  return rc;
}

void Flush(TSS2_TCTI_CONTEXT* tcti, uint32_t handle) {
  uint8_t command[] = {0x80, 0x01, 0, 0, 0, 14, 0, 0, 0, 0, 0, 0, 0, 0};
  for (int i = 0; i < 4; i++) {
    command[6 + i] = static_cast<uint8_t>(TPM2_CC_FlushContext >> (24 - 8 * i));
    command[10 + i] = static_cast<uint8_t>(handle >> (24 - 8 * i));
  }
  uint8_t response[kMessageBytes];
  size_t bytes = sizeof(response);
  Exchange(tcti, command, sizeof(command), response, &bytes);
}

/// Runs the keeper process. The parent may have held any lock at the fork, so this must not call into Node.js.
[[noreturn]] void Keep(TSS2_TCTI_CONTEXT* tcti, int socket) {
  prctl(PR_SET_NAME, "tpm-keeper");
  CloseChannelsBut(socket);
  Ledger ledger;
  uint8_t command[kMessageBytes];
  uint8_t response[kMessageBytes];
  for (;;) {
    const ssize_t received = recv(socket, command, sizeof(command), 0);
    if (received < 0 && errno == EINTR) continue;
    if (received <= 0) break;
    size_t bytes = sizeof(response);
    TSS2_RC rc = Exchange(tcti, command, static_cast<size_t>(received), response, &bytes);
    if (rc != TSS2_RC_SUCCESS) bytes = 0;
    ledger.Note(command, static_cast<size_t>(received), response, bytes);
    iovec parts[] = {{&rc, sizeof(rc)}, {response, bytes}};
    msghdr answer = {};
    answer.msg_iov = parts;
    answer.msg_iovlen = 2;
    // When the parent is gone, this fails, and the next recv ends the loop.
    sendmsg(socket, &answer, MSG_NOSIGNAL);
    explicit_bzero(response, sizeof(response));
    explicit_bzero(command, sizeof(command));
  }
  uint32_t handle = 0;
  while (ledger.Take(&handle)) Flush(tcti, handle);
  _exit(0);
}

/// Waits for the processes to end, and removes those that have ended. True when none is left.
bool AwaitEnds(std::vector<pid_t>& processes, unsigned milliseconds) {
  constexpr timespec kMillisecond = {0, 1'000'000};
  for (unsigned waited = 0;; waited++) {
    const auto has_ended = [](pid_t process) { return waitpid(process, nullptr, WNOHANG) != 0; };
    processes.erase(std::remove_if(processes.begin(), processes.end(), has_ended), processes.end());
    if (processes.empty() || waited >= milliseconds) return processes.empty();
    nanosleep(&kMillisecond, nullptr);
  }
}

}  // namespace

TSS2_RC Keeper::Start(const std::string& configuration) {
  const std::lock_guard<std::mutex> one_at_a_time(opening);
  TSS2_TCTI_CONTEXT* tcti = nullptr;
  const TSS2_RC rc = Tss2_TctiLdr_Initialize(configuration.c_str(), &tcti);
  if (rc != TSS2_RC_SUCCESS) return rc;

  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    Tss2_TctiLdr_Finalize(&tcti);
    return TSS2_TCTI_RC_GENERAL_FAILURE;
  }
  // Block all signals in the keeper: the handlers it inherits from Node.js would report its signals to this process.
  sigset_t all;
  sigset_t mask;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask);
  const pid_t process = fork();
  if (process == 0) {
    signal(SIGALRM, SIG_DFL);
    sigdelset(&all, SIGALRM);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    Keep(tcti, ends[1]);
  }
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  // The keeper has its own copy of the connection. Close ours, so that only the keeper holds the TPM.
  Tss2_TctiLdr_Finalize(&tcti);
  close(ends[1]);
  if (process < 0) {
    close(ends[0]);
    return TSS2_TCTI_RC_GENERAL_FAILURE;
  }
  socket_ = ends[0];
  process_ = process;
  const std::lock_guard<std::mutex> lock(listing);
  AwaitEnds(ending, 0);
  running[process_] = socket_;
  return TSS2_RC_SUCCESS;
}

Keeper::~Keeper() {
  if (process_ < 0) return;
  const std::lock_guard<std::mutex> lock(listing);
  running.erase(process_);
  close(socket_);
  // Wait only briefly: a TPM that was closed in order is already flushed, and a hanging one must not block the event
  // loop.
  std::vector<pid_t> own = {process_};
  if (!AwaitEnds(own, kUsualEndMilliseconds)) ending.push_back(process_);
}

TSS2_RC Keeper::Transmit(size_t size, const uint8_t* command) {
  if (size > kMessageBytes) return TSS2_TCTI_RC_BAD_VALUE;
  const ssize_t sent = send(socket_, command, size, MSG_NOSIGNAL);
  return sent == static_cast<ssize_t>(size) ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_IO_ERROR;
}

TSS2_RC Keeper::Receive(size_t* size, uint8_t* response, int32_t timeout) {
  pollfd ready = {socket_, POLLIN, 0};
  if (timeout >= 0 && poll(&ready, 1, timeout) == 0) return TSS2_TCTI_RC_TRY_AGAIN;
  // ESYS first asks for the size, without a buffer. Only peek then, so that the answer stays for the second call. A
  // failure has no answer, and is taken out below.
  const int peek = response == nullptr ? MSG_PEEK : 0;
  TSS2_RC rc = TSS2_TCTI_RC_IO_ERROR;
  iovec parts[] = {{&rc, sizeof(rc)}, {response, response == nullptr ? 0 : *size}};
  msghdr answer = {};
  answer.msg_iov = parts;
  answer.msg_iovlen = 2;
  ssize_t received;
  do received = recvmsg(socket_, &answer, MSG_TRUNC | peek);
  while (received < 0 && errno == EINTR);
  if (received < static_cast<ssize_t>(sizeof(rc))) return TSS2_TCTI_RC_IO_ERROR;
  const size_t bytes = static_cast<size_t>(received) - sizeof(rc);
  if (response == nullptr && rc != TSS2_RC_SUCCESS) recv(socket_, &rc, sizeof(rc), 0);
  if (response != nullptr && bytes > *size) rc = TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
  *size = bytes;
  return rc;
}

void Keeper::EndAll(unsigned milliseconds) {
  const std::lock_guard<std::mutex> lock(listing);
  for (const auto& [process, socket] : running) {
    // Do not close the socket: a thread may be waiting for an answer on it.
    shutdown(socket, SHUT_RDWR);
    ending.push_back(process);
  }
  running.clear();
  AwaitEnds(ending, milliseconds);
}

}  // namespace tpm_attestor
