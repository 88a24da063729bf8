"""Bad input gets a clear 4xx, changes nothing and tells nothing."""

import concurrent.futures
import hashlib
import itertools
import json
import re
import time
import uuid
from urllib.parse import quote

import pytest

from api import done, problem
from database_state import state
from waiting import wait_until

NOBODY = "00000000-0000-4000-8000-000000000000"
SECRET = "only-in-a-row-7f3a"
# What PostgreSQL's own messages and our statements would look like.
LEAKS = re.compile(
    r"SELECT |INSERT |UPDATE |DELETE |FROM dots|jsonb_populate|row_to_json|syntax error|relation \""
    r"|column \"|LINE \d|pg_catalog|invalid input syntax|\$\d|violates")


@pytest.fixture(scope="module")
def user(api):
    user = api.user()
    api.concept(user, name=SECRET, description=SECRET, attributes=json.dumps({"a": SECRET}))
    return user


def test_what_postgresql_refuses_is_logged_without_the_row(api, stores):
    secrets = [f"logged-{uuid.uuid4().hex}" for _ in range(3)]
    row = {"username": secrets[0], "email": f"{secrets[1]}@example.org", "region": "eu",
           "password_hash": secrets[2]}
    assert api("POST", "users", json=row | {"email": secrets[1]}).status_code == 422
    assert api("POST", "users", json=row).status_code == 201
    assert api("POST", "users", json=row).status_code == 409
    log = (stores.run_dir / "log" / "postgres.log").read_text(errors="replace")
    assert "violates check constraint" in log and "violates unique constraint" in log
    for text in (log, api.gateway.log()):
        assert not [secret for secret in secrets if secret in text]


@pytest.fixture
def unchanged(api, user):
    """Nothing in the database may change during the test."""
    before = state(api)
    yield
    assert state(api) == before


def refused(answer):
    """Asserts a clear 4xx that tells neither rows nor SQL, and returns the problem."""
    assert 400 <= answer.status_code < 500, f"{answer.status_code}: {answer.text[:500]}"
    found = problem(answer, answer.status_code)
    assert found["detail"] and found["title"]
    told = " ".join([found["title"], found["detail"], found["hint"] or "",
                     *(error["message"] for error in found["errors"])])
    # Between backquotes a piece of the request comes back.
    assert not LEAKS.search(re.sub("`.*`", "", told)), told
    assert SECRET not in answer.text
    return found


# Bodies.

DEEP = "[" * 5000 + "]" * 5000
BODIES = {
    "broken": b'{"name":',
    "trailing": b'{"name":"x"} x',
    "two values": b'{"name":"x"}{"name":"y"}',
    "comment": b'{"name":"x"} // y',
    "trailing comma": b'{"name":"x",}',
    "single quotes": b"{'name':'x'}",
    "raw NUL": b'{"name":"a\x00b"}',
    "NUL after": b'{"name":"x"}\x00',
    "escaped NUL": b'{"name":"a\\u0000b"}',
    "escaped NUL in a key": b'{"name":"x","attributes":{"a\\u0000":1}}',
    "escaped NUL deep": b'{"name":"x","attributes":{"a":[{"b":"\\u0000"}]}}',
    "control character": b'{"name":"a\x01b"}',
    "invalid UTF-8": b'{"name":"\xff\xfe"}',
    "cut UTF-8": b'{"name":"\xe2\x82"}',
    "overlong UTF-8": b'{"name":"\xc0\xaf"}',
    "surrogate in UTF-8": b'{"name":"\xed\xa0\x80"}',
    "lone surrogate": b'{"name":"\\ud800"}',
    "UTF-16": '{"name":"x"}'.encode("utf-16"),
    "NaN": b'{"name":"x","attributes":NaN}',
    "Infinity": b'{"name":"x","attributes":Infinity}',
    "leading zero": b'{"name":"x","attributes":012}',
    "hexadecimal": b'{"name":"x","attributes":0x12}',
    "huge exponent": b'{"name":"x","attributes":{"n":1e131071}}',
    "huge negative exponent": b'{"name":"x","attributes":{"n":1e-131071}}',
    "overflowing exponent": b'{"name":"x","attributes":{"n":1e99999999999999999999}}',
    "huge number": b'{"name":"x","attributes":{"n":' + b"9" * 200_000 + b"}}",
    "deep arrays": DEEP.encode(),
    "deep attributes": b'{"name":"x","attributes":' + DEEP.encode() + b"}",
    "deep objects": b'{"name":"x","attributes":' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}",
    "number for a timestamp": b'{"name":"x","created_at":1e308}',
    "object for a text": b'{"name":"x","created_at":{"a":1}}',
    "array for a uuid": b'{"name":"x","concept_id":[1]}',
    "boolean for a timestamp": b'{"name":"x","created_at":true}',
    "name of 300": json.dumps({"name": "n" * 300}).encode(),
    "name of 900 kB": json.dumps({"name": "n" * 900_000}).encode(),
    "empty key": b'{"":1,"name":"x"}',
    "many keys": json.dumps({f"k{n}": n for n in range(20_000)} | {"name": "x"}).encode(),
    "1,001 rows": json.dumps([{"name": str(n)} for n in range(1001)]).encode(),
    "rows of another kind": b'[{"name":"x"},null,3,"a",[]]',
    "SQL in a key": b'{"name\\"; DROP TABLE dots.concepts; --":"x"}',
}


