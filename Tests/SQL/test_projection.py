"""What the projection views give, and which keys a changed row makes dirty."""

import json
import uuid

import pytest
from conftest import Lane, column, dirty_keys, one, pack_text


def outbox(db, entity):
    """The outbox rows of an entity as a relay hands them to a dirty query; then forgotten."""
    rows = db.execute(
        "SELECT key, op, columns FROM fourfold.outbox WHERE entity = %s", [entity]
    ).fetchall()
    db.execute("TRUNCATE fourfold.outbox")
    return [dict(zip(("key", "op", "columns"), row)) for row in rows]


def properties(db, view, key):
    return one(db, f"SELECT properties FROM dots.{view} WHERE key = %s", [key])


def test_a_tag_renamed_while_another_transaction_tags(database, db, dots):
    """The relay reads after both, so it finds the concept that the renamer could not see."""
    user = dots.user()
    concept, tag = dots.concept(user, "c"), dots.tag(user, "old")
    lane = Lane(db, lane="vector")
    tagger, renamer = database.connect(autocommit=False), database.connect(autocommit=False)
    tagger.execute(
        "INSERT INTO dots.relationships (type, from_id, to_id) VALUES ('TAGGED_WITH', %s, %s)",
        [concept, tag],
    )
    renamer.execute("UPDATE dots.tags SET name = 'new' WHERE tag_id = %s", [tag])
    renamer.commit()
    dirty = set()
    for finish in (lambda: None, tagger.commit):
        finish()
        for row in lane.page():
            if row[3] in ("tags", "relationships"):
                dirty |= set(
                    dirty_keys(
                        db, row[3], "concepts", [{"key": row[4], "op": row[5], "columns": row[6]}]
                    )
                )
        lane.drain()
    assert dirty == {str(concept)}
    assert properties(db, "vector_user_concept", concept)["tags"] == ["new"]


def test_tagging_and_untagging_dirty_the_concept(db, dots):
    user = dots.user()
    a, b, tag = dots.concept(user, "a"), dots.concept(user, "b"), dots.tag(user, "t")
    outbox(db, "relationships")
    relationship = dots.relate("TAGGED_WITH", a, tag)
    assert dirty_keys(db, "relationships", "concepts", outbox(db, "relationships")) == [str(a)]
    db.execute("UPDATE dots.relationships SET from_id = %s", [b])
    assert dirty_keys(db, "relationships", "concepts", outbox(db, "relationships")) == sorted(
        [str(a), str(b)]
    )
    db.execute("DELETE FROM dots.relationships WHERE relationship_id = %s", [relationship])
    assert dirty_keys(db, "relationships", "concepts", outbox(db, "relationships")) == [str(b)]
    dots.relate("RELATED_TO", a, b)
    assert dirty_keys(db, "relationships", "concepts", outbox(db, "relationships")) == []


def test_growth_dirties_what_grew(db, dots):
    user = dots.user()
    memory = dots.memory(user, "m")
    outbox(db, "growth-events")
    dots.insert(
        "growth_events",
        "event_id",
        user_id=user,
        entity_id=memory,
        entity_type="memory",
        dim_key="self_know",
        delta=0.25,
        source="test",
    )
    rows = outbox(db, "growth-events")
    assert dirty_keys(db, "growth-events", "memories", rows) == [str(memory)]
    assert dirty_keys(db, "growth-events", "concepts", rows) == []
    assert properties(db, "node_memory_unit", memory)["growth_self_know"] == 0.25
    assert properties(db, "node_user", user)["growth_self_know"] == 0.25


def test_references_appear_with_what_they_refer_to(db, dots):
    """An artifact may name a concept that is written later."""
    user, later = dots.user(), uuid.uuid4()
    sources = [json.dumps({"type": "concept", "id": str(later)}), '"not an id"', '{"id": 7}']
    artifact = one(
        db,
        "INSERT INTO dots.derived_artifacts (user_id, title, artifact_type, source_entities)"
        " VALUES (%s, 'a', 'trophy', %s::jsonb[]) RETURNING artifact_id",
        [user, sources],
    )
    edges = "SELECT to_key FROM dots.edge_artifact_source WHERE anchor = %s"
    assert column(db, edges, [artifact]) == []
    outbox(db, "concepts")
    dots.concept(user, "c", concept_id=later)
    assert dirty_keys(db, "concepts", "artifacts", outbox(db, "concepts")) == [str(artifact)]
    assert column(db, edges, [artifact]) == [later]
    db.execute("UPDATE dots.concepts SET name = 'd'")
    assert dirty_keys(db, "concepts", "artifacts", outbox(db, "concepts")) == []
    db.execute("UPDATE dots.derived_artifacts SET source_entities = '{}'")
    assert column(db, edges, [artifact]) == []


