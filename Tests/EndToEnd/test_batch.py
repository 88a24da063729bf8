"""`POST /v1/{pack}/batch`: one transaction over entities."""

import uuid

import pytest

from api import done, problem

NOBODY = "00000000-0000-4000-8000-000000000000"


def batch(api, *operations, **options):
    return api("POST", "batch", {"operations": list(operations)}, **options)


def create(entity, value, **more):
    return {"op": "create", "entity": entity, "value": value} | more


def test_mixed(api, owner):
    old, gone = api.concept(owner, name="old", attributes='{"a":1}'), api.concept(owner)
    mine, put = str(uuid.uuid4()), str(uuid.uuid4())
    answer = batch(
        api,
        create("concepts", {"concept_id": mine, "user_id": owner, "name": "new"}),
        {"op": "update", "entity": "concepts", "id": old, "value": {"attributes": {"b": 2}}},
        create("tags", {"user_id": owner, "name": "tag"}),
        {"op": "put", "entity": "people", "id": put, "value": {"user_id": owner, "name": "Ann"}},
        {"op": "delete", "entity": "concepts", "id": gone},
        create("relationships", {"type": "RELATED_TO", "from_id": mine, "to_id": old}))
    results = done(answer, 200)["results"]
    assert [(each["op"], each["entity"], each["status"]) for each in results] == [
        ("create", "concepts", 201), ("update", "concepts", 200), ("create", "tags", 201),
        ("put", "people", 201), ("delete", "concepts", 204), ("create", "relationships", 201)]
    assert [results[0]["id"], results[1]["id"], results[3]["id"], results[4]["id"]] == [
        mine, old, put, gone]
    assert results[1]["value"]["attributes"] == {"a": 1, "b": 2}
    assert "value" not in results[4] and answer.headers["fourfold-token"]
    for each in (results[0], results[1]):
        assert api("GET", f"concepts/{each['id']}").headers["etag"] == each["etag"]
    assert api.count("concepts", "user_id = %s", [owner]) == 2
    assert api.count("relationships", "user_id = %s", [owner]) == 1
    # One transaction: one id for all that it wrote.
    keys = [mine, old, gone, put, results[2]["id"]]
    since = "xid = (SELECT max(xid) FROM fourfold.outbox WHERE key = %s)"
    assert api.one(
        f"SELECT count(DISTINCT key) FROM fourfold.outbox WHERE key = ANY(%s) AND {since}",
        [keys, mine]) == 5


def test_later_operations_see_earlier_ones(api, owner):
    key = str(uuid.uuid4())
    results = done(batch(
        api, create("concepts", {"concept_id": key, "user_id": owner, "name": "one"}),
        {"op": "update", "entity": "concepts", "id": key, "value": {"name": "two"}},
        {"op": "put", "entity": "concepts", "id": key, "value": {"user_id": owner, "name": "3"}},
        {"op": "delete", "entity": "concepts", "id": key}), 200)["results"]
    assert [each["status"] for each in results] == [201, 200, 200, 204]
    assert api.count("concepts", "concept_id = %s", [key]) == 0


@pytest.mark.parametrize("value", [{}, {"concept_id": "{id}"}], ids=["path", "path-and-body"])
def test_the_id_of_a_create(api, owner, value):
    key = str(uuid.uuid4())
    value = {name: key for name in value} | {"user_id": owner, "name": "x"}
    results = done(batch(api, create("concepts", value, id=key)), 200)["results"]
    assert results[0]["id"] == key and api.count("concepts", "concept_id = %s", [key]) == 1


