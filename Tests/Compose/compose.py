"""docker compose, as a plugin of docker or as a program of its own."""

import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECRETS = {"POSTGRES_PASSWORD": "p0", "NEO4J_PASSWORD": "n0n0n0n0",
           "FOURFOLD_SERVICE_KEYS": "backend:" + "0" * 64}


def command():
    """The words that start it; scripts/test has installed one of them."""
    if shutil.which("docker"):
        asked = subprocess.run(["docker", "compose", "version"], capture_output=True)
        if asked.returncode == 0:
            return ["docker", "compose"]
    found = shutil.which("docker-compose") or "/usr/libexec/docker/cli-plugins/docker-compose"
    assert os.access(found, os.X_OK), "no docker compose: run scripts/test compose"
    return [found, *(["compose"] if "cli-plugins" in found else [])]


def run(*arguments, files=("docker-compose.yml",), secrets=SECRETS, check=True, **options):
    """Runs docker compose on these files with only these settings."""
    flags = [word for file in files for word in ("--file", ROOT / file)]
    # An .env of the developer's own must not decide what is tested.
    environment = {name: value for name, value in os.environ.items()
                   if name in ("PATH", "HOME", "DOCKER_HOST")} | secrets
    done = subprocess.run(
        [*command(), "--env-file", "/dev/null", *flags, *arguments], cwd=ROOT, env=environment,
        capture_output=True, text=True, **options)
    if check:
        assert done.returncode == 0, f"{arguments}\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}"
    return done
