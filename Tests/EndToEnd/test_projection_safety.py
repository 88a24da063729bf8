"""The safety rules of the projection, each with the interleaving that would break it."""

import contextlib
import time
import uuid

import pytest

from storm import Storm
from waiting import wait_until
from world import Writer, freshness, gateway, world, writer  # noqa: F401

HELD_SECONDS = 30
# On a busy machine, from the acknowledged write to the store.
VISIBLE_SECONDS_MAX = 10


def add_concept(link, user, name, id=None):
    id = id or str(uuid.uuid4())
    link.execute("INSERT INTO dots.concepts (concept_id, user_id, name) VALUES (%s, %s, %s)",
                 (id, user, name))
    return id


def add_edge(link, user, type, source, target):
    return str(link.execute(
        "INSERT INTO dots.relationships (user_id, type, from_entity, from_id, to_entity, to_id)"
        " SELECT %s, %s, a.entity, a.id, b.entity, b.id FROM dots.entities AS a, dots.entities AS b"
        " WHERE a.id = %s AND b.id = %s RETURNING relationship_id",
        (user, type, source, target)).fetchone()["relationship_id"])


def in_graph(world, id):
    return bool(world.cypher("MATCH (n:Entity {id: $id}) RETURN n.id", id=id))


@pytest.fixture
def open_transaction(world):
    """open_transaction(): a connection in a transaction of its own; rolled back if left open."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(contextlib.closing(world.connect()))


# Interleavings of two transactions.


@pytest.mark.parametrize("first", ["rename", "tagging"])
def test_a_tag_is_renamed_while_another_transaction_tags(
        world, writer, open_transaction, first):
    """The tagging is not visible to the rename, so the writer's trigger could not see it."""
    tag, concept = writer.tag("old"), writer.concept("tagged meanwhile")
    world.assert_converged()
    rename, tagging = open_transaction(), open_transaction()
    rename.execute("UPDATE dots.tags SET name = 'new' WHERE tag_id = %s", (tag,))
    add_edge(tagging, writer.user, "TAGGED_WITH", concept, tag)
    order = [rename, tagging] if first == "rename" else [tagging, rename]
    order[0].commit()
    # The lane must have read the first one before the second one is there.
    world.assert_converged()
    order[1].commit()
    world.assert_converged()
    assert world.weaviate.object("UserConcept", concept)["properties"]["tags"] == ["new"]


def test_reversed_order_of_commit(world, writer, open_transaction):
    """The older transaction, with the smaller ids, commits last."""
    older, newer = open_transaction(), open_transaction()
    first = add_concept(older, writer.user, "older")
    second = add_concept(newer, writer.user, "newer")
    newer.commit()
    world.assert_converged()
    assert in_graph(world, second)
    older.commit()
    world.assert_converged()
    assert in_graph(world, first)


def test_one_row_written_by_two_transactions_in_turn(world, writer, open_transaction):
    """Node and edge come from different rows, whose transactions commit in reversed order."""
    concept, other = writer.concept("a"), writer.concept("b")
    world.assert_converged()
    older, newer = open_transaction(), open_transaction()
    add_edge(older, writer.user, "RELATED_TO", concept, other)
    newer.execute("UPDATE dots.concepts SET description = 'n' WHERE concept_id = %s", (other,))
    newer.commit()
    world.assert_converged()
    older.execute("UPDATE dots.concepts SET description = 'o' WHERE concept_id = %s", (other,))
    older.commit()
    world.assert_converged()
    assert world.cypher("MATCH (n:Entity {id: $id}) RETURN n.description AS d", id=other) == [
        {"d": "o"}]


def test_a_writer_held_open_stops_nobody(world, gateway, writer, open_transaction):
    """For 30 s, while others write all the time."""
    slow = open_transaction()
    held = add_concept(slow, writer.user, "held")
    ends, seen, turn = time.monotonic() + HELD_SECONDS, 0, 0
    with Storm(world, [gateway], seed="held") as storm:
        while time.monotonic() < ends:
            turn += 1
            mine = writer.concept(f"meanwhile {turn}")
            wait_until(lambda: in_graph(world, mine), VISIBLE_SECONDS_MAX)
            wait_until(lambda: world.weaviate.object("UserConcept", mine), VISIBLE_SECONDS_MAX)
            assert not in_graph(world, held)
            # Each time more of what the storm wrote meanwhile.
            before = seen
            seen = wait_until(lambda: in_graph_of(world, storm, more_than=before))
    storm.assert_kept()
    assert turn > 5 and storm.acknowledged_count > 500 and storm.unknown_count == 0
    (age,) = world.psql(
        "SELECT extract(epoch FROM clock_timestamp() - xact_start)::float AS seconds,"
        " backend_xid IS NOT NULL AS has_written FROM pg_stat_activity WHERE pid = %s",
        (slow.info.backend_pid,))
    assert age["seconds"] >= HELD_SECONDS and age["has_written"]
    # All is there but what is held, before it ends.
    world.assert_converged(60)
    assert not in_graph(world, held)
    add_edge(slow, writer.user, "RELATED_TO", held, mine)
    slow.commit()
    world.assert_converged(60)
    assert in_graph(world, held)
    assert world.weaviate.object("UserConcept", held)


