"""Whose rows a caller sees and changes; service keys.."""

import hashlib
import uuid

import pytest

from api import done, problem

NOBODY = "00000000-0000-4000-8000-000000000000"


def test_the_header_gives_the_owner(api, owner):
    value = done(api("POST", "concepts", {"name": "mine"}, user=owner), 201)
    assert value["user_id"] == owner
    values = done(api("POST", "concepts", [{"name": "a"}, {"name": "b"}], user=owner), 201)
    assert {each["user_id"] for each in values} == {owner}
    put = str(uuid.uuid4())
    done(api("PUT", f"concepts/{put}", {"name": "put"}, user=owner), 201)
    assert api.count("concepts", "user_id = %s", [owner]) == 4


def test_without_header_the_body_names_the_owner(api, owner):
    problem(api("POST", "concepts", {"name": "x"}), 400, "missing_column", "user_id")
    done(api("POST", "concepts", {"name": "x", "user_id": owner}), 201)


def test_header_and_body_may_agree(api, owner):
    body = {"name": "x", "user_id": owner.upper()}
    assert done(api("POST", "concepts", body, user=owner), 201)["user_id"] == owner


def test_what_is_missing_can_come_from_the_header(api):
    found = problem(api("POST", "concepts", {"name": "x"}), 400, "missing_column", "user_id")
    assert "Fourfold-User" in found["hint"]


@pytest.mark.parametrize("method, path, body", [
    ("POST", "concepts", {"name": "x", "user_id": "{other}"}),
    ("POST", "concepts", [{"name": "x"}, {"name": "y", "user_id": "{other}"}]),
    ("PUT", "concepts/{new}", {"name": "x", "user_id": "{other}"}),
    ("PATCH", "concepts/{mine}", {"user_id": "{other}"}),
    ("PATCH", "concepts?concept_id=eq.{mine}", {"user_id": "{other}"}),
], ids=["post", "array", "put", "patch", "filtered-patch"])
def test_header_and_body_that_differ(api, owner, other, method, path, body):
    mine = api.concept(owner, name="mine")
    fill = {"{other}": other}
    rows = body if isinstance(body, list) else [body]
    for row in rows:
        row.update({key: fill.get(value, value) for key, value in row.items()})
    answer = api(method, path.format(new=uuid.uuid4(), mine=mine), body, user=owner)
    problem(answer, 422, "owner_mismatch")
    assert api.count("concepts", "user_id = %s", [other]) == 0
    assert api.count("concepts", "user_id = %s", [owner]) == 1


@pytest.mark.parametrize("method, path, body", [
    ("GET", "concepts/{id}", None), ("PATCH", "concepts/{id}", {"name": "stolen"}),
    ("PUT", "concepts/{id}", {"name": "stolen"}), ("DELETE", "concepts/{id}", None),
    ("GET", "users/{user}", None), ("PATCH", "users/{user}", {"region": "x"}),
    ("DELETE", "users/{user}", None), ("GET", "cards/{id}", None),
])
def test_another_owners_row_is_not_there(api, owner, other, method, path, body):
    concept = api.concept(other, name="theirs")
    target = path.format(id=concept, user=other)
    missing = problem(api(method, path.format(id=NOBODY, user=NOBODY), body, user=owner)
                      if method != "PUT" else api(method, target, body, user=owner), 404)
    found = problem(api(method, target, body, user=owner), 404, "not_found")
    assert found | {"instance": ""} == missing | {"instance": ""}
    assert api.count("concepts", "concept_id = %s AND name = 'theirs'", [concept]) == 1
    assert api.count("users", "user_id = %s AND region = 'eu'", [other]) == 1


