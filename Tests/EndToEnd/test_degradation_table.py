"""What each route answers while a store is down or silent: the cells of the first table of
docs/DEGRADATION.md, which are read from there."""

import concurrent.futures
import json
import time

import pytest

from degradation import cells
from degraded_system import GRACE_SECONDS, REQUEST_SECONDS_MAX, System
from event_stream import Connection, EventStream
from waiting import wait_until
from world import Writer, world  # noqa: F401

# Until a lane has noticed, and has given up what it had under way.
LANE_SECONDS = 40
LATER_SECONDS = 3
# Both ways, with the same answers; but not PostgreSQL, which has a column for each.
COLUMNS = {
    ("postgres", "down"): "PostgreSQL down", ("postgres", "silent"): "PostgreSQL silent",
    ("neo4j", "down"): "Neo4j", ("neo4j", "silent"): "Neo4j",
    ("weaviate", "down"): "Weaviate", ("weaviate", "silent"): "Weaviate",
    ("embedder", "down"): "embedder", ("embedder", "silent"): "embedder",
    ("redis", "down"): "Redis", ("redis", "silent"): "Redis",
}
CELLS = cells("| route | PostgreSQL down |")


def word(answer, status=200, is_right=lambda body: True):
    """What the answer is called in the table."""
    text = f"{answer.status_code} {answer.text}"
    body = answer.json() if answer.content else None
    if answer.status_code in (503, 504) and status != answer.status_code:
        assert answer.headers["content-type"] == "application/problem+json", text
        code = body["code"]
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) >= 1
        return {"store_unavailable": "503", "deadline_exceeded": "504",
                "outcome_unknown": "unknown"}.get(code, text)
    if answer.status_code != status:
        return text
    if not is_right(body):
        return f"wrong: {text}"
    meta = body.get("meta", {}) if isinstance(body, dict) else {}
    mark = answer.headers.get("fourfold-degraded")
    assert mark in (None, "redis")
    if meta.get("degraded"):
        assert meta.get("reason") or meta.get("reasons"), meta
    return "degraded" if mark or meta.get("degraded") else "as ever"


def same(words):
    """The one word, or all of them."""
    found = set(words)
    return found.pop() if len(found) == 1 else str(words)


