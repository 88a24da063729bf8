# shellcheck shell=bash
# Which port each server has. All follow from FOURFOLD_PORT_BASE; each can be set on its own.

STORE_PORT_BASE_DEFAULT=15400
PORT_TRIES=10
PORT_STRIDE=20

# name=offset from the base; Weaviate's internal ports are five in a row.
declare -A PORT_OFFSETS=([postgres]=1 [redis]=2 [neo4j]=3 [neo4j_bolt]=4 [weaviate]=5
    [embedder]=6 [weaviate_internal]=7)
declare -A PORT_COUNTS=([weaviate_internal]=5)

# FOURFOLD_PORT, else the base if one is given, else 8080.
gateway_port() { printf '%s' "${FOURFOLD_PORT:-${FOURFOLD_PORT_BASE:-8080}}"; }

# port_of NAME [PROCESS]: prints the port of a server. A running one keeps the port it has, and a
# stopped one its last, if free. A port that is given must be free; a default one moves on.
port_of() {
    local name=$1 process=${2:-$1} variable given base port try
    variable=FOURFOLD_${name^^}_PORT
    given=${!variable:-}
    local recorded=$RUN_DIR/ports/$name
    if [[ -f $recorded ]] && { is_running "$process" || { [[ -z $given ]] \
        && ports_are_free "$name" "$(<"$recorded")"; }; }; then
        printf '%s' "$(<"$recorded")"
        return
    fi
    base=${FOURFOLD_PORT_BASE:-$STORE_PORT_BASE_DEFAULT}
    for ((try = 0; try < PORT_TRIES; try++)); do
        port=${given:-$((base + PORT_OFFSETS[$name] + try * PORT_STRIDE))}
        if ports_are_free "$name" "$port"; then
            mkdir -p "$RUN_DIR/ports"
            printf '%s' "$port" >"$recorded"
            printf '%s' "$port"
            return
        fi
        if [[ -n $given ]]; then break; fi
    done
    die "no free port for $name: $port is taken" "set $variable or FOURFOLD_PORT_BASE"
}

ports_are_free() {
    local name=$1 first=$2 port
    for ((port = first; port < first + ${PORT_COUNTS[$name]:-1}; port++)); do
        if port_in_use "$port"; then return 1; fi
    done
}
