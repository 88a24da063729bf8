"""Leadership, tokens, states, parking, retention, restored databases."""

import pytest
from conftest import Lane, one

CHUNK = 1048576


def commit(db, *statements):
    """Runs the statements in one transaction; its id as a token."""
    with db.transaction():
        for statement in statements:
            db.execute(statement)
        return one(db, "SELECT pg_current_xact_id()::text")


@pytest.fixture
def lab(db):
    db.execute("CREATE SCHEMA lab")
    for table in ("words", "notes"):
        db.execute(f"CREATE TABLE lab.{table} (id int PRIMARY KEY)")
        db.execute("SELECT fourfold.install_capture('lab', %s, 'lab', %s, 'id')", [table, table])
    return db


def test_one_leader(lab):
    first = Lane(lab, pack="lab", holder="a")
    assert Lane(lab, pack="lab", holder="b", resync=False).epoch is None
    assert one(lab, "SELECT fourfold.renew_lane(%s, %s, %s, '60 s')", first.me) is True
    assert one(lab, "SELECT fourfold.release_lane(%s, %s, %s)", first.me) is True
    assert Lane(lab, pack="lab", holder="b", resync=False).epoch == first.epoch + 1


def test_a_paused_leader_can_move_nothing(lab):
    paused = Lane(lab, pack="lab", holder="a")
    lab.execute("INSERT INTO lab.words VALUES (1), (2)")
    page = paused.page(limit=1)
    lab.execute("UPDATE fourfold.lanes SET expires_at = now() - interval '1 s'")
    leader = Lane(lab, pack="lab", holder="b", resync=False)
    assert leader.drain() == ["1", "2"]
    before = lab.execute("SELECT * FROM fourfold.lanes").fetchall()
    goal, xid, position = page[0][0:3]
    for refused in (
        ("advance_cursor(%s, %s, %s, %s, %s, %s, 1)", [*paused.me, goal, xid, position]),
        ("finish_goal(%s, %s, %s, %s, 1)", [*paused.me, goal]),
        ("renew_lane(%s, %s, %s, '1 h')", paused.me),
        ("release_lane(%s, %s, %s)", paused.me),
        ("report_lane_error(%s, %s, %s, 'late')", paused.me),
        ("advance_resync(%s, %s, %s, 'words', '1', 1)", paused.me),
        ("finish_resync(%s, %s, %s)", paused.me),
        ("park(%s, %s, %s, 'words', '1', 'E', '1 s', '{}')", paused.me),
    ):
        assert one(lab, f"SELECT fourfold.{refused[0]}", refused[1]) is False
    assert one(lab, "SELECT fourfold.begin_resync(%s, %s, %s, %s)", [*paused.me, goal]) is None
    assert lab.execute("SELECT * FROM fourfold.lanes").fetchall() == before
    assert one(lab, "SELECT count(*) FROM fourfold.parked") == 0


def test_an_expired_lease_alone_does_not_end_leadership(lab):
    lane = Lane(lab, pack="lab")
    lab.execute("UPDATE fourfold.lanes SET expires_at = now() - interval '1 s'")
    lab.execute("INSERT INTO lab.words VALUES (1)")
    assert lane.drain() == ["1"]


def test_token(lab, database):
    lane = Lane(lab, pack="lab")
    token = commit(lab, "INSERT INTO lab.words VALUES (1)")
    later = commit(lab, "INSERT INTO lab.words VALUES (2)")
    assert not lane.has_applied(token) and not lane.has_applied(later)
    lane.apply(limit=1)
    lane.apply(limit=1)
    assert lane.has_applied(token)
    lane.drain()
    assert lane.has_applied(token) and lane.has_applied(later)


def test_token_of_a_write_that_the_lane_does_not_project(lab):
    lane = Lane(lab, pack="lab")
    token = commit(lab, "INSERT INTO lab.notes VALUES (1)")
    assert lane.has_applied(token, ["words"])
    assert not lane.has_applied(token, ["words", "notes"])
    nothing = commit(lab, "UPDATE lab.words SET id = id")
    assert lane.has_applied(nothing)