def in_graph_of(world, storm, more_than):
    """How many nodes of the storm's owners are in the graph, once they are more."""
    (found,) = world.cypher("MATCH (n:Entity) WHERE n.user_id IN $users RETURN count(n) AS n",
                            users=[each.user for each in storm.writers])
    return found["n"] if found["n"] > more_than else None


def test_aborted_and_partly_aborted_transactions(world, writer, open_transaction):
    link = open_transaction()
    gone = add_concept(link, writer.user, "gone")
    link.rollback()
    kept = add_concept(link, writer.user, "kept")
    link.execute("SAVEPOINT s")
    undone = add_concept(link, writer.user, "undone")
    link.execute("ROLLBACK TO s")
    # A subtransaction has an xid of its own.
    link.execute("SAVEPOINT t")
    inner = add_concept(link, writer.user, "inner")
    link.execute("RELEASE t")
    link.commit()
    world.assert_converged()
    assert [in_graph(world, each) for each in (gone, kept, undone, inner)] == [
        False, True, False, True]


def test_a_delete_beside_an_insert_of_an_edge_to_it(world, writer, open_transaction):
    """The foreign key decides who wins; the graph follows either way."""
    for winner in ("edge", "delete"):
        kept, doomed = writer.concept(f"kept {winner}"), writer.concept(f"doomed {winner}")
        world.assert_converged()
        linking, deleting = open_transaction(), open_transaction()
        if winner == "edge":
            add_edge(linking, writer.user, "SUPPORTS", kept, doomed)
            linking.commit()
            deleting.execute("DELETE FROM dots.concepts WHERE concept_id = %s", (doomed,))
            deleting.commit()
        else:
            deleting.execute("DELETE FROM dots.concepts WHERE concept_id = %s", (doomed,))
            linking.execute("SET lock_timeout = '100ms'")
            with pytest.raises(Exception, match="lock timeout"):
                add_edge(linking, writer.user, "SUPPORTS", kept, doomed)
            linking.rollback()
            deleting.commit()
        world.assert_converged()
        assert not in_graph(world, doomed)


def test_insert_and_delete_before_the_lane_looks(world, writer):
    with world.transaction() as link:
        a, b = add_concept(link, writer.user, "a"), add_concept(link, writer.user, "b")
        edge = add_edge(link, writer.user, "RELATED_TO", a, b)
        link.execute("DELETE FROM dots.relationships WHERE relationship_id = %s", (edge,))
        link.execute("DELETE FROM dots.concepts WHERE concept_id = %s", (b,))
        link.execute("DELETE FROM dots.concepts WHERE concept_id = %s", (a,))
        add_concept(link, writer.user, "again", id=a)
    world.assert_converged()


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_page_boundaries_inside_one_transaction(world, writer, open_transaction, end):
    """2,500 rows are three pages; edges come first in the order of pages, their ends last."""
    link = open_transaction()
    ids = [str(uuid.uuid4()) for _ in range(1_250)]
    with link.cursor() as cursor:
        with cursor.copy("COPY dots.concepts (concept_id, user_id, name) FROM STDIN") as copy:
            for id in ids:
                copy.write_row((id, writer.user, id))
    hub = add_concept(link, writer.user, "hub")
    link.execute(
        "INSERT INTO dots.relationships (user_id, type, from_entity, from_id, to_entity, to_id)"
        " SELECT %s, 'RELATED_TO', 'concepts', c.concept_id, 'concepts', %s FROM dots.concepts AS c"
        " WHERE c.user_id = %s AND c.name <> 'hub'", (writer.user, hub, writer.user))
    link.execute("UPDATE dots.concepts SET description = 'x' WHERE user_id = %s AND name < '8'",
                 (writer.user,))
    before = writer.concept("before the end")
    wait_until(lambda: in_graph(world, before))
    assert not in_graph(world, hub)
    getattr(link, end)()
    after = writer.concept("after the end")
    world.assert_converged(deadline=60)
    assert in_graph(world, after)
    assert in_graph(world, hub) == (end == "commit")


def test_a_prepared_transaction_is_waited_for(world, writer):
    link = world.connect(autocommit=True)
    link.execute("BEGIN")
    held = add_concept(link, writer.user, "prepared")
    link.execute("PREPARE TRANSACTION 'held'")
    mine = writer.concept("meanwhile")
    wait_until(lambda: in_graph(world, mine))
    assert not in_graph(world, held)
    link.execute("COMMIT PREPARED 'held'")
    link.close()
    world.assert_converged()


# Leaders.


@pytest.fixture
def pair(world, gateway):
    """Two more gateways: the first leads every lane, the module's own is stopped meanwhile."""
    gateway.stop()
    made = [world.gateway()]
    world.wait_led_by(made[0])
    made.append(world.gateway())
    yield made
    for each in made:
        world.stop(each)
    gateway.start()