@pytest.mark.parametrize("content", BODIES.values(), ids=list(BODIES))
@pytest.mark.parametrize("method, path", [
    ("POST", "concepts"), ("PATCH", f"concepts/{NOBODY}"), ("PUT", f"concepts/{NOBODY}"),
    ("PATCH", "concepts?name=eq.x")])
def test_bodies(api, user, unchanged, method, path, content):
    answer = api(method, path, user=user, content=content,
                 headers={"Content-Type": "application/json"})
    if answer.status_code == 404:
        # PATCH of a row that is not there, with a body that only the row's columns could refuse.
        assert method == "PATCH"
    elif answer.status_code in (200, 204):
        assert path == "concepts?name=eq.x"
    else:
        refused(answer)


@pytest.mark.parametrize("content", BODIES.values(), ids=list(BODIES))
def test_bodies_of_a_batch(api, user, unchanged, content):
    sent = b'{"operations":[{"op":"create","entity":"concepts","value":' + content + b"}]}"
    refused(api("POST", "batch", user=user, content=sent,
                headers={"Content-Type": "application/json"}))


def test_errors_stay_small(api, user):
    keys = {f"k{n}" * 50: n for n in range(5000)}
    answer = api("POST", "concepts", keys, user=user)
    assert len(refused(answer)["errors"]) <= 100 and len(answer.content) < 50_000
    answer = api("GET", f"concepts?{'x' * 5000}=eq.1", user=user)
    refused(answer)
    assert len(answer.content) < 3000


GOOD = {
    "names": ["'", '"', "\\", "%", "_", "$1", "{}", "\u2028", "😀", "\ufeffx", "a\tb\nc\r", " ",
              "'; DROP TABLE dots.concepts; --", "\u0001", "null", "NULL", "\\x00", "%00", "؀",
              "é" * 255],
}


@pytest.mark.parametrize("name", GOOD["names"])
def test_any_text_round_trips(api, name):
    owner = api.user()
    body = {"user_id": owner, "name": name, "description": name,
            "attributes": {name: [name, {name: name}]}}
    value = done(api("POST", "concepts", body), 201)
    (row,) = api.sql("SELECT * FROM dots.concepts WHERE user_id = %s", [owner])
    assert {key: row[key] for key in ("name", "description", "attributes")} == {
        key: value[key] for key in ("name", "description", "attributes")} == {
        key: body[key] for key in ("name", "description", "attributes")}
    found = done(api("GET", f"concepts?name=eq.{quote(name)}", user=owner), 200)
    assert [each["name"] for each in found] == [name]
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    found = done(api("GET", f"concepts?name=in.({quote(chr(34) + quoted + chr(34))})", user=owner),
                 200)
    assert [each["name"] for each in found] == [name]


@pytest.mark.parametrize("number", ["0", "-0", "1e3", "1E+2", "123456789012345678901234567890",
                                    "0.1", "1e400", "-1.5e-300"])
