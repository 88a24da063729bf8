"""Sessions: rows in PostgreSQL, copies in Redis, and what happens when one of them is away."""

import concurrent.futures
import json
import threading
import time
import uuid

import pytest

from api import done, problem
from serving import serve, serving  # noqa: F401
from waiting import wait_until

TTL_SECONDS = 3 * 86_400


@pytest.fixture(scope="module")
def at(serving):  # noqa: F811
    """An Api of a gateway that keeps house."""
    return serving.api(serving())


@pytest.fixture
def user(at):
    return at.user()


@pytest.fixture
def copies(serving):  # noqa: F811
    return serving.redis


def key_of(session):
    return f"user:{session['user_id']}:session:{session['session_id']}"


def opened(at, user, **options):
    return done(at("POST", "sessions", {"user_id": user, "device_info": {"os": "x"}}, **options),
                201)


def is_degraded(answer):
    return answer.headers.get("fourfold-degraded") == "redis"


class TestOpening:
    def test_row_copy_and_location(self, at, user, copies):
        answer = at("POST", "sessions", {"user_id": user, "device_info": {"os": "Plan 9"}})
        session = done(answer, 201)
        assert answer.headers["location"] == f"/v1/dots/sessions/{session['session_id']}"
        assert not is_degraded(answer)
        assert session["user_id"] == user and session["device_info"] == {"os": "Plan 9"}
        assert session["ip_address"] == "127.0.0.1"
        row = at.sql("SELECT *, extract(epoch FROM expires_at - now()) AS rest "
                     "FROM dots.user_sessions WHERE session_id = %s", (session["session_id"],))[0]
        assert str(row["user_id"]) == user and row["device_info"] == {"os": "Plan 9"}
        assert TTL_SECONDS - 60 < row["rest"] <= TTL_SECONDS
        assert json.loads(copies.get(key_of(session))) == session
        assert TTL_SECONDS - 5 <= copies.ttl(key_of(session)) <= TTL_SECONDS

    def test_the_owner_of_the_request_is_enough(self, at, user):
        session = done(at("POST", "sessions", {"device_info": {}}, user=user), 201)
        assert session["user_id"] == user

    def test_minimal(self, at, user):
        answer = at("POST", "sessions", {"device_info": {}}, user=user, prefer="return=minimal")
        assert answer.status_code == 201 and not answer.content and answer.headers["location"]

    @pytest.mark.parametrize("body, status, code, field", [
        pytest.param([], 400, "invalid_body", None, id="an array"),
        pytest.param({"device_info": {}}, 400, "missing_column", "user_id", id="no owner"),
        pytest.param({"user_id": "U"}, 400, "missing_column", "device_info", id="no device"),
        pytest.param({"user_id": "U", "device_info": None}, 400, "missing_column", "device_info",
                     id="a null"),
        pytest.param({"user_id": 5, "device_info": {}}, 400, "invalid_value", "user_id",
                     id="a number for an id"),
        pytest.param({"user_id": "no uuid", "device_info": {}}, 400, "invalid_value", "user_id",
                     id="no id"),
        pytest.param({"user_id": "U", "device_info": {}, "x": 1}, 400, "unknown_column", "x",
                     id="an unknown member"),
        *[pytest.param({"user_id": "U", "device_info": {}, name: value}, 400, "generated_column",
                       name, id=f"{name} is ours") for name, value in [
                           ("session_id", str(uuid.uuid4())), ("ip_address", "192.0.2.1"),
                           ("created_at", "2001-01-01"), ("expires_at", "2999-01-01"),
                           ("last_active_at", "2999-01-01")]],
        pytest.param({"user_id": str(uuid.uuid4()), "device_info": {}}, 409,
                     "foreign_key_violation", "user_id", id="an unknown user"),
    ])
    def test_bad_bodies(self, at, user, body, status, code, field):
        if isinstance(body, dict) and body.get("user_id") == "U":
            body = body | {"user_id": user}
        problem(at("POST", "sessions", body), status, code, field)

    def test_another_owner(self, at, user):
        body = {"user_id": at.user(), "device_info": {}}
        problem(at("POST", "sessions", body, user=user), 422, "owner_mismatch")

    @pytest.mark.parametrize("method, path", [
        ("GET", "sessions"), ("DELETE", "sessions"), ("PATCH", "sessions"),
        ("PUT", f"sessions/{uuid.uuid4()}"), ("PATCH", f"sessions/{uuid.uuid4()}"),
        ("POST", f"users/{uuid.uuid4()}/sessions")])
    def test_other_methods(self, at, method, path):
        answer = at(method, path)
        problem(answer, 405, "method_not_allowed")
        assert answer.headers["allow"]


