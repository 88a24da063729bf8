"""One entity over HTTP: create, read, change, replace, delete."""

import re
import uuid

import pytest

from api import SINGULAR, done, problem

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
NOBODY = "00000000-0000-4000-8000-000000000000"


def row(api, concept):
    rows = api.sql("SELECT * FROM dots.concepts WHERE concept_id = %s", [concept])
    return rows[0] if rows else None


# Creating.


def test_post_object(api, owner):
    answer = api("POST", "concepts", {"user_id": owner, "name": "Tea", "attributes": {"a": [1]}})
    value = done(answer, 201)
    stored = row(api, value["concept_id"])
    assert UUID7.match(value["concept_id"])
    assert list(value) == ["concept_id", "user_id", "name", "description", "created_at",
                           "updated_at", "attributes", "source", "status"]
    assert (stored["name"], stored["attributes"], stored["source"], stored["status"]) == (
        "Tea", {"a": [1]}, "user", "active")
    assert answer.headers["location"] == f"/v1/dots/concepts/{value['concept_id']}"
    assert answer.headers["etag"].startswith('"') and answer.headers["fourfold-token"]
    assert done(api.http.get(answer.headers["location"]), 200) == value


def test_post_with_own_id(api, owner):
    mine = str(uuid.uuid4())
    value = done(api("POST", "concepts", {"concept_id": mine, "user_id": owner, "name": "A"}), 201)
    assert value["concept_id"] == mine and row(api, mine)["name"] == "A"


def test_the_token_is_the_transaction(api, owner):
    answer = api("POST", "concepts", {"user_id": owner, "name": "B"})
    xid = int(answer.headers["fourfold-token"].split(".")[0], 16)
    assert api.one("SELECT xid::text FROM fourfold.outbox WHERE key = %s",
                   [answer.json()["concept_id"]]) == str(xid)


def test_post_array_keeps_order(api, owner):
    names = [f"n{number}" for number in (5, 3, 9, 1, 7)]
    rows = [{"user_id": owner, "name": name} for name in names]
    values = done(api("POST", "concepts", rows), 201)
    assert [value["name"] for value in values] == names
    keys = [value["concept_id"] for value in values]
    assert len(set(keys)) == 5 and keys == sorted(keys)
    assert api.count("concepts", "user_id = %s", [owner]) == 5


def test_post_empty_array(api):
    assert done(api("POST", "concepts", []), 201) == []


@pytest.mark.parametrize("bad, status, code, field", [
    pytest.param({"name": "n" * 256}, 400, "invalid_value", "2.name", id="too-long"),
    pytest.param({}, 400, "missing_column", "2.name", id="missing"),
    pytest.param({"name": None}, 400, "missing_column", "2.name", id="null"),
    pytest.param({"name": "x", "nam": 1}, 400, "unknown_column", "2.nam", id="unknown"),
    pytest.param({"name": "x", "created_at": "soon"}, 400, "invalid_value", "2.created_at",
                 id="type"),
    pytest.param({"name": "first"}, 409, "unique_violation", None, id="unique"),
    pytest.param({"name": "x", "user_id": NOBODY}, 409, "foreign_key_violation", None,
                 id="foreign-key"),
])
def test_post_array_is_all_or_nothing(api, owner, bad, status, code, field):
    good = [{"user_id": owner, "name": name} for name in ("first", "second")]
    answer = api("POST", "concepts", [*good, {"user_id": owner} | bad])
    problem(answer, status, code, field)
    assert api.count("concepts", "user_id = %s", [owner]) == 0


def test_absent_keys_get_defaults_in_arrays_too(api, owner):
    values = done(api("POST", "concepts", [
        {"user_id": owner, "name": "a", "status": "merged"}, {"user_id": owner, "name": "b"}]), 201)
    assert [value["status"] for value in values] == ["merged", "active"]


# What a body may not say.

