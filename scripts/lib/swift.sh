# shellcheck shell=bash
# Swift: the compiler in PATH if it is new enough, else Debian's.

SWIFT_VERSION_MIN=6.0
# FOURFOLD_BINARY: a gateway that is built already, to run instead of this checkout's.
RELEASE_BINARY=${FOURFOLD_BINARY:-$ROOT_DIR/.build/release/fourfold}

# version_at_least VERSION MINIMUM
version_at_least() {
    [[ $(printf '%s\n%s\n' "$2" "$1" | sort --version-sort | head -n 1) == "$2" ]]
}

swift_is_new_enough() {
    local version
    have swift || return 1
    version=$(swift --version 2>/dev/null | sed -nE 's/.*Swift version ([0-9.]+).*/\1/p')
    [[ -n $version ]] && version_at_least "$version" "$SWIFT_VERSION_MIN"
}

install_build_tools() {
    local -a wanted=("${BUILD_PACKAGES[@]}")
    if ! swift_is_new_enough; then wanted+=(swiftlang); fi
    install_packages "${wanted[@]}"
    hash -r
    swift_is_new_enough || die "no Swift $SWIFT_VERSION_MIN or newer in PATH"
}

build_release() {
    step "building the gateway (release)"
    run_bound swift build --package-path "$ROOT_DIR" --configuration release --product fourfold \
        --static-swift-stdlib --quiet || die "the build failed"
}
