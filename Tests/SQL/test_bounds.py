"""Tables that only tell what happened keep the newest rows."""

import json

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