def test_references_to_another_owner_are_not_projected(db, dots):
    mine, other = dots.user(), dots.user()
    theirs = dots.concept(other, "c")
    dots.insert(
        "annotations",
        "aid",
        user_id=mine,
        target_id=theirs,
        target_node_type="concept",
        annotation_type="note",
    )
    assert column(db, "SELECT key FROM dots.edge_annotation_target") == []


def test_conversation_chunks_are_numbered(db, dots):
    user = dots.user()
    talk = dots.insert("conversations", "conversation_id", user_id=user)

    def say(minute, *references):
        return one(
            db,
            "INSERT INTO dots.conversation_messages (conversation_id, user_id, role, content,"
            " created_at, referenced_entities) VALUES (%s, %s, 'user', 'x',"
            " '2026-01-01T10:00Z'::timestamptz + make_interval(mins => %s), %s::jsonb[])"
            " RETURNING message_id",
            [talk, user, minute, [json.dumps({"id": str(r)}) for r in references]],
        )

    concept = dots.concept(user, "c")
    first, last = say(1, concept), say(5, concept)
    outbox(db, "messages")
    middle = say(3)
    rows = outbox(db, "messages")
    assert dirty_keys(db, "messages", "messages", rows) == [str(last)]
    assert dirty_keys(db, "messages", "conversations", rows) == [str(talk)]
    sequence = {
        k: properties(db, "vector_conversation_chunk", k)["sequence"] for k in (first, middle, last)
    }
    assert sequence == {first: 1, middle: 2, last: 3}
    edge = "SELECT from_key, to_key, properties FROM dots.edge_conversation_entity"
    assert db.execute(edge).fetchall() == [(talk, concept, {"mentions": 2})]


def test_every_label_and_type_is_projected(db, dots):
    user = dots.user()
    concept, memory, tag = dots.concept(user, "c"), dots.memory(user, "m"), dots.tag(user, "t")
    person = dots.insert("people", "person_id", user_id=user, name="p")
    place = dots.insert("locations", "location_id", user_id=user, name="l", latitude=1, longitude=2)
    dots.insert("derived_artifacts", "artifact_id", user_id=user, title="a", artifact_type="x")
    dots.insert(
        "annotations",
        "aid",
        user_id=user,
        target_id=concept,
        target_node_type="concept",
        annotation_type="note",
    )
    dots.insert("reflections", "reflection_id", user_id=user, content="r", reflection_type="x")
    dots.insert("conversations", "conversation_id", user_id=user)
    for kind, to in {
        "RELATED_TO": memory,
        "PART_OF": memory,
        "EVOLVED_FROM": memory,
        "INSPIRED_BY": memory,
        "CONTRADICTS": memory,
        "SUPPORTS": memory,
        "TAGGED_WITH": tag,
        "INVOLVES": person,
        "HAPPENED_AT": place,
    }.items():
        dots.relate(kind, concept, to)
    pack = json.loads(pack_text())
    seen = set()
    for name, edge in pack["graph"]["edges"].items():
        types = column(db, f"SELECT type FROM dots.{edge['view']}")
        assert set(types) <= set(edge["types"]), name
        seen |= set(types)
    assert seen == set(column(db, "SELECT type FROM dots.relationship_types"))
    for label, node in pack["graph"]["nodes"].items():
        (row,) = db.execute(f"SELECT key, owner, properties FROM dots.{node['view']}").fetchall()
        assert row[1] == user, label
        for stamp in node.get("datetime", []):
            value = row[2].get(stamp, "2026-01-01T00:00:00.000000Z")
            assert value.endswith("Z") and "T" in value, label
        assert all(not isinstance(v, dict) and v is not None for v in row[2].values()), label


