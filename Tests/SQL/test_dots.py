"""Rules of the dots pack that hold for SQL by hand too."""

import threading
import uuid

import psycopg
import pytest
from conftest import Dots, Lane, column, one, pack_text


def refused(db, sqlstate, sql, parameters=None):
    with pytest.raises(psycopg.Error) as error:
        db.execute(sql, parameters)
    assert error.value.sqlstate == sqlstate
    return str(error.value)


def test_the_pack_has_no_problems(db):
    problems = "SELECT place, problem FROM fourfold.pack_problems(%s::jsonb)"
    assert db.execute(problems, [pack_text()]).fetchall() == []
    assert one(db, "SELECT fourfold.install_pack(%s::jsonb)", [pack_text()]) == []


def test_every_table_and_column_of_an_entity_is_described(db):
    bare = """SELECT c.relname FROM pg_class AS c
        WHERE c.relnamespace = 'dots'::regnamespace AND c.relkind = 'r'
            AND obj_description(c.oid) IS NULL"""
    assert column(db, bare) == []


class TestRelationships:
    def test_owner_and_entities_are_filled_in(self, db, dots):
        user = dots.user()
        a, b = dots.concept(user, "a"), dots.memory(user, "b")
        relationship = dots.relate("RELATED_TO", a, b)
        row = db.execute(
            "SELECT user_id, from_entity, to_entity FROM dots.relationships"
            " WHERE relationship_id = %s",
            [relationship],
        ).fetchone()
        assert row == (user, "concepts", "memories")

    @pytest.mark.parametrize("kind", ["CREATED", "EXPERIENCED", "NO_SUCH_TYPE"])
    def test_types_that_cannot_be_written(self, db, dots, kind):
        user = dots.user()
        a = dots.concept(user, "a")
        refused(
            db,
            "FF422",
            "INSERT INTO dots.relationships (type, from_id, to_id) VALUES (%s, %s, %s)",
            [kind, user, a],
        )

    @pytest.mark.parametrize("kind", ["TAGGED_WITH", "HAPPENED_AT", "INVOLVES"])
    def test_types_that_point_to_one_entity(self, db, dots, kind):
        user = dots.user()
        refused(
            db,
            "FF422",
            "INSERT INTO dots.relationships (type, from_id, to_id) VALUES (%s, %s, %s)",
            [kind, dots.concept(user, "a"), dots.concept(user, "b")],
        )

    def test_both_ends_exist_and_have_the_owner(self, db, dots):
        mine, other = dots.user(), dots.user()
        a, theirs = dots.concept(mine, "a"), dots.concept(other, "a")
        insert = (
            "INSERT INTO dots.relationships (type, from_id, to_id)" " VALUES ('RELATED_TO', %s, %s)"
        )
        missing = refused(db, "FF421", insert, [a, uuid.uuid4()])
        assert refused(db, "FF421", insert, [a, theirs]) == missing
        assert "starts" in refused(db, "FF421", insert, [uuid.uuid4(), a])
        refused(
            db,
            "FF421",
            "INSERT INTO dots.relationships (user_id, type, from_id, to_id)"
            " VALUES (%s, 'RELATED_TO', %s, %s)",
            [other, a, a],
        )
        refused(
            db,
            "FF421",
            "INSERT INTO dots.relationships (type, from_id, to_id, to_entity)"
            " VALUES ('RELATED_TO', %s, %s, 'memories')",
            [a, a],
        )

    def test_ends_and_owner_are_checked_on_update(self, db, dots):
        mine, other = dots.user(), dots.user()
        a, b, theirs = dots.concept(mine, "a"), dots.concept(mine, "b"), dots.concept(other, "a")
        dots.relate("SUPPORTS", a, b)
        refused(db, "FF421", "UPDATE dots.relationships SET to_id = %s", [theirs])
        refused(db, "FF420", "UPDATE dots.relationships SET user_id = %s", [other])
        db.execute("UPDATE dots.relationships SET to_id = %s, type = 'CONTRADICTS'", [a])

    def test_deleting_an_entity_deletes_its_relationships(self, db, dots):
        user = dots.user()
        a, b, c = (dots.concept(user, n) for n in "abc")
        for pair in ((a, b), (b, a), (b, c)):
            dots.relate("RELATED_TO", *pair)
        db.execute("TRUNCATE fourfold.outbox")
        db.execute("DELETE FROM dots.concepts WHERE concept_id = %s", [a])
        assert one(db, "SELECT count(*) FROM dots.relationships") == 1
        rows = column(db, "SELECT entity || op::text FROM fourfold.outbox ORDER BY 1")
        assert rows == ["conceptsd", "relationshipsd", "relationshipsd"]
        db.execute("TRUNCATE dots.concepts CASCADE")
        assert one(db, "SELECT count(*) FROM dots.relationships") == 0
        assert column(db, "SELECT entity FROM dots.entities") == ["users"]

    def test_a_key_change_moves_the_relationships(self, db, dots):
        user = dots.user()
        a, b, moved = dots.concept(user, "a"), dots.concept(user, "b"), uuid.uuid4()
        dots.relate("RELATED_TO", a, b)
        db.execute("UPDATE dots.concepts SET concept_id = %s WHERE concept_id = %s", [moved, a])
        assert column(db, "SELECT from_id FROM dots.relationships") == [moved]

    def test_an_id_is_unique_over_all_entities(self, db, dots):
        user = dots.user()
        a = dots.concept(user, "a")
        with pytest.raises(psycopg.errors.UniqueViolation):
            dots.memory(user, "m", memory_id=a)

    @pytest.mark.parametrize(
        "isolation, deleting_fails_with, edges_left",
        [("READ COMMITTED", [], 0), ("REPEATABLE READ", ["40001"], 1)],
    )
    def test_delete_beside_an_insert_of_an_edge_to_it(
        self, database, db, dots, isolation, deleting_fails_with, edges_left
    ):
        """Whoever comes first: afterwards no edge hangs in the air."""
        user = dots.user()
        a, b, c = (dots.concept(user, n) for n in "abc")
        relate = "INSERT INTO dots.relationships (type, from_id, to_id) VALUES ('SUPPORTS', %s, %s)"
        delete = "DELETE FROM dots.concepts WHERE concept_id = %s"

        def race(first, second):
            """`second` runs while `first` is uncommitted; what `second` failed with."""
            one_side, other = database.connect(autocommit=False), database.connect(autocommit=False)
            other.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
            other.execute("SELECT 1")
            one_side.execute(*first)
            failure = []

            def run():
                try:
                    other.execute(*second)
                    other.commit()
                except psycopg.Error as error:
                    failure.append(error.sqlstate)
                    other.rollback()

            thread = threading.Thread(target=run)
            thread.start()
            waiting = (
                "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
            )
            while not one(db, waiting, [other.info.backend_pid]):
                pass
            one_side.commit()
            thread.join(timeout=30)
            return failure

        count = "SELECT count(*) FROM dots.relationships"
        assert race((relate, [a, b]), (delete, [b])) == deleting_fails_with
        assert one(db, count) == edges_left
        assert race((delete, [c]), (relate, [a, c])) in (["23503"], ["40001"])
        assert one(db, count) == edges_left


