"""scripts/up with real stores: one write, and what every store then says of it."""

import math

import httpx
import psycopg

from copies import STOP_SECONDS_MAX, is_alive, wait_for

FULL_SECONDS_MAX = 300
USER = "a0000000-0000-4000-8000-000000000001"
ID = "c0000000-0000-4000-8000-0000000000ff"
CONCEPT = {"concept_id": ID, "name": "Deep sea",
           "description": "Creatures that glow in the dark of the ocean"}


def likeness(one, other):
    """The cosine of two vectors."""
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return dot / math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))


def embed(url, text):
    answer = httpx.post(f"{url}/embeddings", json={"input": text}, timeout=30)
    return answer.raise_for_status().json()["data"][0]["embedding"]


def test_one_write_in_every_store(make_copy):
    copy = make_copy()
    shown = copy.run("scripts/up", "--full", "--embedder", "--detach", seconds=FULL_SECONDS_MAX)
    assert shown.returncode == 0, shown.stderr
    pids = copy.pids()
    assert set(pids) == {"postgres", "redis", "neo4j", "weaviate", "embedder", "gateway"}
    at = copy.addresses()

    gateway = httpx.Client(base_url=at["GATEWAY_URL"], headers={"Fourfold-User": USER}, timeout=30)
    answer = gateway.post("/v1/dots/concepts", json=CONCEPT)
    assert answer.status_code == 201, answer.text
    state = gateway.get(f"/v1/dots/concepts/{ID}/sync", headers={
        "Fourfold-Token": answer.headers["fourfold-token"], "Prefer": "wait=10000"}).json()
    assert {lane["state"] for lane in state.values()} == {"applied"}, state

    with psycopg.connect(at["DATABASE_URL"]) as database:
        row = database.execute(
            "SELECT name, description FROM dots.concepts WHERE concept_id = %s", (ID,)).fetchone()
    assert row == (CONCEPT["name"], CONCEPT["description"])
    query = {"statement": "MATCH (n:Concept {id: $id}) RETURN n.name, n.description",
             "parameters": {"id": ID}}
    answer = httpx.post(f"{at['NEO4J_URL']}/db/neo4j/query/v2", json=query, timeout=30)
    assert answer.json()["data"]["values"] == [[CONCEPT["name"], CONCEPT["description"]]]

    objects = httpx.get(f"{at['WEAVIATE_URL']}/v1/objects", timeout=30, params={
        "class": "UserConcept", "include": "vector", "limit": 1000}).json()["objects"]
    (found,) = [each for each in objects if each["properties"]["name"] == CONCEPT["name"]]
    url = at["EMBEDDINGS_URL"]
    meant = likeness(found["vector"], embed(url, "fish that shine at the bottom of the water"))
    other = likeness(found["vector"], embed(url, "the tax return is due next week"))
    assert meant > other + 0.2

    assert copy.run("scripts/down").returncode == 0
    wait_for(lambda: not any(map(is_alive, pids.values())), STOP_SECONDS_MAX,
             f"some of {pids} still run")

    # The same data with another embedder: what is stored cannot be compared, and up says so.
    again = copy.run("scripts/up", "--detach")
    assert again.returncode == 0, again.stderr
    assert "embedding_model_changed" in again.stdout