BODIES = [
    pytest.param("concepts", {"name": "x" * 256}, 400, "invalid_value", "name", id="too-long"),
    pytest.param("concepts", {"name": None}, 400, "missing_column", "name", id="null"),
    pytest.param("concepts", {}, 400, "missing_column", "name", id="missing"),
    pytest.param("concepts", {"name": "x", "colour": 1}, 400, "unknown_column", "colour",
                 id="unknown"),
    pytest.param("concepts", {"name": "x", "created_at": "soon"}, 400, "invalid_value",
                 "created_at", id="timestamp"),
    pytest.param("concepts", {"name": "x", "created_at": "294277-01-01"}, 400, "invalid_value",
                 "created_at", id="timestamp-range"),
    pytest.param("concepts", {"name": "x", "concept_id": "7"}, 400, "invalid_value", "concept_id",
                 id="uuid"),
    pytest.param("locations", {"name": "x", "latitude": "north", "longitude": 1}, 400,
                 "invalid_value", "latitude", id="number"),
    pytest.param("locations", {"name": "x", "latitude": 1e400, "longitude": 1}, 400,
                 "malformed_json", None, id="infinity"),
    pytest.param("locations", {"name": "x", "latitude": [1], "longitude": 1}, 400,
                 "invalid_value", "latitude", id="array-for-number"),
    pytest.param("memories", {"title": "t", "content": "c", "memory_type": "m", "media_urls": 5},
                 400, "invalid_value", "media_urls", id="number-for-array"),
    pytest.param("locations", {"name": "x", "latitude": 91, "longitude": 1}, 422, "domain_rule",
                 "latitude", id="check"),
    pytest.param("locations", {"name": "x", "latitude": 9}, 422, "domain_rule", None,
                 id="check-of-two-columns"),
    pytest.param("orb-states", {"visual_state": "v", "emotional_tone": "e", "energy_level": 1.5},
                 422, "domain_rule", "energy_level", id="check-range"),
    pytest.param("users", {"username": "u", "email": "none", "password_hash": "h", "region": "r"},
                 422, "domain_rule", None, id="check-email"),
    pytest.param("messages", {"role": "user", "content": "c", "conversation_id": NOBODY}, 409,
                 "foreign_key_violation", None, id="foreign-key"),
    pytest.param("challenges", {"tpl_id": NOBODY}, 409, "foreign_key_violation", "tpl_id",
                 id="foreign-key-column"),
    pytest.param("challenge-templates", {"name": "t", "difficulty": "odd"}, 422, "domain_rule",
                 "difficulty", id="check-of-a-list"),
]


@pytest.mark.parametrize("entity, body, status, code, field", BODIES)
def test_refused_bodies(api, owner, entity, body, status, code, field):
    owned = entity not in ("users", "challenge-templates")
    sent = body | ({"user_id": owner} if owned else {})
    if any(value == float("inf") for value in body.values()):
        answer = api("POST", entity, headers={"Content-Type": "application/json"},
                     content='{"name":"x","latitude":1e400,"longitude":1}')
        problem(answer, 400)
        return
    before = snapshot(api)
    problem(api("POST", entity, sent), status, code, field)
    assert snapshot(api) == before


def snapshot(api):
    return api.one("SELECT (SELECT count(*) FROM fourfold.outbox)")


def test_every_mistake_at_once(api, owner):
    body = problem(api("POST", "concepts", {"user_id": owner, "nme": 1, "sttus": 2}), 400,
                   "unknown_column")
    assert {error["field"] for error in body["errors"]} == {"nme", "sttus", "name"}
    assert "name" in body["hint"]


@pytest.mark.parametrize("existing, body, field", [
    pytest.param({"username": "taken"}, {"username": "taken"}, "username", id="username"),
    pytest.param({"email": "a@b.org"}, {"email": "a@b.org"}, "email", id="email"),
])
def test_unique(api, existing, body, field):
    api.user(**existing)
    new = {"username": "n", "email": "n@example.org", "password_hash": "h", "region": "r"} | body
    found = problem(api("POST", "users", new), 409, "unique_violation", field)
    assert body[field] not in found["detail"]


def test_unique_constraint_of_any_name_names_its_columns(api, owner):
    api.concept(owner, name="Same")
    answer = api("POST", "concepts", {"user_id": owner, "name": "Same"})
    problem(answer, 409, "unique_violation", "name")


def test_same_key_twice(api, owner):
    concept = api.concept(owner)
    answer = api("POST", "concepts", {"concept_id": concept, "user_id": owner, "name": "new"})
    problem(answer, 409, "unique_violation", "concept_id")


