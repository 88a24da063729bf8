# shellcheck shell=bash
# shellcheck disable=SC2034  # Used by the scripts that source this.
# Paths, messages and small helpers that every script shares. Sourced, never run.

ROOT_DIR=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
CACHE_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/fourfold
RUN_DIR=${FOURFOLD_RUN_DIR:-$ROOT_DIR/.run}

say() { printf '%s\n' "$*"; }
step() { printf '==> %s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }

# Ends the script. The first argument says what failed, the others how to get on.
die() {
    printf 'error: %s\n' "$1" >&2
    shift
    if (($# > 0)); then printf '       %s\n' "$@" >&2; fi
    exit 2
}

have() { command -v "$1" >/dev/null 2>&1; }

# A short name for this run folder, so that two copies on one machine do not meet.
run_hash() { printf '%s' "$RUN_DIR" | sha256sum | cut -c1-10; }

# Runs a command again until it succeeds: wait_until SECONDS COMMAND...
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= deadline)); then return 1; fi
        sleep 0.1
    done
}

# True if something listens on this port of the loopback interface.
port_in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# True if an HTTP GET of this URL succeeds.
answers_ok() { curl --silent --fail --max-time 5 --output /dev/null "$1"; }

# Holds LOCK_FILE while COMMAND runs, so that two scripts do not build the same cache entry.
with_lock() {
    local lock_file=$1 lock_fd status=0
    shift
    mkdir -p "$(dirname "$lock_file")"
    exec {lock_fd}>"$lock_file"
    if ! flock --nonblock "$lock_fd"; then
        say "waiting for another script that holds $lock_file"
        flock "$lock_fd"
    fi
    "$@" || status=$?
    exec {lock_fd}>&-
    return "$status"
}