def test_lists_and_filtered_changes_stay_inside_the_owner(api, owner, other):
    mine, theirs = api.concept(owner), api.concept(other)
    both = f"concept_id=in.({mine},{theirs})"
    (seen,) = done(api("GET", f"concepts?{both}", user=owner), 200)
    assert seen["concept_id"] == mine
    answer = api("GET", f"concepts?or=(concept_id.eq.{theirs},user_id.eq.{other})", user=owner)
    assert done(answer, 200) == []
    head = api("HEAD", f"concepts?{both}", user=owner, prefer="count=exact")
    assert head.headers["content-range"] == "0-0/1"
    changed = api("PATCH", f"concepts?{both}", {"status": "x"}, user=owner,
                  prefer="return=representation")
    assert [value["concept_id"] for value in done(changed, 200)] == [mine]
    gone = api("DELETE", f"concepts?{both}", user=owner, prefer="return=representation")
    assert [value["concept_id"] for value in done(gone, 200)] == [mine]
    assert api.count("concepts", "concept_id = %s AND status = 'active'", [theirs]) == 1


UPSERT = "resolution=merge-duplicates"


@pytest.mark.parametrize("prefer", [UPSERT, "resolution=ignore-duplicates"])
@pytest.mark.parametrize("user_of", ["header", "body", "none"])
def test_upsert_never_touches_another_owners_row(api, owner, other, prefer, user_of):
    theirs = api.concept(other, name="theirs")
    body = {"concept_id": theirs, "name": "stolen"}
    if user_of == "body":
        body["user_id"] = owner
    answer = api("POST", "concepts", [body], prefer=prefer,
                 user=owner if user_of == "header" else None)
    assert answer.status_code in (400, 404, 409, 422) or (
        prefer != UPSERT and answer.status_code in (200, 201)), answer.text
    assert "theirs" not in answer.text
    (row,) = api.sql("SELECT * FROM dots.concepts WHERE concept_id = %s", [theirs])
    assert (row["name"], str(row["user_id"])) == ("theirs", other)


@pytest.mark.parametrize("user_of", ["header", "body"])
def test_put_never_touches_another_owners_row(api, owner, other, user_of):
    theirs = api.concept(other, name="theirs")
    body = {"name": "stolen"} | ({"user_id": owner} if user_of == "body" else {})
    answer = api("PUT", f"concepts/{theirs}", body, user=owner if user_of == "header" else None)
    problem(answer, 404 if user_of == "header" else 422)
    (row,) = api.sql("SELECT * FROM dots.concepts WHERE concept_id = %s", [theirs])
    assert (row["name"], str(row["user_id"])) == ("theirs", other)


@pytest.mark.parametrize("path", ["concepts/{id}", "concepts?concept_id=eq.{id}"])
def test_a_service_cannot_move_a_row_to_another_owner(api, owner, other, path):
    concept = api.concept(owner)
    problem(api("PATCH", path.format(id=concept), {"user_id": other}), 422, "owner_immutable")
    assert api.count("concepts", "concept_id = %s AND user_id = %s", [concept, owner]) == 1


def test_a_user_of_the_header_is_created_as_themselves(api):
    new = str(uuid.uuid4())
    body = {"username": new, "email": f"{new}@example.org", "password_hash": "h", "region": "r"}
    assert done(api("POST", "users", body, user=new), 201)["user_id"] == new


def test_a_shared_entity_is_read_by_everybody_and_written_by_services(api, owner):
    value = done(api("POST", "challenge-templates", {"name": "shared"}), 201)
    path = f"challenge-templates/{value['tpl_id']}"
    assert done(api("GET", path, user=owner), 200) == value
    for method, target in (("POST", "challenge-templates"), ("PATCH", path), ("PUT", path),
                           ("DELETE", path), ("PATCH", "challenge-templates?name=eq.shared")):
        body = None if method == "DELETE" else {"name": "changed"}
        problem(api(method, target, body, user=owner), 403, "forbidden")
    assert api.count("challenge_templates", "name = 'changed'") == 0


@pytest.mark.parametrize("header, message", [
    ("bob", "not a valid uuid"), ("", "empty"), ("x" * 300, "too long"),
    ("' OR 1=1 --", "not a valid uuid"), (f"{NOBODY}, {NOBODY}", "not a valid uuid")])
