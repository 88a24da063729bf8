"""What each route answers while Redis is unwell: the cells of the second table of
docs/DEGRADATION.md, which are read from there."""

import concurrent.futures
import functools
import itertools
import json
import os
import pathlib
import time

import pytest
import redis

from api import Api
from degradation import cells
from event_stream import Connection, EventStream
from faults import FaultProxy
from gateway import Gateway, new_database
from own_redis import OwnRedis
from waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
REQUEST_SECONDS_MAX = 3
# Room for a busy machine.
GRACE_SECONDS = 2
SLOW_SECONDS = 0.3
LATER_SECONDS = 3
STREAM = "fourfold:history:dots:orb"
CELLS = cells("| route | down |")
CONDITIONS = list(dict.fromkeys(condition for _, condition in CELLS))


class System:
    """A gateway whose Redis, its own, stands behind a proxy."""

    def __init__(self, database_url, folder):
        self.redis = OwnRedis(folder)
        self.proxy = FaultProxy(("tcp", ("127.0.0.1", self.redis.port)))
        self.gateway = Gateway(ROOT, os.environ["FOURFOLD_TEST_BINARY"], {
            "DATABASE_URL": database_url, "REDIS_URL": f"redis://127.0.0.1:{self.proxy.port}",
            "FOURFOLD_PACKS": "dots", "FOURFOLD_LOOPS": 1, "FOURFOLD_RATE_LIMIT_OWNER": "20/1h",
            "FOURFOLD_REQUEST_TIMEOUT": f"{REQUEST_SECONDS_MAX}s"})
        self.gateway.migrate()
        self.api = Api(self.gateway.start(), database_url)
        self.numbers = itertools.count(1)
        self.pool = concurrent.futures.ThreadPoolExecutor(64)
        self.answers = True

    def end(self):
        self.pool.shutdown()
        self.api.close()
        code = self.gateway.stop()
        self.proxy.close()
        self.redis.end()
        assert code == 0, self.gateway.log()[-4000:]

    def __call__(self, method, path, body=None, **options):
        """The answer, which must come within the deadline."""
        started = time.monotonic()
        answer = self.api(method, path, body, **options)
        took = time.monotonic() - started
        assert took < REQUEST_SECONDS_MAX + GRACE_SECONDS, f"{method} {path} took {took:.1f} s"
        assert answer.status_code < 600 and answer.status_code not in (500, 502), answer.text
        return answer

    def is_up(self):
        return self.api("GET", "/health/ready").json()["stores"]["redis"]["state"] == "up"

    def at_once(self, *asks):
        return [each.result() for each in [self.pool.submit(ask) for ask in asks]]

    def break_(self, condition):
        self.answers = condition not in ("down", "silent")
        if condition == "down":
            self.proxy.refuse()
        elif condition == "silent":
            self.proxy.pause()
        elif condition == "slow":
            self.proxy.delay(SLOW_SECONDS)
        elif condition in ("restarted", "back empty"):
            self.redis.kill()
            if condition == "back empty":
                self.redis.lose_everything()
            self.redis.start()
            wait_until(self.is_up, 20)
        elif condition == "flushed":
            self.redis.client.flushall()
        elif condition == "read-only":
            self.redis.client.replicaof("127.0.0.1", 1)
        else:
            assert condition == "full"
            self.redis.client.config_set("maxmemory", 1)

    def mend(self, condition):
        if not self.answers:
            self.proxy.accept()
            self.proxy.resume()
            self.proxy.cut()
        self.answers = True
        self.proxy.delay(0)
        self.redis.client.replicaof("NO", "ONE")
        self.redis.client.config_set("maxmemory", 0)
        wait_until(self.is_up, 20)


def word(answer, status, is_right=lambda body: True):
    """What the answer is called in the table."""
    text = f"{answer.status_code} {answer.text}"
    mark = answer.headers.get("fourfold-degraded")
    if answer.status_code == 503:
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["content-type"] == "application/problem+json"
        return {"store_unavailable": "503", "outcome_unknown": "unknown"}.get(
            answer.json()["code"], text)
    if answer.status_code == 404:
        return "gone"
    if answer.status_code != status or mark not in (None, "redis"):
        return text
    if not is_right(answer.json() if answer.content else None):
        return f"wrong: {text}"
    return "degraded" if mark else "as ever"


def same(words):
    """The one word, or all of them."""
    found = set(words)
    return found.pop() if len(found) == 1 else str(words)


