# shellcheck shell=bash
# Runs the gateway on the stores that are up.

ENVIRONMENT_FILE=$RUN_DIR/env

# Writes .run/env for everything that wants to look behind the gateway.
write_environment() {
    local name
    (umask 077 && for name in GATEWAY_URL DATABASE_URL REDIS_URL NEO4J_URL WEAVIATE_URL \
        EMBEDDINGS_URL; do printf "%s='%s'\n" "$name" "${!name:-}"; done >"$ENVIRONMENT_FILE.new")
    mv "$ENVIRONMENT_FILE.new" "$ENVIRONMENT_FILE"
}

# Prints the settings of the gateway as NAME=VALUE lines; a store that does not run has none.
gateway_settings() {
    local name
    for name in DATABASE_URL REDIS_URL NEO4J_URL WEAVIATE_URL EMBEDDINGS_URL; do
        if [[ -n ${!name:-} ]]; then printf '%s=%s\n' "$name" "${!name}"; fi
    done
    printf 'FOURFOLD_LISTEN=127.0.0.1:%s\n' "$GATEWAY_PORT"
    if [[ -n ${EMBEDDINGS_URL:-} ]]; then printf 'EMBEDDINGS_MODEL=all-MiniLM-L6-v2\n'; fi
    printf 'FOURFOLD_AUTH=%s\n' "${FOURFOLD_AUTH:-none}"
}

# gateway_environment COMMAND...: runs it with exactly those stores.
gateway_environment() {
    local -a settings
    mapfile -t settings < <(gateway_settings)
    env -u NEO4J_URL -u WEAVIATE_URL -u EMBEDDINGS_URL "${settings[@]}" "$@"
}

migrate() {
    step "migrating every pack"
    (cd "$ROOT_DIR" && gateway_environment "$RELEASE_BINARY" migrate) \
        >>"$(log_file migrate)" 2>&1 || {
        tail -n 20 "$(log_file migrate)" >&2
        die "the migration failed" "its log: $(log_file migrate)"
    }
}

# What decides whether a running gateway must make way for a new one.
gateway_stamp() { { gateway_settings; stat --format '%Y %s' "$RELEASE_BINARY"; } | sha256sum; }

use_gateway() {
    local stamp
    stamp=$(gateway_stamp)
    if is_running gateway; then
        if [[ $(cat "$RUN_DIR/gateway.stamp" 2>/dev/null) == "$stamp" ]]; then return; fi
        step "stopping the gateway: its settings or its program changed"
        stop_process gateway
    fi
    if port_in_use "$GATEWAY_PORT"; then
        die "port $GATEWAY_PORT is taken" "choose another: FOURFOLD_PORT=8081 scripts/up"
    fi
    migrate
    step "starting the gateway on $GATEWAY_URL"
    local -a settings
    mapfile -t settings < <(gateway_settings)
    cd "$ROOT_DIR"
    start_process gateway env -u NEO4J_URL -u WEAVIATE_URL -u EMBEDDINGS_URL "${settings[@]}" \
        "$RELEASE_BINARY" serve
    printf '%s\n' "$stamp" >"$RUN_DIR/gateway.stamp"
}

wait_gateway() { wait_ready gateway 60 gateway_answers; }
gateway_answers() { answers_ok "$GATEWAY_URL/health/ready"; }

# A lane that has no leader yet waits, without an error.
LANE_IS_BEHIND='"pending":[1-9]|"state":"running"|"state":"waiting"[^}]*"last_error":null'

# What is tried next asks the graph and the vectors too: a Neo4j that was just started takes some
# 20 seconds for its first statements.
wait_lanes() {
    local deadline=$((SECONDS + 90)) status
    while status=$(curl --silent --max-time 5 "$GATEWAY_URL/v1/sync/status") \
        && grep -qE "$LANE_IS_BEHIND" <<<"$status"; do
        if ((SECONDS >= deadline)); then
            say "    not yet: $GATEWAY_URL/v1/sync/status tells how far they are"
            return
        fi
        sleep 0.2
    done
    { grep -oP '"state":"waiting"[^}]*"last_error":"\K[a-z_]+' <<<"$status" || true; } \
        | sed "s|.*|    a lane waits: &; the remedy is in $(log_file gateway)|"
}