class TestReading:
    def test_the_time_begins_anew(self, at, user, copies):
        session = opened(at, user)
        copies.expire(key_of(session), 100)
        assert done(at("GET", f"sessions/{session['session_id']}"), 200) == session
        assert copies.ttl(key_of(session)) > TTL_SECONDS - 5

    def test_row_and_copy_are_written_once_a_minute(self, at, user, copies):
        session = opened(at, user)
        path = f"sessions/{session['session_id']}"
        written = "SELECT last_active_at, expires_at, xmin::text FROM dots.user_sessions " \
            "WHERE session_id = %s"
        at("GET", path)
        before = at.sql(written, (session["session_id"],))
        at("GET", path)
        assert at.sql(written, (session["session_id"],)) == before
        at.sql("UPDATE dots.user_sessions SET last_active_at = now() - interval '61 seconds', "
               "expires_at = now() + interval '1 minute' WHERE session_id = %s",
               (session["session_id"],))
        found = done(at("GET", path), 200)
        (row,) = at.sql("SELECT extract(epoch FROM expires_at - now()) AS rest, "
                        "extract(epoch FROM now() - last_active_at) AS idle "
                        "FROM dots.user_sessions WHERE session_id = %s", (session["session_id"],))
        assert row["rest"] > TTL_SECONDS - 60 and row["idle"] < 30
        assert found["expires_at"] > session["expires_at"]
        assert json.loads(copies.get(key_of(session))) == found

    def test_head(self, at, user):
        session = opened(at, user)
        answer = at("HEAD", f"sessions/{session['session_id']}")
        assert answer.status_code == 200 and not answer.content

    def test_another_owner_learns_nothing(self, at, user, copies):
        session = opened(at, user)
        path = f"sessions/{session['session_id']}"
        problem(at("GET", path, user=at.user()), 404, "not_found")
        problem(at("DELETE", path, user=at.user()), 404, "not_found")
        assert copies.exists(key_of(session))
        done(at("GET", path, user=user.upper()), 200)

    @pytest.mark.parametrize("id", [str(uuid.uuid4()), "7", "a" * 300, "%00", "user:x"])
    def test_unknown(self, at, id):
        assert at("GET", f"sessions/{id}").status_code in (400, 404)
        assert at("DELETE", f"sessions/{id}").status_code in (400, 404)

    def test_expired(self, at, user, copies):
        session = opened(at, user)
        expire(at, session)
        problem(at("GET", f"sessions/{session['session_id']}", user=user), 404)
        assert not copies.exists(key_of(session))
        problem(at("DELETE", f"sessions/{session['session_id']}"), 404)
        assert done(at("GET", f"users/{user}/sessions"), 200) == {"items": []}

    def test_a_lost_copy_is_put_back(self, at, user, copies):
        session = opened(at, user)
        copies.delete(key_of(session))
        answer = at("GET", f"sessions/{session['session_id']}")
        assert done(answer, 200) == session and not is_degraded(answer)
        assert json.loads(copies.get(key_of(session))) == session
        assert copies.ttl(key_of(session)) > TTL_SECONDS - 5

    def test_a_copy_without_a_row_is_no_session(self, at, user, copies):
        key = f"user:{user}:session:{uuid.uuid4()}"
        copies.set(key, "{}")
        problem(at("GET", f"sessions/{key.rsplit(':', 1)[1]}", user=user), 404)
        assert not copies.exists(key)