class Subject:
    """The rows and live values of one condition, made while all was well."""

    def __init__(self, system):
        self.system = system
        # Orb states by user and name: those that were taken, and those that may have been.
        self.acknowledged, self.uncertain = set(), set()
        self.users = [system.api.user() for _ in range(5)]
        self.owner, self.dropper, self.restored, self.limited, self.leaver = self.users
        self.concepts = [system.api.concept(self.owner) for _ in range(3)]
        self.name = f"n{next(system.numbers)}"
        for user in (self.owner, self.dropper, self.restored):
            assert self.put_orb(user, f"{self.name} first") == "as ever"
        wait_until(lambda: not system.redis.client.xlen(STREAM))
        system.redis.client.delete(f"user:{self.restored}:orb:state")
        for method, path, body in (
                ("PUT", "scene", {"scene": "cave"}), ("PUT", "daily-stats", {"n": 1}),
                ("POST", "recent-cards", {"item": "a"}), ("POST", "unread-insights", {"add": 3})):
            for user in (self.owner, self.dropper):
                answer = system(method, f"users/{user}/state/{path}", body)
                assert answer.status_code == 200, answer.text
        self.kept, self.ended = [self.open(self.owner) for _ in range(2)]
        self.open(self.leaver)
        self.fill_cache(self.concepts[0])
        assert system("GET", f"users/{self.limited}", user=self.limited).status_code == 200
        wait_until(lambda: word(system("GET", "configuration"), 200) == "as ever")
        self.stream = EventStream(system.gateway, [
            f"user:{self.owner}:cards", f"user:{self.owner}:scene"]).wait_begun()
        self.told = None

    def fill_cache(self, concept):
        key = f"card:{concept}:growth"

        def stays():
            self.system("GET", f"cards/{concept}/cache/growth")
            found = self.system.redis.client.get(key)
            time.sleep(0.3)
            return found and self.system.redis.client.get(key) == found

        wait_until(stays, 15)

    def open(self, user):
        answer = self.system("POST", "sessions", {"user_id": user, "device_info": {}})
        assert word(answer, 201) == "as ever", answer.text
        return answer.json()["session_id"]

    def put_orb(self, user, name):
        found = word(self.system("PUT", f"users/{user}/state/orb", orb(name)), 200,
                     lambda body: body == orb(name))
        if found == "as ever":
            self.acknowledged.add((user, name))
        elif found == "unknown":
            self.uncertain.add((user, name))
        return found

    # The rows of the table.

    def state(self, method, path, body=None, status=200, user=None, is_right=lambda body: True):
        path = f"users/{user or self.owner}/state/{path}"
        return word(self.system(method, path, body), status, is_right)

    def history_put(self):
        return self.put_orb(self.leaver, f"{self.name} second")

    def history_get(self):
        return self.state("GET", "orb", is_right=lambda body: body == orb(f"{self.name} first"))

    def history_restore(self):
        return self.state("GET", "orb", user=self.restored,
                          is_right=lambda body: body == orb(f"{self.name} first"))

    def history_delete(self):
        return self.state("DELETE", "orb", status=204, user=self.dropper)

    def plain_write(self):
        return same(self.system.at_once(*[
            functools.partial(self.state, method, path, body, user=self.leaver)
            for method, path, body in (
                ("PUT", "scene", {"scene": "sea"}), ("PUT", "viewport", {"zoom": 2}),
                ("POST", "recent-cards", {"item": "b"}), ("POST", "unread-insights", {"add": 1}))]))

    def plain_read(self):
        return same(self.system.at_once(*[
            functools.partial(self.read, path, value, empty) for path, value, empty in (
                ("scene", {"scene": "cave"}, None), ("daily-stats", {"n": 1}, None),
                ("recent-cards", {"items": ["a"]}, {"items": []}),
                ("unread-insights", {"value": 3}, {"value": 0}))]))

    def read(self, path, value, empty):
        answer = self.system("GET", f"users/{self.owner}/state/{path}")
        if answer.status_code == 200 and answer.json() == empty:
            return "gone"
        return word(answer, 200, lambda body: body == value)

    def plain_delete(self):
        return same(self.system.at_once(
            *[functools.partial(self.state, "DELETE", path, status=204, user=self.dropper)
              for path in ("scene", "unread-insights")],
            lambda: self.state("PUT", "recent-cards", {"items": ["c"]}, user=self.dropper)))

    def cache_hit(self):
        """Of a card that changed meanwhile."""
        concept = self.concepts[0]
        self.system.api.sql(
            "INSERT INTO dots.growth_events (user_id, entity_id, entity_type, dim_key, delta, "
            "source) VALUES (%s, %s, 'concept', 'self_know', 7, 'journal_entry')",
            [self.owner, concept])

        def current():
            answer = self.system("GET", f"cards/{concept}/cache/growth")
            return word(answer, 200) and answer.json()["scores"] == {"self_know": 7} and answer

        return word(wait_until(current, LATER_SECONDS), 200)

    def cache_miss(self):
        return word(self.system("GET", f"cards/{self.concepts[1]}/cache/growth"), 200,
                    lambda body: body["card_id"] == self.concepts[1])

    def configuration(self):
        """Of a value that changed meanwhile."""
        self.system.api.sql("UPDATE dots.dimensions SET name = %s WHERE dim_key = 'self_know'",
                            [self.name])

        def current():
            answer = self.system("GET", "configuration/growth-dimensions")
            return answer.json()[0]["name"] == self.name and answer

        return word(wait_until(current, LATER_SECONDS), 200)

    def session_open(self):
        answer = self.system("POST", "sessions", {"user_id": self.owner, "device_info": {}})
        self.new = answer.json().get("session_id")
        return word(answer, 201)

    def session_read(self):
        return word(self.system("GET", f"sessions/{self.kept}"), 200,
                    lambda body: body["session_id"] == self.kept)

    def session_end(self):
        return same([
            word(self.system("DELETE", f"sessions/{self.ended}"), 204),
            word(self.system("DELETE", f"users/{self.leaver}/sessions"), 200,
                 lambda body: body == {"revoked": 1})])

    def session_list(self):
        return word(self.system("GET", f"users/{self.owner}/sessions"), 200,
                    lambda body: self.kept in {each["session_id"] for each in body["items"]})

    def publish(self):
        return word(self.system("POST", f"channels/user:{self.leaver}:cards", {"n": 1}), 200,
                    lambda body: body["id"])

    def new_stream(self):
        started = time.monotonic()
        connection = Connection(self.system.gateway.port,
                                f"/v1/dots/events?channels=user:{self.leaver}:scene")
        try:
            assert time.monotonic() - started < REQUEST_SECONDS_MAX + GRACE_SECONDS
            if connection.status == 200:
                return "as ever"
            assert int(connection.headers["retry-after"]) >= 1
            assert json.loads(connection.body())["code"] == "store_unavailable"
            return str(connection.status)
        finally:
            connection.close()

    def open_stream(self):
        """What it says, and whether it hears what another client publishes now."""
        channel = f"user:{self.owner}:scene"
        if not self.system.answers:
            self.stream.wait_for("degraded", 20)
            return "degraded"
        client = self.system.redis.client
        wait_until(lambda: client.pubsub_numsub(channel)[0][1] == 1, 10)
        client.publish(channel, "foreign")
        wait_until(lambda: "foreign" in self.stream.data)
        names = {name for _, name, _ in self.stream.events}
        return "reset" if "reset" in names else "as ever"

    def limits(self):
        answer = self.system("GET", f"users/{self.limited}", user=self.limited)
        assert answer.status_code == 200
        standing = answer.headers.get("ratelimit", "uncounted").split(";t=")[0]
        return {'"owner";r=18': "as ever", '"owner";r=19': "anew"}.get(standing, standing)

    def entities(self):
        answer = self.system("POST", "concepts", {"user_id": self.owner, "name": self.name})
        self.told = answer.json()["concept_id"]
        path = f"concepts/{self.told}"
        return same([
            word(answer, 201), word(self.system("GET", path), 200),
            word(self.system("GET", f"concepts?user_id=eq.{self.owner}"), 200),
            word(self.system("PATCH", f"concepts/{self.concepts[2]}", {"description": "x"}), 200),
            word(self.system("GET", "/v1/sync/status"), 200)])

    def changes(self):
        wait_until(lambda: self.told)
        return self.soon(self.times_told)

    def times_told(self):
        return sum(json.loads(data).get("card_id") == self.told for data in self.stream.data
                   if data != "foreign")

    def history_rows(self):
        """Of a write that another gateway has just acknowledged."""
        name = f"{self.name} third"
        try:
            self.system.redis.client.xadd(
                STREAM, {"r": self.owner, "v": json.dumps(orb(name))})
        except (redis.exceptions.ReadOnlyError, redis.exceptions.OutOfMemoryError):
            return "none"
        self.acknowledged.add((self.owner, name))
        return self.soon(lambda: self.system.api.count("orb_states", "visual_state = %s", [name]))

    def soon(self, is_there):
        try:
            wait_until(is_there, LATER_SECONDS)
        except AssertionError:
            return "later"
        return "as ever"

    # What must hold afterwards.

    def check_made_right(self):
        """Nothing that was acknowledged is lost, nothing is there twice, nothing is old."""
        wait_until(self.times_told, 20)
        wait_until(lambda: set(self.rows()) >= self.acknowledged, 20)
        wait_until(lambda: not self.system.redis.client.xlen(STREAM), 20)
        time.sleep(0.3)
        assert self.times_told() == 1
        rows = self.rows()
        assert len(rows) == len(set(rows)) and set(rows) <= self.acknowledged | self.uncertain
        copies = self.system.redis.client
        wait_until(lambda: word(self.system("GET", f"sessions/{self.new}"), 200) == "as ever", 20)
        assert copies.exists(f"user:{self.owner}:session:{self.new}")
        wait_until(lambda: not copies.exists(f"user:{self.owner}:session:{self.ended}"), 20)
        for path, is_current in (
                (f"cards/{self.concepts[0]}/cache/growth",
                 lambda body: body["scores"] == {"self_know": 7}),
                ("configuration/growth-dimensions", lambda body: body[0]["name"] == self.name)):
            # Never old, and from Redis after a while.
            wait_until(functools.partial(self.is_whole, path, is_current), 20)
        wait_until(lambda: self.plain_write() == "as ever", 20)
        wait_until(lambda: self.new_stream() == "as ever", 20)
        wait_until(lambda: self.publish() == "as ever", 20)

    def is_whole(self, path, is_current):
        found = word(self.system("GET", path), 200, is_current)
        if found not in ("as ever", "degraded"):
            pytest.fail(found)
        return found == "as ever"

    def rows(self):
        return [tuple(row.values()) for row in self.system.api.sql(
            "SELECT user_id::text, visual_state FROM dots.orb_states "
            "WHERE visual_state LIKE %s", [f"{self.name} %"])]


