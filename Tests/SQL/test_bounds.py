"""Tables that only tell what happened keep the newest rows."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import column, one

REFUSED = "SELECT stream_id FROM fourfold.history_refused WHERE state = %s ORDER BY id"


def drain(db, state, first, count, bad=True):
    """Takes over entries whose values PostgreSQL refuses, or that are no JSON."""
    db.execute(
        "INSERT INTO fourfold.history_cursors (pack, state, redis_identity)"
        " VALUES ('lab', %s, 'r') ON CONFLICT DO NOTHING",
        [state],
    )
    entries = [{"i": f"{n}-0", "r": "nobody"} for n in range(first, first + count)]
    for entry in entries:
        entry["v" if bad else "x"] = {"size": "big"} if bad else True
    return one(
        db,
        "SELECT fourfold.drain_history('lab', %s, 'r', (SELECT last_id"
        " FROM fourfold.history_cursors WHERE state = %s), %s, %s, %s::jsonb)",
        [
            state,
            state,
            f"{first + count - 1}-0",
            "SELECT (e -> 'v' ->> 'size')::int FROM jsonb_array_elements($1) AS e",
            json.dumps(entries),
        ],
    )


@pytest.mark.parametrize("bad", [True, False])
def test_the_newest_refused_writes_of_each_state_stay(db, bad):
    kept = 10_000
    assert drain(db, "other", 1, 1) == 1
    db.execute(
        "INSERT INTO fourfold.history_refused (pack, state, stream_id, row_id, error_code)"
        " SELECT 'lab', 'orb', n || '-0', 'nobody', '23503' FROM generate_series(1, %s) AS n",
        [kept + 500],
    )
    assert drain(db, "orb", 20_000, 3, bad) == 3
    ids = column(db, REFUSED, ["orb"])
    assert (len(ids), ids[0], ids[-1]) == (kept, "504-0", "20002-0")
    assert column(db, REFUSED, ["other"]) == ["1-0"]


def test_the_newest_exports_of_each_pack_stay(db):
    kept = 1_000
    record = (
        "SELECT fourfold.record_export(%s, watermark => %s, nodes => 1, edges => 2, changed => 3,"
        " unknown => 0, seconds => 0.5)"
    )
    exported_at = one(db, record, ["other", 7])
    assert exported_at == one(db, "SELECT fourfold.rfc3339(exported_at) FROM fourfold.exports")
    db.execute(
        "INSERT INTO fourfold.exports"
        " (pack, exported_at, watermark, nodes, edges, changed, unknown, seconds)"
        " SELECT 'lab', now() - n * interval '1 day', n, 0, 0, 0, 0, 0"
        " FROM generate_series(1, %s) AS n",
        [kept + 20],
    )
    one(db, record, ["lab", 0])
    marks = column(db, "SELECT watermark FROM fourfold.exports WHERE pack = 'lab' ORDER BY 1")
    assert marks == list(range(kept))
    assert one(db, "SELECT count(*) FROM fourfold.exports WHERE pack = 'other'") == 1


KEPT = (
    "SELECT r FROM unnest($1::text[]) AS r WHERE EXISTS ("
    "SELECT FROM dots.orb_states AS h WHERE h.user_id = r::uuid)"
)


def mark(db, row, at="now()"):
    db.execute(
        "INSERT INTO fourfold.state_marks (pack, state, row_id, written_at)"
        f" VALUES ('lab', 'orb', %s, {at}) ON CONFLICT (pack, state, row_id)"
        " DO UPDATE SET written_at = EXCLUDED.written_at",
        [row],
    )


def sweep(db, after="", limit=100):
    sql = "SELECT fourfold.sweep_state_marks('lab', 'orb', %s, %s, %s)"
    return one(db, sql, [after, limit, KEPT])


def marks(db):
    return column(db, "SELECT row_id FROM fourfold.state_marks ORDER BY row_id")


def orb(db, user):
    db.execute(
        "INSERT INTO dots.orb_states (user_id, visual_state, emotional_tone, energy_level)"
        " VALUES (%s, 'a', 'b', 0.5)",
        [user],
    )


@pytest.mark.parametrize("alien", [[], ["no key"]])
def test_marks_without_a_history_are_swept(db, dots, alien):
    users = sorted(str(dots.user()) for _ in range(3))
    for row in (*users, str(uuid.uuid4()), *alien):
        mark(db, row)
    for user in users[:2]:
        orb(db, user)
    assert sweep(db) is None
    assert marks(db) == users[:2]


def test_a_sweep_goes_on_where_it_was(db):
    rows = sorted(str(uuid.uuid4()) for _ in range(5))
    for row in rows:
        mark(db, row)
    assert sweep(db, limit=2) == rows[1] and marks(db) == rows[2:]
    assert sweep(db, rows[1], 2) == rows[3] and sweep(db, rows[3], 2) is None
    assert marks(db) == [] and sweep(db) is None


def test_a_mark_that_is_written_beside_a_sweep_stays(db, dots, database):
    user = str(dots.user())
    mark(db, user, "now() - interval '1 hour'")
    writer, watcher = database.connect(autocommit=False), database.connect()
    orb(writer, user)
    mark(writer, user)
    waits = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock'"
    )
    with ThreadPoolExecutor(1) as pool:
        swept = pool.submit(sweep, db)
        while not one(watcher, waits):
            assert not swept.done()
        writer.commit()
        assert swept.result(30) is None
    assert marks(db) == [user]