class TestOwners:
    @pytest.mark.parametrize("table", ["concepts", "memory_units", "tags", "conversations"])
    def test_the_owner_of_a_row_cannot_change(self, db, dots, table):
        mine, other = dots.user(), dots.user()
        dots.concept(mine, "a")
        dots.memory(mine, "m")
        dots.tag(mine, "t")
        dots.insert("conversations", "conversation_id", user_id=mine)
        refused(db, "FF420", f"UPDATE dots.{table} SET user_id = %s", [other])
        db.execute(f"UPDATE dots.{table} SET user_id = user_id")

    def test_messages_belong_to_the_owner_of_their_conversation(self, db, dots):
        mine, other = dots.user(), dots.user()
        talk = dots.insert("conversations", "conversation_id", user_id=mine)
        refused(
            db,
            "23503",
            "INSERT INTO dots.conversation_messages (conversation_id, user_id, role, content)"
            " VALUES (%s, %s, 'user', 'x')",
            [talk, other],
        )

    @pytest.mark.parametrize(
        "email, fits",
        [
            ("ann+journal@example.org", True),
            ("Ann@Example.ORG", True),
            ("no-at-sign", False),
            ("a@b", False),
        ],
    )
    def test_email(self, db, email, fits):
        insert = (
            "INSERT INTO dots.users (username, email, password_hash, region)"
            " VALUES (%s, %s, 'x', 'eu')"
        )
        if fits:
            db.execute(insert, [email, email])
        else:
            refused(db, "23514", insert, [email, email])


