"""Whatever ends the row of a session notes it for the copy in Redis."""

import json

import pytest
from conftest import column, one, pack_text


@pytest.fixture(autouse=True)
def installed(db):
    install(db)


def install(db, change=lambda pack: None):
    pack = json.loads(pack_text())
    change(pack)
    db.execute("SELECT fourfold.install_sessions(%s::jsonb)", [json.dumps(pack)])


def triggers(db):
    return db.execute(
        "SELECT oid, tgrelid::regclass::text FROM pg_trigger "
        "WHERE tgname = 'fourfold_sessions_ended'").fetchall()


def opened(db, user):
    return one(db, "INSERT INTO dots.user_sessions (user_id, device_info) VALUES (%s, '{}') "
                   "RETURNING session_id", [user])


def noted(db):
    return db.execute(
        "SELECT pack, owner, session FROM fourfold.session_repairs ORDER BY session").fetchall()


def test_every_end_is_noted(db, dots):
    user, other = dots.user(), dots.user()
    sessions = sorted(str(opened(db, user)) for _ in range(3))
    stays = opened(db, other)
    db.execute("UPDATE dots.user_sessions SET last_active_at = now()")
    assert noted(db) == []
    db.execute("DELETE FROM dots.users WHERE user_id = %s", [user])
    assert noted(db) == [("dots", str(user), session) for session in sessions]
    assert column(db, "SELECT session_id FROM dots.user_sessions") == [stays]


def test_what_is_rolled_back_is_not(db, dots):
    session = opened(db, dots.user())
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.execute("DELETE FROM dots.user_sessions WHERE session_id = %s", [session])
        assert len(noted(db)) == 1
        raise ZeroDivisionError
    assert noted(db) == []


def test_a_role_that_only_has_the_table_notes_too(db, dots):
    session = opened(db, dots.user())
    db.execute("CREATE ROLE session_deleter")
    try:
        db.execute("GRANT USAGE ON SCHEMA dots TO session_deleter")
        db.execute("GRANT SELECT, DELETE, UPDATE ON ALL TABLES IN SCHEMA dots TO session_deleter")
        db.execute("SET ROLE session_deleter")
        db.execute("DELETE FROM dots.user_sessions WHERE session_id = %s", [session])
    finally:
        db.execute("RESET ROLE")
        db.execute("DROP OWNED BY session_deleter")
        db.execute("DROP ROLE session_deleter")
    assert len(noted(db)) == 1


def test_installing_again_changes_nothing(db):
    before = triggers(db)
    assert [table for _, table in before] == ["dots.user_sessions"]
    install(db)
    assert triggers(db) == before


def test_the_trigger_follows_the_pack(db):
    def elsewhere(pack):
        pack["sessions"]["entity"] = "tags"

    install(db, elsewhere)
    assert [table for _, table in triggers(db)] == ["dots.tags"]
    install(db, lambda pack: pack.pop("sessions"))
    assert triggers(db) == []
