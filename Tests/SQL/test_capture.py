"""Which keys the capture triggers write into the outbox."""

import uuid

import psycopg
import pytest
from conftest import one


@pytest.fixture
def words(db):
    """A captured table with a column type that has no equality operator."""
    db.execute("CREATE SCHEMA lab")
    db.execute("CREATE TABLE lab.words (id int PRIMARY KEY, owner int, word text, extra json)")
    install(db)
    clear(db)
    return db


def install(db, table="words", extra=("word",)):
    return one(
        db,
        "SELECT fourfold.install_capture('lab', %s, 'lab', %s, 'id', 'owner', %s)",
        [table, table, list(extra)],
    )


def clear(db):
    db.execute("TRUNCATE fourfold.outbox")


def captured(db):
    """(op, key) in the order of writing; then forgotten."""
    rows = db.execute("SELECT op, key FROM fourfold.outbox ORDER BY position").fetchall()
    clear(db)
    return rows


def test_insert_update_delete(words):
    words.execute("INSERT INTO lab.words VALUES (1, 7, 'a'), (2, 7, 'b')")
    words.execute("UPDATE lab.words SET word = 'c' WHERE id = 2")
    words.execute("DELETE FROM lab.words WHERE id = 1")
    rows = words.execute(
        "SELECT op, key, owner, columns FROM fourfold.outbox ORDER BY position"
    ).fetchall()
    assert rows == [
        ("i", "1", "7", {"new": {"word": "a"}}),
        ("i", "2", "7", {"new": {"word": "b"}}),
        ("u", "2", "7", {"old": {"word": "b"}, "new": {"word": "c"}}),
        ("d", "1", "7", {"old": {"word": "a"}}),
    ]


def test_rows_carry_the_transaction_and_the_trace(words):
    with words.transaction():
        words.execute("SELECT set_config('fourfold.trace', '00-ab-cd-01', true)")
        words.execute("INSERT INTO lab.words VALUES (1)")
        xid = one(words, "SELECT pg_current_xact_id()::text")
    words.execute("INSERT INTO lab.words VALUES (2)")
    rows = words.execute("SELECT xid::text, trace FROM fourfold.outbox ORDER BY position")
    first, second = rows.fetchall()
    assert first == (xid, "00-ab-cd-01")
    assert second[1] is None


UPSERT = "INSERT INTO lab.words VALUES (1, 7, 'new'), (2, 7, 'new') ON CONFLICT (id) DO {}"
MERGE = """MERGE INTO lab.words AS w USING (VALUES (1, 'x'), (2, NULL), (3, 'z')) AS s(id, word)
ON w.id = s.id WHEN MATCHED AND s.word IS NULL THEN DELETE
WHEN MATCHED THEN UPDATE SET word = s.word WHEN NOT MATCHED THEN INSERT VALUES (s.id, 7, s.word)"""


