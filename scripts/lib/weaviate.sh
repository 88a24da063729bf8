# shellcheck shell=bash
# A real Weaviate server, built from its published Go module.

WEAVIATE_VERSION=1.38.11
WEAVIATE_SERVER=$CACHE_DIR/weaviate-$WEAVIATE_VERSION/weaviate-server

install_weaviate() {
    if [[ -x $WEAVIATE_SERVER ]]; then return; fi
    install_go
    with_lock "$CACHE_DIR/weaviate.lock" build_weaviate
}

# Go 1.21 and newer fetch the toolchain that the module asks for.
install_go() {
    local version
    version=$(go env GOVERSION 2>/dev/null) || version=go0
    if version_at_least "${version#go}" 1.21; then return; fi
    install_packages golang-go ca-certificates
}

build_weaviate() {
    if [[ -x $WEAVIATE_SERVER ]]; then return; fi
    step "building Weaviate $WEAVIATE_VERSION (some five minutes, once)"
    local partial=$CACHE_DIR/weaviate-$WEAVIATE_VERSION.partial
    rm -rf "$partial"
    mkdir -p "$partial"
    GOTOOLCHAIN=auto CGO_ENABLED=0 GOBIN="$partial" GOFLAGS="-trimpath ${FOURFOLD_GOFLAGS:-}" \
        run_bound nice go install -ldflags '-s -w' \
        "github.com/weaviate/weaviate/cmd/weaviate-server@v$WEAVIATE_VERSION" \
        || die "Go could not build Weaviate $WEAVIATE_VERSION" "check the network and run again"
    mv "$partial" "$(dirname "$WEAVIATE_SERVER")"
}

# start_weaviate DATA_DIR HTTP_PORT FIRST_INTERNAL_PORT: five internal ports follow each other.
start_weaviate() {
    local data_dir=$1 http_port=$2 first_port=$3
    mkdir -p "$data_dir"
    start_process weaviate env \
        PERSISTENCE_DATA_PATH="$data_dir" \
        AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED=true DEFAULT_VECTORIZER_MODULE=none \
        AUTOSCHEMA_ENABLED=false API_BASED_MODULES_DISABLED=true DISABLE_TELEMETRY=true \
        GO_PROFILING_DISABLE=true CLUSTER_HOSTNAME=node1 CLUSTER_IN_LOCALHOST=true \
        CLUSTER_BIND_ADDR=127.0.0.1 CLUSTER_ADVERTISE_ADDR=127.0.0.1 \
        CLUSTER_GOSSIP_BIND_PORT="$first_port" CLUSTER_DATA_BIND_PORT=$((first_port + 1)) \
        RAFT_PORT=$((first_port + 2)) RAFT_INTERNAL_RPC_PORT=$((first_port + 3)) \
        RAFT_BOOTSTRAP_EXPECT=1 RAFT_TIMEOUTS_MULTIPLIER=1 GRPC_PORT=$((first_port + 4)) \
        DISK_USE_READONLY_PERCENTAGE=99 LOG_LEVEL=warning \
        "$WEAVIATE_SERVER" --scheme http --host 127.0.0.1 --port "$http_port" \
        --read-timeout=600s --write-timeout=600s
}

weaviate_answers() { answers_ok "$1/v1/.well-known/ready"; }