@pytest.mark.parametrize(
    "given, flat",
    [
        ({"a": 1, "b": "x", "c": True, "d": 1.5}, {"a": 1, "b": "x", "c": True, "d": 1.5}),
        ({"a": None, "": 1, "id": 1, "revision": 9, "anchor": "x"}, {}),
        ({"a": {"b": 1}}, {"a_json": '{"b": 1}'}),
        (
            {"a": ["x", "y"], "b": [], "c": [1, 2], "d": [1.5, 2.5]},
            {"a": ["x", "y"], "b": [], "c": [1, 2], "d": [1.5, 2.5]},
        ),
        (
            {"a": [1, "x"], "b": [None], "c": [1, 2.5], "d": [[1]]},
            {"a_json": '[1, "x"]', "b_json": "[null]", "c_json": "[1, 2.5]", "d_json": "[[1]]"},
        ),
        ({"a": 2**63 - 2, "b": 2**70}, {"a": 2**63 - 2, "b_json": str(2**70)}),
    ],
)
def test_properties_fit_a_graph(db, given, flat):
    assert one(db, "SELECT fourfold.flat_properties(%s::jsonb)", [json.dumps(given)]) == flat


@pytest.mark.parametrize(
    "location, latitude, longitude",
    [
        ({"lat": 52.5, "lng": 13.4}, 52.5, 13.4),
        ({"latitude": 1, "longitude": 2}, 1, 2),
        ({"lat": "52", "lng": 181}, None, None),
        ({"lat": 91, "lng": 0}, None, 0),
        ([], None, None),
    ],
)
def test_locations_of_memories(db, dots, location, latitude, longitude):
    memory = dots.memory(dots.user(), "m", location=json.dumps(location))
    node = properties(db, "node_memory_unit", memory)
    assert (node.get("latitude"), node.get("longitude")) == (latitude, longitude)


def test_views_are_read_by_index(db):
    """A page of keys never scans a table."""
    user = one(
        db,
        "INSERT INTO dots.users (username, email, password_hash, region)"
        " VALUES ('u', 'u@example.org', 'x', 'eu') RETURNING user_id",
    )
    db.execute(
        "INSERT INTO dots.concepts (user_id, name) SELECT %s, 'c' || g"
        " FROM generate_series(1, 20000) AS g",
        [user],
    )
    db.execute(
        "INSERT INTO dots.relationships (type, from_id, to_id)"
        " SELECT 'RELATED_TO', concept_id, lead(concept_id, 1, concept_id) OVER ()"
        " FROM dots.concepts"
    )
    db.execute("ANALYZE")
    keys = column(db, "SELECT concept_id::text FROM dots.concepts LIMIT 50")
    for view, by in (
        ("node_concept", "key"),
        ("vector_user_concept", "key"),
        ("edge_created_concept", "anchor"),
        ("edge_relationship", "anchor"),
        ("edge_relationship", "from_key"),
        ("edge_relationship", "to_key"),
    ):
        plan = "\n".join(
            column(
                db,
                f"EXPLAIN SELECT key::text FROM dots.{view} WHERE {by} = ANY (%s::text[]::uuid[])",
                [keys],
            )
        )
        assert "Seq Scan on concepts" not in plan and "Seq Scan on relationships" not in plan, view


