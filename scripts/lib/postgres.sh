# shellcheck shell=bash
# A private PostgreSQL. A PostgreSQL of the system is never touched.

POSTGRES_BIN=/usr/lib/postgresql/17/bin

# shellcheck disable=SC2034  # Named in a message of stores.sh.
POSTGRES_OS_USER=$(id -un)
AS_POSTGRES_USER=()

# PostgreSQL refuses to run as root, so root lends it the user that its package made.
if [[ $EUID == 0 ]]; then
    # shellcheck disable=SC2034
    POSTGRES_OS_USER=postgres
    AS_POSTGRES_USER=(setpriv --reuid postgres --regid postgres --clear-groups --)
fi

as_postgres_user() { "${AS_POSTGRES_USER[@]}" "$@"; }

own_as_postgres_user() {
    if [[ $EUID == 0 ]]; then chown postgres "$@"; fi
}

# Prints the folder for data and socket: in the run folder if PostgreSQL's user can reach it and a
# socket's path (107 bytes at most) fits, else one in /var/tmp.
postgres_home() {
    local home=$RUN_DIR/postgres
    if ((${#home} <= 80)) && as_postgres_user test -x "$RUN_DIR"; then
        printf '%s' "$home"
    else
        printf '%s' "/var/tmp/fourfold-$(id -u)-$(run_hash)"
    fi
}

# init_postgres HOME PASSWORD_FILE: makes an empty cluster with the superuser `postgres`: trusted on
# the socket, whose folder only its user may enter, and asked for the password on TCP.
init_postgres() {
    local home=$1 password_file=$2
    if [[ -d $home/data ]]; then return; fi
    mkdir -p "$home"
    chmod 700 "$home"
    cp "$password_file" "$home/password"
    own_as_postgres_user "$home" "$home/password"
    # A half-made cluster of an interrupted run must not look like a finished one.
    as_postgres_user rm -rf "$home/data.partial"
    (cd / && as_postgres_user "$POSTGRES_BIN/initdb" --pgdata "$home/data.partial" \
        --username postgres --encoding UTF8 \
        --locale-provider builtin --locale C.UTF-8 --builtin-locale C.UTF-8 \
        --auth-local trust --auth-host "${POSTGRES_AUTH_HOST:-scram-sha-256}" \
        --pwfile "$home/password" >/dev/null) \
        || die "initdb failed"
    rm -f "$home/password"
    as_postgres_user mv "$home/data.partial" "$home/data"
}

# start_postgres HOME PORT [SETTING...]: settings as name=value.
start_postgres() {
    local home=$1 port=$2 setting
    shift 2
    local -a settings=(listen_addresses=127.0.0.1 unix_socket_directories="$home"
        max_connections=200 log_min_messages=warning cluster_name=fourfold
        # The detail of an error quotes the row.
        log_error_verbosity=terse "$@")
    local -a flags=()
    for setting in "${settings[@]}"; do flags+=(-c "$setting"); done
    local -a PROCESS_USER_PREFIX=("${AS_POSTGRES_USER[@]}")
    start_process postgres "$POSTGRES_BIN/postgres" \
        -D "$home/data" -p "$port" "${flags[@]}"
}

postgres_answers() { "$POSTGRES_BIN/pg_isready" --quiet --host "$1" --port "$2"; }