@pytest.mark.parametrize("method, path", [
    ("GET", "concepts"), ("GET", f"concepts/{NOBODY}"), ("POST", "concepts"), ("POST", "batch")])
def test_malformed_owner(api, method, path, header, message):
    body = {"name": "x"} if path == "concepts" else {
        "operations": [{"op": "create", "entity": "concepts", "value": {"name": "x"}}]}
    answer = api(method, path, body if method == "POST" else None,
                 headers={"Fourfold-User": header})
    found = problem(answer, 400, "invalid_header")
    assert message in str(found["errors"])


# Service keys.

KEY = "a-service-key"
KEYS = f"bff:{hashlib.sha256(KEY.encode()).hexdigest()},job:{hashlib.sha256(b'2').hexdigest()}"


@pytest.fixture(scope="module")
def keyed(api):
    """The same database behind a gateway that asks for keys."""
    from gateway import Gateway
    settings = {name: api.gateway.environment[name] for name in ("DATABASE_URL", "REDIS_URL")}
    served = Gateway(api.gateway.root, api.gateway.binary,
                     settings | {"FOURFOLD_AUTH": "keys", "FOURFOLD_SERVICE_KEYS": KEYS}).start()
    yield served
    assert served.stop() == 0


@pytest.mark.parametrize("authorization, status", [
    (f"Bearer {KEY}", 200), ("Bearer 2", 200), (f"bearer {KEY}", 200), (None, 401), ("", 401),
    (KEY, 401), (f"Basic {KEY}", 401), ("Bearer wrong", 401), (f"Bearer {KEY}x", 401),
    ("Bearer", 401), (f"Bearer {KEYS.split(':')[1].split(',')[0]}", 401)])
@pytest.mark.parametrize("path", ["/v1/dots/concepts?limit=1", "/v1/sync/status"])
def test_service_keys(keyed, path, authorization, status):
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = keyed.http.get(path, headers=headers)
    if status == 401:
        problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert KEY not in answer.text
    else:
        done(answer, 200)


@pytest.mark.parametrize("path", ["/v1/nothing/concepts", "/v1/dots/nothing", "/v1/dots/batch",
                                  "/v1/dots/search"])
def test_nothing_is_told_without_a_key(keyed, path):
    problem(keyed.http.get(path), 401, "unauthenticated")


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_asks_for_no_key(keyed, path):
    done(keyed.http.get(path), 200)


def test_the_log_tells_no_key(keyed):
    keyed.http.get("/v1/dots/concepts", headers={"Authorization": f"Bearer {KEY}"})
    assert KEY not in keyed.log()


def test_nobody_makes_another_user(api, owner):
    other = str(uuid.uuid4())
    row = {"username": other, "email": f"{other}@example.org", "password_hash": "x", "region": "eu"}
    problem(api("PUT", f"users/{other}", row, user=owner), 422, "owner_mismatch", "user_id")
    problem(api("PUT", f"users/{other}", row, user=owner, headers={"If-None-Match": "*"}),
            422, "owner_mismatch", "user_id")
    answer = api("POST", "batch", {"operations": [
        {"op": "put", "entity": "users", "id": other, "value": row}]}, user=owner)
    assert "owner_mismatch" in answer.text
    assert api.count("users", "user_id = %s", [other]) == 0
    # Oneself, however the id is written, and a service anybody.
    mine = {"username": owner, "email": f"{owner}@example.org"}
    done(api("PUT", f"users/{owner.upper()}", row | mine, user=owner), 200)
    done(api("PUT", f"users/{other}", row), 201)


@pytest.mark.parametrize("method, path, body", [
    ("GET", "", None), ("DELETE", "/1", {"reason": "x"}), ("POST", "/1/retry", None)])
def test_parked_keys_are_for_services(api, owner, method, path, body):
    answer = api.http.request(method, f"/v1/sync/parked{path}", json=body,
                              headers={"Fourfold-User": owner})
    problem(answer, 403, "forbidden")
