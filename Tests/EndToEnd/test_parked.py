"""Keys that a store refuses: parked, listed, tried again, dropped; and writes that must wait."""

import pytest

from stub_embedder import StubEmbedder
from waiting import wait_until
from world import world, writer  # noqa: F401


@pytest.fixture(scope="module")
def embedder():
    made = StubEmbedder()
    yield made
    made.close()


@pytest.fixture(scope="module")
def gateway(world, embedder):
    return world.gateway(EMBEDDINGS_URL=embedder.url)


@pytest.fixture
def unique_description(world):
    """Neo4j refuses a second concept of the same description until the test ends."""
    world.assert_converged(15)
    world.cypher("CREATE CONSTRAINT poison IF NOT EXISTS FOR (n:Concept)"
                 " REQUIRE n.description IS UNIQUE")
    yield
    world.cypher("DROP CONSTRAINT poison IF EXISTS")
    world.psql("UPDATE fourfold.parked SET next_retry_at = now()")
    world.psql("DELETE FROM dots.concepts")
    world.assert_converged(15)


def parked(gateway):
    answer = gateway.http.get("/v1/sync/parked")
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def wait_parked(world, gateway, count):
    """The lanes have passed everything, and so many keys are parked."""
    world.oracle.wait_quiet(allow_parked=True)
    wait_until(lambda: len(parked(gateway)) == count, 20)
    return parked(gateway)


def test_a_refused_node_is_parked_and_the_lane_goes_on(world, gateway, writer, unique_description):
    first = writer.concept("first", description="same")
    world.assert_converged(15)
    poison = writer.concept("second", description="same")
    rows = [{"user_id": writer.user, "name": f"beside {n}"} for n in range(300)]
    rows.insert(150, {"user_id": writer.user, "name": "in the middle", "description": "same"})
    middle = writer.http.post("/v1/dots/concepts", json=rows).json()[150]["concept_id"]
    items = wait_parked(world, gateway, 2)
    assert {item["key"] for item in items} == {poison, middle}
    for item in items:
        assert item["pack"] == "dots" and item["lane"] == "graph"
        assert item["entity"] == "concepts" and item["attempts"] >= 1
        assert item["error"] and "same" not in item["error"] and poison not in item["error"]
        assert item["first_failed_at"] <= item["next_retry_at"]
    missing = {f"node {id} is missing" for id in (poison, middle)}
    missing |= {f"edge created_concept/CREATED:{id} is missing" for id in (poison, middle)}
    assert set(world.oracle.differences()) == missing
    status = gateway.lanes()
    assert status["graph"]["parked"] == 2 and status["vector"]["parked"] == 0
    assert first


def test_a_retry_after_the_cause_is_gone(world, gateway, writer, unique_description):
    writer.concept("first", description="twice")
    world.assert_converged(15)
    writer.concept("second", description="twice")
    [item] = wait_parked(world, gateway, 1)
    world.psql("UPDATE fourfold.parked SET next_retry_at = now() + interval '1 h'")
    # Too early: refused again, one more attempt.
    assert gateway.http.post(f"/v1/sync/parked/{item['id']}/retry").status_code == 204
    wait_until(lambda: parked(gateway)[0]["attempts"] > item["attempts"])
    world.cypher("DROP CONSTRAINT poison IF EXISTS")
    world.psql("UPDATE fourfold.parked SET next_retry_at = now() + interval '1 h'")
    assert gateway.http.post(f"/v1/sync/parked/{item['id']}/retry").status_code == 204
    wait_until(lambda: parked(gateway) == [])
    world.assert_converged(15)


def test_a_later_write_that_mends_the_row(world, gateway, writer, unique_description):
    writer.concept("first", description="alike")
    world.assert_converged(15)
    poison = writer.concept("second", description="alike")
    wait_parked(world, gateway, 1)
    writer.patch("concepts", poison, description="different")
    wait_until(lambda: parked(gateway) == [])
    world.assert_converged(15)


def test_a_parked_row_that_is_deleted(world, gateway, writer, unique_description):
    writer.concept("first", description="equal")
    world.assert_converged(15)
    poison = writer.concept("second", description="equal")
    wait_parked(world, gateway, 1)
    writer.delete("concepts", poison)
    wait_until(lambda: parked(gateway) == [])
    world.assert_converged(15)


def test_an_edge_to_a_parked_node(world, gateway, writer, unique_description):
    first = writer.concept("first", description="both")
    world.assert_converged(15)
    poison = writer.concept("second", description="both")
    edge = writer.relate("RELATED_TO", ("concepts", first), ("concepts", poison))
    items = wait_parked(world, gateway, 2)
    assert {(item["entity"], item["key"]) for item in items} == {
        ("concepts", poison), ("relationships", edge)}
    world.cypher("DROP CONSTRAINT poison IF EXISTS")
    for item in parked(gateway):
        gateway.http.post(f"/v1/sync/parked/{item['id']}/retry")
    wait_until(lambda: parked(gateway) == [], 20)
    world.assert_converged(15)


