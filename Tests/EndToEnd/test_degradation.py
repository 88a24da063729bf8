"""How the gateway fares while a store is down or hangs; test_degradation_table.py has its answers
one by one."""

import time

import pytest

from degraded_system import System
from waiting import wait_until
from world import Writer, world  # noqa: F401

ENTITY_ROUTES = ["read", "list", "write", "batch", "session", "sessions"]
SEARCH_ROUTES = ["hybrid", "keyword", "vector by text", "vector", "like", "expand"]
ALL_ROUTES = [*ENTITY_ROUTES, "connections", *SEARCH_ROUTES, "sync", "status", "parked"]


@pytest.fixture(scope="module")
def system(world):
    made = System(world)
    yield made
    made.end()


@pytest.fixture
def broken(system, request):
    store, how = request.param
    system.world.assert_converged()
    system.break_(store, how)
    yield store
    system.mend(store)
    # Nobody helps: the lanes and the readers recover by themselves.
    system.world.assert_converged(60)
    wait_until(lambda: system.ask("ready").json()["status"] == "up", 30)
    for route in ALL_ROUTES:
        wait_until(lambda: is_whole(system.ask(route)), 40, pause=0.2, message=route)


def is_whole(answer):
    return (answer.status_code == 200 and "\"degraded\":true" not in answer.text
            and "fourfold-degraded" not in answer.headers)


def breaking(*stores):
    cases = [(store, how) for store in stores for how in ("down", "hangs")]
    return pytest.mark.parametrize("broken", cases, ids=[" ".join(case) for case in cases],
                                   indirect=True)


@breaking("neo4j", "weaviate", "embedder", "redis")
def test_what_needs_postgres_alone_goes_on(system, broken):
    for route in (*ENTITY_ROUTES, "parked", "status", "live"):
        answer = system.ask(route)
        assert answer.status_code == 200, f"{route}: {answer.text}"


@breaking("neo4j")
def test_without_neo4j(system, broken):
    lane_waits(system, "graph")
    found = degraded(system.ask("connections"), "reason")
    assert found["meta"]["source"] == "postgres"
    assert [node["id"] for node in found["nodes"]] == [system.other]
    found = degraded(system.ask("expand"), "reasons")
    assert found["meta"]["source"] == {"vector": "weaviate", "graph": "postgres"}
    assert [node["id"] for node in found["graph"]["nodes"]] == [system.other]
    for route in ("hybrid", "keyword", "vector", "vector by text", "like"):
        whole(system.ask(route), "weaviate")
    state = system.ask("sync").json()
    assert state["graph"]["state"] == "pending" and state["graph"]["revision"] is None
    ready(system, "neo4j")
    # The other lane goes on.
    wait_until(lambda: system.ask("sync").json()["vector"]["state"] == "applied", 20)
    fast_after_a_while(system, "connections")


@breaking("weaviate")
def test_without_weaviate(system, broken):
    lane_waits(system, "vector")
    for route in SEARCH_ROUTES:
        found = degraded(system.ask(route), "reasons")
        assert found["meta"]["source"]["vector"] == "postgres", route
        assert system.concept in {hit["id"] for hit in found["hits"]} or route == "like"
    assert whole(system.ask("connections"))["meta"]["source"] == "neo4j"
    assert system.ask("sync").json()["vector"]["state"] == "pending"
    ready(system, "weaviate")
    wait_until(lambda: system.ask("sync").json()["graph"]["state"] == "applied", 20)
    fast_after_a_while(system, "keyword")


@breaking("embedder")
def test_without_the_embedder(system, broken):
    lane_waits(system, "vector", change={"name": f"harbour {time.time()}"})
    found = degraded(system.ask("hybrid"), "reasons")
    assert system.concept in {hit["id"] for hit in found["hits"]}
    assert "embedder_unavailable" in found["meta"]["reasons"]
    for route in ("keyword", "vector", "like", "expand"):
        whole(system.ask(route), "weaviate")
    answer = system.ask("vector by text")
    assert answer.status_code == 503 and answer.json()["code"] == "store_unavailable"
    assert int(answer.headers["Retry-After"]) >= 1
    assert whole(system.ask("connections"))["meta"]["source"] == "neo4j"
    assert system.ask("sync").json()["vector"]["state"] == "pending"
    wait_until(lambda: system.ask("sync").json()["graph"]["state"] == "applied", 20)


