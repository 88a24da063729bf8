"""Consistency tokens: read your own writes over any gateway, or be told which lane lags."""

import time

import pytest

from waiting import wait_until
from world import Writer, freshness, world  # noqa: F401


@pytest.fixture(scope="module")
def pair(world):
    made = [world.gateway(), world.gateway()]
    wait_until(world.oracle.is_quiet, 20)
    return made


@pytest.fixture
def writer(world, pair):
    return Writer(pair[0].http, world.user(pair[0].http))


@pytest.fixture
def hold(world):
    """hold("graph"): nobody leads the lane until the test ends, or release() is called."""
    def hold(*lanes):
        for lane in lanes:
            world.psql("UPDATE fourfold.lanes SET epoch = epoch + 1, holder = 'nobody',"
                       " expires_at = clock_timestamp() + interval '1 h' WHERE lane = %s", (lane,))

    hold.release = lambda: world.psql(
        "UPDATE fourfold.lanes SET expires_at = clock_timestamp() WHERE holder = 'nobody'")
    yield hold
    hold.release()


def connections(gateway, concept, headers=None, **parameters):
    answer = gateway.http.get(f"/v1/dots/concepts/{concept}/connections", headers=headers,
                              params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def search(gateway, user, headers=None, **body):
    answer = gateway.http.post("/v1/dots/search", headers=headers, json={"user_id": user} | body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_read_your_writes_over_two_gateways(pair, writer):
    concept = writer.concept("centre")
    for turn in range(12):
        other = writer.concept(f"word{turn}")
        writer.relate("RELATED_TO", ("concepts", concept), ("concepts", other))
        reader = pair[turn % 2]
        found = connections(reader, concept, freshness(writer.token))
        assert found["meta"]["lagging"] == [] and found["meta"]["source"] == "neo4j"
        assert other in {node["id"] for node in found["nodes"]}
        found = search(reader, writer.user, freshness(writer.token), text=f"word{turn}",
                       mode="keyword")
        assert found["meta"]["lagging"] == []
        assert [hit["id"] for hit in found["hits"]] == [other]


def test_a_deletion_is_a_write_too(pair, writer):
    concept, other = writer.concept("stays"), writer.concept("vanishing")
    edge = writer.relate("SUPPORTS", ("concepts", concept), ("concepts", other))
    writer.delete("relationships", edge)
    assert connections(pair[1], concept, freshness(writer.token), types="SUPPORTS")["nodes"] == []
    writer.delete("concepts", other)
    found = search(pair[1], writer.user, freshness(writer.token), text="vanishing", mode="keyword")
    assert found["hits"] == [] and found["meta"]["dropped"] == 0


def test_a_token_in_the_query(pair, writer):
    concept = writer.concept("a")
    writer.relate("SUPPORTS", ("concepts", concept), ("concepts", writer.concept("b")))
    found = connections(pair[1], concept, {"Prefer": "wait=5000"}, token=writer.token)
    assert found["meta"]["lagging"] == [] and len(found["nodes"]) == 2


@pytest.mark.parametrize("wait", [None, 0, 300])
def test_what_lags_is_named_and_the_answer_comes(pair, writer, hold, wait):
    concept = writer.concept("first")
    connections(pair[0], concept, freshness(writer.token))
    hold("graph", "vector")
    writer.concept("second")
    headers = {"Fourfold-Token": writer.token} | (
        {} if wait is None else {"Prefer": f"wait={wait}"})
    started = time.monotonic()
    assert connections(pair[1], concept, headers)["meta"]["lagging"] == ["graph"]
    assert time.monotonic() - started >= (wait or 0) / 1000
    found = search(pair[1], writer.user, headers, text="second",
                   expand={"depth": 1})
    assert set(found["meta"]["lagging"]) == {"graph", "vector"}
    assert time.monotonic() - started < 4
    # Entities are PostgreSQL's: a token never holds them up.
    answer = pair[1].http.get(f"/v1/dots/concepts/{concept}", headers=headers)
    assert answer.status_code == 200


def test_one_lane_lags_and_the_other_does_not(pair, writer, hold):
    concept = writer.concept("only vectors")
    connections(pair[0], concept, freshness(writer.token))
    hold("graph")
    other = writer.concept("vectorsgoon")
    found = search(pair[1], writer.user, freshness(writer.token, 4000), text="vectorsgoon",
                   mode="keyword")
    assert found["meta"]["lagging"] == [] and found["hits"][0]["id"] == other
    found = search(pair[1], writer.user, freshness(writer.token, 100), text="vectorsgoon",
                   expand={"depth": 1})
    assert found["meta"]["lagging"] == ["graph"]


def test_a_wait_ends_when_the_lane_gets_there(pair, writer, hold):
    concept = writer.concept("patient")
    connections(pair[0], concept, freshness(writer.token))
    hold("graph")
    writer.relate("SUPPORTS", ("concepts", concept), ("concepts", writer.concept("b")))
    hold.release()
    started = time.monotonic()
    found = connections(pair[1], concept, freshness(writer.token, 10_000), types="SUPPORTS")
    assert found["meta"]["lagging"] == [] and len(found["nodes"]) == 1
    assert time.monotonic() - started < 5


def test_a_wait_never_outlasts_the_deadline(pair, writer, hold):
    concept = writer.concept("short")
    connections(pair[0], concept, freshness(writer.token))
    hold("graph")
    writer.concept("behind")
    started = time.monotonic()
    found = connections(pair[1], concept,
                        freshness(writer.token, 9000) | {"Request-Timeout": "1"})
    assert found["meta"]["lagging"] == ["graph"]
    assert time.monotonic() - started < 1.5


@pytest.mark.parametrize("token", [
    "x", "1", ".", "1.", ".1", "-1.2", "1.2.3", "0x1.2", "g.1", "1 .2", "'; DROP TABLE x; --",
    "1" * 40 + ".1", "f" * 17 + ".1", "1." + "f" * 9, "ü.1", "18446744073709551616.0"])
def test_garbage_is_refused(pair, writer, token):
    concept = writer.concept("garbage")
    answer = pair[0].http.get(f"/v1/dots/concepts/{concept}/connections",
                              headers={"Fourfold-Token": token.encode()})
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "invalid_header"
    for path in (f"/v1/dots/concepts/{concept}/connections", f"/v1/dots/concepts/{concept}/sync"):
        answer = pair[0].http.get(path, params={"token": token})
        assert answer.status_code == 400, answer.text


def test_a_token_of_another_database_proves_nothing(pair, writer):
    concept = writer.concept("elsewhere")
    xid, origin = writer.token.split(".")
    other = f"{xid}.{int(origin, 16) ^ 1:x}"
    assert connections(pair[0], concept, {"Fourfold-Token": other})["meta"]["lagging"] == ["graph"]


def test_tokens_of_batches_and_of_several_rows(pair, writer):
    answer = writer.http.post("/v1/dots/concepts", json=[
        {"user_id": writer.user, "name": f"many{n}"} for n in range(30)])
    token, first = answer.headers["Fourfold-Token"], answer.json()[0]["concept_id"]
    found = search(pair[1], writer.user, freshness(token), text="many7", mode="keyword")
    assert len(found["hits"]) == 1
    answer = writer.http.post("/v1/dots/batch", json={"operations": [
        {"op": "update", "entity": "concepts", "id": first, "value": {"description": "batchword"}}]})
    found = search(pair[1], writer.user, freshness(answer.headers["Fourfold-Token"]),
                   text="batchword", mode="keyword")
    assert [hit["id"] for hit in found["hits"]] == [first]


def test_a_token_of_a_parked_key_stays_behind_until_it_is_mended(world, pair, writer):
    world.assert_converged()
    concept = writer.concept("fine")
    world.cypher("CREATE CONSTRAINT poison IF NOT EXISTS FOR (n:Concept)"
                 " REQUIRE n.description IS UNIQUE")
    try:
        writer.concept("one", description="same")
        connections(pair[0], concept, freshness(writer.token))
        poison = writer.concept("two", description="same")
        token = writer.token
        wait_until(lambda: world.psql("SELECT 1 AS n FROM fourfold.parked"), 20)
        # The lane has passed it, yet the write is not in the graph.
        other = writer.concept("later")
        assert connections(pair[1], concept, freshness(writer.token))["meta"]["lagging"] == []
        assert connections(pair[1], concept, freshness(token, 200))["meta"]["lagging"] == ["graph"]
        state = pair[1].http.get(f"/v1/dots/concepts/{poison}/sync").json()
        assert state["graph"]["state"] == "parked" and state["graph"]["error"]
        assert state["vector"]["state"] == "applied"
        assert other
    finally:
        world.cypher("DROP CONSTRAINT poison IF EXISTS")
    found = connections(pair[1], concept, freshness(token, 10_000) | {"Request-Timeout": "10"})
    wait_until(lambda: not connections(pair[1], concept, freshness(token, 500))["meta"]["lagging"],
               20)
    assert found
    world.assert_converged()