def expire(at, session):
    at.sql("UPDATE dots.user_sessions SET created_at = now() - interval '9 days', "
           "last_active_at = now() - interval '4 days', expires_at = now() - interval '1 day' "
           "WHERE session_id = %s", (session["session_id"],))


class TestRevoking:
    def test_one(self, at, user, copies):
        session, other = opened(at, user), opened(at, user)
        answer = at("DELETE", f"sessions/{session['session_id']}")
        assert answer.status_code == 204 and not answer.content and not is_degraded(answer)
        assert at.count("user_sessions", "session_id = %s", (session["session_id"],)) == 0
        assert not copies.exists(key_of(session)) and copies.exists(key_of(other))
        problem(at("GET", f"sessions/{session['session_id']}"), 404)
        problem(at("DELETE", f"sessions/{session['session_id']}"), 404)

    def test_all(self, at, user, copies):
        sessions = [opened(at, user) for _ in range(3)]
        stranger = opened(at, at.user())
        assert done(at("DELETE", f"users/{user}/sessions"), 200) == {"revoked": 3}
        assert not any(copies.exists(key_of(each)) for each in sessions)
        assert at.count("user_sessions", "user_id = %s", (user,)) == 0
        done(at("GET", f"sessions/{stranger['session_id']}"), 200)
        assert done(at("DELETE", f"users/{user}/sessions"), 200) == {"revoked": 0}

    def test_all_but_one(self, at, user, copies):
        first, second, kept = [opened(at, user) for _ in range(3)]
        answer = at("DELETE", f"users/{user}/sessions?except={kept['session_id'].upper()}")
        assert done(answer, 200) == {"revoked": 2}
        assert [each["session_id"] for each in listed(at, user)] == [kept["session_id"]]
        assert copies.exists(key_of(kept))
        assert not copies.exists(key_of(first), key_of(second))

    def test_bad_parameters(self, at, user):
        opened(at, user)
        for query in ("except=7", "excep=1", f"except={uuid.uuid4()}&except={uuid.uuid4()}"):
            problem(at("DELETE", f"users/{user}/sessions?{query}"), 400, "invalid_parameter")
        problem(at("GET", f"users/{user}/sessions?limit=1"), 400, "invalid_parameter")
        assert len(listed(at, user)) == 1

    def test_of_nobody(self, at, user):
        for method in ("GET", "DELETE"):
            problem(at(method, f"users/{uuid.uuid4()}/sessions"), 404, "not_found")
            problem(at(method, "users/7/sessions"), 404, "not_found")
            problem(at(method, f"users/{at.user()}/sessions", user=user), 404, "not_found")
            problem(at(method, f"concepts/{uuid.uuid4()}/sessions"), 404, "unknown_route")

    def test_many(self, at, user, copies):
        at.sql("INSERT INTO dots.user_sessions (user_id, device_info) "
               "SELECT %s, '{}' FROM generate_series(1, 1200)", (user,))
        assert len(listed(at, user)) == 1000
        assert done(at("DELETE", f"users/{user}/sessions"), 200) == {"revoked": 1200}
        wait_until(lambda: at.one("SELECT count(*) FROM fourfold.session_repairs") == 0)

    def test_list_is_newest_first(self, at, user):
        sessions = [opened(at, user)["session_id"] for _ in range(3)]
        assert [each["session_id"] for each in listed(at, user)] == sessions[::-1]

    def test_never_comes_back(self, at, user, copies):
        """Reads that slide and put back while the session is revoked."""
        paths = []
        for turn in range(20):
            session = opened(at, user)
            path, key = f"sessions/{session['session_id']}", key_of(session)
            paths.append((path, key))
            gone = threading.Event()
            late = []

            def read(path=path, key=key, gone=gone, late=late):
                while True:
                    was_gone = gone.is_set()
                    copies.delete(key)
                    status = at("GET", path).status_code
                    if was_gone:
                        late.append(status)
                        return

            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                readers = [pool.submit(read) for _ in range(8)]
                time.sleep(0.002 * turn)
                assert at("DELETE", path).status_code == 204
                gone.set()
                for reader in readers:
                    reader.result()
            assert set(late) == {404}
            assert not copies.exists(key)
        assert not any(copies.exists(key) for _, key in paths)


