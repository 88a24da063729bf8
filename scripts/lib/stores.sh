# shellcheck shell=bash
# shellcheck disable=SC2034  # The URLs are read by name, in gateway.sh.
# Makes sure that each store runs, and says where. Reuses one that runs already.

# use_postgres [SETTING...]
# shellcheck disable=SC2120
use_postgres() {
    local home port
    home=$(postgres_home)
    port=$(port_of postgres)
    if ! is_running postgres; then
        step "starting PostgreSQL on port $port"
        if [[ $home != "$RUN_DIR/postgres" ]]; then
            say "    its data is in $home:" \
                "$RUN_DIR is too long a path, or closed to $POSTGRES_OS_USER"
        fi
        make_password "$RUN_DIR/postgres-password"
        init_postgres "$home" "$RUN_DIR/postgres-password"
        start_postgres "$home" "$port" "$@"
    fi
    wait_ready postgres 60 postgres_answers "$home" "$port"
    POSTGRES_HOME=$home
    POSTGRES_PORT=$port
}

# make_database NAME: the gateway owns its database and is no superuser.
make_database() {
    if [[ $(admin_sql "SELECT 1 FROM pg_roles WHERE rolname = '$1'") != 1 ]]; then
        admin_sql "CREATE ROLE $1 LOGIN"
    fi
    if [[ $(admin_sql "SELECT 1 FROM pg_database WHERE datname = '$1'") != 1 ]]; then
        admin_sql "CREATE DATABASE $1 OWNER $1"
    fi
    # Only a superuser may create this extension; the gateway can do without it.
    admin_sql "CREATE EXTENSION IF NOT EXISTS vector" "$1"
    DATABASE_URL=$(postgres_url "$1" "$1")
}

# postgres_url USER DATABASE
postgres_url() {
    printf 'postgresql:///%s?host=%s&port=%s&user=%s' "$2" "$POSTGRES_HOME" "$POSTGRES_PORT" "$1"
}

# admin_sql SQL [DATABASE]
admin_sql() {
    PGOPTIONS="-c client_min_messages=warning" "$POSTGRES_BIN/psql" --no-psqlrc --quiet \
        --tuples-only --no-align --set ON_ERROR_STOP=1 \
        --host "$POSTGRES_HOME" --port "$POSTGRES_PORT" --username postgres \
        --dbname "${2:-postgres}" --command "$1"
}

use_redis() {
    local port
    port=$(port_of redis)
    if ! is_running redis; then
        step "starting Redis on port $port"
        start_redis "$RUN_DIR/redis" "$port"
    fi
    wait_ready redis 30 redis_answers "$port"
    REDIS_URL=redis://127.0.0.1:$port/0
}

# Neo4j takes some seconds to start, so wait_neo4j is a step of its own.
use_neo4j() {
    local port bolt_port
    port=$(port_of neo4j)
    bolt_port=$(port_of neo4j_bolt neo4j)
    if ! is_running neo4j; then
        step "starting Neo4j on port $port"
        start_neo4j "$RUN_DIR/neo4j" "$port" "$bolt_port"
    fi
    NEO4J_URL=http://127.0.0.1:$port
}

wait_neo4j() { wait_ready neo4j 180 neo4j_answers "$NEO4J_URL"; }

use_weaviate() {
    local port internal_port
    port=$(port_of weaviate)
    internal_port=$(port_of weaviate_internal weaviate)
    if ! is_running weaviate; then
        step "starting Weaviate on port $port"
        start_weaviate "$RUN_DIR/weaviate" "$port" "$internal_port"
    fi
    WEAVIATE_URL=http://127.0.0.1:$port
}

wait_weaviate() { wait_ready weaviate 120 weaviate_answers "$WEAVIATE_URL"; }

use_embedder() {
    local port
    port=$(port_of embedder)
    if ! is_running embedder; then
        step "starting the embedding server on port $port"
        start_embedder "$port"
    fi
    EMBEDDINGS_URL=http://127.0.0.1:$port/v1
}

wait_embedder() { wait_ready embedder 120 embedder_answers "$EMBEDDINGS_URL"; }

make_password() {
    if [[ -f $1 ]]; then return; fi
    (umask 077 && od --address-radix=n --format=x1 --read-bytes=24 /dev/urandom | tr -d ' \n' >"$1")
}
