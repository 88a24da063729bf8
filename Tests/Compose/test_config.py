"""The compose file is valid and keeps its promises; no engine is needed."""

import json
import subprocess

import pytest

import compose

STORES = ["postgres", "redis", "neo4j", "weaviate"]


@pytest.fixture(scope="module")
def services():
    return json.loads(compose.run("config", "--format", "json").stdout)["services"]


def test_everything_is_there(services):
    assert set(services) == {"gateway", "migrate", "export", "embedder", *STORES}


def test_only_the_gateway_is_published_beyond_loopback(services):
    open_to_all = [name for name, service in services.items()
                   for port in service.get("ports", [])
                   if port.get("host_ip") not in ("127.0.0.1", "::1")]
    assert open_to_all == ["gateway"]


def test_the_gateway_asks_for_a_key(services):
    environment = services["gateway"]["environment"]
    assert environment["FOURFOLD_AUTH"] != "none" and environment["FOURFOLD_SERVICE_KEYS"]


@pytest.mark.parametrize("name", STORES)
def test_stores_keep_their_data_and_are_waited_for(services, name):
    assert [each["type"] for each in services[name]["volumes"]] == ["volume"]
    assert services[name]["healthcheck"]["test"]
    assert services["migrate"]["depends_on"][name]["condition"] == "service_healthy"


def test_nothing_serves_before_the_migration(services):
    for name in ("gateway", "export"):
        condition = services[name]["depends_on"]["migrate"]["condition"]
        assert condition == "service_completed_successfully"


def test_images_name_a_version(services):
    for name in STORES:
        assert services[name]["image"].rpartition(":")[2] not in ("", "latest")


@pytest.mark.parametrize("name", list(compose.SECRETS))
def test_a_missing_secret_is_refused_with_the_remedy(name):
    left = {key: value for key, value in compose.SECRETS.items() if key != name}
    done = compose.run("config", secrets=left, check=False)
    assert done.returncode != 0 and "deploy/make-env" in done.stderr


def test_make_env_gives_what_compose_needs(tmp_path):
    (tmp_path / "deploy").mkdir()
    for name in ("deploy/make-env", ".env.example"):
        (tmp_path / name).write_text((compose.ROOT / name).read_text())
    made = subprocess.run(["sh", tmp_path / "deploy/make-env"], capture_output=True, text=True)
    assert made.returncode == 0
    path = tmp_path / ".env"
    assert path.stat().st_mode & 0o077 == 0
    values = dict(line.split("=", 1) for line in path.read_text().splitlines()
                  if line and not line.startswith("#"))
    compose.run("config", secrets=values)
    key = made.stdout.split("\n\n")[1].strip()
    digest = subprocess.run(["sha256sum"], input=key, capture_output=True, text=True).stdout
    assert values["FOURFOLD_SERVICE_KEYS"] == f"backend:{digest.split()[0]}"
    again = subprocess.run(["sh", tmp_path / "deploy/make-env"], capture_output=True, text=True)
    assert again.returncode == 1