@pytest.mark.parametrize(
    "name, before, statement, expected",
    [
        ("upsert", [1], UPSERT.format("UPDATE SET word = EXCLUDED.word"), {("i", "2"), ("u", "1")}),
        ("upsert that skips", [1], UPSERT.format("NOTHING"), {("i", "2")}),
        ("update of nothing", [1], "UPDATE lab.words SET word = word", set()),
        ("update of one of two", [1, 2], "UPDATE lab.words SET word = 'w1'", {("u", "2")}),
        ("update of json", [1], "UPDATE lab.words SET extra = '[]'", {("u", "1")}),
        ("update without a hit", [1], "UPDATE lab.words SET word = 'x' WHERE id = 9", set()),
        ("key change", [1], "UPDATE lab.words SET id = 5", {("d", "1"), ("i", "5")}),
        ("merge", [1, 2], MERGE, {("u", "1"), ("d", "2"), ("i", "3")}),
        ("truncate", [1, 2], "TRUNCATE lab.words", {("t", None)}),
        (
            "data-modifying CTE",
            [1],
            "WITH d AS (DELETE FROM lab.words RETURNING id)"
            " INSERT INTO lab.words SELECT id + 1 FROM d",
            {("d", "1"), ("i", "2")},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 30 else "",
)
def test_statement(words, name, before, statement, expected):
    for key in before:
        words.execute("INSERT INTO lab.words VALUES (%s, 7, %s)", [key, f"w{key}"])
    clear(words)
    words.execute(statement)
    assert set(captured(words)) == expected


def test_copy_is_captured(words):
    with words.cursor().copy("COPY lab.words (id) FROM STDIN") as copy:
        for key in range(100):
            copy.write_row([key])
    assert len(captured(words)) == 100


def test_rolled_back_savepoint_leaves_nothing(words):
    with words.transaction():
        words.execute("INSERT INTO lab.words VALUES (1)")
        with words.transaction(force_rollback=True):
            words.execute("INSERT INTO lab.words VALUES (2)")
    assert captured(words) == [("i", "1")]


def test_cascade_is_captured(words):
    words.execute(
        "CREATE TABLE lab.parts (id int PRIMARY KEY, owner int,"
        " word int REFERENCES lab.words ON DELETE CASCADE)"
    )
    install(words, "parts", [])
    words.execute("INSERT INTO lab.words VALUES (1)")
    words.execute("INSERT INTO lab.parts VALUES (11, 7, 1), (12, 7, 1)")
    clear(words)
    words.execute("DELETE FROM lab.words")
    assert set(captured(words)) == {("d", "1"), ("d", "11"), ("d", "12")}


def test_partitions_are_captured_from_both_sides(db):
    db.execute("CREATE SCHEMA lab")
    db.execute(
        "CREATE TABLE lab.words (id int PRIMARY KEY, owner int, word text) PARTITION BY LIST (id)"
    )
    db.execute("CREATE TABLE lab.words_1 PARTITION OF lab.words FOR VALUES IN (1, 11)")
    db.execute("CREATE TABLE lab.words_2 (word text, owner int, id int PRIMARY KEY)")
    db.execute("ALTER TABLE lab.words ATTACH PARTITION lab.words_2 FOR VALUES IN (2, 12)")
    install(db)
    clear(db)
    db.execute("INSERT INTO lab.words VALUES (1, 7, 'a'), (2, 7, 'b')")
    assert captured(db) == [("i", "1"), ("i", "2")]
    db.execute("INSERT INTO lab.words_2 (id, word) VALUES (12, 'c')")
    db.execute("UPDATE lab.words_1 SET word = 'd'")
    assert captured(db) == [("i", "12"), ("u", "1")]
    db.execute("UPDATE lab.words SET id = 11 WHERE id = 1")
    assert set(captured(db)) == {("d", "1"), ("i", "11")}
    db.execute("TRUNCATE lab.words_1")
    assert captured(db) == [("t", None)]


def test_writer_needs_no_right_on_the_outbox(words):
    role = f"fourfold_writer_{uuid.uuid4().hex[:8]}"
    words.execute(f"CREATE ROLE {role}")
    try:
        words.execute(f"GRANT USAGE ON SCHEMA lab TO {role}")
        words.execute(f"GRANT INSERT ON lab.words TO {role}")
        words.execute(f"SET ROLE {role}")
        words.execute("INSERT INTO lab.words VALUES (1)")
        words.execute("RESET ROLE")
        assert captured(words) == [("i", "1")]
    finally:
        words.execute("RESET ROLE")
        words.execute(f"DROP OWNED BY {role}")
        words.execute(f"DROP ROLE {role}")


def test_install_again_changes_nothing_and_locks_nothing(words, database):
    writer = database.connect(autocommit=False)
    writer.execute("INSERT INTO lab.words VALUES (1)")
    words.execute("SET lock_timeout = '2s'")
    assert install(words) is False
    writer.rollback()
    words.execute("SET search_path = lab")
    assert install(words) is False
    assert install(words, extra=["word", "owner"]) is True
    assert captured(words) == [("r", None)]


def test_install_repairs_a_disabled_trigger(words):
    words.execute("ALTER TABLE lab.words DISABLE TRIGGER fourfold_capture_insert")
    assert install(words) is True
    words.execute("ALTER TABLE lab.words ENABLE TRIGGER fourfold_capture_insert")


def test_remove_capture(words):
    assert one(words, "SELECT fourfold.remove_capture('lab', 'words')") is True
    words.execute("INSERT INTO lab.words VALUES (1)")
    assert captured(words) == []


@pytest.mark.parametrize("table, key", [("nothing", "id"), ("words", "nothing")])
def test_install_names_what_is_missing(words, table, key):
    with pytest.raises(psycopg.Error, match="nothing") as error:
        words.execute("SELECT fourfold.install_capture('lab', 'x', 'lab', %s, %s)", [table, key])
    assert error.value.sqlstate == "FF500"
