"""Thousands of random requests from a seed: every answer is 2xx or 4xx and the gateway stays up."""

import concurrent.futures
import itertools
import json
import os
import pathlib
import random
import time
from urllib.parse import quote

import httpx
import pytest

from api import problem
from database_state import OBJECTS

PACK = json.loads(
    (pathlib.Path(__file__).resolve().parents[2] / "schemas/dots/pack.json").read_text())
SEED = int(os.environ.get("FOURFOLD_FUZZ_SEED", "20261120"))
SECONDS = float(os.environ.get("FOURFOLD_FUZZ_SECONDS", "15"))
REQUESTS_MIN = 2000
GROWTH_BYTES_MAX = 40 * 1024 * 1024

ENTITIES = ["users", "concepts", "memories", "artifacts", "tags", "people", "locations",
            "annotations", "reflections", "conversations", "messages", "growth-events",
            "challenge-templates", "challenges", "orb-states", "activity-log", "relationships",
            "cards", "graph-connections", "sessions", "nothing"]
# Beside those of the entity.
COLUMNS = ["user_id", "name", "password_hash", "oid", "ctid", "xmax", "*", "", "name->a",
           "\"name\"", "fourfold.x", "attributes->a", "attributes->>a"]
FITTING = {
    "uuid": ["00000000-0000-4000-8000-000000000000"], "boolean": [True], "integer": [7, -1],
    "double precision": [0.5, 1, "NaN"], "jsonb": [{"a": [1]}, [], None, "x", 1.5],
    "text[]": [["a", "b"], []], "jsonb[]": [[{"a": 1}], []],
    "timestamp with time zone": ["2026-01-01", "infinity", "now"]}
OPERATORS = ["eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch", "in", "is",
             "isdistinct", "fts", "plfts", "phfts", "wfts", "cs", "cd", "ov", "sl", "sr", "nxr",
             "nxl", "adj", "not.eq", "not.in", "not.is", "eq(any)", "like(all)", "not.not.eq", "x"]
PIECES = ["", "a", "é😀", "null", "true", "0", "-1", "1e400", "9" * 40, "2026-01-01", "infinity",
          "-infinity", "epoch", "4714-11-24 BC", "(a,b)", "(", ")", "{a,b}", "{", "}", "[1,2]",
          '{"a":1}', '{"a":', '"', "'", "\\", ",", ".", "*", "%", "_", "::int", "->", "->>", "$1",
          "--", ";", "/*", "(a)*(b)*", "[", "\\1", "00000000-0000-4000-8000-000000000000",
          "x" * 300, "a&b|!c", "<->", "\t\n", "\u202e", "{\"a\",\"b\"}", "[,]", "(1,2]", "NaN"]
PREFERENCES = ["return=minimal", "return=representation", "return=headers-only", "count=exact",
               "count=planned", "count=estimated", "resolution=merge-duplicates",
               "resolution=ignore-duplicates", "missing=default", "max-affected=0",
               "max-affected=2", "max-affected=-1", "handling=strict", "wait=5", "tx=rollback", "=",
               ",,", "count"]
ACCEPTS = ["application/json", "application/vnd.pgrst.object+json", "text/csv", "*/*", "",
           "a/b;q=x"]


