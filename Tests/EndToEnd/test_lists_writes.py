"""Writes to a collection: filtered changes, upserts, `columns=`."""

import uuid

import pytest

from api import SINGULAR, done, problem

NOBODY = "00000000-0000-4000-8000-000000000000"


def test_filtered_patch_replaces_columns(api):
    user = api.user()
    for number in range(3):
        api.concept(user, name=f"p{number}", attributes='{"keep":1}')
    answer = api("PATCH", "concepts?name=in.(p0,p1)", {"attributes": {"new": 2}}, user=user)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["content-range"] == "0-1/*" and answer.headers["fourfold-token"]
    assert [row["attributes"] for row in api.sql(
        "SELECT attributes FROM dots.concepts WHERE user_id = %s ORDER BY name", [user])] == [
            {"new": 2}, {"new": 2}, {"keep": 1}]


def test_filtered_patch_and_delete_return_rows_on_request(api):
    user = api.user()
    for name in ("a", "b"):
        api.concept(user, name=name)
    changed = done(api("PATCH", "concepts?name=eq.a&select=name,status", {"status": "x"},
                       user=user, prefer="return=representation"), 200)
    assert changed == [{"name": "a", "status": "x"}]
    one = api("PATCH", "concepts?name=eq.b&select=name", {"status": "y"}, user=user,
              prefer="return=representation", headers={"Accept": SINGULAR})
    assert done(one, 200) == {"name": "b"}
    gone = api("DELETE", "concepts?name=eq.a&select=name", user=user,
               prefer="return=representation, count=exact")
    assert done(gone, 200) == [{"name": "a"}] and gone.headers["content-range"].endswith("/1")
    assert api.count("concepts", "user_id = %s", [user]) == 1
    none = api("DELETE", "concepts?name=eq.none", user=user)
    assert (none.status_code, none.headers["content-range"]) == (204, "*/*")


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("query, code", [
    ("", "filter_required"), ("?select=name", "filter_required"), ("?limit=1", "filter_required"),
    ("?columns=name", "filter_required"), ("?name=eq.x&limit=1", "invalid_parameter"),
    ("?name=eq.x&order=name", "invalid_parameter"), ("?name=eq.x&offset=1", "invalid_parameter"),
    ("?nam=eq.x", "unknown_column")])
def test_a_change_of_a_collection_needs_a_filter(api, method, query, code):
    user = api.user()
    api.concept(user)
    body = {"status": "x"} if method == "PATCH" else None
    problem(api(method, f"concepts{query}", body, user=user), 400, code)
    assert api.count("concepts", "user_id = %s AND status = 'active'", [user]) == 1


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_filtered_change_without_owner_needs_an_index(api, method):
    body = {"status": "x"} if method == "PATCH" else None
    problem(api(method, "concepts?name=eq.x", body), 400, "column_not_indexed")


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_if_match_does_not_go_with_a_collection(api, method):
    user = api.user()
    api.concept(user)
    body = {"status": "x"} if method == "PATCH" else None
    answer = api(method, f"concepts?user_id=eq.{user}", body, headers={"If-Match": '"1"'})
    problem(answer, 400, "invalid_header", "If-Match")
    assert api.count("concepts", "user_id = %s AND status = 'active'", [user]) == 1


def test_singular_and_max_affected_undo_the_write(api):
    user = api.user()
    for name in ("a", "b"):
        api.concept(user, name=name)
    many = api("PATCH", f"concepts?user_id=eq.{user}", {"status": "x"},
               prefer="return=representation", headers={"Accept": SINGULAR})
    assert problem(many, 406, "not_singular")["details"] == "The result contains 2 rows"
    problem(api("DELETE", f"concepts?user_id=eq.{user}", prefer="max-affected=1"), 400,
            "max_affected_exceeded")
    assert api.count("concepts", "user_id = %s AND status = 'active'", [user]) == 2
    allowed = api("DELETE", f"concepts?user_id=eq.{user}", prefer="handling=strict, max-affected=2")
    assert allowed.status_code == 204


@pytest.mark.parametrize("value", ["=-1", "=zz", "=", "", "=1.5", "=+1", "=1 or so", "=" + "9" * 30])
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_a_bound_that_cannot_be_kept_is_refused(api, method, value):
    user = api.user()
    api.concept(user)
    body = {"PATCH": {"status": "x"}, "POST": [{"user_id": user, "name": "new"}]}.get(method)
    path = "concepts" if method == "POST" else f"concepts?user_id=eq.{user}"
    answer = api(method, path, body, prefer=f"return=minimal, max-affected{value}")
    problem(answer, 400, "invalid_header", "Prefer")
    assert api.count("concepts", "user_id = %s AND status = 'active'", [user]) == 1