BAD = [
    pytest.param({"op": "update", "entity": "concepts", "id": NOBODY, "value": {}}, 404,
                 "not_found", "operations.1", id="missing-row"),
    pytest.param({"op": "delete", "entity": "concepts", "id": NOBODY}, 404, "not_found",
                 "operations.1", id="missing-row-to-delete"),
    pytest.param({"op": "delete", "entity": "concepts", "id": "7"}, 404, "not_found",
                 "operations.1", id="id-of-another-type"),
    pytest.param(create("concepts", {"name": "x", "nam": 1}), 400, "unknown_column",
                 "operations.1.nam", id="unknown-column"),
    pytest.param(create("concepts", {}), 400, "missing_column", "operations.1.name", id="missing"),
    pytest.param(create("concepts", {"name": "x" * 300}), 400, "invalid_value",
                 "operations.1.name", id="too-long"),
    pytest.param(create("concepts", {"name": "first"}), 409, "unique_violation",
                 "operations.1.name", id="unique"),
    pytest.param(create("concepts", {"name": "x", "concept_id": NOBODY}, id=str(uuid.uuid4())), 422,
                 "key_mismatch", "operations.1.concept_id", id="two-ids"),
    pytest.param(create("locations", {"name": "x", "latitude": 95, "longitude": 1}), 422,
                 "domain_rule", "operations.1.latitude", id="check"),
    pytest.param(create("challenges", {"tpl_id": NOBODY}), 409, "foreign_key_violation",
                 "operations.1.tpl_id", id="foreign-key"),
    pytest.param({"op": "update", "entity": "growth-events", "id": NOBODY, "value": {}}, 405,
                 "append_only", "operations.1", id="append-only"),
    pytest.param({"op": "delete", "entity": "cards", "id": NOBODY}, 405, "read_only_entity",
                 "operations.1", id="read-only"),
    pytest.param(create("nothing", {}), 404, "unknown_entity", "operations.1", id="entity"),
    pytest.param(create("sessions", {}), 404, "unknown_entity", "operations.1", id="no-routes"),
    pytest.param({"op": "drop", "entity": "concepts"}, 400, "invalid_body", "operations.1.op",
                 id="op"),
    pytest.param({"op": "create", "entity": "concepts"}, 400, "invalid_body",
                 "operations.1.value", id="no-value"),
    pytest.param({"op": "create", "entity": "concepts", "value": [1]}, 400, "invalid_body",
                 "operations.1.value", id="array"),
    pytest.param({"op": "update", "entity": "concepts", "value": {}}, 400, "invalid_body",
                 "operations.1.id", id="no-id"),
    pytest.param({"op": "delete", "entity": "concepts", "id": NOBODY, "x": 1}, 400,
                 "invalid_body", "operations.1.x", id="unknown-member"),
    pytest.param({"op": "delete", "entity": "concepts", "id": NOBODY, "if_match": 1}, 400,
                 "invalid_body", "operations.1.if_match", id="if-match-of-another-type"),
    pytest.param({"op": "delete", "entity": "concepts", "id": {"a": 1}}, 400, "invalid_body",
                 "operations.1.id", id="id-of-another-kind"),
    pytest.param(5, 400, "invalid_body", None, id="number"),
]


@pytest.mark.parametrize("bad, status, code, field", BAD)
def test_one_bad_operation_undoes_all(api, owner, bad, status, code, field):
    if isinstance(bad, dict) and bad.get("op") == "create" and isinstance(bad.get("value"), dict):
        bad = bad | {"value": bad["value"] | {"user_id": owner}}
    first = create("concepts", {"user_id": owner, "name": "first"})
    problem(batch(api, first, bad, create("tags", {"user_id": owner, "name": "t"})),
            status, code, field)
    assert api.count("concepts", "user_id = %s", [owner]) == 0
    assert api.count("tags", "user_id = %s", [owner]) == 0


def test_mistakes_of_several_operations_at_once(api, owner):
    found = problem(batch(
        api, create("concepts", {"user_id": owner}), create("tags", {"user_id": owner, "n": 1}),
        create("people", {"user_id": owner, "name": "fine"})), 400)
    fields = {error["field"] for error in found["errors"]}
    assert fields == {"operations.0.name", "operations.1.n", "operations.1.name"}


def test_if_match(api, owner):
    concept = api.concept(owner)
    tag = api("GET", f"concepts/{concept}").headers["etag"]
    update = {"op": "update", "entity": "concepts", "id": concept, "value": {"name": "x"}}
    refused = batch(api, create("tags", {"user_id": owner, "name": "t"}),
                    update | {"if_match": '"0"'})
    problem(refused, 412, "precondition_failed", "operations.1")
    assert api.count("tags", "user_id = %s", [owner]) == 0
    done(batch(api, update | {"if_match": tag}), 200)
    assert api.count("concepts", "concept_id = %s AND name = 'x'", [concept]) == 1


@pytest.mark.parametrize("body", [
    {}, {"operations": {}}, {"operations": []}, {"operations": [], "x": 1}, [], 5, "x"])
def test_refused_bodies(api, body):
    problem(api("POST", "batch", body), 400)


def test_too_many_operations(api, owner):
    operations = [create("tags", {"user_id": owner, "name": str(n)}) for n in range(1001)]
    problem(batch(api, *operations), 400, "too_many_rows")
    done(batch(api, *operations[:1000]), 200)
    assert api.count("tags", "user_id = %s", [owner]) == 1000


def test_owners(api, owner, other):
    theirs = api.concept(other, name="theirs")
    done(batch(api, create("concepts", {"name": "mine"}), user=owner), 200)
    assert api.count("concepts", "user_id = %s", [owner]) == 1
    for operation, status in (
            ({"op": "update", "entity": "concepts", "id": theirs, "value": {"name": "x"}}, 404),
            ({"op": "delete", "entity": "concepts", "id": theirs}, 404),
            ({"op": "put", "entity": "concepts", "id": theirs, "value": {"name": "x"}}, 404),
            (create("concepts", {"user_id": other, "name": "x"}), 422)):
        problem(batch(api, operation, user=owner), status)
    assert api.count("concepts", "user_id = %s AND name = 'theirs'", [other]) == 1
