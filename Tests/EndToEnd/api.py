"""One gateway and its database, as a test of the HTTP API sees them."""

import uuid

import psycopg
import psycopg.rows

SINGULAR = "application/vnd.pgrst.object+json"
PROBLEM_KEYS = {"type", "title", "status", "detail", "code", "hint", "instance", "errors",
                "message", "details"}


class Api:
    """Requests to a pack of a gateway; reads back through psycopg, never through the gateway."""

    def __init__(self, gateway, database_url, pack="dots"):
        self.gateway, self.database_url, self.pack = gateway, database_url, pack
        self.http = gateway.http
        self.link = psycopg.connect(
            database_url, autocommit=True, row_factory=psycopg.rows.dict_row)

    def close(self):
        self.link.close()

    def __call__(self, method, path, body=None, *, user=None, prefer=None, headers=None, **options):
        """Sends a request; `path` begins behind the pack, or with a slash."""
        sent = {"Fourfold-User": user and str(user), "Prefer": prefer} | (headers or {})
        sent = {name: value for name, value in sent.items() if value is not None}
        url = path if path.startswith("/") else f"/v1/{self.pack}/{path}"
        if body is not None:
            options["json"] = body
        return self.http.request(method, url, headers=sent, **options)

    def sql(self, statement, parameters=None):
        cursor = self.link.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []

    def one(self, statement, parameters=None):
        """The only value of the only row."""
        (row,) = self.sql(statement, parameters)
        (value,) = row.values()
        return value

    def user(self, **columns):
        """Inserts a user by SQL; its id as text."""
        name = f"user-{uuid.uuid4().hex[:12]}"
        values = {"username": name, "email": f"{name}@example.org", "password_hash": "secret-hash",
                  "region": "eu"} | columns
        return str(self.insert("users", "user_id", **values))

    def concept(self, user, **columns):
        """Inserts a concept by SQL; its id as text."""
        values = {"user_id": user, "name": f"concept-{uuid.uuid4().hex[:12]}"} | columns
        return str(self.insert("concepts", "concept_id", **values))

    def insert(self, table, key, **columns):
        names, places = ", ".join(columns), ", ".join(["%s"] * len(columns))
        return self.one(
            f"INSERT INTO {self.pack}.{table} ({names}) VALUES ({places}) RETURNING {key}",
            list(columns.values()))

    def count(self, table, condition="true", parameters=None):
        return self.one(f"SELECT count(*) FROM {self.pack}.{table} WHERE {condition}", parameters)


def problem(answer, status, code=None, field=None):
    """Asserts that the answer is a well-formed problem, and returns it."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert PROBLEM_KEYS - {"instance"} <= set(body) <= PROBLEM_KEYS
    assert body["status"] == status and body["type"] == f"/docs/errors#{body['code']}"
    assert body["message"] == body["title"] and body["details"] == body["detail"]
    if code is not None:
        assert body["code"] == code, body
    if field is not None:
        assert field in [error["field"] for error in body["errors"]], body
    return body


def done(answer, status):
    """Asserts the status, and returns the JSON of the body (None without one)."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    return answer.json() if answer.content else None