ROUTES = {
    "`PUT` a state with a history": Subject.history_put,
    "`GET` a state with a history": Subject.history_get,
    "… that Redis has not": Subject.history_restore,
    "`DELETE` a state with a history": Subject.history_delete,
    "its rows in PostgreSQL": Subject.history_rows,
    "`PUT`, `POST` another state": Subject.plain_write,
    "`GET` another state": Subject.plain_read,
    "`DELETE` another state, `PUT` a list": Subject.plain_delete,
    "`GET` a cache": Subject.cache_hit,
    "… that Redis has not yet": Subject.cache_miss,
    "`GET` configuration": Subject.configuration,
    "`POST` session": Subject.session_open,
    "`GET` session": Subject.session_read,
    "`DELETE` session, or all of a user": Subject.session_end,
    "`GET` a user's sessions": Subject.session_list,
    "`POST` channel": Subject.publish,
    "new streams": Subject.new_stream,
    "open streams": Subject.open_stream,
    "changes on channels": Subject.changes,
    "rate limits": Subject.limits,
    "entities, `/v1/sync/status`": Subject.entities,
}


@pytest.fixture(scope="module")
def system(stores, tmp_path_factory):
    stores.start("postgres")
    with new_database(stores.admin_database_url) as url:
        made = System(url, tmp_path_factory.mktemp("redis"))
        yield made
        made.end()


@pytest.fixture(scope="module")
def outcome(system, request):
    """What every route did at once under this condition, and the subject, when all is well."""
    subject = Subject(system)
    asked = {}
    system.break_(request.param)
    try:
        for route, ask in ROUTES.items():
            asked[route] = system.pool.submit(ask, subject)
        concurrent.futures.wait(asked.values())
    finally:
        system.mend(request.param)
    yield request.param, asked, subject
    subject.stream.close()


def test_the_document_names_every_route():
    assert {route for route, _ in CELLS} == set(ROUTES)


of_all = pytest.mark.parametrize("outcome", CONDITIONS, indirect=True, scope="module")


@of_all
@pytest.mark.parametrize("route", ROUTES)
def test_cell(outcome, route):
    condition, asked, _ = outcome
    assert asked[route].result() == CELLS[route, condition]


@of_all
def test_afterwards_all_is_made_right(outcome):
    _, _, subject = outcome
    subject.check_made_right()


def orb(name):
    return {"visual_state": name, "emotional_tone": "calm", "energy_level": 0.5}