BAD_VIEWS = {
    "uncovered table": (
        "SELECT n.*, (SELECT count(*) FROM lab.other) AS n FROM {own}",
        "lab.other",
    ),
    "through a view": ("SELECT n.* FROM {own} CROSS JOIN lab.over_other", "lab.other"),
    "through a function": ("SELECT n.*, lab.counted() FROM {own}", "lab.other"),
    "materialised view": ("SELECT n.* FROM {own} CROSS JOIN lab.stale", "materialised"),
    "volatile builtin": ("SELECT n.*, random() AS r FROM {own}", "volatile"),
    "volatile function": ("SELECT n.*, lab.moody() FROM {own}", "volatile"),
    "now()": ("SELECT n.*, now() AS r FROM {own}", "without a write"),
    "CURRENT_TIMESTAMP": ("SELECT n.*, CURRENT_TIMESTAMP AS r FROM {own}", "without a write"),
    "opaque body": ("SELECT n.*, lab.opaque() FROM {own}", "BEGIN ATOMIC"),
    "write-only column": (
        "SELECT n.*, w.secret FROM {own} JOIN lab.words AS w ON w.id = n.key",
        "secret",
    ),
    "missing column": ("SELECT key, owner FROM {own}", "no column properties"),
}
LAB = """
CREATE SCHEMA lab;
CREATE TABLE lab.words (id int PRIMARY KEY, secret text);
CREATE TABLE lab.other (id int PRIMARY KEY);
CREATE VIEW lab.over_other AS SELECT id AS other_id FROM lab.other;
CREATE MATERIALIZED VIEW lab.stale AS SELECT 1 AS stale;
CREATE FUNCTION lab.counted() RETURNS bigint STABLE RETURN (SELECT count(*) FROM lab.other);
CREATE FUNCTION lab.moody() RETURNS int LANGUAGE sql VOLATILE RETURN 1;
CREATE FUNCTION lab.opaque() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
"""
OWN = "(SELECT id AS key, NULL::int AS owner, '{}'::jsonb AS properties FROM lab.words) AS n"


def lab_problems(db, view, dirty=()):
    db.execute(LAB)
    db.execute("CREATE VIEW lab.node_word AS " + view.replace("{own}", OWN))
    pack = {
        "name": "lab",
        "schema": "lab",
        "entities": {"words": {"writeOnly": ["secret"]}, "other": {}},
        "graph": {"keyLabel": "N", "nodes": {"Word": {"entity": "words", "view": "node_word"}}},
        "dirty": list(dirty),
    }
    return db.execute(
        "SELECT place, problem FROM fourfold.pack_problems(%s::jsonb)", [json.dumps(pack)]
    ).fetchall()


@pytest.mark.parametrize("name", BAD_VIEWS)
def test_a_bad_view_is_found(db, name):
    view, word = BAD_VIEWS[name]
    ((place, problem),) = lab_problems(db, view)
    assert place == "graph.nodes.Word" and word in problem


def test_a_dirty_entry_covers_a_table(db):
    entry = {"on": ["other"], "of": "words", "keys": "SELECT id FROM lab.words"}
    assert lab_problems(db, BAD_VIEWS["uncovered table"][0], [entry]) == []


@pytest.mark.parametrize(
    "entry, place, word",
    [
        (
            {"on": ["other"], "of": "words", "keys": "SELECT nothing FROM changed"},
            "dirty[0]",
            "nothing",
        ),
        ({"on": ["nobody"], "of": "words", "keys": "SELECT 1"}, "dirty[0]", "nobody"),
        (
            {"on": ["other"], "of": "words", "columns": ["no"], "keys": "SELECT 1"},
            "entities.other",
            "no",
        ),
    ],
)
def test_a_bad_dirty_entry_is_found(db, entry, place, word):
    problems = lab_problems(db, "SELECT n.* FROM {own}", [entry])
    assert [p for p in problems if p[0] == place and word in p[1]] == problems != []


LIVE_VIEWS = {
    "message": ("SELECT id AS key, NULL::int AS owner, '{}'::jsonb AS message FROM lab.words", ""),
    "no message": ("SELECT id AS key, NULL::int AS owner FROM lab.words", "no column message"),
    "uncovered table": (
        "SELECT w.id AS key, NULL::int AS owner, jsonb_build_object('o', o.id) AS message"
        " FROM lab.words AS w JOIN lab.other AS o ON o.id = w.id",
        "lab.other",
    ),
    "write-only column": (
        "SELECT id AS key, NULL::int AS owner, jsonb_build_object('s', secret) AS message"
        " FROM lab.words",
        "secret",
    ),
    "the clock": (
        "SELECT id AS key, NULL::int AS owner, jsonb_build_object('t', now()) AS message"
        " FROM lab.words",
        "without a write",
    ),
}