class Subject:
    """The rows and live values of one condition, made while all was well."""

    def __init__(self, system, store):
        self.system, self.store, self.http = system, store, system.gateway.http
        self.writer = Writer(self.http, system.world.user(self.http))
        self.user = self.writer.user
        self.text, self.new_name = f"harbour {time.time()}", f"new {time.time()}"
        self.concept = self.writer.concept(self.text, description="ships and gulls")
        self.other = self.writer.concept("anchor", description="iron")
        self.changed = self.writer.concept("quay")
        self.writer.relate("RELATED_TO", ("concepts", self.concept), ("concepts", self.other))
        self.states = f"/v1/dots/users/{self.user}/state"
        for path, body in (("orb", orb("calm")), ("scene", {"scene": "cave"})):
            assert self.http.put(f"{self.states}/{path}", json=body).status_code == 200
        self.kept, *self.to_end = [self.open_session() for _ in range(3)]
        system.world.assert_converged(60)
        self.vector = system.world.psql(
            "SELECT embedding FROM fourfold.entity_vectors WHERE key = %s",
            (self.concept,))[0]["embedding"]
        self.fill_cache()
        wait_until(lambda: self.configuration() == "as ever", 20)
        self.stream = EventStream(system.gateway, [
            f"user:{self.user}:cards", f"user:{self.user}:scene"]).wait_begun()
        self.made = None

    def open_session(self):
        answer = self.http.post("/v1/dots/sessions", json={
            "user_id": self.user, "device_info": {}})
        assert answer.status_code == 201, answer.text
        return answer.json()["session_id"]

    def fill_cache(self):
        redis = self.system.redis

        def stays():
            self.http.get(f"/v1/dots/cards/{self.concept}/cache/growth")
            key = f"card:{self.concept}:growth"
            found = redis.get(key)
            time.sleep(0.3)
            return found and redis.get(key) == found

        wait_until(stays, 20)

    def ask(self, method, path, body=None, status=200, is_right=lambda body: True, **options):
        if body is not None:
            options["json"] = body
        return word(self.system.request(method, path, **options), status, is_right)

    def all_of(self, *asks):
        """The one word of all these, asked at once as a first answer may differ from a second."""
        return same([each.result() for each in
                     [self.system.pool.submit(*ask) for ask in asks]])

    # The rows of the table.

    def read(self):
        return self.all_of(
            (self.ask, "GET", f"/v1/dots/concepts/{self.concept}", None, 200,
             lambda body: body["name"] == self.text),
            (self.ask, "GET", f"/v1/dots/concepts?user_id=eq.{self.user}&name=eq.anchor", None, 200,
             lambda body: [each["concept_id"] for each in body] == [self.other]),
            (self.ask, "GET", "/v1/sync/parked"))

    def write(self):
        operation = {"op": "update", "entity": "concepts", "id": self.changed,
                     "value": {"description": "by a batch"}}
        return self.all_of(
            (self.create,),
            (self.ask, "PATCH", f"/v1/dots/concepts/{self.changed}", {"description": "changed"}),
            (self.ask, "POST", "/v1/dots/batch", {"operations": [operation]}))

    def create(self):
        answer = self.system.request("POST", "/v1/dots/concepts", json={
            "user_id": self.user, "name": self.new_name})
        self.made = answer.json().get("concept_id", "nothing")
        return word(answer, 201)

    def connections(self):
        return self.ask(
            "GET", f"/v1/dots/concepts/{self.concept}/connections?types=RELATED_TO",
            is_right=lambda body: [each["id"] for each in body["nodes"]] == [self.other])

    def search(self, **body):
        def is_right(found):
            ids = {hit["id"] for hit in found["hits"]}
            return (self.other if "like" in body else self.concept) in ids

        return self.ask("POST", "/v1/dots/search", {"user_id": self.user} | body,
                        is_right=is_right)

    def hybrid(self):
        return self.search(text="harbour")

    def keyword(self):
        return self.search(text="harbour", mode="keyword")

    def vector_of_a_text(self):
        return self.search(text="harbour", mode="vector")

    def vectors(self):
        like = {"entity": "concepts", "id": self.concept}
        return self.all_of((lambda: self.search(vector=self.vector),),
                           (lambda: self.search(like=like),))

    def expand(self):
        return self.search(text="harbour", mode="keyword", expand={
            "depth": 1, "types": ["RELATED_TO"]})

    def sync(self):
        """Of a row that was written meanwhile."""
        wait_until(lambda: self.made, REQUEST_SECONDS_MAX + GRACE_SECONDS)
        if self.made == "nothing":
            return self.ask("GET", f"/v1/dots/concepts/{self.concept}/sync")

        def pending():
            answer = self.system.request("GET", f"/v1/dots/concepts/{self.made}/sync")
            assert word(answer) == "as ever"
            body = answer.json()
            states = {name: body[name]["state"] for name in ("graph", "vector")}
            assert all(state != "pending" or body[name]["revision"] is None
                       for name, state in states.items())
            assert set(states.values()) <= {"pending", "applied"}
            return [name for name, state in states.items() if state == "pending"]

        return self.settled(pending, "pending")

    def status(self):
        wait_until(lambda: self.made, REQUEST_SECONDS_MAX + GRACE_SECONDS)
        if self.made == "nothing":
            return self.ask("GET", "/v1/sync/status")

        def waiting():
            answer = self.system.request("GET", "/v1/sync/status")
            assert word(answer) == "as ever"
            lanes = {lane["lane"]: lane for lane in answer.json()["lanes"]}
            assert set(lanes) == {"graph", "vector", "live"}
            return [name for name, lane in lanes.items() if lane["state"] == "waiting"
                    and lane["last_error"] and lane["pending"] > 0]

        return self.settled(waiting, "waiting")

    def settled(self, names, verb):
        """What holds in the end, when the other lanes have done their part."""
        lane = {"neo4j": "graph", "weaviate": "vector", "embedder": "vector", "redis": "live"}[
            self.store]
        lanes = [lane] if verb == "waiting" or lane != "live" else []
        try:
            # A lane waits for a tenth of a second between its first two tries.
            wait_until(lambda: names() == lanes, LANE_SECONDS)
        except AssertionError:
            return f"{names()} {verb}"
        return f"{lane} {verb}" if lanes else "as ever"

    def state_read(self):
        return self.ask("GET", f"{self.states}/scene",
                        is_right=lambda body: body == {"scene": "cave"})

    def history_read(self):
        return self.ask("GET", f"{self.states}/orb", is_right=lambda body: body == orb("calm"))

    def state_write(self):
        return self.all_of((self.ask, "PUT", f"{self.states}/viewport", {"zoom": 2}),
                           (self.ask, "POST", f"{self.states}/unread-insights", {"add": 1}),
                           (self.ask, "DELETE", f"{self.states}/daily-stats", None, 204))

    def history_write(self):
        return self.ask("PUT", f"/v1/dots/users/{self.system.user}/state/orb", orb("awake"))

    def cache_hit(self):
        return self.ask("GET", f"/v1/dots/cards/{self.concept}/cache/growth",
                        is_right=lambda body: body["card_id"] == self.concept)

    def cache_miss(self):
        return self.ask("GET", f"/v1/dots/cards/{self.other}/cache/growth",
                        is_right=lambda body: body["card_id"] == self.other)

    def session_read(self):
        return self.ask("GET", f"/v1/dots/sessions/{self.kept}",
                        is_right=lambda body: body["session_id"] == self.kept)

    def session_write(self):
        ended = self.to_end.pop()
        return self.all_of(
            (self.ask, "POST", "/v1/dots/sessions", {"user_id": self.user, "device_info": {}}, 201),
            (self.ask, "DELETE", f"/v1/dots/sessions/{ended}", None, 204))

    def session_list(self):
        return self.ask("GET", f"/v1/dots/users/{self.user}/sessions",
                        is_right=lambda body: self.kept in {
                            each["session_id"] for each in body["items"]})

    def open_stream(self):
        """What it says, and whether it hears what another client publishes now."""
        if self.store == "redis":
            self.stream.wait_for("degraded", 20)
            return "degraded"
        self.system.redis.publish(f"user:{self.user}:scene", "foreign")
        wait_until(lambda: "foreign" in self.stream.data)
        return same({name for _, name, _ in self.stream.events} & {"degraded", "reset"}
                    or ["as ever"])

    def new_stream(self):
        started = time.monotonic()
        connection = Connection(self.system.gateway.port,
                                f"/v1/dots/events?channels=user:{self.user}:scene")
        try:
            assert time.monotonic() - started < REQUEST_SECONDS_MAX + GRACE_SECONDS
            if connection.status == 200:
                return "as ever"
            assert int(connection.headers["retry-after"]) >= 1
            body = json.loads(connection.body())
            return "503" if body["code"] == "store_unavailable" else str(body)
        finally:
            connection.close()

    def publish(self):
        return self.ask("POST", f"/v1/dots/channels/user:{self.user}:insights", {"n": 1},
                        is_right=lambda body: body["id"])

    def configuration(self):
        return self.all_of(
            (self.ask, "GET", "/v1/dots/configuration", None, 200,
             lambda body: len(body["items"]) == 2),
            (self.ask, "GET", "/v1/dots/configuration/growth-dimensions"))

    def changes(self):
        wait_until(lambda: self.made, REQUEST_SECONDS_MAX + GRACE_SECONDS)
        try:
            wait_until(self.times_told, LATER_SECONDS)
        except AssertionError:
            return "none" if self.made == "nothing" else "later"
        return "as ever"

    def times_told(self, concept=None):
        return sum(json.loads(data).get("card_id") == (concept or self.made) for _, name, data
                   in self.stream.events if name == f"user:{self.user}:cards")

    def limits(self):
        def left():
            answer = self.system.request("GET", f"{self.states}/scene",
                                         headers={"Fourfold-User": self.user})
            return answer.headers.get("ratelimit", "uncounted").split(";t=")[0]

        def counted():
            # Redis has 50 ms to count, which a busy machine may need for itself now and then.
            before, after = left(), left()
            if "uncounted" in (before, after):
                return None
            counts = [int(each.removeprefix('"owner";r=')) for each in (before, after)]
            return "as ever" if counts[0] - counts[1] == 1 else f"{before} {after}"

        try:
            return wait_until(counted, LATER_SECONDS)
        except AssertionError:
            return "uncounted"

    def live(self):
        return self.ask("GET", "/health/live", is_right=lambda body: body == {"status": "up"})

    def ready(self):
        answer = self.system.request("GET", "/health/ready")
        found = {name: each["state"] for name, each in answer.json()["stores"].items()}
        is_up = answer.json()["status"] == "up"
        assert found.pop(self.store, "up") == ("up" if is_up else "down")
        assert set(found.values()) == {"up"}, found
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) >= 1
        return f"{answer.status_code} `{answer.json()['status']}`"

    def check_made_right(self):
        """What was acknowledged has arrived everywhere, and was told once."""
        rows = [str(row["concept_id"]) for row in self.system.world.psql(
            "SELECT concept_id FROM dots.concepts WHERE name = %s", (self.new_name,))]
        # A write whose answer was 504 may have been applied.
        assert rows == [self.made] if self.made != "nothing" else len(rows) <= 1
        for row in rows:
            wait_until(lambda: self.times_told(row), 20)
            assert self.times_told(row) == 1
        for route in (self.connections, self.hybrid, self.keyword, self.vector_of_a_text,
                      self.vectors, self.expand, self.state_write, self.history_write,
                      self.cache_hit, self.cache_miss, self.session_read, self.configuration,
                      self.new_stream, self.publish):
            wait_until(lambda: route() == "as ever", 40, pause=0.2, message=route.__name__)
        assert self.session_write() == "as ever"


