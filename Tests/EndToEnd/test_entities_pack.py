"""Every entity of the pack, by its catalog; relationships and what hangs on them."""

import json
import pathlib
import random
import uuid

import pytest

from api import done, problem

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACK = json.loads((ROOT / "schemas/dots/pack.json").read_text())
NOBODY = "00000000-0000-4000-8000-000000000000"


def is_written(entity):
    return entity.get("routes", True) and not entity.get("readOnly") and "view" not in entity


WRITTEN = [path for path, entity in PACK["entities"].items() if is_written(entity)]
READ = [path for path, entity in PACK["entities"].items()
        if entity.get("routes", True) and not is_written(entity)]

# What a check or a foreign key asks of a value; everything else follows from the types.
VALUES = {
    "email": lambda make: f"{uuid.uuid4().hex}@example.org",
    "role": lambda make: "user",
    "entity_type": lambda make: "concept",
    "energy_level": lambda make: 0.5,
    "difficulty": lambda make: "easy",
    "latitude": lambda make: 48.2, "longitude": lambda make: 16.4,
    "type": lambda make: "RELATED_TO",
    "from_entity": lambda make: "concepts", "to_entity": lambda make: "concepts",
    "from_id": lambda make: make.concept(), "to_id": lambda make: make.concept(),
    "conversation_id": lambda make: make.row("conversations"),
    "tpl_id": lambda make: make.row("challenge-templates"),
    "session_id": lambda make: make.session(),
    "color": lambda make: "#0a64C8",
    "rank": lambda make: random.randrange(1_000, 2**31),
}
BY_TYPE = {
    "uuid": lambda: str(uuid.uuid4()), "boolean": lambda: True, "integer": lambda: 7,
    "double precision": lambda: 0.25, "jsonb": lambda: {"a": [1, None, "ü"], "b": {"c": "\"'\\"}},
    "text[]": lambda: ["a", "b,c", "\"q\"", "ü", ""],
    "jsonb[]": lambda: [{"id": "1", "x": None}, {"text": "a,b\"c\\"}],
    "timestamp with time zone": lambda: "2026-02-03T04:05:06.789+00:00",
}


class Make:
    """Values for the rows of one owner."""

    def __init__(self, api):
        self.api, self.owner = api, api.user()

    def concept(self):
        return self.api.concept(self.owner)

    def session(self):
        return str(self.api.insert("user_sessions", "session_id", user_id=self.owner,
                                   device_info="{}"))

    def row(self, path):
        value = done(self.api("POST", path, self.body(path, False)), 201)
        return value[self.key(path)]

    def table(self, path):
        entity = PACK["entities"][path]
        return entity.get("table") or entity.get("view") or path.replace("-", "_")

    def key(self, path):
        return self.api.one("""
            SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid
                AND attnum = indkey[0]
            WHERE indrelid = %s::regclass AND indisprimary""", [f"dots.{self.table(path)}"])

    def body(self, path, is_full):
        """A body of the required columns, or of all."""
        columns = self.api.sql("""
            SELECT attname AS name, format_type(atttypid, NULL) AS type,
                attnotnull AND NOT atthasdef AS is_required
            FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0
                AND NOT attisdropped AND attgenerated = ''""", [f"dots.{self.table(path)}"])
        body = {}
        for column in columns:
            name, key = column["name"], self.key(path)
            # Only a key of words is the caller's to find.
            if name == key and column["type"] != "text" or not (is_full or column["is_required"]):
                continue
            if name == key:
                body[name] = f"key-{uuid.uuid4().hex}"
            elif name == "user_id":
                body[name] = self.owner
            elif name in VALUES:
                body[name] = VALUES[name](self)
            elif column["type"] in BY_TYPE:
                body[name] = BY_TYPE[column["type"]]()
            else:
                body[name] = f"{name} {uuid.uuid4().hex[:8]} ü'\"\\"[:64]
        return body