@pytest.mark.parametrize("content, media, status, code", [
    pytest.param("{}", "text/plain", 415, "unsupported_media_type", id="media-type"),
    pytest.param("a=1", "application/x-www-form-urlencoded", 415, "unsupported_media_type",
                 id="form"),
    pytest.param("{'a':1}", "application/json", 400, "malformed_json", id="single-quotes"),
    pytest.param("", "application/json", 400, "malformed_json", id="empty"),
    pytest.param("3", "application/json", 400, "invalid_body", id="number"),
    pytest.param("null", "application/json", 400, "invalid_body", id="null"),
    pytest.param('[{"name":"x"},5]', "application/json", 400, "invalid_body", id="mixed-array"),
])
def test_refused_media(api, content, media, status, code):
    answer = api("POST", "concepts", content=content, headers={"Content-Type": media})
    problem(answer, status, code)


@pytest.mark.parametrize("media", [
    "application/json", "application/json; charset=utf-8", "application/merge-patch+json"])
def test_accepted_media(api, owner, media):
    concept = api.concept(owner)
    answer = api("PATCH", f"concepts/{concept}", content='{"status":"x"}',
                 headers={"Content-Type": media})
    assert done(answer, 200)["status"] == "x"


# Reading.


def test_get_head_and_select(api, owner):
    concept = api.concept(owner, name="Read me", attributes='{"a":{"b":"deep"}}')
    full = api("GET", f"concepts/{concept}")
    assert done(full, 200)["name"] == "Read me"
    head = api("HEAD", f"concepts/{concept}")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "content-length", "content-type"):
        assert head.headers[name] == full.headers[name]
    part = api("GET", f"concepts/{concept}?select=name,deep:attributes->a->>b")
    assert done(part, 200) == {"name": "Read me", "deep": "deep"}


@pytest.mark.parametrize("method, path, code", [
    pytest.param("GET", f"/v1/dots/concepts/{NOBODY}", "not_found", id="id"),
    pytest.param("HEAD", f"/v1/dots/concepts/{NOBODY}", None, id="head"),
    pytest.param("GET", "/v1/dots/concepts/7", "not_found", id="id-of-another-type"),
    pytest.param("DELETE", "/v1/dots/concepts/7", "not_found", id="delete-id-of-another-type"),
    pytest.param("PATCH", "/v1/dots/concepts/7", "not_found", id="patch-id-of-another-type"),
    pytest.param("PATCH", f"/v1/dots/concepts/{NOBODY}", "not_found", id="patch"),
    pytest.param("DELETE", f"/v1/dots/concepts/{NOBODY}", "not_found", id="delete"),
    pytest.param("GET", "/v1/dots/nothing", "unknown_entity", id="entity"),
    pytest.param("GET", "/v1/dots/user_sessions", "unknown_entity", id="table-name"),
    pytest.param("GET", f"/v1/dots/sessions/{NOBODY}/sync", "unknown_entity",
                 id="entity-without-routes"),
    pytest.param("GET", "/v1/nothing/concepts", "unknown_pack", id="pack"),
    pytest.param("GET", "/v1/fourfold/outbox", "unknown_pack", id="engine"),
    pytest.param("GET", "/v2/dots/concepts", "unknown_route", id="version"),
    pytest.param("GET", "/", "unknown_route", id="root"),
])
def test_not_found(api, method, path, code):
    body = {} if method == "PATCH" else None
    answer = api(method, path, body)
    if method == "HEAD":
        assert (answer.status_code, answer.content) == (404, b"")
    else:
        problem(answer, 404, code)


def test_put_needs_a_key_of_the_type(api, owner):
    problem(api("PUT", "concepts/7", {"user_id": owner, "name": "x"}), 400, "invalid_value")


@pytest.mark.parametrize("accept, status", [
    ("application/json", 200), ("*/*", 200), (SINGULAR, 200), ("text/html, */*;q=0.1", 200),
    ("text/csv", 406), ("application/vnd.pgrst.plan+json", 406)])
def test_accept(api, owner, accept, status):
    answer = api("GET", f"concepts?user_id=eq.{owner}", headers={"Accept": accept})
    if accept == SINGULAR:
        problem(answer, 406, "not_singular")
    elif status == 200:
        assert done(answer, 200) == []
    else:
        assert problem(answer, 406, "not_acceptable")["hint"]


# Changing.