def test_numbers_keep_their_value(api, number):
    owner = api.user()
    content = f'{{"user_id":"{owner}","name":"n","attributes":{{"n":{number}}}}}'
    answer = api("POST", "concepts", content=content, headers={"Content-Type": "application/json"})
    done(answer, 201)
    assert api.one("SELECT attributes->'n' = %s::jsonb FROM dots.concepts WHERE user_id = %s",
                   [number, owner])


# SQL, Cypher and GraphQL in every string.

INJECTIONS = [
    "'; DROP TABLE dots.concepts; --", '"; DROP TABLE dots.concepts; --', "' OR '1'='1",
    "1) OR (1=1", "x') UNION SELECT password_hash FROM dots.users --", "$$; SELECT 1; $$",
    "\\'; SELECT 1 --", "a'||(SELECT current_user)||'", "name; SELECT pg_sleep(10)",
    "name FROM dots.users --", "(SELECT 1)", "*/ DROP SCHEMA dots CASCADE /*", "::regclass",
    "concepts\"; --", "%27%20OR%201=1", "}) DETACH DELETE n //", "`; MATCH (n) DETACH DELETE n //",
    '"}}) { id } } #', "$1", "\\x27", "pg_sleep(10)", "public.\"concepts\"", "..",
    "%s%n", "{{7*7}}"]