class TestAppendOnly:
    def history(self, db, dots):
        user = dots.user()
        concept = dots.concept(user, "c")
        session = dots.insert("user_sessions", "session_id", user_id=user, device_info="{}")
        dots.insert(
            "growth_events",
            "event_id",
            user_id=user,
            entity_id=concept,
            entity_type="concept",
            dim_key="self_know",
            delta=0.1,
            source="test",
        )
        dots.insert(
            "user_activity_log", "log_id", user_id=user, activity_type="login", session_id=session
        )
        dots.insert(
            "orb_states",
            "state_id",
            user_id=user,
            visual_state="idle",
            emotional_tone="calm",
            energy_level=0.5,
        )
        return user

    @pytest.mark.parametrize("table", ["growth_events", "user_activity_log", "orb_states"])
    def test_refused_by_hand(self, db, dots, table):
        user = self.history(db, dots)
        refused(db, "FF405", f"DELETE FROM dots.{table}")
        refused(db, "FF405", f"UPDATE dots.{table} SET user_id = user_id")
        refused(
            db, "FF405", f"WITH d AS (DELETE FROM dots.{table} RETURNING 1) SELECT count(*) FROM d"
        )
        assert one(db, f"SELECT count(*) FROM dots.{table}") == 1
        assert user

    def test_a_trigger_cannot_smuggle_a_delete_in(self, db, dots):
        self.history(db, dots)
        db.execute(
            "CREATE FUNCTION dots.smuggle() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN DELETE FROM dots.growth_events; RETURN NULL; END'"
        )
        db.execute(
            "CREATE TRIGGER smuggle AFTER UPDATE ON dots.users"
            " FOR EACH ROW EXECUTE FUNCTION dots.smuggle()"
        )
        refused(db, "FF405", "UPDATE dots.users SET region = 'us'")

    def test_a_deleted_session_leaves_the_log(self, db, dots):
        self.history(db, dots)
        db.execute("DELETE FROM dots.user_sessions")
        assert column(db, "SELECT session_id FROM dots.user_activity_log") == [None]

    def test_erasing_the_owner_takes_everything(self, db, dots):
        user, other = self.history(db, dots), self.history(db, dots)
        template = dots.insert("challenge_templates", "tpl_id", name="t")
        dots.insert("user_challenges", "ch_id", tpl_id=template, user_id=user)
        talk = dots.insert("conversations", "conversation_id", user_id=user)
        dots.insert(
            "conversation_messages",
            "message_id",
            conversation_id=talk,
            user_id=user,
            role="user",
            content="x",
        )
        concept = one(db, "SELECT concept_id FROM dots.concepts WHERE user_id = %s", [user])
        dots.relate("TAGGED_WITH", concept, dots.tag(user, "t"))
        db.execute(
            "INSERT INTO dots.graph_connections (entity_id, degree) VALUES (%s, 1)", [concept]
        )
        db.execute("TRUNCATE fourfold.outbox")
        db.execute("DELETE FROM dots.users WHERE user_id = %s", [user])
        tables = column(
            db,
            """SELECT c.relname FROM pg_class AS c JOIN pg_attribute AS a
            ON a.attrelid = c.oid AND a.attname = 'user_id'
            WHERE c.relnamespace = 'dots'::regnamespace AND c.relkind = 'r'""",
        )
        assert len(tables) == 18
        for table in tables:
            assert (
                one(db, f"SELECT count(*) FROM dots.{table} WHERE user_id = %s", [user]) == 0
            ), table
        assert one(db, "SELECT count(*) FROM dots.entities WHERE owner = %s", [user]) == 0
        assert one(db, "SELECT count(*) FROM dots.growth_events WHERE user_id = %s", [other]) == 1
        gone = set(column(db, "SELECT DISTINCT entity FROM fourfold.outbox WHERE op = 'd'"))
        assert gone == {
            "users",
            "concepts",
            "tags",
            "relationships",
            "growth-events",
            "challenges",
            "conversations",
            "messages",
            "orb-states",
            "activity-log",
            "graph-connections",
        }