PATCHES = [
    pytest.param({"name": "new"}, {"name": "new", "status": "active"}, id="one-column"),
    pytest.param({"description": None}, {"description": None, "name": "old"}, id="null"),
    pytest.param({"attributes": {"b": 2}}, {"attributes": {"a": {"x": 1, "y": 2}, "b": 2}},
                 id="adds-a-member"),
    pytest.param({"attributes": {"a": {"x": None}}}, {"attributes": {"a": {"y": 2}}},
                 id="null-removes-a-member"),
    pytest.param({"attributes": {"a": {"x": {"deep": [1]}}}},
                 {"attributes": {"a": {"x": {"deep": [1]}, "y": 2}}}, id="deep"),
    pytest.param({"attributes": {"a": [None, 1]}}, {"attributes": {"a": [None, 1]}},
                 id="arrays-are-replaced"),
    pytest.param({"attributes": {"a": "text"}}, {"attributes": {"a": "text"}}, id="scalar"),
    pytest.param({"attributes": {"n": {"m": None}}},
                 {"attributes": {"a": {"x": 1, "y": 2}, "n": {}}}, id="null-in-a-new-member"),
    pytest.param({}, {"name": "old", "attributes": {"a": {"x": 1, "y": 2}}}, id="nothing"),
]


@pytest.mark.parametrize("patch, expected", PATCHES)
def test_merge_patch(api, owner, patch, expected):
    concept = api.concept(
        owner, name="old", description="d", attributes='{"a":{"x":1,"y":2}}')
    answer = api("PATCH", f"concepts/{concept}", patch)
    value = done(answer, 200)
    stored = row(api, concept)
    for column, wanted in expected.items():
        assert value[column] == wanted and stored[column] == wanted
    assert answer.headers["fourfold-token"] and answer.headers["etag"]
    assert "location" not in answer.headers
    assert api("GET", f"concepts/{concept}").headers["etag"] == answer.headers["etag"]


@pytest.mark.parametrize("patch, status, code, field", [
    pytest.param({"name": None}, 400, "missing_column", "name", id="null"),
    pytest.param({"attributes": None}, 400, "missing_column", "attributes", id="null-json"),
    pytest.param({"names": "x"}, 400, "unknown_column", "names", id="unknown"),
    pytest.param({"created_at": "soon"}, 400, "invalid_value", "created_at", id="type"),
    pytest.param({"concept_id": NOBODY}, 422, "key_mismatch", "concept_id", id="key"),
    pytest.param({"user_id": NOBODY}, 422, "owner_immutable", None, id="owner"),
    pytest.param([{"name": "x"}], 400, "invalid_body", None, id="array"),
])
def test_refused_patches(api, owner, patch, status, code, field):
    concept = api.concept(owner)
    before = row(api, concept)
    problem(api("PATCH", f"concepts/{concept}", patch), status, code, field)
    assert row(api, concept) == before


def test_patch_with_own_key_and_owner(api, owner):
    concept = api.concept(owner)
    whole = api("GET", f"concepts/{concept}").json() | {"name": "sent back whole"}
    assert done(api("PATCH", f"concepts/{concept}", whole), 200)["name"] == "sent back whole"


def test_put_creates_then_replaces(api, owner):
    concept = str(uuid.uuid4())
    made = api("PUT", f"concepts/{concept}", {
        "user_id": owner, "name": "one", "description": "d", "status": "old"})
    assert done(made, 201)["concept_id"] == concept
    assert made.headers["location"] == f"/v1/dots/concepts/{concept}"
    again = api("PUT", f"concepts/{concept}", {"user_id": owner, "name": "two"})
    value = done(again, 200)
    assert (value["name"], value["description"], value["status"]) == ("two", None, "active")
    assert "location" not in again.headers and again.headers["fourfold-token"]
    assert row(api, concept)["description"] is None


def test_put_keeps_what_is_write_only(api):
    user = api.user(display_name="Old")
    whole = api("GET", f"users/{user}").json() | {"display_name": "New"}
    assert done(api("PUT", f"users/{user}", whole), 200)["display_name"] == "New"
    stored = api.sql("SELECT * FROM dots.users WHERE user_id = %s", [user])[0]
    assert (stored["password_hash"], stored["display_name"]) == ("secret-hash", "New")


def test_put_with_another_key_in_the_body(api, owner):
    answer = api("PUT", f"concepts/{uuid.uuid4()}", {
        "concept_id": NOBODY, "user_id": owner, "name": "x"})
    problem(answer, 422, "key_mismatch", "concept_id")


