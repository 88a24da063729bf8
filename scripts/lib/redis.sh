# shellcheck shell=bash
# A private Redis on the loopback interface.

# Prints the server's program. In Debian's redis-tools it goes by the name of a checking tool, and
# becomes a server when it is called redis-server.
redis_server() {
    if have redis-server; then
        command -v redis-server
        return
    fi
    mkdir -p "$CACHE_DIR/bin"
    ln -sfn /usr/bin/redis-check-rdb "$CACHE_DIR/bin/redis-server"
    printf '%s' "$CACHE_DIR/bin/redis-server"
}

# start_redis DATA_DIR PORT
start_redis() {
    local data_dir=$1 port=$2
    mkdir -p "$data_dir"
    start_process redis "$(redis_server)" --port "$port" --bind 127.0.0.1 --dir "$data_dir" \
        --appendonly yes --save '' --daemonize no --logfile '' --loglevel warning
}

redis_answers() { [[ $(redis-cli -h 127.0.0.1 -p "$1" PING) == PONG ]]; }