ROUTES = {
    "entities: read, list; parked keys": Subject.read,
    "entities: write, batch": Subject.write,
    "`…/connections`": Subject.connections,
    "`/search`, `hybrid`": Subject.hybrid,
    "`/search`, `keyword`": Subject.keyword,
    "`/search`, `vector` with a text": Subject.vector_of_a_text,
    "`/search` with `like` or `vector`": Subject.vectors,
    "`/search`, `keyword`, with `expand`": Subject.expand,
    "`…/sync`": Subject.sync,
    "`/v1/sync/status`": Subject.status,
    "states: read": Subject.state_read,
    "states: read one with a history": Subject.history_read,
    "states: write, delete": Subject.state_write,
    "states: write one with a history": Subject.history_write,
    "caches that Redis has": Subject.cache_hit,
    "caches that Redis has not": Subject.cache_miss,
    "sessions: read": Subject.session_read,
    "sessions: open, revoke": Subject.session_write,
    "sessions: list": Subject.session_list,
    "`/events`, open streams": Subject.open_stream,
    "`/events`, new streams": Subject.new_stream,
    "`/channels/…`": Subject.publish,
    "`/v1/{pack}/configuration`": Subject.configuration,
    "changes on channels": Subject.changes,
    "rate limits, where they are on": Subject.limits,
    "`/health/live`": Subject.live,
    "`/health/ready`": Subject.ready,
}