def test_a_paused_leader_that_wakes_up_writes_nothing(world, pair, gateway):
    """It holds a page that it read before it was paused; its successor has done later writes."""
    a, b = pair
    owner = Writer(b.http, world.user(b.http))
    concepts = [owner.concept(f"c{n}", description="before") for n in range(20)]
    edge = owner.relate("RELATED_TO", ("concepts", concepts[0]), ("concepts", concepts[1]))
    world.assert_converged()
    # Paused while a page is in its hands: the stores hold their answers back.
    a.pause()
    owner.patch("concepts", concepts[0], description="while a sleeps")
    world.expire_lease()
    world.wait_led_by(b)
    owner.patch("concepts", concepts[2], description="by b")
    owner.delete("relationships", edge)
    owner.delete("concepts", concepts[3])
    world.assert_converged()
    before = {lane: world.lane(lane)["epoch"] for lane in ("graph", "vector")}
    a.resume()
    for turn in range(10):
        owner.patch("concepts", concepts[4], description=f"turn {turn}")
        owner.concept(f"new {turn}")
    world.assert_converged()
    wait_until(lambda: a.http.get("/health/ready").status_code == 200)
    for lane, epoch in before.items():
        assert world.lane(lane)["epoch"] == epoch, "the paused leader took the lane back"
    world.wait_led_by(b)
    lanes = a.http.get("/v1/sync/status").json()["lanes"]
    assert all(f"/{b.process.pid}/" in each["leader"] for each in lanes), lanes


@pytest.fixture
def proxied_pair(world, gateway):
    """The same, and the stores of the first stand behind proxies."""
    gateway.stop()
    proxies = [world.proxy("neo4j"), world.proxy("weaviate")]
    made = [world.gateway(NEO4J_URL=proxies[0].url, WEAVIATE_URL=proxies[1].url)]
    world.wait_led_by(made[0])
    made.append(world.gateway())
    yield (*made, *proxies)
    for proxy in proxies:
        proxy.resume()
    for each in made:
        world.stop(each)
    gateway.start()


def test_a_leader_paused_within_a_write_is_refused_by_the_store(
        world, proxied_pair):
    """Its request stands before the store while the successor writes; then it arrives."""
    a, b, neo4j, weaviate = proxied_pair
    owner = Writer(b.http, world.user(b.http))
    concept, other = owner.concept("one", description="first"), owner.concept("two")
    edge = owner.relate("RELATED_TO", ("concepts", concept), ("concepts", other))
    world.assert_converged()
    # A reads these rows and sends its batches, which do not arrive.
    neo4j.pause_before(b"POST /db/neo4j"), weaviate.pause_before(b"POST /v1/batch")
    owner.patch("concepts", concept, description="late upsert")
    owner.patch("relationships", edge, properties={"late": True})
    wait_until(lambda: neo4j.held and weaviate.held)
    a.pause()
    world.expire_lease()
    world.wait_led_by(b)
    owner.patch("concepts", concept, description="by the successor")
    owner.delete("relationships", edge)
    owner.delete("concepts", other)
    world.assert_converged()
    # The late batches reach the stores while their sender sleeps, then it wakes as well.
    neo4j.resume(), weaviate.resume()
    wait_until(lambda: world.weaviate.object("UserConcept", concept)["properties"][
        "description"] == "late upsert", message="the late batch never came")
    graph = world.oracle.differences()
    assert not [line for line in graph if line.startswith(("node", "edge"))], graph
    a.resume()
    wait_until(lambda: a.http.get("/health/ready").status_code == 200)
    owner.concept("quiet again")
    # Weaviate has no fence: what came late is repaired when the repeat is due.
    world.psql("UPDATE fourfold.lanes SET repeat_at = clock_timestamp()"
               " WHERE repeat_at IS NOT NULL")
    wait_until(lambda: not world.psql(
        "SELECT 1 FROM fourfold.lanes WHERE repeat_at IS NOT NULL"))
    world.assert_converged()


def test_a_take_over_by_the_lease_alone(world, pair):
    """Nobody touches the lease: it runs out by itself."""
    a, b = pair
    owner = Writer(b.http, world.user(b.http))
    a.pause()
    concept = owner.concept("waits for the lease")
    world.wait_led_by(b, deadline=30)
    world.assert_converged()
    assert in_graph(world, concept)
    a.resume()
    owner.concept("after")
    world.assert_converged()


def test_a_leader_that_stops_gives_the_lane_back_at_once(world, pair):
    a, b = pair
    owner = Writer(b.http, world.user(b.http))
    started = time.monotonic()
    a.stop()
    owner.concept("at once")
    world.wait_led_by(b)
    world.assert_converged()
    assert time.monotonic() - started < 8, "it waited for the lease"
    a.start()


# Tokens of writes that no lane projects.


def test_a_token_of_a_write_that_no_lane_projects(world, gateway, writer):
    concept = writer.concept("start")
    world.assert_converged()
    row = writer.post("orb-states", visual_state="calm", emotional_tone="warm", energy_level=0.5)
    assert row["state_id"]
    started = time.monotonic()
    answer = gateway.http.get(f"/v1/dots/concepts/{concept}/connections",
                              headers=freshness(writer.token, 5000))
    assert answer.json()["meta"]["lagging"] == []
    assert time.monotonic() - started < 2
