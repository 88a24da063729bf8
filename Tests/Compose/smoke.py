"""One run of the whole compose file on a Docker engine; only `scripts/test compose` collects it."""

import hashlib
import json
import os
import subprocess
import time
import urllib.error
import urllib.request

import pytest

import compose

KEY = "smoke-test-key"
PORTS = {"FOURFOLD_PUBLISH": "28080", "POSTGRES_PUBLISH": "25432", "REDIS_PUBLISH": "26379",
         "NEO4J_PUBLISH": "27474", "WEAVIATE_PUBLISH": "28081"}
UP_SECONDS_MAX = 1800


def call(path, body=None, key=KEY):
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORTS['FOURFOLD_PUBLISH']}{path}",
        json.dumps(body).encode() if body is not None else None,
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.fixture(scope="module")
def system():
    files = ["docker-compose.yml", "Tests/Compose/stand-ins.yml"]
    settings = compose.SECRETS | PORTS | {
        "FOURFOLD_SERVICE_KEYS": "backend:" + hashlib.sha256(KEY.encode()).hexdigest(),
        "COMPOSE_PROJECT_NAME": "fourfold-smoke"} | {
            name: os.environ[name] for name in
            ("FOURFOLD_BASE_IMAGE", "FOURFOLD_NEO4J_LIBRARIES", "FOURFOLD_WEAVIATE")}

    def run(*arguments, **options):
        return compose.run(*arguments, files=files, secrets=settings, **options)

    try:
        run("up", "--build", "--detach", "--wait", "gateway", timeout=UP_SECONDS_MAX)
        yield run
    finally:
        run("down", "--volumes", "--timeout", "20", check=False)


def test_a_concept_reaches_every_store(system):
    user = "5b9c2d6e-0000-4000-8000-000000000001"
    concept = "5b9c2d6e-0000-4000-8000-000000000002"
    assert call("/v1/dots/concepts", key="wrong")[0] == 401
    status, answer = call("/v1/dots/users", {
        "user_id": user, "username": "smoke", "email": "smoke@example.org", "password_hash": "!",
        "region": "eu"})
    assert status == 201, answer
    status, answer = call("/v1/dots/concepts", {
        "concept_id": concept, "user_id": user, "name": "Painting a mural"})
    assert status == 201, answer
    deadline = time.monotonic() + 60
    while True:
        _, state = call(f"/v1/dots/concepts/{concept}/sync")
        if state["graph"]["state"] == state["vector"]["state"] == "applied":
            break
        assert time.monotonic() < deadline, state
        time.sleep(0.2)
    status, found = call("/v1/dots/search", {
        "user_id": user, "text": "creativity and inspiration", "entities": ["concepts"]})
    assert status == 200
    assert [hit["id"] for hit in found["hits"]] == [concept]
    assert found["meta"]["source"]["vector"] == "weaviate" and not found["meta"]["degraded"]


def test_the_export_runs(system):
    done = system("run", "--rm", "--no-deps", "--entrypoint", "fourfold", "export",
                  "export-connections", "--pack", "dots")
    assert json.loads(done.stdout.strip().splitlines()[-1])["pack"] == "dots"