def test_delete(api, owner):
    concept = api.concept(owner)
    answer = api("DELETE", f"concepts/{concept}")
    assert done(answer, 204) is None and answer.headers["fourfold-token"]
    assert row(api, concept) is None
    problem(api("DELETE", f"concepts/{concept}"), 404, "not_found")


def test_delete_of_a_row_in_use(api, owner):
    template = api.insert("challenge_templates", "tpl_id", name="t")
    api.insert("user_challenges", "ch_id", tpl_id=template, user_id=owner)
    found = problem(api("DELETE", f"challenge-templates/{template}"), 409, "row_in_use")
    assert "user_challenges" in found["detail"]
    problem(api("DELETE", f"challenge-templates?tpl_id=eq.{template}"), 409, "row_in_use")
    assert api.count("challenge_templates", "tpl_id = %s", [template]) == 1


# Entity tags.


def test_if_none_match(api, owner):
    concept = api.concept(owner)
    tag = api("GET", f"concepts/{concept}").headers["etag"]
    for sent in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        answer = api("GET", f"concepts/{concept}", headers={"If-None-Match": sent})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    other = api("GET", f"concepts/{concept}", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200
    api("PATCH", f"concepts/{concept}", {"status": "changed"})
    assert api("GET", f"concepts/{concept}", headers={"If-None-Match": tag}).status_code == 200


def test_the_tag_covers_write_only_columns_and_sql(api):
    user = api.user()
    before = api("GET", f"users/{user}").headers["etag"]
    api.sql("UPDATE dots.users SET password_hash = 'other' WHERE user_id = %s", [user])
    assert api("GET", f"users/{user}").headers["etag"] != before


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
def test_if_match(api, owner, method):
    concept = api.concept(owner)
    body = None if method == "DELETE" else {"name": "changed"}
    if method == "PUT":
        body["user_id"] = owner
    tag = api("GET", f"concepts/{concept}").headers["etag"]
    refused = api(method, f"concepts/{concept}", body, headers={"If-Match": '"0"'})
    problem(refused, 412, "precondition_failed")
    assert refused.headers["etag"] == tag
    assert row(api, concept)["name"] != "changed"
    sent = {"If-Match": f'"0", {tag}'}
    assert api(method, f"concepts/{concept}", body, headers=sent).status_code in (200, 204)


@pytest.mark.parametrize("method, status", [("PATCH", 404), ("PUT", 412), ("DELETE", 404)])
def test_if_match_any(api, owner, method, status):
    # RFC 9110 §13.2.1: where a request fails anyhow, its preconditions do not count.
    concept = api.concept(owner)
    body = None if method == "DELETE" else {"name": "changed", "user_id": owner}
    missing = api(method, f"concepts/{NOBODY}", body, headers={"If-Match": "*"})
    problem(missing, status)
    assert api.count("concepts", "concept_id = %s", [NOBODY]) == 0
    there = api(method, f"concepts/{concept}", body, headers={"If-Match": "*"})
    assert there.status_code in (200, 204)


def test_if_none_match_any_creates_only(api, owner):
    concept, body = str(uuid.uuid4()), {"user_id": owner, "name": "once"}
    first = api("PUT", f"concepts/{concept}", body, headers={"If-None-Match": "*"})
    assert first.status_code == 201
    second = api("PUT", f"concepts/{concept}", body | {"name": "twice"},
                 headers={"If-None-Match": "*"})
    problem(second, 412, "precondition_failed")
    assert row(api, concept)["name"] == "once"


@pytest.mark.parametrize("method, sent", [
    ("PATCH", "*"), ("PATCH", '"1"'), ("PUT", '"1"'), ("DELETE", "*"), ("DELETE", '"1"')])
def test_conditions_that_would_be_ignored_are_refused(api, owner, method, sent):
    concept = api.concept(owner)
    body = None if method == "DELETE" else {"name": "changed", "user_id": owner}
    answer = api(method, f"concepts/{concept}", body, headers={"If-None-Match": sent})
    problem(answer, 400, "invalid_header", "If-None-Match")
    assert row(api, concept)["name"] != "changed"


@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize("value", ["abc", '"open', "", '"a"b"c"'])
def test_malformed_tags(api, owner, header, value):
    concept = api.concept(owner)
    method = "PATCH" if header == "If-Match" else "GET"
    answer = api(method, f"concepts/{concept}", {} if method == "PATCH" else None,
                 headers={header: value})
    problem(answer, 400, "invalid_header", header)


# Prefer.


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
def test_return_minimal(api, owner, method):
    concept = api.concept(owner)
    path = "concepts" if method == "POST" else f"concepts/{concept}"
    answer = api(method, path, {"user_id": owner, "name": "min"}, prefer="return=minimal")
    assert answer.status_code == (201 if method == "POST" else 204) and answer.content == b""
    assert answer.headers["etag"] and answer.headers["fourfold-token"]
    assert api.count("concepts", "user_id = %s AND name = 'min'", [owner]) == 1


def test_return_representation_is_an_array_unless_singular(api, owner):
    body = {"user_id": owner, "name": "rep"}
    answer = api("POST", "concepts?select=name", body, prefer="return=representation")
    assert done(answer, 201) == [{"name": "rep"}]
    one = api("POST", "concepts?select=name", body | {"name": "rep2"},
              prefer="return=representation", headers={"Accept": SINGULAR})
    assert done(one, 201) == {"name": "rep2"}


# Whose rows and which methods.


@pytest.mark.parametrize("entity", ["growth-events", "orb-states", "activity-log"])
@pytest.mark.parametrize("method, path, allowed", [
    ("PATCH", "/{id}", "GET, HEAD"), ("PUT", "/{id}", "GET, HEAD"),
    ("DELETE", "/{id}", "GET, HEAD"),
    ("PATCH", "?user_id=eq.{id}", "GET, HEAD, POST"),
    ("DELETE", "?user_id=eq.{id}", "GET, HEAD, POST")])
def test_append_only(api, owner, entity, method, path, allowed):
    body = None if method == "DELETE" else {}
    answer = api(method, entity + path.format(id=owner), body)
    problem(answer, 405, "append_only")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("entity", ["cards", "graph-connections"])
@pytest.mark.parametrize("method, path", [
    ("POST", ""), ("PATCH", "/{id}"), ("PUT", "/{id}"), ("DELETE", "/{id}"),
    ("PATCH", "?user_id=eq.{id}"), ("DELETE", "?user_id=eq.{id}")])
def test_read_only(api, owner, entity, method, path):
    body = None if method == "DELETE" else {}
    answer = api(method, entity + path.format(id=owner), body)
    problem(answer, 405, "read_only_entity")
    assert answer.headers["allow"] == "GET, HEAD"


def test_cards_are_read(api, owner):
    concept = api.concept(owner, name="On a card")
    (card,) = done(api("GET", f"cards?user_id=eq.{owner}"), 200)
    assert (card["entity_id"], card["title"], card["evolution_state"]) == (
        concept, "On a card", "seed")
    assert done(api("GET", f"cards/{concept}"), 200) == card


@pytest.mark.parametrize("method, path", [("OPTIONS", "concepts"), ("PUT", "concepts"),
                                          ("POST", f"concepts/{NOBODY}"), ("GET", "batch")])
def test_other_methods(api, method, path):
    answer = api(method, path, {} if method in ("PUT", "POST") else None)
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"]


WRITE_ONLY_QUERIES = [
    "?select=password_hash", "?select=*,password_hash", "?select=x:password_hash",
    "?password_hash=eq.secret-hash", "?order=password_hash", "?password_hash=not.is.null",
    "?or=(password_hash.eq.x,username.eq.y)", '?select="password_hash"', "?password_hash->>a=eq.1"]


@pytest.mark.parametrize("query", WRITE_ONLY_QUERIES)
def test_write_only_columns_are_not_to_be_found(api, query):
    user = api.user()
    found = problem(api("GET", f"users{query}", user=user), 400, "unknown_column")
    assert "secret-hash" not in str(found)


def test_write_only_columns_are_never_shown(api):
    user = api.user(username="shown")
    for answer in (api("GET", f"users/{user}"), api("GET", "users?username=eq.shown"),
                   api("PATCH", f"users/{user}", {"password_hash": "changed-hash"}),
                   api("PATCH", f"users?user_id=eq.{user}", {"password_hash": "changed-hash"},
                       prefer="return=representation"),
                   api("DELETE", f"users?user_id=eq.{user}", prefer="return=representation")):
        assert answer.status_code == 200
        assert "hash" not in answer.text
