"""The snapshot cursor: nothing skipped, nothing waited for, nothing scanned twice."""

import json

import pytest
from conftest import Lane, one


@pytest.fixture
def lab(database, db):
    db.execute("CREATE SCHEMA lab")
    db.execute("CREATE TABLE lab.words (id int PRIMARY KEY)")
    db.execute("SELECT fourfold.install_capture('lab', 'words', 'lab', 'words', 'id')")
    return database


@pytest.fixture
def lane(lab, db):
    return Lane(db, pack="lab")


def writer(lab, *keys):
    """A transaction that has written and is still open."""
    connection = lab.connect(autocommit=False)
    connection.cursor().executemany("INSERT INTO lab.words VALUES (%s)", [(k,) for k in keys])
    return connection


def write(lab, *keys):
    writer(lab, *keys).commit()


def test_reversed_commit_order(lab, lane):
    first, second = writer(lab, 1), writer(lab, 2)
    second.commit()
    assert lane.drain() == ["2"]
    first.commit()
    assert lane.drain() == ["1"]
    assert lane.drain() == []


def test_a_long_writer_holds_nobody_up(lab, lane):
    long = writer(lab, 100)
    for key in range(1, 6):
        write(lab, key)
        assert lane.drain() == [str(key)]
    long.commit()
    assert lane.drain() == ["100"]


def test_rows_committed_while_a_goal_is_worked_on_come_after_it(lab, lane):
    late = writer(lab, 50)
    write(lab, 1, 2, 3)
    assert lane.apply(limit=2) == ["1", "2"]
    late.commit()
    write(lab, 60)
    assert lane.apply(limit=2) == ["3"]
    assert lane.apply(limit=10) == ["50", "60"]


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_page_boundary_inside_a_large_transaction(lab, lane, limit):
    open_before = writer(lab, 1000)
    large = writer(lab, *range(1, 21))
    write(lab, 2000)
    assert lane.drain(limit) == ["2000"]
    large.commit()
    write(lab, 2001)
    assert lane.drain(limit) == [str(k) for k in range(1, 21)] + ["2001"]
    open_before.commit()
    write(lab, 2002)
    assert lane.drain(limit) == ["1000", "2002"]


def test_many_interleaved_writers_lose_and_repeat_nothing(lab, lane):
    writers = [writer(lab, *range(n * 10, n * 10 + 5)) for n in range(12)]
    seen = []
    for n in (7, 3, 11, 0, 5, 1, 9, 2, 10, 4, 8, 6):
        writers[n].commit()
        seen += lane.apply(limit=3)
    seen += lane.drain(limit=4)
    expected = [str(k) for n in range(12) for k in range(n * 10, n * 10 + 5)]
    assert sorted(seen, key=int) == expected


def test_an_idle_lane_writes_nothing(lab, lane, db):
    before = one(db, "SELECT xmin::text FROM fourfold.lanes")
    xid = one(db, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
    for _ in range(5):
        assert lane.page() == []
    assert one(db, "SELECT xmin::text FROM fourfold.lanes") == before
    assert one(db, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text") == xid


def test_packs_do_not_see_each_other(lab, lane, db):
    write(lab, 1)
    db.execute(
        "INSERT INTO fourfold.outbox (pack, entity, key, op) VALUES ('other', 'x', '9', 'i')"
    )
    assert lane.drain() == ["1"]


def explain(db, done, goal, xid, position, limit):
    """The rows of a page and the plan that the statement inside the function ran with."""
    plans = []

    def keep(diagnostic):
        plans.append(json.loads(diagnostic.message_primary.split("plan:", 1)[1])["Plan"])

    db.add_notice_handler(keep)
    with db.transaction():
        db.execute("SET LOCAL client_min_messages = log")
        rows = db.execute(
            "SELECT * FROM fourfold.outbox_page('plan', %s::pg_snapshot, %s::pg_snapshot,"
            " %s::xid8, %s::bigint, %s::int)",
            [done, goal, xid, position, limit],
        ).fetchall()
    db.remove_notice_handler(keep)
    return rows, next(plan for plan in plans if plan["Node Type"] != "Function Scan")


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


@pytest.mark.parametrize("analyzed", [False, True], ids=["no statistics", "analyzed"])
def test_a_page_of_a_million_rows_is_cheap(database, analyzed):
    db = database.connect()
    # 100,000 transactions of 5 rows, then one of 500,000.
    db.execute(
        "INSERT INTO fourfold.outbox (xid, pack, entity, key, op)"
        " SELECT (1000 + least(g / 5, 100000))::text::xid8, 'plan', 'e', g::text, 'i'"
        " FROM generate_series(0, 999999) AS g"
    )
    db.execute("VACUUM fourfold.outbox")
    if analyzed:
        db.execute("ANALYZE fourfold.outbox")
    goal = "101001:101001:"
    large = "101000"
    middle = one(db, "SELECT min(position) + 250000 FROM fourfold.outbox WHERE xid = %s", [large])
    listed = "2000:90000:2000,3000,4000,50000"
    cases = {
        "from the beginning": ("1:1:", goal, "0", 0),
        "in the middle": ("1:1:", goal, "50000", 0),
        "inside the large transaction": ("1:1:", goal, large, middle),
        "inside it, and it ran when done was taken": (
            f"{large}:101001:{large}",
            goal,
            large,
            middle,
        ),
        "some were running": (listed, goal, "0", 0),
        "after one that was running": (listed, goal, "3000", 1),
        "the large one still runs": ("1000:101001:101000", "1000:101001:101000", "0", 0),
        "nothing to do": (goal, goal, "0", 0),
    }
    db.execute("LOAD 'auto_explain'")
    for name, value in {
        "log_min_duration": "0",
        "log_nested_statements": "on",
        "log_analyze": "on",
        "log_buffers": "on",
        "log_timing": "off",
        "log_format": "json",
    }.items():
        db.execute(f"SET auto_explain.{name} = '{value}'")
    counts = {}
    for name, case in cases.items():
        rows, plan = explain(db, *case, 500)
        counts[name] = len(rows)
        scans = [n for n in nodes(plan) if "outbox" in n.get("Relation Name", "")]
        assert scans and all(n["Node Type"] == "Index Scan" for n in scans), name
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 250, name
    nothing = ("nothing to do", "the large one still runs")
    assert counts == {name: 0 if name in nothing else 500 for name in cases}
