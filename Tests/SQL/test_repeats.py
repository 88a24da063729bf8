"""What is written again after a take-over of a store without a fence."""

import pytest
from conftest import Lane, column, dirty_keys, one
from test_lanes import commit, lab, maintain, move_ring  # noqa: F401

DONE = "SELECT done::text FROM fourfold.lane_cursor(%s, %s)"


@pytest.fixture
def words(lab):  # noqa: F811
    return lab, Lane(lab, pack="lab", lane="vector")


def plan(lane, since):
    """A plan that is due, of what `since` does not see."""
    lane.db.execute(
        "UPDATE fourfold.lanes SET repeat_from = %s, repeat_at = clock_timestamp()"
        " WHERE pack = %s AND lane = %s",
        [since, *lane.me[:2]],
    )


def repeat(lane, bound=100):
    """Carries the plan out: the new rows as (entity, key, op), in order."""
    before = one(lane.db, "SELECT last_value FROM fourfold.outbox_position")
    count = one(lane.db, "SELECT fourfold.repeat_due(%s, %s, %s, %s)", [*lane.me, bound])
    rows = lane.db.execute(
        "SELECT entity, key, op FROM fourfold.outbox WHERE position > %s"
        " ORDER BY entity, key, op",
        [before],
    ).fetchall()
    assert count == len(rows)
    return rows


def test_keys_that_a_rule_derives_from_columns_are_repeated(dots, db):
    """Of a relationship that is gone only its columns say which concept had its name."""
    user = dots.user()
    concept, tag = dots.concept(user, "Garden"), dots.tag(user, "green")
    relationship = dots.relate("TAGGED_WITH", concept, tag)
    lane = Lane(db, lane="vector")
    since = one(db, DONE, lane.me[:2])
    db.execute("DELETE FROM dots.relationships WHERE relationship_id = %s", [relationship])
    lane.drain()
    plan(lane, since)
    assert ("relationships", str(relationship), "w") in repeat(lane)
    rows = db.execute(
        "SELECT key, op, columns FROM fourfold.outbox"
        " WHERE op = 'w' AND entity = 'relationships'"
    ).fetchall()
    changed = [dict(zip(("key", "op", "columns"), row)) for row in rows]
    assert dirty_keys(db, "relationships", "concepts", changed) == [str(concept)]


def test_a_key_is_repeated_once_for_each_of_its_columns(dots, db):
    user = dots.user()
    concept, tag = dots.concept(user, "Garden"), dots.tag(user, "green")
    lane = Lane(db, lane="vector")
    since = one(db, DONE, lane.me[:2])
    for name in ("Yard", "Park", "Field"):
        db.execute("UPDATE dots.concepts SET name = %s WHERE concept_id = %s", [name, concept])
        db.execute("UPDATE dots.tags SET name = %s WHERE tag_id = %s", [name, tag])
    plan(lane, since)
    rows = repeat(lane)
    assert ("concepts", str(concept), "w") in rows and ("tags", str(tag), "w") in rows
    distinct = "SELECT count(DISTINCT (entity, key, columns)) FROM fourfold.outbox WHERE op = 'w'"
    assert one(db, distinct) == len(rows)


def test_beyond_the_bound_every_entity_is_reconciled(words):
    db, lane = words
    since = one(db, DONE, lane.me[:2])
    commit(db, "INSERT INTO lab.words SELECT generate_series(1, 8)")
    commit(db, "INSERT INTO lab.notes VALUES (1)")
    plan(lane, since)
    assert repeat(lane, bound=8) == [("notes", None, "r"), ("words", None, "r")]


def test_as_many_as_the_bound_are_repeated_by_key(words):
    db, lane = words
    since = one(db, DONE, lane.me[:2])
    commit(db, "INSERT INTO lab.words SELECT generate_series(1, 3)")
    plan(lane, since)
    assert repeat(lane, bound=3) == [("words", key, "w") for key in ("1", "2", "3")]
    assert repeat(lane) == []


def test_an_entity_that_was_truncated_is_reconciled_again(words):
    """A late batch may hold keys of it that no row of the outbox names."""
    db, lane = words
    since = one(db, DONE, lane.me[:2])
    commit(db, "TRUNCATE lab.words", "INSERT INTO lab.notes VALUES (1)")
    lane.drain()
    plan(lane, since)
    assert repeat(lane) == [("notes", "1", "w"), ("words", None, "r")]


def test_rows_that_a_plan_needs_are_kept(words):
    db, lane = words
    since = one(db, DONE, lane.me[:2])
    commit(db, "INSERT INTO lab.words VALUES (1)")
    move_ring(db, 1)
    lane.drain()
    plan(lane, since)
    assert maintain(db) == [] and maintain(db) == []
    assert repeat(lane) == [("words", "1", "w")]
    assert maintain(db) == [0]


def test_a_new_lane_repeats_since_its_reconciliation_began(lab):  # noqa: F811
    """Not the markers of its entities' first capture, which the reconciliation covers."""
    lane = Lane(lab, pack="lab", lane="vector", resync=False)
    goal = one(lab, "SELECT pg_current_snapshot()::text")
    lab.execute("SELECT fourfold.begin_resync(%s, %s, %s, %s)", [*lane.me, goal])
    commit(lab, "INSERT INTO lab.words VALUES (1)")
    assert one(lab, "SELECT fourfold.plan_repeat(%s, %s, %s, '0 s')", lane.me) is True
    assert repeat(lane) == []
    assert one(lab, "SELECT fourfold.finish_resync(%s, %s, %s)", lane.me)
    assert repeat(lane) == [("words", "1", "w")]


def test_a_plan_that_nobody_carries_out_is_dropped(words):
    """The lane's store has a fence now: the plan must not keep the outbox for good."""
    db, lane = words
    since = one(db, DONE, lane.me[:2])
    commit(db, "INSERT INTO lab.words VALUES (1)")
    move_ring(db, 1)
    lane.drain()
    plan(lane, since)
    drop = "SELECT fourfold.drop_repeat(%s, %s, %s)"
    assert one(db, drop, [*lane.me[:2], lane.epoch - 1]) is False
    assert one(db, drop, lane.me) is True and one(db, drop, lane.me) is False
    assert maintain(db) == [] and maintain(db) == [0]
    assert column(db, "SELECT repeat_at FROM fourfold.lanes") == [None]
