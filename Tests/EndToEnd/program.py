"""The program, run to its end with exactly the settings that a test gives."""

import os
import subprocess

STORES = ("DATABASE_URL", "REDIS_URL")


def run_program(api, arguments=("serve",), **settings):
    """What it printed and its exit code; no setting but these reaches it."""
    environment = {"PATH": os.environ["PATH"]} | settings
    return subprocess.run(
        [api.gateway.binary, *arguments], cwd=api.gateway.root, env=environment,
        capture_output=True, text=True, timeout=60)


def stores_of(api):
    """The settings that name the stores of the module's gateway."""
    return {name: api.gateway.environment[name] for name in STORES}