TARGETS = {
    "entity": "/v1/dots/{}",
    "pack": "/v1/{}/concepts",
    "route": "/{}",
    "id": "/v1/dots/concepts/{}",
    "id of a view": "/v1/dots/cards/{}",
    "third segment": f"/v1/dots/concepts/{NOBODY}/{{}}",
    "filter value": "/v1/dots/concepts?name=eq.{}",
    "filter value of a uuid": "/v1/dots/concepts?concept_id=eq.{}",
    "filter value of a time": "/v1/dots/concepts?created_at=gt.{}",
    "filter value of JSON": "/v1/dots/concepts?attributes=cs.{}",
    "operator": "/v1/dots/concepts?name={}.x",
    "whole filter": "/v1/dots/concepts?name={}",
    "modifier": "/v1/dots/concepts?name=eq({}).x",
    "language": "/v1/dots/concepts?description=fts({}).x",
    "text query": "/v1/dots/concepts?description=fts.{}",
    "web query": "/v1/dots/concepts?description=wfts.{}",
    "pattern": "/v1/dots/concepts?name=like.{}",
    "expression": "/v1/dots/concepts?name=match.{}",
    "list": "/v1/dots/concepts?name=in.({})",
    "quoted list": '/v1/dots/concepts?name=in.("{}")',
    "any": "/v1/dots/concepts?name=eq(any).{{{}}}",
    "column": "/v1/dots/concepts?{}=eq.1",
    "JSON path": "/v1/dots/concepts?attributes->{}=eq.1",
    "JSON text path": "/v1/dots/concepts?attributes->>{}=eq.1",
    "logic": "/v1/dots/concepts?or=({})",
    "logic value": "/v1/dots/concepts?or=(name.eq.{},name.eq.x)",
    "logic column": "/v1/dots/concepts?and=({}.eq.x)",
    "select": "/v1/dots/concepts?select={}",
    "alias": "/v1/dots/concepts?select={}:name",
    "quoted alias": '/v1/dots/concepts?select="{}":name',
    "cast": "/v1/dots/concepts?select=name::{}",
    "select path": "/v1/dots/concepts?select=attributes->>{}",
    "order": "/v1/dots/concepts?order={}",
    "order direction": "/v1/dots/concepts?order=name.{}",
    "order path": "/v1/dots/concepts?order=attributes->{}",
    "limit": "/v1/dots/concepts?limit={}",
    "offset": "/v1/dots/concepts?offset={}",
    "cursor": "/v1/dots/concepts?cursor={}",
    "parameter": "/v1/dots/concepts?{}",
    "item select": f"/v1/dots/concepts/{NOBODY}?select={{}}",
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_injection_into_reads(api, user, unchanged, target):
    for text in INJECTIONS:
        answer = api("GET", target.format(quote(text, safe="")), user=user)
        if answer.status_code == 200:
            # One row of the user is all that there is to see.
            assert "secret-hash" not in answer.text
            assert isinstance(answer.json(), dict) or len(answer.json()) <= 1
        else:
            refused(answer)


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
@pytest.mark.parametrize("target", [
    "concepts?name=eq.{}", "concepts?{}=eq.1", "concepts?name=eq.zzz&select={}",
    "concepts?name=eq.zzz&columns={}", "concepts?on_conflict={}&name=eq.zzz", "{}?name=eq.zzz",
    "concepts/{}"])
def test_injection_into_writes(api, user, unchanged, method, target):
    for text in INJECTIONS:
        body = None if method == "DELETE" else {"status": "x"}
        answer = api(method, target.format(quote(text, safe="")), body, user=user,
                     prefer="return=representation,resolution=merge-duplicates")
        if answer.status_code == 200:
            assert answer.json() == []
        else:
            refused(answer)


@pytest.mark.parametrize("header", [
    "Fourfold-User", "Prefer", "If-Match", "If-None-Match", "Fourfold-Token", "Accept",
    "Request-Timeout", "Content-Type", "Authorization", "X-Anything", "Idempotency-Key"])
def test_injection_into_headers(api, user, unchanged, header):
    for text in INJECTIONS:
        for value in (text, f'"{text}"', f"count={text}, return={text}"):
            for method, path in (("GET", "concepts?limit=1"), ("PATCH", f"concepts/{NOBODY}")):
                headers = {"Fourfold-User": user} | {header: value}
                if method == "PATCH" and header != "Content-Type":
                    headers["Content-Type"] = "application/json"
                answer = api(method, path, headers=headers,
                             content=b'{"status":"x"}' if method == "PATCH" else None)
                if not answer.is_success:
                    refused(answer)


@pytest.mark.parametrize(
    "op, entity, id, if_match", list(itertools.product([True, False], repeat=4)))
def test_injection_into_batches(api, user, unchanged, op, entity, id, if_match):
    for text in INJECTIONS:
        operation = {
            "op": text if op else "update", "entity": text if entity else "concepts",
            "id": text if id else NOBODY, "if_match": text if if_match else '"1"', "value": {}}
        refused(api("POST", "batch", {"operations": [operation]}, user=user))


# Size.


def test_ten_thousand_elements(api, user):
    for count in (1001, 10_000):
        names = ",".join(f"n{number}" for number in range(count))
        answer = api("GET", f"concepts?name=in.({names})", user=user)
        assert answer.status_code in (400, 414)
        refused(answer)
    keys = ",".join(str(uuid.uuid4()) for _ in range(150))
    done(api("GET", f"concepts?concept_id=in.({keys})", user=user), 200)


@pytest.mark.parametrize("query", [
    "&".join(f"name=neq.{n}" for n in range(101)), "or=(" + "and(" * 20 + "name.eq.x" + ")" * 21,
    "or=(" + ",".join(["name.eq.x"] * 300) + ")", "order=" + ",".join(["name"] * 30),
    "select=" + ",".join(f"a{n}:name" for n in range(300)), "attributes" + "->a" * 50 + "=eq.1",
    "not.or=(" * 3, "name=" + "not." * 50 + "eq.x", "or=(" * 800])
def test_complex_queries(api, user, query):
    refused(api("GET", f"concepts?{query}", user=user))


# Three pieces that come again in this order: there are none, and so many ways to look for them
# that PostgreSQL would need minutes.
COSTLY = r"^(.+)(.+)(.+).*\1\2\3$"


def test_a_costly_expression_ends_at_the_deadline(api):
    user = api.user()
    api.concept(user, name="regex", description="".join(
        hashlib.sha256(str(n).encode()).hexdigest() for n in range(50)))

    def running():
        return api.one("""
            SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                AND state = 'active' AND query LIKE '%dots%concepts%'
                AND pid <> pg_backend_pid()""")

    with concurrent.futures.ThreadPoolExecutor() as pool:
        started = time.monotonic()
        asked = pool.submit(api, "GET", f"concepts?description=match.{quote(COSTLY)}", user=user,
                            headers={"Request-Timeout": "1"})
        wait_until(running, 1, message="the expression cost nothing")
        answer = asked.result()
        seconds = time.monotonic() - started
    problem(answer, 504, "deadline_exceeded")
    assert 0.9 < seconds < 3
    wait_until(lambda: not running(), 2, message="the statement was left running")
    done(api("GET", "concepts?name=match.^reg", user=user), 200)
