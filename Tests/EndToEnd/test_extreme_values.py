"""Values that PostgreSQL takes and a store does not: the row is projected without them or parked,
and nobody else waits for it."""

import json
import uuid

import pytest

from waiting import wait_until
from world import Writer, gateway, world, writer  # noqa: F401

# Number of a body that Python's own would round to zero.
TINY = "1e-400"
# What is written, in this order.
WRITES = {
    "a score beyond 64 bits": [
        ("growth-events", {"entity_id": "{concept}", "entity_type": "concept", "source": "s",
                           "dim_key": "self_know", "delta": 1e19})],
    "scores whose sum is beyond a double": [
        ("growth-events", {"entity_id": "{concept}", "entity_type": "concept", "source": "s",
                           "dim_key": "self_act", "delta": 1.7e308})] * 2,
    "a coordinate nearer to zero than any double": [
        ("memories", {"title": "t", "content": "c", "memory_type": "x",
                      "location": {"lat": TINY, "lng": 1}})],
    "a year of five digits": [
        ("memories", {"title": "t", "content": "c", "memory_type": "x",
                      "occurred_at": "12026-01-01T00:00:00Z"})],
    "a year before our era": [
        ("memories", {"title": "t", "content": "c", "memory_type": "x",
                      "occurred_at": "0044-03-15 00:00:00 BC"})],
}


def all_level(gateway):
    return all(lane["state"] == "idle" and lane["pending"] == 0 and lane["parked"] == 0
               for lane in gateway.lanes().values())


@pytest.mark.parametrize("name", WRITES)
def test_nobody_waits_for_such_a_row(world, gateway, writer, name):
    concept = writer.concept("grown")
    for entity, row in WRITES[name]:
        text = json.dumps({"user_id": writer.user} | row)
        text = text.replace("{concept}", concept).replace(f'"{TINY}"', TINY)
        answer = gateway.http.post(f"/v1/dots/{entity}", content=text,
                                   headers={"Content-Type": "application/json"})
        assert answer.status_code == 201, answer.text
    Writer(gateway.http, world.user(gateway.http)).concept("beside it")
    world.assert_converged(20)
    wait_until(lambda: all_level(gateway), 20)
    answer = gateway.http.get("/v1/dots/cards?limit=200")
    assert answer.status_code == 200, answer.text


def test_a_moment_that_no_store_can_hold_is_left_out(world, gateway, writer):
    id = writer.memory("the ides of March", occurred_at="0044-03-15 00:00:00 BC")
    world.assert_converged(20)
    found = world.cypher("MATCH (n:MemoryUnit {id: $id}) RETURN n.occurred_at AS at", id=id)
    assert found == [{"at": None}]
    (kept,) = [each for each in world.weaviate.objects("UserMemory").values()
               if each["properties"]["title"] == "the ides of March"]
    assert kept["properties"].get("occurredAt") is None


@pytest.mark.parametrize("profile", [{"self_know": "abc"}, {"self_know": {"a": 1}}, [], 7])
def test_growth_goes_on_whatever_a_profile_holds(gateway, writer, world, profile):
    patched = gateway.http.patch(f"/v1/dots/users/{writer.user}", json={"growth_profile": profile})
    assert patched.status_code == 200, patched.text
    writer.id("growth-events", entity_id=writer.concept("c"), entity_type="concept", source="s",
              dim_key="self_know", delta=0.5)
    row = gateway.http.get(f"/v1/dots/users/{writer.user}?select=growth_profile").json()
    assert row["growth_profile"] == {"self_know": 0.5}


def test_an_integer_beyond_64_bits_parks_its_row_alone(world, gateway, writer):
    """Neo4j cannot read such a body at all, and says so without a code of its own."""
    poison, beside = writer.concept("poison"), writer.concept("beside")
    world.assert_converged(20)
    (before,) = world.psql("SELECT pg_get_viewdef('dots.node_concept'::regclass) AS sql")
    view = before["sql"].rstrip("; ")
    world.psql(f"""
        CREATE OR REPLACE VIEW dots.node_concept AS
        SELECT key, owner, properties || CASE WHEN key = '{poison}'
            THEN '{{"huge": 1e30}}'::jsonb ELSE '{{}}' END AS properties FROM ({view}) AS v""")
    try:
        rows = [{"user_id": writer.user, "name": f"n {n}"} for n in range(50)]
        assert gateway.http.post("/v1/dots/concepts", json=rows).status_code == 201
        for id in (poison, beside):
            writer.patch("concepts", id, description=str(uuid.uuid4()))
        world.oracle.wait_quiet(allow_parked=True)
        wait_until(lambda: [(each["entity"], each["key"]) for each in
                            gateway.http.get("/v1/sync/parked").json()["items"]]
                   == [("concepts", poison)], 20)
        assert gateway.lanes()["graph"]["last_error"] is None
    finally:
        world.psql(f"CREATE OR REPLACE VIEW dots.node_concept AS {view}")
        world.psql("UPDATE fourfold.parked SET next_retry_at = now()")
    world.assert_converged(30)
