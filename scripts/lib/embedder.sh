# shellcheck shell=bash
# The local embedding server, in a Python environment of its own.

# Sets EMBEDDER_PYTHON.
install_embedder() {
    install_python
    EMBEDDER_PYTHON=$(python_environment embedder "$ROOT_DIR/embedder/requirements.txt" --no-deps)
}

start_embedder() {
    start_process embedder "$EMBEDDER_PYTHON" "$ROOT_DIR/embedder/server.py" --port "$1"
}

embedder_answers() { answers_ok "${1%/v1}/health"; }