def test_token_of_an_old_row_beside_a_newer_goal(lab, database):
    lane = Lane(lab, pack="lab")
    slow = database.connect(autocommit=False)
    slow.execute("INSERT INTO lab.words VALUES (1)")
    token = one(slow, "SELECT pg_current_xact_id()::text")
    lab.execute("INSERT INTO lab.words VALUES (2), (3)")
    assert lane.apply(limit=1) == ["2"]
    slow.commit()
    assert not lane.has_applied(token)
    assert lane.apply(limit=5) == ["3"]
    assert not lane.has_applied(token)
    lane.drain()
    assert lane.has_applied(token)


def test_state_and_parking(lab):
    def state(key):
        return one(lab, "SELECT fourfold.entity_state('lab', 'graph', 'words', %s)", [key])

    lane = Lane(lab, pack="lab")
    token = commit(lab, "INSERT INTO lab.words VALUES (1), (2)")
    other = commit(lab, "INSERT INTO lab.words VALUES (3)")
    assert (state("1"), state("9")) == ("pending", "applied")
    park = "SELECT fourfold.park(%s, %s, %s, 'words', '2', 'E1', '1 min', ARRAY[%s]::xid8[])"
    assert one(lab, park, [*lane.me, token]) is True
    lane.drain()
    assert (state("1"), state("2")) == ("applied", "parked")
    assert not lane.has_applied(token) and lane.has_applied(other)
    assert one(lab, park, [*lane.me, other]) is True
    assert one(lab, "SELECT attempts FROM fourfold.parked") == 2
    assert not lane.has_applied(other)
    lab.execute("DELETE FROM fourfold.parked")
    assert lane.has_applied(token) and state("2") == "applied"


def test_truncate_makes_every_key_pending(lab):
    Lane(lab, pack="lab")
    lab.execute("TRUNCATE lab.words")
    assert one(lab, "SELECT fourfold.entity_state('lab', 'graph', 'words', '7')") == "pending"


def test_status_counts_to_a_bound(lab):
    lane = Lane(lab, pack="lab")
    status = (
        "SELECT pending, lag_seconds, is_led, leader, parked"
        " FROM fourfold.lane_status('lab', 'graph', 50)"
    )
    assert lab.execute(status).fetchone() == (0, 0.0, True, "test", 0)
    lab.execute("INSERT INTO lab.words SELECT generate_series(1, 30)")
    assert lab.execute(status).fetchone()[0] == 30
    lane.apply(limit=10)
    lab.execute("INSERT INTO lab.words SELECT generate_series(101, 105)")
    assert lab.execute(status).fetchone()[0] == 25
    lab.execute("INSERT INTO lab.words SELECT generate_series(201, 300)")
    pending, lag, *_ = lab.execute(status).fetchone()
    assert pending == 50 and 0 < lag < 60


def test_a_new_lane_resynchronises_and_resumes(lab):
    lane = Lane(lab, pack="lab", resync=False)
    token = commit(lab, "INSERT INTO lab.words VALUES (1)")
    assert not lane.has_applied(token)
    goal = one(lab, "SELECT pg_current_snapshot()::text")
    begin = "SELECT fourfold.begin_resync(%s, %s, %s, %s)::text"
    assert one(lab, begin, [*lane.me, goal]) == goal
    lab.execute("SELECT fourfold.advance_resync(%s, %s, %s, 'words', '5', 5)", lane.me)
    lab.execute("INSERT INTO lab.words VALUES (2)")
    again = Lane(lab, pack="lab", resync=False)
    later = one(lab, "SELECT pg_current_snapshot()::text")
    assert one(lab, begin, [*again.me, later]) == goal
    cursor = "SELECT resync_entity, resync_key FROM fourfold.lane_cursor('lab', 'graph')"
    assert lab.execute(cursor).fetchone() == ("words", "5")
    assert one(lab, "SELECT fourfold.finish_resync(%s, %s, %s)", again.me) is True
    assert again.drain() == ["2"] and again.has_applied(token)


def test_what_a_reconciliation_does_not_cover_is_pending(lab):
    """So that the lag of a lane whose store is away from the first start on is seen."""
    status = "SELECT pending, lag_seconds FROM fourfold.lane_status('lab', 'graph')"
    commit(lab, "INSERT INTO lab.words VALUES (1)")
    lane = Lane(lab, pack="lab", resync=False)
    assert lab.execute(status).fetchone() == (0, 0.0)
    goal = one(lab, "SELECT pg_current_snapshot()::text")
    lab.execute("SELECT fourfold.begin_resync(%s, %s, %s, %s)", [*lane.me, goal])
    assert lab.execute(status).fetchone() == (0, 0.0)
    commit(lab, "INSERT INTO lab.words VALUES (2)")
    pending, lag = lab.execute(status).fetchone()
    assert pending == 1 and lag > 0
    assert one(lab, "SELECT fourfold.finish_resync(%s, %s, %s)", lane.me)
    assert lab.execute(status).fetchone()[0] == 1
    assert lane.drain() == ["2"] and lab.execute(status).fetchone() == (0, 0.0)