def live_problems(db, pack, *views):
    db.execute(LAB)
    for view in views:
        db.execute(view)
    whole = {
        "name": "lab",
        "schema": "lab",
        "entities": {"words": {"writeOnly": ["secret"]}, "other": {}, "seen": {
            "view": "over_other", "key": "other_id"}, "quiet": {"table": "other", "capture": False}},
    } | pack
    return db.execute(
        "SELECT place, problem FROM fourfold.pack_problems(%s::jsonb)", [json.dumps(whole)]
    ).fetchall()


@pytest.mark.parametrize("name", LIVE_VIEWS)
def test_the_view_of_a_message_is_checked(db, name):
    view, word = LIVE_VIEWS[name]
    changes = [{"of": "words", "view": "message_word", "key": "id"}]
    problems = live_problems(
        db, {"channels": {"a:{owner}": {"changes": changes}}},
        "CREATE VIEW lab.message_word AS " + view)
    if word:
        ((place, problem),) = problems
        assert place == "channels.a:{owner}.changes[0]" and word in problem
    else:
        assert problems == []


@pytest.mark.parametrize(
    "pack, place, word",
    [
        ({"channels": {"a": {"changes": [{"of": "no", "view": "v", "key": "id"}]}}},
         "channels.a.changes[0]", "no entity no"),
        ({"channels": {"a": {"changes": [{"of": "quiet", "view": "v", "key": "id"}]}}},
         "channels.a.changes[0]", "captures no entity quiet"),
        ({"caches": {"a": {"of": "words", "view": "v"}}}, "caches.a", "no column value"),
        ({"configuration": {"view": "v", "on": ["words"]}}, "configuration", "no column value"),
        ({"configuration": {"view": "missing", "on": ["words"]}}, "configuration", "not exist"),
        ({"configuration": {"view": "named", "on": ["words"]}}, "configuration", "lab.other"),
        ({"configuration": {"view": "named", "on": ["quiet"]}}, "configuration.on", "quiet"),
        ({"dirty": [{"on": ["other"], "of": "seen", "keys": "SELECT 1"}]}, "dirty[0]", "seen"),
        ({"dirty": [{"on": ["other"], "of": "seen", "lanes": ["graph"], "keys": "SELECT 1"}]},
         "dirty[0]", "seen"),
    ],
)
def test_a_bad_live_section_is_found(db, pack, place, word):
    problems = live_problems(
        db, pack,
        "CREATE VIEW lab.v AS SELECT id AS key, NULL::int AS owner, '{}'::jsonb AS message,"
        " 'n' AS name FROM lab.words",
        "CREATE VIEW lab.named AS SELECT 'n' AS name, to_jsonb(count(*)) AS value FROM lab.other")
    assert [p for p in problems if p[0] == place and word in p[1]], problems


def test_a_view_can_be_cached_and_configuration_read(db):
    cached = ("CREATE VIEW lab.cache_other AS SELECT other_id AS key, NULL::int AS owner,"
              " '{}'::jsonb AS value FROM lab.over_other")
    named = ("CREATE VIEW lab.named AS SELECT 'n' AS name, to_jsonb(count(*)) AS value"
             " FROM lab.other")
    entry = {"on": ["other"], "of": "seen", "lanes": ["live"], "keys": "SELECT key FROM changed"}
    pack = {"caches": {"c": {"of": "seen", "view": "cache_other"}}, "dirty": [entry],
            "configuration": {"view": "named", "on": ["other"]}}
    assert live_problems(db, pack, cached, named) == []
    del pack["dirty"]
    db.execute("DROP SCHEMA lab CASCADE")
    ((place, problem),) = live_problems(db, pack, cached, named)
    assert place == "caches.c" and "lab.other" in problem


@pytest.mark.parametrize(
    "view, column",
    [("node_concept", "properties"), ("node_memory_unit", "properties"),
     ("node_derived_artifact", "properties"), ("mv_entity_growth", "score"),
     ("edge_created_concept", "properties")],
)
def test_cheap_functions_are_part_of_the_plan(db, view, column):
    """One that PostgreSQL starts anew for each row made a node 40 times as expensive."""
    plan = db.execute(f"EXPLAIN (VERBOSE) SELECT {column} FROM dots.{view}").fetchall()
    text = "\n".join(row[0] for row in plan)
    assert "Output:" in text
    for function in ("rfc3339", "coordinate", "nearest_double", "growth_properties"):
        assert f"{function}(" not in text
