# Functions that the commands in this folder share: to fail with a reason, and to run a software TPM. Sourced, never run.
# shellcheck shell=bash

program="${0##*/}"

# Exit codes, as in the tpm-attestor command: 2 for wrong usage, 3 when the TPM or the system failed.
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

# absolute PATH: prints an absolute path. With a relative state folder, swtpm starts, but fails at the first command.
absolute() {
  case $1 in
    /*) printf '%s\n' "$1" ;;
    *) printf '%s/%s\n' "$PWD" "$1" ;;
  esac
}

# make_folder PATH: makes the folder and its parents.
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

# is_running PID: false for a zombie. In a container, PID 1 often does not wait for ended processes.
is_running() { grep -qs '^State:.[^Z]' "/proc/$1/status"; }

# end_process PID: sends SIGTERM, and SIGKILL after 2 s. This loses no state: swtpm writes it before it answers a command.
end_process() {
  local tries
  kill -TERM "$1" 2>/dev/null || return 0
  for ((tries = 0; tries < 100; tries++)); do
    is_running "$1" || return 0
    sleep 0.02
  done
  kill -KILL "$1" 2>/dev/null || true
}

# hold_swtpm STATE SOCKET: runs a TPM as a child, and sets swtpm_pid. The kernel ends the TPM when this shell ends.
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

# from_hex TEXT, to_hex FILE: convert between bytes and hexadecimal, with coreutils alone.
from_hex() { printf '%s' "$1" | tr a-f A-F | basenc --decode --base16; }
to_hex() { od -An -v -tx1 "$1" | tr -d ' \n'; }
