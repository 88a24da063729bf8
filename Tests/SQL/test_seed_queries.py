"""The seed's own queries, corrected, run as docs/SEEDS.md writes them."""

import re

import psycopg
import pytest
from conftest import ROOT, column, one

BLOCKS = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "SEEDS.md").read_text(), re.S)
CARD_GROWTH, USER_GROWTH, CARD_STATE, TROPHY, MIGRATE_EVENTS, MIGRATE_PROFILES = BLOCKS


@pytest.fixture
def journal(db, dots):
    """A user with two concepts, one of them connected."""
    user = dots.user()
    ids = {"user_id": user, "entity_id": dots.concept(user, "a"), "entity_type": "concept"}
    ids["lonely"] = dots.concept(user, "b")
    db.execute(
        "INSERT INTO dots.graph_connections (entity_id, degree) VALUES (%s, 6)", [ids["entity_id"]]
    )
    return ids


def run(db, block, ids):
    named = re.findall(r"\$\d (\w+)", block.split("\n", 1)[0])
    return psycopg.RawCursor(db).execute(block, [ids[name] for name in named])


def test_migration_then_queries(db, journal):
    run(db, MIGRATE_EVENTS, journal)
    assert one(db, "SELECT count(*) FROM dots.growth_events") == 6
    by_trigger = column(db, "SELECT growth_profile FROM dots.users")
    run(db, MIGRATE_PROFILES, journal)
    assert column(db, "SELECT growth_profile FROM dots.users") == by_trigger

    rows = run(db, CARD_GROWTH, journal).fetchall()
    assert [(row[0], row[1], row[4]) for row in rows] == [
        (key, 0.1, "migration")
        for key in ("self_act", "self_know", "self_show", "world_act", "world_know", "world_show")
    ]
    assert {row[3] for row in rows}.isdisjoint({"#808080"})
    assert [row[:3] for row in run(db, USER_GROWTH, journal)] == [(r[0], 0.1, 1) for r in rows]
    assert run(db, CARD_STATE, journal).fetchone()[2] == "constellation"
    lonely = {**journal, "entity_id": journal["lonely"]}
    assert run(db, CARD_STATE, lonely).fetchone()[2] == "seed"


def test_the_summary_does_not_count_twice(db, dots, journal):
    for delta in (0.1, 0.2, 0.3):
        dots.insert(
            "growth_events",
            "event_id",
            user_id=journal["user_id"],
            entity_id=journal["entity_id"],
            entity_type="concept",
            dim_key="self_know",
            delta=delta,
            source="test",
        )
    assert [row[:3] for row in run(db, USER_GROWTH, journal)] == [("self_know", 0.6, 1)]


def test_trophy(db, journal):
    (artifact,) = run(db, TROPHY, journal).fetchone()
    card = "SELECT entity_type, title, evolution_state FROM dots.cards WHERE entity_id = %s"
    assert db.execute(card, [artifact]).fetchone() == (
        "artifact",
        "30-Day Journaling Streak",
        "seed",
    )