def test_another_store_resynchronises(lab):
    Lane(lab, pack="lab")
    claim = "SELECT fourfold.claim_lane('lab', 'graph', %s, 'test', '60 s')"
    resync = "SELECT resync FROM fourfold.lanes"
    one(lab, claim, ["store"])
    assert one(lab, resync) is False
    one(lab, claim, ["another"])
    assert one(lab, resync) is True


def test_a_restored_database_is_led_only_once_adopted(lab):
    lane = Lane(lab, pack="lab", holder="a")
    commit(lab, "INSERT INTO lab.words VALUES (1)")
    lab.execute("UPDATE fourfold.database SET identity = 'elsewhere'")
    assert one(lab, "SELECT fourfold.database_changed()") is True
    assert Lane(lab, pack="lab", holder="a", resync=False).epoch is None
    assert one(lab, "SELECT fourfold.adopt_database(5000)") is True
    assert one(lab, "SELECT fourfold.adopt_database(9000)") is False
    assert one(lab, "SELECT nextval('fourfold.revision_seq')") > 5000
    assert one(lab, "SELECT count(*) FROM fourfold.outbox") == 0
    assert one(lab, "SELECT fourfold.renew_lane(%s, %s, %s, '1 s')", lane.me) is False
    assert Lane(lab, pack="lab", holder="b", resync=False).epoch > lane.epoch
    assert one(lab, "SELECT resync FROM fourfold.lanes") is True


def move_ring(db, chunk):
    db.execute("SELECT setval('fourfold.outbox_position', %s)", [chunk * CHUNK])


def maintain(db):
    return one(db, "SELECT fourfold.maintain_outbox()")


def test_slots_are_emptied_when_every_lane_has_done_them(lab):
    graph = Lane(lab, pack="lab", lane="graph")
    vector = Lane(lab, pack="lab", lane="vector")
    lab.execute("INSERT INTO lab.words VALUES (1)")
    move_ring(lab, 1)
    lab.execute("INSERT INTO lab.words VALUES (2)")
    assert maintain(lab) == [] and graph.drain() == ["1", "2"]
    assert maintain(lab) == []
    assert vector.drain() == ["1", "2"]
    assert maintain(lab) == [0]
    assert one(lab, "SELECT array_agg(key) FROM fourfold.outbox") == ["2"]
    assert maintain(lab) == []


def test_a_writer_of_a_full_slot_keeps_it(lab, database):
    lane = Lane(lab, pack="lab")
    slow = database.connect(autocommit=False)
    slow.execute("INSERT INTO lab.words VALUES (1)")
    move_ring(lab, 1)
    lab.execute("INSERT INTO lab.words VALUES (2)")
    lane.drain()
    assert maintain(lab) == [] and maintain(lab) == []
    slow.commit()
    assert maintain(lab) == []
    assert lane.drain() == ["1"]
    assert maintain(lab) == [0]


def test_the_ring_wraps_over_what_is_not_done(lab):
    lane = Lane(lab, pack="lab")
    for chunk in range(6):
        move_ring(lab, chunk or 1)
        lab.execute("INSERT INTO lab.words VALUES (%s)", [chunk])
        maintain(lab)
    assert lane.drain() == [str(k) for k in range(6)]
    maintain(lab)
    maintain(lab)
    assert one(lab, "SELECT array_agg(key) FROM fourfold.outbox") == ["0", "1", "5"]


def test_an_unconfigured_lane_can_be_forgotten(lab):
    Lane(lab, pack="lab")
    forget = "SELECT fourfold.forget_lane('lab', 'graph')"
    assert one(lab, forget) is False
    lab.execute("UPDATE fourfold.lanes SET expires_at = now()")
    assert one(lab, forget) is True
    assert one(lab, "SELECT count(*) FROM fourfold.lanes") == 0