@pytest.fixture(scope="module")
def system(world):  # noqa: F811
    made = System(world, FOURFOLD_RATE_LIMIT_OWNER="1000/1h")
    # Enough for every route and its parts.
    made.pool = concurrent.futures.ThreadPoolExecutor(2 * len(ROUTES))
    yield made
    made.pool.shutdown()
    made.end()


@pytest.fixture(scope="module")
def outcome(system, request):
    """What every route did at once under this condition, and the subject, when all is well."""
    store, how = request.param
    subject, asked = Subject(system, store), {}
    system.break_(store, how)
    try:
        for route, ask in ROUTES.items():
            asked[route] = system.pool.submit(ask, subject)
        concurrent.futures.wait(asked.values())
    finally:
        system.mend(store)
    # Nobody helps: the lanes and the readers recover by themselves.
    wait_until(lambda: subject.ready() == "200 `up`", 30)
    system.world.assert_converged(60)
    yield request.param, asked, subject
    subject.stream.close()


def test_the_document_names_every_route_and_store():
    assert {route for route, _ in CELLS} == set(ROUTES)
    assert {column for _, column in CELLS} == set(COLUMNS.values())


of_all = pytest.mark.parametrize("outcome", COLUMNS, indirect=True, scope="module",
                                 ids=[" ".join(condition) for condition in COLUMNS])


@of_all
@pytest.mark.parametrize("route", ROUTES)
def test_cell(outcome, route):
    condition, asked, _ = outcome
    found = asked[route].result()
    if condition == ("redis", "silent") and found == "unknown":
        # The second table, and its own test, tell the two apart.
        found = "503"
    assert found == CELLS[route, COLUMNS[condition]]


@of_all
def test_afterwards_all_is_made_right(outcome):
    _, _, subject = outcome
    subject.check_made_right()


def orb(name):
    return {"visual_state": name, "emotional_tone": "calm", "energy_level": 0.5}