@breaking("redis")
def test_without_redis(system, broken):
    for route in ALL_ROUTES:
        whole(system.ask(route))
        is_of_redis = route == "session"
        assert (system.ask(route).headers.get("fourfold-degraded") == "redis") == is_of_redis
    ready(system, "redis")
    lane_waits(system, "live")
    wait_until(lambda: {lane["state"] for lane in system.ask("status").json()["lanes"]
                        if lane["lane"] != "live"} == {"idle"}, 20)
    answer = system.gateway.http.get("/v1/dots/configuration")
    assert answer.status_code == 200 and len(answer.json()["items"]) == 2
    assert answer.headers["Fourfold-Degraded"] == "redis"


@breaking("postgres")
def test_without_postgres(system, broken):
    assert system.ask("live").status_code == 200
    answer = system.ask("ready")
    assert answer.status_code == 503 and answer.json()["status"] == "down"
    assert answer.json()["stores"]["postgres"]["state"] == "down"
    assert answer.json()["stores"]["neo4j"]["state"] == "up"


@pytest.mark.parametrize("how", ["down", "hangs"])
def test_without_both_neo4j_and_weaviate(system, how):
    for store in ("neo4j", "weaviate"):
        system.break_(store, how)
    try:
        found = degraded(system.ask("expand"), "reasons")
        assert found["meta"]["source"] == {"vector": "postgres", "graph": "postgres"}
        assert [node["id"] for node in found["graph"]["nodes"]] == [system.other]
        assert system.ask("write").status_code == 200
        assert system.ask("ready").json()["status"] == "degraded"
    finally:
        for store in ("neo4j", "weaviate"):
            system.mend(store)
    system.world.assert_converged(60)


def test_a_start_while_stores_are_down(world, system):
    """A gateway starts, serves and catches up later."""
    system.proxies["neo4j"].refuse(), system.proxies["weaviate"].refuse()
    late = world.gateway(
        NEO4J_URL=system.proxies["neo4j"].url, WEAVIATE_URL=system.proxies["weaviate"].url,
        EMBEDDINGS_URL=system.embedder.url)
    try:
        concept = Writer(late.http, system.user).concept("written early")
        answer = late.http.get(f"/v1/dots/concepts/{concept}/connections").json()
        assert answer["meta"]["degraded"] is True
    finally:
        system.mend("neo4j"), system.mend("weaviate")
    world.assert_converged(60)
    world.stop(late)


def test_stores_that_come_back_empty_are_filled_again(world, system):
    world.assert_converged()
    world.cypher.wipe()
    world.weaviate.wipe()
    system.ask("write")
    world.assert_converged(60)
    assert world.cypher("MATCH (n:Entity {id: $id}) RETURN 1 AS n", id=system.other)
    assert world.weaviate.object("UserConcept", system.other)


# What the tests above expect of an answer.


def degraded(answer, member):
    assert answer.status_code == 200, answer.text
    meta = answer.json()["meta"]
    assert meta["degraded"] is True, meta
    assert meta[member], meta
    return answer.json()


def whole(answer, source=None):
    assert answer.status_code == 200, answer.text
    found = answer.json()
    meta = found.get("meta", {}) if isinstance(found, dict) else {}
    assert not meta.get("degraded"), meta
    assert source is None or meta["source"]["vector"] == source
    return found


def lane_waits(system, lane, change=None):
    """A write, and the lane says what it waits for."""
    change = change or {"description": f"changed {time.time()}"}
    answer = system.request("PATCH", f"/v1/dots/concepts/{system.concept}", json=change)
    assert answer.status_code == 200, answer.text

    def waits():
        lanes = {each["lane"]: each for each in system.ask("status").json()["lanes"]}
        return lanes[lane]["pending"] > 0 and (
            lanes[lane]["state"] == "waiting" and lanes[lane]["last_error"]
            or lanes[lane]["state"] == "running") and lanes

    wait_until(waits, 20)


def ready(system, store):
    answer = system.ask("ready")
    assert answer.status_code == 200 and answer.json()["status"] == "degraded"
    states = {name: each["state"] for name, each in answer.json()["stores"].items()}
    assert states.pop(store) == "down" and set(states.values()) == {"up"}, states


def fast_after_a_while(system, route):
    """The circuit breaker opens: a store that hangs no longer costs every request its share."""
    def is_fast():
        started = time.monotonic()
        assert system.ask(route).status_code == 200
        return time.monotonic() - started < 0.3

    wait_until(is_fast, 20)
