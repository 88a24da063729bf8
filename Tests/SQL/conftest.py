"""A migrated template database per session and a copy of it per test.

FOURFOLD_TEST_DATABASE_URL names a PostgreSQL 17 where databases may be created.
"""

import itertools
import json
import os
import pathlib
import uuid

import psycopg
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPIES = itertools.count()


def pack_text(name="dots"):
    return (ROOT / "schemas" / name / "pack.json").read_text()


def connect(url, database, **options):
    return psycopg.connect(url, dbname=database, **options)


@pytest.fixture(scope="session")
def server():
    url = os.environ.get("FOURFOLD_TEST_DATABASE_URL")
    if not url:
        pytest.fail("FOURFOLD_TEST_DATABASE_URL is not set")
    return url


@pytest.fixture(scope="session")
def template(server):
    name = f"fourfold_template_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        with connect(server, name, autocommit=True) as db:
            for pack in ("fourfold", "dots"):
                for file in sorted((ROOT / "schemas" / pack).glob("*.sql")):
                    with db.transaction():
                        db.execute(file.read_text())
            db.execute("SELECT fourfold.install_pack(%s::jsonb)", [pack_text()])
        yield name
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Database:
    """A copy of the template, and connections to it."""

    def __init__(self, server, name):
        self.server, self.name, self.opened = server, name, []

    def connect(self, autocommit=True, **options):
        connection = connect(self.server, self.name, autocommit=autocommit, **options)
        self.opened.append(connection)
        return connection

    def close(self):
        for connection in self.opened:
            connection.close()


@pytest.fixture
def database(server, template):
    name = f"fourfold_test_{os.getpid()}_{next(COPIES)}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    copy = Database(server, name)
    assert one(copy.connect(), "SELECT fourfold.adopt_database(0)") is True
    yield copy
    copy.close()
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def db(database):
    return database.connect()


def one(db, sql, parameters=None):
    row = db.execute(sql, parameters).fetchone()
    return row[0] if row else None


def column(db, sql, parameters=None):
    return [row[0] for row in db.execute(sql, parameters)]


class Dots:
    """Writes rows of the dots pack by SQL."""

    def __init__(self, db):
        self.db = db

    def user(self, name=None):
        name = name or f"u{uuid.uuid4().hex[:12]}"
        return one(
            self.db,
            "INSERT INTO dots.users (username, email, password_hash, region)"
            " VALUES (%s, %s, 'x', 'eu') RETURNING user_id",
            [name, f"{name}@example.org"],
        )

    def insert(self, table, key, **values):
        names = ", ".join(values)
        marks = ", ".join(["%s"] * len(values))
        return one(
            self.db,
            f"INSERT INTO dots.{table} ({names}) VALUES ({marks}) RETURNING {key}",
            list(values.values()),
        )

    def concept(self, user, name, **more):
        return self.insert("concepts", "concept_id", user_id=user, name=name, **more)

    def memory(self, user, title, **more):
        more = {"content": title, "memory_type": "journal", **more}
        return self.insert("memory_units", "memory_id", user_id=user, title=title, **more)

    def tag(self, user, name):
        return self.insert("tags", "tag_id", user_id=user, name=name)

    def relate(self, kind, from_id, to_id):
        return self.insert(
            "relationships", "relationship_id", type=kind, from_id=from_id, to_id=to_id
        )


@pytest.fixture
def dots(db):
    return Dots(db)


class Lane:
    """Leads a lane as the engine does, with the statements of 003_lanes.sql."""

    def __init__(self, db, pack="dots", lane="graph", holder="test", resync=True):
        self.db, self.pack, self.lane = db, pack, lane
        self.epoch = one(
            db,
            "SELECT fourfold.claim_lane(%s, %s, 'store', %s, '60 s')",
            [pack, lane, holder],
        )
        if resync and self.epoch:
            goal = one(db, "SELECT pg_current_snapshot()::text")
            db.execute("SELECT fourfold.begin_resync(%s, %s, %s, %s)", [*self.me, goal])
            assert one(db, "SELECT fourfold.finish_resync(%s, %s, %s)", self.me)

    @property
    def me(self):
        return [self.pack, self.lane, self.epoch]

    def page(self, limit=1000):
        return self.db.execute(
            "SELECT p.goal::text, p.xid::text, p.position, p.entity, p.key, p.op, p.columns,"
            " p.owner, p.trace FROM fourfold.lane_cursor(%s, %s) AS c,"
            " LATERAL fourfold.outbox_page(%s, c.done, c.goal, c.cursor_xid,"
            " c.cursor_position, %s) AS p",
            [self.pack, self.lane, self.pack, limit],
        ).fetchall()

    def apply(self, limit=1000):
        """One page; the keys in order."""
        rows = self.page(limit)
        if not rows:
            goal = one(self.db, "SELECT goal::text FROM fourfold.lane_cursor(%s, %s)", self.me[:2])
            if goal is None:
                return []
            self.finish(goal, 0)
            return self.apply(limit)
        if len(rows) == limit:
            moved = one(
                self.db,
                "SELECT fourfold.advance_cursor(%s, %s, %s, %s, %s, %s, %s)",
                [*self.me, rows[-1][0], rows[-1][1], rows[-1][2], len(rows)],
            )
            assert moved
        else:
            self.finish(rows[-1][0], len(rows))
        return [row[4] for row in rows]

    def finish(self, goal, count):
        sql = "SELECT fourfold.finish_goal(%s, %s, %s, %s, %s)"
        assert one(self.db, sql, [*self.me, goal, count])

    def drain(self, limit=1000):
        keys = []
        while page := self.apply(limit):
            keys += page
        return keys

    def has_applied(self, xid, entities=None):
        return one(
            self.db,
            "SELECT fourfold.lane_has_applied(%s, %s, %s, %s)",
            [self.pack, self.lane, xid, entities],
        )


def dirty_keys(db, on, of, rows):
    """What a dirty entry of the dots pack answers for outbox rows of one entity."""
    entry = next(d for d in json.loads(pack_text())["dirty"] if on in d["on"] and d["of"] == of)
    sql = one(db, "SELECT fourfold.dirty_sql(%s)", [entry["keys"]])
    cursor = psycopg.RawCursor(db)
    return sorted(key for (key,) in cursor.execute(sql, [json.dumps(rows)]))
