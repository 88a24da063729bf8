# shellcheck shell=bash
# Python environments, kept in the cache and keyed by what they hold.

PYTHON=python3

# Sets PYTHON: at least 3.10, able to make environments.
install_python() {
    local check='import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))'
    if "$PYTHON" -c "$check" 2>/dev/null; then return; fi
    install_packages python3 python3-venv
    PYTHON=/usr/bin/python3
    "$PYTHON" -c "$check" || die "no Python 3.10 or newer with venv"
}

# python_environment NAME REQUIREMENTS_FILE [PIP_OPTION...]: prints the path of its python.
python_environment() {
    local name=$1 requirements=$2 key directory
    shift 2
    key=$({ "$PYTHON" --version; cat "$requirements"; printf '%s' "$*"; } | sha256sum | cut -c1-16)
    directory=$CACHE_DIR/python-$name-$key
    if [[ ! -e $directory/installed ]]; then
        with_lock "$directory.lock" make_python_environment "$name" "$requirements" \
            "$directory" "$@" >&2
    fi
    printf '%s' "$directory/bin/python"
}

make_python_environment() {
    local name=$1 requirements=$2 directory=$3
    shift 3
    if [[ -e $directory/installed ]]; then return; fi
    step "making the Python environment for $name (once)"
    rm -rf "$directory"
    "$PYTHON" -m venv "$directory" || die "python -m venv failed"
    "$directory/bin/python" -m pip install --quiet --disable-pip-version-check "$@" \
        --requirement "$requirements" || die "pip could not install $requirements"
    touch "$directory/installed"
}