def listed(at, user):
    return done(at("GET", f"users/{user}/sessions"), 200)["items"]


class TestEndingOtherwise:
    """The copies follow however a row ends."""

    def test_sql_by_hand(self, at, user, copies):
        session = opened(at, user)
        at.sql("DELETE FROM dots.user_sessions WHERE session_id = %s", (session["session_id"],))
        wait_until(lambda: not copies.exists(key_of(session)))

    def test_a_deleted_user(self, at, user, copies):
        sessions = [opened(at, user) for _ in range(3)]
        assert at("DELETE", f"users/{user}").status_code == 204
        wait_until(lambda: not any(copies.exists(key_of(each)) for each in sessions))
        problem(at("GET", f"sessions/{sessions[0]['session_id']}"), 404)
        wait_until(lambda: at.one("SELECT count(*) FROM fourfold.session_repairs") == 0)

    def test_expired_rows_are_cleaned(self, at, user, copies, serve):  # noqa: F811
        old = [opened(at, user) for _ in range(3)]
        for each in old:
            expire(at, each)
        live = opened(at, user)
        # A process cleans when it starts, then once a minute.
        serve()
        wait_until(lambda: at.count("user_sessions", "user_id = %s", (user,)) == 1)
        wait_until(lambda: not any(copies.exists(key_of(each)) for each in old))
        assert copies.exists(key_of(live))


class TestActivity:
    def log(self, at, user, session):
        return at("POST", "activity-log", {
            "user_id": user, "activity_type": "read", "session_id": session})

    def test_of_a_live_session(self, at, user):
        session = opened(at, user)
        entry = done(self.log(at, user, session["session_id"]), 201)
        assert entry["session_id"] == session["session_id"]
        assert at("DELETE", f"sessions/{session['session_id']}").status_code == 204
        found = done(at("GET", f"activity-log/{entry['log_id']}"), 200)
        assert found["session_id"] is None

    def test_of_another_user(self, at, user):
        session = opened(at, at.user())
        problem(self.log(at, user, session["session_id"]), 409, "foreign_key_violation",
                "session_id")

    def test_of_no_session(self, at, user):
        problem(self.log(at, user, str(uuid.uuid4())), 409, "foreign_key_violation", "session_id")

    def test_opening_and_revoking_write_none(self, at, user):
        at("DELETE", f"sessions/{opened(at, user)['session_id']}")
        assert at.count("user_activity_log", "user_id = %s", (user,)) == 0


@pytest.fixture
def behind(serve):  # noqa: F811
    """An Api of a gateway whose Redis stands behind a proxy, and the proxy."""
    proxy = serve.redis_proxy()
    return serve.api(serve(REDIS_URL=proxy.url)), proxy