class Fuzz:
    """Random requests; each follows from the seed and its number alone."""

    def __init__(self, seed, users, columns):
        self.random, self.users = random.Random(seed), users
        self.columns, self.entity = columns, None

    def column(self):
        """A column of the entity, most of the time; a path into it, now and then."""
        known = self.columns.get(self.entity)
        if not known or self.random.random() < 0.05:
            return self.random.choice(COLUMNS)
        name = self.random.choice(list(known))
        return name + self.random.choices(["", "->a", "->>a", "->0", "->a->>b"],
                                          [20, 1, 1, 1, 1])[0]

    def fitting(self, name):
        """A value for a column, most of the time one of its type."""
        type_name = self.columns.get(self.entity, {}).get(name)
        if name == "user_id" and self.random.random() < 0.9:
            return self.random.choice(self.users)
        if type_name is None or self.random.random() < 0.15:
            return self.value()
        return self.random.choice(FITTING.get(type_name) or [self.piece()])

    def text(self, column):
        """A filter value."""
        value = self.fitting(column.split("-")[0])
        return value if isinstance(value, str) else json.dumps(value)

    def one(self, *choices):
        return self.random.choice(choices)

    def piece(self):
        return "".join(self.random.choices(PIECES, k=self.random.choice([1, 1, 1, 2, 3])))

    def value(self, depth=0):
        kinds = ["piece"] * 5 + ["number", "bool", "null", "user"]
        kind = self.random.choice(kinds + (["array", "object"] if depth < 4 else []))
        if kind == "array":
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        if kind == "object":
            return {self.piece(): self.value(depth + 1) for _ in range(self.random.randrange(4))}
        return {"piece": self.piece, "null": lambda: None,
                "number": lambda: self.random.choice([0, -1, 1.5, 10**30, 1e-300, 2**63]),
                "bool": lambda: True, "user": lambda: self.random.choice(self.users)}[kind]()

    def row(self):
        known = list(self.columns.get(self.entity, {})) or COLUMNS
        names = self.random.sample(known, self.random.randrange(len(known) + 1))
        if self.random.random() < 0.1:
            names.append(self.random.choice(COLUMNS))
        return {name: self.fitting(name) for name in names}

    def body(self):
        kind = self.random.random()
        if kind < 0.6:
            return self.row()
        if kind < 0.9:
            return [self.row() for _ in range(self.random.randrange(5))]
        return self.value()

    def batch(self):
        operations = []
        for _ in range(self.random.randrange(4)):
            self.entity = self.random.choice(ENTITIES)
            operation = {"op": self.one("create", "create", "update", "put", "delete", "x"),
                         "entity": self.entity, "value": self.row()}
            if self.random.random() < 0.5:
                operation["id"] = self.one(self.random.choice(self.users), self.value())
            if self.random.random() < 0.1:
                operation["if_match"] = self.value()
            operations.append(operation)
        return {"operations": operations}

    def condition(self, nested=0):
        if nested < 3 and self.random.random() < 0.15:
            inner = ",".join(self.condition(nested + 1) for _ in range(self.random.randrange(1, 4)))
            return f"{self.one('', 'not.')}{self.one('and', 'or')}({inner})"
        column = self.column()
        return ".".join([column, self.random.choice(OPERATORS), self.text(column)])

    def parameter(self):
        kind = self.random.random()
        if kind < 0.4:
            column = self.column()
            return column, f"{self.random.choice(OPERATORS)}.{self.text(column)}"
        if kind < 0.55:
            inner = ",".join(self.condition() for _ in range(self.random.randrange(1, 4)))
            return self.one("or", "and", "not.or", "not.and"), f"({inner})"
        if kind < 0.65:
            names = [self.column() + self.random.choices(["", "::text", "::int", ":a", "(a)"],
                                                         [20, 4, 1, 1, 1])[0]
                     for _ in range(self.random.randrange(1, 4))]
            return "select", ",".join(names)
        if kind < 0.75:
            names = [self.column() + self.one("", "", ".desc", ".asc.nullslast", ".desc.x")
                     for _ in range(self.random.randrange(1, 3))]
            return "order", ",".join(names)
        if kind < 0.9:
            return self.one("limit", "offset"), self.one("0", "1", "5", "100", self.piece())
        known = list(self.columns.get(self.entity) or COLUMNS)
        name = self.one("cursor", "columns", "columns", "on_conflict", "token", self.piece())
        listed = ",".join(self.random.sample(known, self.random.randrange(1, len(known) + 1)))
        return name, self.one(listed, listed, "user_id,name", self.column(), self.piece())

    def request(self):
        method = self.random.choices(
            ["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"], [8, 5, 3, 2, 2, 1, 1])[0]
        is_dots = self.random.random() < 0.98
        path = f"/v1/{'dots' if is_dots else quote(self.piece(), safe='')}/"
        if self.random.random() < 0.1:
            path, body = path + "batch", self.batch()
        else:
            self.entity = self.random.choice(ENTITIES)
            path, body = path + self.entity, self.body()
            is_item = method == "PUT" or (method != "POST" and self.random.random() < 0.3)
            if is_item or self.random.random() < 0.02:
                key = self.one(self.random.choice(self.users), self.piece())
                path += "/" + quote(key, safe="")
        pairs = [self.parameter() for _ in range(self.random.choice([0, 1, 1, 1, 2, 3]))]
        query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
        headers = {"Prefer": ", ".join(self.random.sample(PREFERENCES, self.random.randrange(3)))}
        if self.random.random() < 0.6:
            headers["Fourfold-User"] = self.random.choice(self.users)
        if self.random.random() < 0.1:
            headers["Accept"] = self.random.choice(ACCEPTS)
        if self.random.random() < 0.05:
            headers[self.one("If-Match", "If-None-Match")] = self.one("*", '"1"', "x", 'W/"a", "b"')
        return method, f"{path}?{query}" if query else path, headers, body


def columns_of(api):
    """The columns of each entity of the pack with their types."""
    found = {}
    for path, entity in PACK["entities"].items():
        table = entity.get("table") or entity.get("view") or path.replace("-", "_")
        found[path] = {row["name"]: row["type"] for row in api.sql("""
            SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
            WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum""", [f"dots.{table}"])}
    return found


@pytest.fixture
def users(api):
    return [api.user() for _ in range(3)]


def test_random_requests(api, users):
    objects = api.one(OBJECTS)
    hashes = api.one("SELECT md5(string_agg(username || password_hash, '' ORDER BY username))"
                     " FROM dots.users WHERE user_id <> ALL(%s::uuid[])", [users])
    columns = columns_of(api)
    end = time.monotonic() + SECONDS
    numbers = itertools.count()
    halves = []

    def run(_):
        sent = 0
        with httpx.Client(base_url=api.gateway.url, timeout=30) as client:
            while time.monotonic() < end:
                number = next(numbers)
                method, target, headers, body = Fuzz(
                    SEED * 1_000_003 + number, users, columns).request()
                has_body = method in ("POST", "PATCH", "PUT")
                answer = client.request(method, target, headers=headers,
                                        **({"json": body} if has_body else {}))
                what = f"seed {SEED}, request {number}: {method} {target} {headers} {body}"
                told = f"{what}\n{answer.status_code} {answer.text}"
                assert 200 <= answer.status_code < 500, told
                if answer.status_code >= 400 and method != "HEAD":
                    problem(answer, answer.status_code)
                assert "secret-hash" not in answer.text, what
                sent += 1
        return sent

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        running = [pool.submit(run, each) for each in range(4)]
        time.sleep(SECONDS / 2)
        halves.append(api.gateway.resident_bytes())
        count = sum(each.result() for each in running)
    halves.append(api.gateway.resident_bytes())
    assert count >= REQUESTS_MIN, f"only {count} requests in {SECONDS} s"
    assert halves[1] - halves[0] < GROWTH_BYTES_MAX, f"memory grows: {halves}"
    assert api.gateway.process.poll() is None
    assert api("GET", "/health/ready").status_code == 200
    assert api.one(OBJECTS) == objects
    assert api.one("SELECT md5(string_agg(username || password_hash, '' ORDER BY username))"
                   " FROM dots.users WHERE user_id <> ALL(%s::uuid[])", [users]) == hashes
