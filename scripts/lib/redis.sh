# shellcheck shell=bash
# A private Redis on the loopback interface.

# start_redis DATA_DIR PORT
start_redis() {
    local data_dir=$1 port=$2
    mkdir -p "$data_dir"
    start_process redis redis-server --port "$port" --bind 127.0.0.1 --dir "$data_dir" \
        --appendonly yes --save '' --daemonize no --logfile '' --loglevel warning
}

redis_answers() { [[ $(redis-cli -h 127.0.0.1 -p "$1" PING) == PONG ]]; }