def test_dropping_needs_a_reason(world, gateway, writer, unique_description):
    writer.concept("first", description="dropped")
    world.assert_converged(15)
    poison = writer.concept("second", description="dropped")
    [item] = wait_parked(world, gateway, 1)
    path = f"/v1/sync/parked/{item['id']}"
    for body in ({}, {"reason": ""}, {"reason": 1}, {"reason": "x" * 1001}):
        answer = gateway.http.request("DELETE", path, json=body)
        assert answer.status_code == 400, answer.text
    assert gateway.http.delete(path).status_code == 400
    assert len(parked(gateway)) == 1
    answer = gateway.http.request("DELETE", path, json={"reason": "the graph may do without"})
    assert answer.status_code == 204, answer.text
    assert parked(gateway) == []
    assert f"node {poison} is missing" in world.oracle.differences()
    # The next write of the row is an ordinary one again.
    writer.patch("concepts", poison, description="is back")
    world.assert_converged(15)


@pytest.mark.parametrize("id", ["0", "99999999", "x", "-1", "1;DROP", "9223372036854775808"])
def test_unknown_ids(gateway, id):
    assert gateway.http.post(f"/v1/sync/parked/{id}/retry").status_code == 404
    answer = gateway.http.request("DELETE", f"/v1/sync/parked/{id}", json={"reason": "r"})
    assert answer.status_code == 404


def test_a_text_that_the_embedder_refuses(world, gateway, embedder, writer):
    world.assert_converged(15)
    kept = writer.concept("kept")
    rows = [{"user_id": writer.user, "name": f"text {n}"} for n in range(40)]
    rows[17]["name"] = "a poison text"
    poison = writer.http.post("/v1/dots/concepts", json=rows).json()[17]["concept_id"]
    [item] = wait_parked(world, gateway, 1)
    assert (item["lane"], item["entity"], item["key"]) == ("vector", "concepts", poison)
    assert set(world.oracle.differences()) == {
        f"kept vector of UserConcept {poison} is missing",
        f"object of UserConcept {poison} is missing"}
    embedder.is_poison_refused = False
    try:
        gateway.http.post(f"/v1/sync/parked/{item['id']}/retry")
        wait_until(lambda: parked(gateway) == [])
        world.assert_converged(15)
    finally:
        embedder.is_poison_refused = True
    assert kept


def test_writes_wait_while_a_lane_is_too_far_behind(world, writer, embedder):
    # A gateway of its own: a budget would hold up the tests above where a store is slow.
    gateway = world.gateway(EMBEDDINGS_URL=embedder.url, FOURFOLD_LAG_BUDGET="1s")
    world.assert_converged(15)
    world.psql("UPDATE fourfold.lanes SET epoch = epoch + 1, holder = 'nobody',"
               " expires_at = clock_timestamp() + interval '1 h' WHERE lane = 'graph'")
    try:
        row = {"user_id": writer.user, "name": "behind"}
        concept = writer.concept("behind too")

        def refused():
            return gateway.http.patch(f"/v1/dots/concepts/{concept}",
                                      json={"description": "x"}).status_code == 503

        wait_until(refused, 20, pause=0.2)
        for answer in (
                gateway.http.post("/v1/dots/concepts", json=row),
                gateway.http.put(f"/v1/dots/concepts/{concept}", json=row),
                gateway.http.patch(f"/v1/dots/concepts/{concept}", json={"name": "x"}),
                gateway.http.delete(f"/v1/dots/concepts/{concept}"),
                gateway.http.patch(f"/v1/dots/concepts?user_id=eq.{writer.user}",
                                   json={"name": "x"}),
                gateway.http.delete(f"/v1/dots/concepts?user_id=eq.{writer.user}"),
                gateway.http.post("/v1/dots/batch", json={"operations": [
                    {"op": "create", "entity": "concepts", "value": row}]})):
            assert answer.status_code == 503, answer.text
            assert answer.json()["code"] == "lanes_behind"
            assert int(answer.headers["Retry-After"]) >= 1
        assert gateway.http.get(f"/v1/dots/concepts/{concept}").json()["name"] == "behind too"
        assert gateway.http.get("/health/ready").status_code == 200
        # Those that take writes need not be those that lead lanes.
        serving = world.gateway(FOURFOLD_LANES="off", FOURFOLD_LAG_BUDGET="1s")
        wait_until(lambda: serving.http.patch(f"/v1/dots/concepts/{concept}",
                                              json={"description": "x"}).status_code == 503, 20)
        world.stop(serving)
        assert not world.psql("SELECT 1 AS n FROM dots.concepts WHERE name = 'behind'")
    finally:
        world.psql("UPDATE fourfold.lanes SET expires_at = clock_timestamp()"
                   " WHERE holder = 'nobody'")
    wait_until(lambda: gateway.http.post("/v1/dots/concepts", json=row).status_code == 201, 20)
    world.assert_converged(15)
    world.stop(gateway)