@pytest.mark.parametrize("body, code", [
    ({"user_id": NOBODY}, "owner_immutable"), ({"concept_id": NOBODY}, "key_mismatch")])
def test_a_filtered_patch_moves_neither_key_nor_owner(api, body, code):
    user = api.user()
    api.concept(user)
    problem(api("PATCH", f"concepts?user_id=eq.{user}", body), 422, code)


UPSERT = "resolution=merge-duplicates,return=representation"


def test_upsert_by_key(api):
    user = api.user()
    concept = api.concept(user, name="old", description="kept")
    fresh = str(uuid.uuid4())
    answer = api("POST", "concepts", [
        {"concept_id": concept, "user_id": user, "name": "new"},
        {"concept_id": fresh, "user_id": user, "name": "fresh"}], prefer=UPSERT)
    assert [value["name"] for value in done(answer, 201)] == ["new", "fresh"]
    rows = {str(row["concept_id"]): row for row in api.sql(
        "SELECT * FROM dots.concepts WHERE user_id = %s", [user])}
    assert rows[concept]["description"] == "kept" and rows[fresh]["name"] == "fresh"


def test_upsert_by_another_unique_key(api):
    user = api.user()
    concept = api.concept(user, name="same", status="old")
    answer = api("POST", "concepts?on_conflict=user_id,name",
                 {"user_id": user, "name": "same", "status": "new"}, prefer=UPSERT)
    (value,) = done(answer, 200)
    assert value["concept_id"] == concept and value["status"] == "new"
    assert api.count("concepts", "user_id = %s", [user]) == 1


def test_ignore_duplicates(api):
    user = api.user()
    api.concept(user, name="same", status="old")
    answer = api("POST", "concepts?on_conflict=user_id,name", [
        {"user_id": user, "name": "same", "status": "new"}, {"user_id": user, "name": "other"}],
        prefer="resolution=ignore-duplicates,return=representation")
    assert [value["name"] for value in done(answer, 201)] == ["other"]
    assert api.count("concepts", "user_id = %s AND status = 'old'", [user]) == 1


@pytest.mark.parametrize("query, prefer, code", [
    ("on_conflict=name", UPSERT, "invalid_conflict_target"),
    ("on_conflict=nothing", UPSERT, "invalid_conflict_target"),
    ("on_conflict=concept_id) DO NOTHING --", UPSERT, "invalid_conflict_target")])
def test_refused_conflict_targets(api, query, prefer, code):
    user = api.user()
    answer = api("POST", f"concepts?{query}", {"user_id": user, "name": "x"}, prefer=prefer)
    problem(answer, 400, code)
    assert api.count("concepts", "user_id = %s", [user]) == 0


def test_upsert_of_the_same_row_twice(api):
    user = api.user()
    row = {"concept_id": str(uuid.uuid4()), "user_id": user, "name": "x"}
    problem(api("POST", "concepts", [row, row], prefer=UPSERT), 400, "duplicate_rows")


COLUMNS = [
    ("columns=user_id,name", None, {"name": "n", "status": "active", "description": None}),
    ('columns="user_id","name"', None, {"name": "n", "status": "active", "description": None}),
    ("columns=user_id,name,source", None, {"source": None, "status": "active"}),
    ("columns=user_id,name,source", "missing=default", {"source": "user"}),
]


@pytest.mark.parametrize("query, prefer, expected", COLUMNS)
def test_columns(api, query, prefer, expected):
    user = api.user()
    body = {"user_id": user, "name": "n", "description": "ignored", "unknown": 1}
    done(api("POST", f"concepts?{query}", [body], prefer=prefer), 201)
    (row,) = api.sql("SELECT * FROM dots.concepts WHERE user_id = %s", [user])
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize("prefer", [None, "missing=default", UPSERT, UPSERT + ",missing=default"])
@pytest.mark.parametrize("is_header", [True, False], ids=["header", "body"])
def test_columns_that_list_the_key(api, prefer, is_header):
    user, key = api.user(), str(uuid.uuid4())
    listed = "concept_id,name" + ("" if is_header else ",user_id")
    body = [{"concept_id": key, "name": "n"} | ({} if is_header else {"user_id": user})]
    done(api("POST", f"concepts?columns={listed}", body, prefer=prefer,
             user=user if is_header else None), 201)
    assert api.count("concepts", "concept_id = %s AND user_id = %s", [key, user]) == 1


@pytest.mark.parametrize("query, code", [
    ("columns=user_id,name,nothing", "unknown_column"), ("columns=user_id", "missing_column")])
def test_refused_columns(api, query, code):
    user = api.user()
    body = {"user_id": user, "name": "n"}
    problem(api("POST", f"concepts?{query}", body), 400, code)