@pytest.fixture(scope="module")
def make(api):
    return Make(api)


@pytest.mark.parametrize("is_full", [False, True], ids=["required", "all"])
@pytest.mark.parametrize("path", WRITTEN)
def test_round_trip(api, make, path, is_full):
    body = make.body(path, is_full)
    answer = api("POST", path, body)
    value = done(answer, 201)
    key, table = make.key(path), make.table(path)
    hidden = PACK["entities"][path].get("writeOnly", [])
    stored = json.loads(api.one(
        f"SELECT row_to_json(t)::text FROM dots.{table} AS t WHERE {key} = %s", [value[key]]))
    assert {name: stored[name] for name in body} == body
    for name in hidden:
        del stored[name]
    assert value == stored
    assert answer.headers["location"] == f"/v1/dots/{path}/{value[key]}"
    assert done(api("GET", f"{path}/{value[key]}"), 200) == stored
    assert done(api("GET", f"{path}?{key}=eq.{value[key]}"), 200) == [stored]
    outbox = api.sql("SELECT op FROM fourfold.outbox WHERE entity = %s AND key = %s",
                     [path, value[key]])
    assert [row["op"] for row in outbox] == ["i"]


@pytest.mark.parametrize("path", WRITTEN)
def test_bulk_and_upsert_take_the_same_rows(api, make, path):
    bodies = [make.body(path, True) for _ in range(3)]
    values = done(api("POST", path, bodies), 201)
    key = make.key(path)
    assert len({value[key] for value in values}) == 3
    if PACK["entities"][path].get("appendOnly"):
        return
    again = [body | {key: value[key]} for body, value in zip(bodies, values, strict=True)]
    merged = api("POST", path, again,
                 prefer="resolution=merge-duplicates,return=representation")
    assert [value[key] for value in done(merged, 200)] == [value[key] for value in values]
    done(api("PUT", f"{path}/{values[0][key]}", bodies[0]), 200)
    assert done(api("PATCH", f"{path}/{values[0][key]}", {}), 200)[key] == values[0][key]
    assert api("DELETE", f"{path}/{values[0][key]}").status_code == 204


@pytest.mark.parametrize("path", READ)
def test_read_only_entities_are_lists(api, path):
    done(api("GET", f"{path}?limit=5"), 200)


def test_append_only_for_sql_too(api, make):
    event = make.row("growth-events")
    for statement in ("UPDATE dots.growth_events SET delta = 1 WHERE event_id = %s",
                      "DELETE FROM dots.growth_events WHERE event_id = %s"):
        with pytest.raises(Exception, match="append-only"):
            api.sql(statement, [event])


# Relationships.


def relate(api, start, end, user=None, **more):
    body = {"type": "RELATED_TO", "from_entity": "concepts", "from_id": start,
            "to_entity": "concepts", "to_id": end} | more
    return api("POST", "relationships", body, user=user)


def test_a_relationship_takes_the_owner_of_its_ends(api, make):
    value = done(relate(api, make.concept(), make.concept(), properties={"w": 1}), 201)
    assert value["user_id"] == make.owner and value["properties"] == {"w": 1}
    stored = api.sql("SELECT * FROM dots.relationships WHERE relationship_id = %s",
                     [value["relationship_id"]])
    assert str(stored[0]["user_id"]) == make.owner


def test_the_entities_of_the_ends_may_be_left_out(api, make):
    body = {"type": "SUPPORTS", "from_id": make.concept(), "to_id": make.concept()}
    value = done(api("POST", "relationships", body), 201)
    assert (value["from_entity"], value["to_entity"]) == ("concepts", "concepts")


