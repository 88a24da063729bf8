# shellcheck shell=bash
# Starts and stops servers. Each has a log and a pid file in the run folder.
#
# Supervised (the default): the kernel ends a server when the script that started it is gone, even
# if that was killed with SIGKILL, and stop_started ends them in order when the script ends.
# Detached (DETACHED=1): the servers outlive the script; scripts/down finds them by pid file.

DETACHED=${DETACHED:-0}
STARTED_PROCESSES=()
# The command that runs another as the wanted user; empty for this one.
PROCESS_USER_PREFIX=()
declare -A STOP_SIGNALS=([postgres]=INT)

stop_signal() { printf '%s' "${STOP_SIGNALS[$1]:-TERM}"; }
pid_file() { printf '%s' "$RUN_DIR/pids/$1"; }
log_file() { printf '%s' "$RUN_DIR/log/$1.log"; }

# start_process NAME COMMAND...: runs it in a session of its own, so that Ctrl-C reaches only the
# script, which then stops the servers in the right order.
start_process() {
    local name=$1 log pid
    shift
    mkdir -p "$RUN_DIR/pids" "$RUN_DIR/log" "$RUN_DIR/commands"
    log=$(log_file "$name")
    # A change of user would clear the signal of the parent's death, so it comes first.
    local -a bound=("${PROCESS_USER_PREFIX[@]}" setpriv --pdeathsig "$(stop_signal "$name")" --)
    if [[ $DETACHED == 1 ]]; then bound=("${PROCESS_USER_PREFIX[@]}"); fi
    # So that a test can start it again as it was.
    printf '%s\0' "${bound[@]}" "$@" >"$RUN_DIR/commands/$name"
    if [[ -n ${RUN_LOCK_FD:-} ]]; then
        setsid "${bound[@]}" "$@" >>"$log" 2>&1 </dev/null {RUN_LOCK_FD}>&- &
    else
        setsid "${bound[@]}" "$@" >>"$log" 2>&1 </dev/null &
    fi
    pid=$!
    # Else bash reports each end that it did not wait for.
    disown "$pid"
    printf '%s %s\n' "$pid" "$(process_birth "$pid")" >"$(pid_file "$name")"
    STARTED_PROCESSES+=("$name")
}

# What tells this process from a later one with the same pid: boot and start time in clock ticks.
process_birth() {
    local stat
    if ! { stat=$(<"/proc/$1/stat"); } 2>/dev/null; then return 1; fi
    # The name in parentheses may hold anything, so count the fields after it.
    local -a fields
    read -r -a fields <<<"${stat##*) }"
    if [[ ${fields[0]} == Z ]]; then return 1; fi
    printf '%s.%s' "$(</proc/sys/kernel/random/boot_id)" "${fields[19]}"
}

# Prints the pid of a server that still runs, or fails.
running_pid() {
    local pid birth
    if ! { read -r pid birth <"$(pid_file "$1")"; } 2>/dev/null; then return 1; fi
    if [[ $(process_birth "$pid") != "$birth" ]]; then return 1; fi
    printf '%s' "$pid"
}

is_running() { running_pid "$1" >/dev/null; }
has_ended() { ! is_running "$1"; }

# stop_process NAME: asks, waits up to 30 s, then kills.
stop_process() {
    local name=$1 pid
    if pid=$(running_pid "$name"); then
        kill -s "$(stop_signal "$name")" "$pid" 2>/dev/null || true
        if ! wait_until 30 has_ended "$name"; then
            warn "$name did not stop within 30 s; killing it"
            kill -s KILL "$pid" 2>/dev/null || true
            wait_until 5 has_ended "$name" || true
        fi
    fi
    rm -f "$(pid_file "$name")"
}

# Stops what this script started, last first.
stop_started() {
    local index
    for ((index = ${#STARTED_PROCESSES[@]} - 1; index >= 0; index--)); do
        stop_process "${STARTED_PROCESSES[index]}"
    done
    STARTED_PROCESSES=()
}

# wait_ready NAME SECONDS COMMAND...: waits for a server; shows its log if it ends or stays away.
wait_ready() {
    local name=$1 deadline=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ! is_running "$name"; then fail_with_log "$name" "$name ended while starting"; fi
        if ((SECONDS >= deadline)); then fail_with_log "$name" "$name is not ready in time"; fi
        sleep 0.1
    done
}

fail_with_log() {
    tail -n 20 "$(log_file "$1")" >&2 || true
    die "$2" "its log: $(log_file "$1")"
}

# Waits until one of the started servers ends by itself; sets ENDED_PROCESS.
wait_for_first_end() {
    while true; do
        for ENDED_PROCESS in "${STARTED_PROCESSES[@]}"; do
            if ! is_running "$ENDED_PROCESS"; then return; fi
        done
        sleep 0.5
    done
}

# Runs a long command that must not outlive the script. In the background, because a trap of the
# script has to wait for what is in the foreground: so not within a subshell either.
run_bound() {
    setpriv --pdeathsig TERM -- "$@" &
    wait $!
}
