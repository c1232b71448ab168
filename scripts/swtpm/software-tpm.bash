# What the commands beside this file share: failing with a reason, and holding one software TPM. Sourced, never run.
# shellcheck shell=bash

program="${0##*/}"

# Exit 2: the caller's mistake. Exit 3: the TPM or the system failed. The same numbers as the tpm-attestor command.
misuse() {
  printf '%s: %s\n' "$program" "$1" >&2
  printf 'Try: %s --help\n' "$program" >&2
  exit 2
}

fail() {
  printf '%s: %s\n' "$program" "$1" >&2
  exit 3
}

# require COMMAND PACKAGE
require() {
  command -v "$1" >/dev/null || fail "the command '$1' is missing; install it with: apt-get install $2"
}

# Prints an absolute path: swtpm takes a relative state folder, starts, and enters failure mode at the first command.
absolute() {
  case $1 in
    /*) printf '%s\n' "$1" ;;
    *) printf '%s/%s\n' "$PWD" "$1" ;;
  esac
}

# make_folder PATH: with those above it.
make_folder() {
  local said
  said=$(mkdir -p "$1" 2>&1) || fail "the folder '$1' cannot be made: ${said##*: }"
}

# check_socket_path PATH: sockaddr_un holds 108 bytes, and the control socket adds ".ctrl".
check_socket_path() {
  ((${#1} < 100)) || misuse "the socket path is ${#1} bytes long, a unix socket takes fewer than 100: $1"
}

# await_swtpm PID SOCKET LOG: returns once both sockets answer.
await_swtpm() {
  local tries
  for ((tries = 0; tries < 500; tries++)); do
    if [[ -S $2 && -S $2.ctrl ]] && swtpm_ioctl --unix "$2.ctrl" -c >/dev/null 2>&1; then
      return
    fi
    is_running "$1" || break
    sleep 0.02
  done
  [[ ! -s $3 ]] || cat "$3" >&2
  fail "swtpm did not start on $2"
}

# A process that ended and that nobody waited for (PID 1 of a container often does not) still has its number.
is_running() { grep -qs '^State:.[^Z]' "/proc/$1/status"; }

# end_process PID: asks, waits up to 2 s, then insists. swtpm has written its state before it answers a command.
end_process() {
  local tries
  kill -TERM "$1" 2>/dev/null || return 0
  for ((tries = 0; tries < 100; tries++)); do
    is_running "$1" || return 0
    sleep 0.02
  done
  kill -KILL "$1" 2>/dev/null || true
}

# hold_swtpm STATE SOCKET: runs a TPM as a child that the kernel ends together with this shell; sets swtpm_pid.
hold_swtpm() {
  check_socket_path "$2"
  setpriv --pdeathsig TERM -- swtpm socket --tpm2 --tpmstate "dir=$1" --server "type=unixio,path=$2" \
    --ctrl "type=unixio,path=$2.ctrl" --flags not-need-init,startup-clear >"$2.log" 2>&1 &
  swtpm_pid=$!
  await_swtpm "$swtpm_pid" "$2" "$2.log"
}

release_swtpm() {
  [[ -n ${swtpm_pid:-} ]] || return 0
  end_process "$swtpm_pid"
  wait "$swtpm_pid" 2>/dev/null || true
  swtpm_pid=
}

# Bytes and hexadecimal, by coreutils alone.
from_hex() { printf '%s' "$1" | tr a-f A-F | basenc --decode --base16; }
to_hex() { od -An -v -tx1 "$1" | tr -d ' \n'; }