class TestGrowth:
    def grow(self, dots, user, entity, kind="concept", **deltas):
        for dim, delta in deltas.items():
            dots.insert(
                "growth_events",
                "event_id",
                user_id=user,
                entity_id=entity,
                entity_type=kind,
                dim_key=dim,
                delta=delta,
                source="test",
            )

    def test_profile_follows_the_events_exactly(self, db, dots):
        user = dots.user()
        concept = dots.concept(user, "c")
        for _ in range(10):
            self.grow(dots, user, concept, self_know=0.1, world_act=-0.05)
        profile = one(db, "SELECT growth_profile::text FROM dots.users WHERE user_id = %s", [user])
        assert profile == '{"self_know": 1.0, "world_act": -0.50}'
        scores = dict(db.execute("SELECT dim_key, score FROM dots.mv_entity_growth").fetchall())
        assert scores == {"self_know": 1.0, "world_act": -0.5}

    def test_card_states(self, db, dots):
        user, other = dots.user(), dots.user()
        state = "SELECT evolution_state FROM dots.v_card_state WHERE entity_id = %s"
        c, m = dots.concept(user, "c"), dots.memory(user, "m")
        assert one(db, state, [c]) == one(db, state, [m]) == "seed"
        self.grow(dots, other, c, self_know=1, self_act=1, self_show=1)
        self.grow(dots, user, c, self_know=-1)
        assert one(db, state, [c]) == "seed"
        self.grow(dots, user, c, self_act=0.1)
        assert one(db, state, [c]) == "sprout"
        self.grow(dots, user, c, self_show=0.1, world_know=0.1)
        assert one(db, state, [c]) == "bloom"
        connect = "INSERT INTO dots.graph_connections (entity_id, degree) VALUES (%s, %s)"
        db.execute(connect, [c, 4])
        db.execute(connect, [m, 5])
        assert one(db, state, [c]) == "bloom"
        assert one(db, state, [m]) == "constellation"
        card = "SELECT entity_type, title, connection_count FROM dots.cards WHERE entity_id = %s"
        assert db.execute(card, [m]).fetchone() == ("memory", "m", 5)

    def test_export_of_an_unknown_node_is_skipped(self, db, dots):
        user = dots.user()
        concept = dots.concept(user, "c")
        kept = db.execute(
            "INSERT INTO dots.graph_connections (entity_id, degree) SELECT id, 3"
            " FROM unnest(%s::uuid[]) AS id RETURNING entity_id, entity_type, user_id",
            [[concept, uuid.uuid4()]],
        ).fetchall()
        assert kept == [(concept, "concept", user)]
        assert one(db, "SELECT count(*) FROM dots.neo4j_connection_stats") == 1

    def test_a_user_growing_from_many_sides_does_not_deadlock(self, database, db, dots):
        users = [dots.user() for _ in range(4)]
        concepts = {user: dots.concept(user, "c") for user in users}
        failures = []

        def work(order):
            try:
                connection = database.connect()
                for _ in range(10):
                    connection.execute(
                        "INSERT INTO dots.growth_events (user_id, entity_id, entity_type, dim_key,"
                        " delta, source) SELECT u, c, 'concept', 'self_know', 0.1, 'test'"
                        " FROM unnest(%s::uuid[], %s::uuid[]) AS t(u, c)",
                        [order, [concepts[u] for u in order]],
                    )
            except psycopg.Error as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(o,)) for o in (users, users[::-1], users)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert failures == []
        assert set(column(db, "SELECT growth_profile ->> 'self_know' FROM dots.users")) == {"3.0"}


def test_updated_at_moves_only_with_the_row(db, dots):
    user = dots.user()
    concept = dots.concept(user, "c", updated_at="2020-01-01T00:00Z")
    stamp = "SELECT extract(year FROM updated_at)::int FROM dots.concepts"
    db.execute("UPDATE dots.concepts SET name = name")
    assert one(db, stamp) == 2020
    Lane(db)
    db.execute("UPDATE dots.concepts SET name = 'd' WHERE concept_id = %s", [concept])
    assert one(db, stamp) > 2020
