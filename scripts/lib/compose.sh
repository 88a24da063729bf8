# shellcheck shell=bash
# What the tests of the compose file need.

install_compose() {
    if docker compose version >/dev/null 2>&1; then return; fi
    install_packages docker-compose
}

engine_answers() { have docker && docker info >/dev/null 2>&1; }

# Builds the images that stand in for the vendors', from Debian and the cache alone.
make_stand_ins() {
    export FOURFOLD_BASE_IMAGE=fourfold/debian
    if ! docker image inspect "$FOURFOLD_BASE_IMAGE" >/dev/null 2>&1; then
        install_packages debootstrap
        step "making a Debian image"
        local root=$RUN_DIR/debian
        as_root debootstrap --variant=minbase trixie "$root" "$(debian_mirror)" >/dev/null \
            || die "debootstrap failed"
        as_root tar --create --directory "$root" . | docker import - "$FOURFOLD_BASE_IMAGE" \
            >/dev/null || die "docker import failed"
        as_root rm -rf "$root"
    fi
    # A build has no way to an index that asks for certificates of this machine alone.
    step "fetching the embedder's wheels"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps \
        --python-version 3.13 --only-binary=:all: --implementation cp \
        --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 --platform any \
        --dest "$ROOT_DIR/embedder/wheels" --requirement "$ROOT_DIR/embedder/requirements.txt" \
        || die "pip could not fetch the embedder's wheels"
    docker build --quiet --tag fourfold/stand-in --build-arg BASE_IMAGE="$FOURFOLD_BASE_IMAGE" \
        "$ROOT_DIR/Tests/Compose/stand-ins" >/dev/null || die "the stand-in image does not build"
    install_neo4j
    install_weaviate
    export FOURFOLD_NEO4J_LIBRARIES=$NEO4J_LIBRARY_DIR/lib FOURFOLD_WEAVIATE=$WEAVIATE_SERVER
}

# The mirror that this machine uses for the suite trixie.
debian_mirror() {
    apt-cache policy | sed -nE 's|^ *[0-9]+ (https?://[^ ]+) trixie/main .*|\1|p' | head -n 1
}