REFUSED = [
    pytest.param({"to_id": NOBODY}, (409, 422), id="no-end"),
    pytest.param({"from_id": NOBODY}, (409, 422), id="no-start"),
    pytest.param({"to_entity": "memories"}, (409, 422), id="another-entity"),
    pytest.param({"from_entity": "nothing"}, (409, 422), id="unknown-entity"),
    pytest.param({"type": "CREATED"}, (422,), id="derived-type"),
    pytest.param({"type": "LIKES"}, (422,), id="unknown-type"),
    pytest.param({"type": "TAGGED_WITH"}, (422,), id="type-for-other-ends"),
    pytest.param({"properties": [1]}, (422,), id="properties"),
    pytest.param({"type": None}, (400,), id="null-type"),
    pytest.param({"type": "RELATED_TO`]->() DETACH DELETE n //"}, (422,), id="cypher"),
]


@pytest.mark.parametrize("change, statuses", REFUSED)
def test_refused_relationships(api, make, change, statuses):
    before = api.count("relationships")
    answer = relate(api, make.concept(), make.concept(), **change)
    assert answer.status_code in statuses, answer.text
    problem(answer, answer.status_code)
    assert api.count("relationships") == before


def test_both_ends_have_one_owner(api, make):
    stranger = api.user()
    mine, theirs = make.concept(), api.concept(stranger)
    for start, end in ((mine, theirs), (theirs, mine)):
        for user in (None, make.owner, stranger):
            answer = relate(api, start, end, user=user)
            assert answer.status_code in (409, 422), answer.text
    missing = relate(api, mine, NOBODY, user=make.owner).json()
    hidden = relate(api, mine, theirs, user=make.owner).json()
    assert missing == hidden, "the answer tells that another owner's row exists"
    assert relate(api, theirs, api.concept(stranger), user=make.owner).status_code in (409, 422)


def test_a_patch_keeps_the_rules(api, make):
    value = done(relate(api, make.concept(), make.concept()), 201)
    path = f"relationships/{value['relationship_id']}"
    stranger = api.concept(api.user())
    assert api("PATCH", path, {"to_id": stranger}).status_code in (409, 422)
    assert api("PATCH", path, {"type": "CREATED"}).status_code == 422
    moved = make.concept()
    assert done(api("PATCH", path, {"to_id": moved, "type": "SUPPORTS"}), 200)["to_id"] == moved


def test_deleting_an_entity_deletes_its_relationships(api, make):
    first, second, third = (make.concept() for _ in range(3))
    gone = [done(relate(api, first, second), 201), done(relate(api, third, first), 201)]
    kept = done(relate(api, second, third), 201)
    assert api("DELETE", f"concepts/{first}").status_code == 204
    for value in gone:
        problem(api("GET", f"relationships/{value['relationship_id']}"), 404, "not_found")
    assert api.count("relationships", "relationship_id = %s", [kept["relationship_id"]]) == 1
    keys = [value["relationship_id"] for value in gone]
    assert api.one("""SELECT count(*) FROM fourfold.outbox WHERE entity = 'relationships'
        AND op = 'd' AND key = ANY(%s)""", [keys]) == 2


def test_an_id_is_one_entity_only(api, make):
    shared = make.concept()
    body = {"tag_id": shared, "user_id": make.owner, "name": "the same id"}
    problem(api("POST", "tags", body), 409)
    assert api.count("tags", "tag_id = %s", [shared]) == 0


def test_deleting_a_user_deletes_their_rows(api, make):
    user = api.user()
    first, second = api.concept(user), api.concept(user)
    done(relate(api, first, second), 201)
    event = done(api("POST", "growth-events", {
        "user_id": user, "entity_id": first, "entity_type": "concept", "dim_key": "self_know",
        "delta": 0.5, "source": "test"}), 201)
    assert done(api("GET", f"users/{user}"), 200)["growth_profile"] == {"self_know": 0.5}
    assert api("DELETE", f"users/{user}").status_code == 204
    for table in ("users", "concepts", "relationships", "growth_events"):
        assert api.count(table, "user_id = %s", [user]) == 0
    problem(api("GET", f"growth-events/{event['event_id']}"), 404)