class TestWithoutRedis:
    @pytest.fixture(params=["down", "silent"])
    def broken(self, request, behind):
        at, proxy = behind
        user = at.user()
        sessions = [opened(at, user) for _ in range(3)]
        if request.param == "down":
            proxy.refuse()
        else:
            proxy.pause()

        def mend():
            proxy.accept()
            proxy.resume()
            proxy.cut()

        yield at, user, sessions, mend
        mend()

    def test_all_goes_on_and_is_made_right(self, broken, copies):
        at, user, (kept, ended, also_ended), mend = broken

        def asked(method, path, body=None):
            started = time.monotonic()
            answer = at(method, path, body)
            assert time.monotonic() - started < 2
            return answer

        answer = asked("GET", f"sessions/{kept['session_id']}")
        assert done(answer, 200) == kept and is_degraded(answer)
        answer = asked("DELETE", f"sessions/{ended['session_id']}")
        assert answer.status_code == 204 and is_degraded(answer)
        problem(asked("GET", f"sessions/{ended['session_id']}"), 404)
        answer = asked("POST", "sessions", {"user_id": user, "device_info": {}})
        new = done(answer, 201)
        assert is_degraded(answer)
        answer = asked("DELETE", f"users/{user}/sessions?except={new['session_id']}")
        assert done(answer, 200) == {"revoked": 2} and is_degraded(answer)
        assert [each["session_id"] for each in done(asked("GET", f"users/{user}/sessions"), 200)
                ["items"]] == [new["session_id"]]
        mend()
        wait_until(lambda: copies.exists(key_of(new)), 20)
        assert json.loads(copies.get(key_of(new))) == new
        for each in (kept, ended, also_ended):
            wait_until(lambda each=each: not copies.exists(key_of(each)), 20)
        wait_until(lambda: not is_degraded(at("GET", f"sessions/{new['session_id']}")), 20)
        wait_until(lambda: at.one("SELECT count(*) FROM fourfold.session_repairs") == 0)

    def test_nobody_believes_a_copy(self, broken, serve):  # noqa: F811
        at, user, (session, *_), mend = broken
        other = serve.api(serve(FOURFOLD_LANES="off"))
        assert at("DELETE", f"sessions/{session['session_id']}").status_code == 204
        # Another gateway reaches Redis, where the copy may still stand.
        problem(other("GET", f"sessions/{session['session_id']}"), 404)


class TestRedisReadOnly:
    @pytest.fixture(autouse=True)
    def replica(self, at, user, copies):
        self.sessions = [opened(at, user) for _ in range(2)]
        copies.replicaof("127.0.0.1", 1)
        yield
        copies.replicaof("NO", "ONE")

    def test_all_goes_on_and_is_made_right(self, at, user, copies):
        kept, ended = self.sessions
        answer = at("GET", f"sessions/{kept['session_id']}")
        assert done(answer, 200) == kept and is_degraded(answer)
        answer = at("DELETE", f"sessions/{ended['session_id']}")
        assert answer.status_code == 204 and is_degraded(answer)
        answer = at("POST", "sessions", {"user_id": user, "device_info": {}})
        new = done(answer, 201)
        assert is_degraded(answer)
        copies.replicaof("NO", "ONE")
        wait_until(lambda: not copies.exists(key_of(ended)), 20)
        wait_until(lambda: not is_degraded(at("GET", f"sessions/{new['session_id']}")))
        assert copies.exists(key_of(new))


class TestRedisFull:
    def test_all_goes_on_and_is_made_right(self, at, user, copies):
        kept, ended = [opened(at, user) for _ in range(2)]
        copies.config_set("maxmemory", "1")
        try:
            answer = at("GET", f"sessions/{kept['session_id']}")
            assert done(answer, 200) == kept and not is_degraded(answer)
            answer = at("POST", "sessions", {"user_id": user, "device_info": {}})
            new = done(answer, 201)
            assert is_degraded(answer)
            answer = at("GET", f"sessions/{new['session_id']}")
            assert done(answer, 200) == new and is_degraded(answer)
            answer = at("DELETE", f"sessions/{ended['session_id']}")
            assert answer.status_code == 204 and not is_degraded(answer)
            assert not copies.exists(key_of(ended))
        finally:
            copies.config_set("maxmemory", "0")
        wait_until(lambda: not is_degraded(at("GET", f"sessions/{new['session_id']}")))
        assert copies.exists(key_of(new))


class TestRedisStartedAnew:
    def test_its_sessions_are_put_back(self, at, user, copies, stores):
        session = opened(at, user)
        stores.kill("redis")
        answer = at("GET", f"sessions/{session['session_id']}")
        assert done(answer, 200) == session and is_degraded(answer)
        stores.start("redis")
        wait_until(lambda: not is_degraded(at("GET", f"sessions/{session['session_id']}")), 20)
        assert copies.exists(key_of(session))


class TestRedisFlushed:
    def test_reads_put_it_back(self, at, user, copies):
        sessions = [opened(at, user) for _ in range(3)]
        copies.flushdb()
        for each in sessions:
            assert done(at("GET", f"sessions/{each['session_id']}"), 200) == each
            assert copies.exists(key_of(each))
