"""The history of a state: every acknowledged write is in PostgreSQL once, whatever breaks."""

import json
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from api import done, problem
from gateway import new_database
from live_place import Place
from waiting import wait_until

STREAM = "fourfold:history:dots:orb"


@pytest.fixture
def place(stores):
    stores.start("postgres")
    stores.start("redis")
    with new_database(stores.admin_database_url) as url:
        found = Place(stores, url)
        yield found
        found.end()


def drained(place):
    return lambda: place.redis.xlen(STREAM) == 0


def orb(number, **more):
    return {"visual_state": f"s{number}", "emotional_tone": "calm", "energy_level": 0.5} | more


def put(api, user, body):
    return api.http.put(f"/v1/dots/users/{user}/state/orb", json=body)


def get(api, user):
    return api.http.get(f"/v1/dots/users/{user}/state/orb")


def test_writes_become_rows_with_the_defaults_of_the_table(place):
    api = place.gateway()
    user = api.user()
    before = time.time()
    full = orb(2, is_speaking=True, effects=[{"id": "e"}, {}], position={"x": 1.5},
               context={"a": [1]})
    done(put(api, user, orb(1)), 200)
    done(put(api, user, full), 200)
    rows = wait_until(lambda: len(found := api.sql(
        "SELECT * FROM dots.orb_states WHERE user_id = %s ORDER BY created_at", [user])) == 2
        and found, 5)
    assert [row["visual_state"] for row in rows] == ["s1", "s2"]
    assert (rows[0]["is_speaking"], rows[0]["position"], rows[0]["effects"],
            rows[0]["context"]) == (False, None, [], {})
    assert (rows[1]["is_speaking"], rows[1]["position"], rows[1]["effects"],
            rows[1]["context"]) == (True, {"x": 1.5}, [{"id": "e"}, {}], {"a": [1]})
    assert all(before - 5 < row["created_at"].timestamp() < time.time() + 5 for row in rows)
    wait_until(drained(place), 5)
    listed = api.http.get(f"/v1/dots/orb-states?user_id=eq.{user}").json()
    assert len(listed) == 2


def test_kill_in_a_storm_loses_and_repeats_nothing(place):
    """Every acknowledged write is there exactly once, through three kills of the gateway."""
    api = place.gateway()
    users = [api.user() for _ in range(8)]
    acknowledged, uncertain, stop = set(), set(), threading.Event()

    def write(worker):
        turn = 0
        while not stop.is_set():
            turn += 1
            name = f"{worker}-{turn}"
            try:
                answer = httpx.put(
                    f"{api.gateway.url}/v1/dots/users/{users[worker]}/state/orb", json=orb(name),
                    timeout=5)
            except httpx.HTTPError:
                uncertain.add(f"s{name}")
                continue
            if answer.status_code == 200:
                acknowledged.add(f"s{name}")
            else:
                uncertain.add(f"s{name}")

    with ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(write, each) for each in range(8)]
        for _ in range(3):
            goal = len(acknowledged) + 300
            wait_until(lambda goal=goal: len(acknowledged) >= goal, 30)
            api.gateway.kill()
            api.gateway.start()
        stop.set()
        for each in writers:
            each.result()
    wait_until(drained(place), 20)
    rows = [row["visual_state"] for row in api.sql("SELECT visual_state FROM dots.orb_states")]
    assert len(rows) == len(set(rows))
    assert acknowledged <= set(rows) <= acknowledged | uncertain
    assert len(acknowledged) >= 900
    for user in users:
        newest = api.one("SELECT visual_state FROM dots.orb_states WHERE user_id = %s "
                         "ORDER BY created_at DESC LIMIT 1", [user])
        assert json.loads(place.redis.get(f"user:{user}:orb:state"))["visual_state"] == newest


def test_two_processes_keep_one_history(place):
    first = place.gateway()
    second = place.gateway(migrate=False)
    user = first.user()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(
            lambda n: put((first, second)[n % 2], user, orb(n)).status_code, range(400)))
    assert set(answers) == {200}
    wait_until(drained(place), 10)
    assert first.count("orb_states", "user_id = %s", [user]) == 400
    assert first.one("SELECT count(DISTINCT visual_state) FROM dots.orb_states") == 400
    order = [row["visual_state"] for row in first.sql(
        "SELECT visual_state FROM dots.orb_states ORDER BY created_at")]
    assert json.loads(place.redis.get(f"user:{user}:orb:state"))["visual_state"] == order[-1]


def test_past_its_bound_a_write_is_refused_whole(place):
    proxy = place.proxy("postgres")
    api = place.gateway(FOURFOLD_HISTORY_BACKLOG_MAX=5)
    user = api.user()
    api.gateway.stop()
    api.gateway.environment["DATABASE_URL"] = proxy.url
    api.gateway.start()
    proxy.refuse()
    statuses = [put(api, user, orb(n)).status_code for n in range(10)]
    assert statuses == [200] * 5 + [503] * 5
    refused = put(api, user, orb(99))
    problem(refused, 503, "history_full")
    assert int(refused.headers["retry-after"]) >= 1
    assert json.loads(place.redis.get(f"user:{user}:orb:state"))["visual_state"] == "s4"
    problem(api.http.delete(f"/v1/dots/users/{user}/state/orb"), 503, "history_full")
    proxy.accept()
    wait_until(drained(place), 20)
    assert put(api, user, orb(100)).status_code == 200
    wait_until(lambda: api.count("orb_states") == 6, 10)


def test_rows_that_are_refused_hold_up_no_other(place):
    api = place.gateway()
    user, nobody = api.user(), str(uuid.uuid4())
    for number in range(3):
        done(put(api, user, orb(number)), 200)
        done(put(api, nobody, orb(number)), 200)
    place.redis.xadd(STREAM, {"x": "nobody wrote this"})
    place.redis.xadd(STREAM, {"r": user, "v": "{"})
    done(put(api, user, orb(9)), 200)
    wait_until(drained(place), 10)
    assert api.count("orb_states", "user_id = %s", [user]) == 4
    refused = api.sql("SELECT * FROM fourfold.history_refused WHERE row_id = %s", [nobody])
    assert [(row["error_code"], row["value"]["visual_state"]) for row in refused] == [
        ("23503", "s0"), ("23503", "s1"), ("23503", "s2")]
    assert api.one("SELECT count(*) FROM fourfold.history_refused WHERE error_code = '22P02'") == 1


@pytest.mark.parametrize("number", ["1e1000000000000", "-1e200000", "0." + "1" * 20_000])
def test_a_number_that_postgres_cannot_hold_stops_no_history(place, number):
    """Neither by a request, nor as an entry that another client or an older gateway left."""
    api = place.gateway()
    user = api.user()
    text = json.dumps(orb(1))[:-1] + ',"position":{"x":%s}}' % number
    problem(api.http.put(f"/v1/dots/users/{user}/state/orb", content=text), 400, "invalid_value")
    place.redis.xadd(STREAM, {"r": user, "v": text})
    done(put(api, user, orb(2)), 200)
    wait_until(drained(place), 5)
    assert [row["visual_state"] for row in api.sql(
        "SELECT visual_state FROM dots.orb_states WHERE user_id = %s", [user])] == ["s2"]
    assert api.one("SELECT error_code FROM fourfold.history_refused WHERE row_id = %s",
                   [user]) == "22P02"


def test_a_flushed_redis_is_filled_from_the_history(place):
    api = place.gateway()
    user, other = api.user(), api.user()
    body = orb(1, effects=[{"a": 1.10}], is_speaking=False)
    done(put(api, user, orb(0)), 200)
    done(put(api, user, body), 200)
    wait_until(drained(place), 5)
    place.redis.flushdb()
    assert done(get(api, user), 200) == body
    assert json.loads(place.redis.get(f"user:{user}:orb:state")) == body
    problem(get(api, other), 404, "not_found")
    # The new Redis has a cursor of its own.
    done(put(api, user, orb(2)), 200)
    wait_until(lambda: api.count("orb_states") == 3, 10)
    done(api.http.delete(f"/v1/dots/users/{user}/state/orb"), 204)
    problem(get(api, user), 404)
    wait_until(drained(place), 5)
    problem(get(api, user), 404)
    place.redis.flushdb()
    problem(get(api, user), 404)
    done(put(api, user, orb(3)), 200)
    wait_until(lambda: api.count("orb_states") == 4, 10)
    place.redis.delete(f"user:{user}:orb:state")
    assert done(get(api, user), 200) == orb(3)


def test_rows_by_hand_are_restored_too(place):
    api = place.gateway()
    user = api.user()
    api.sql("INSERT INTO dots.orb_states (user_id, visual_state, emotional_tone, energy_level) "
            "VALUES (%s, 'by hand', 'calm', 0.25)", [user])
    assert done(get(api, user), 200) == {
        "visual_state": "by hand", "emotional_tone": "calm", "energy_level": 0.25,
        "is_speaking": False, "effects": [], "context": {}}


def test_a_delete_holds_before_it_is_kept(place):
    api = place.gateway()
    user = api.user()
    done(put(api, user, orb(1)), 200)
    wait_until(drained(place), 5)
    # Another session's lock holds the drain up, not the reads.
    with psycopg.connect(place.database_url) as link:
        link.execute("SELECT * FROM fourfold.history_cursors FOR UPDATE")
        done(api.http.delete(f"/v1/dots/users/{user}/state/orb"), 204)
        assert place.redis.xlen(STREAM) == 1
        problem(get(api, user), 404)
    wait_until(drained(place), 10)
    problem(get(api, user), 404)


def test_marks_of_states_that_have_no_history_go(place):
    """Of a user that was deleted, and of those that never were: any caller can delete a state."""
    api = place.gateway()
    user, leaver = api.user(), api.user()
    for each in (user, leaver):
        done(put(api, each, orb(1)), 200)
    for _ in range(20):
        done(api.http.delete(f"/v1/dots/users/{uuid.uuid4()}/state/orb"), 204)
    place.redis.xadd(STREAM, {"r": "no key of a user"})
    wait_until(drained(place), 10)
    api.sql("DELETE FROM dots.users WHERE user_id = %s", [leaver])

    def swept():
        done(put(api, user, orb(2)), 200)
        return [row["row_id"] for row in api.sql(
            "SELECT row_id FROM fourfold.state_marks")] == [user]

    wait_until(swept, 20)
    wait_until(drained(place), 10)
    place.redis.delete(f"user:{user}:orb:state")
    assert done(get(api, user), 200) == orb(2)


@pytest.mark.parametrize("how", ["refuse", "pause"])
def test_without_redis_the_history_answers(place, how):
    proxy = place.proxy("redis")
    api = place.gateway(REDIS_URL=proxy.url, FOURFOLD_REQUEST_TIMEOUT="2s")
    user = api.user()
    done(put(api, user, orb(1)), 200)
    wait_until(drained(place), 5)
    getattr(proxy, how)()
    started = time.monotonic()
    answer = get(api, user)
    assert done(answer, 200) == orb(1)
    assert answer.headers["fourfold-degraded"] == "redis"
    written = put(api, user, orb(2))
    problem(written, 503)
    assert int(written.headers["retry-after"]) >= 1
    problem(api.http.get(f"/v1/dots/users/{user}/state/scene"), 503, "store_unavailable")
    assert time.monotonic() - started < 8
    proxy.accept()
    proxy.resume()
    proxy.cut()
    wait_until(lambda: put(api, user, orb(3)).status_code == 200, 15)
    assert "fourfold-degraded" not in get(api, user).headers


def test_a_redis_that_takes_no_writes(place):
    api = place.gateway()
    user = api.user()
    concept = api.concept(user)
    done(put(api, user, orb(1)), 200)
    wait_until(drained(place), 5)
    limit = place.redis.config_get("maxmemory")["maxmemory"]

    def full():
        place.redis.config_set("maxmemory", 1)

    def roomy():
        place.redis.config_set("maxmemory", limit)

    for begin, end in ((full, roomy), (lambda: place.redis.replicaof("127.0.0.1", 1),
                                       lambda: place.redis.replicaof("no", "one"))):
        begin()
        try:
            for name, body in (("orb", orb(2)), ("scene", {"scene": "a"})):
                refused = api.http.put(f"/v1/dots/users/{user}/state/{name}", json=body)
                problem(refused, 503, "store_unavailable")
                assert refused.headers["retry-after"] == "1"
            refused = api.http.post(f"/v1/dots/users/{user}/state/recent-cards",
                                    json={"item": "a"})
            problem(refused, 503, "store_unavailable")
            assert done(get(api, user), 200) == orb(1)
            assert "fourfold-degraded" not in get(api, user).headers
            cached = api.http.get(f"/v1/dots/cards/{concept}/cache/growth")
            assert done(cached, 200)["card_id"] == concept
            assert cached.headers["fourfold-degraded"] == "redis"
        finally:
            end()
    wait_until(lambda: put(api, user, orb(3)).status_code == 200, 10)
    assert place.redis.exists(f"user:{user}:scene:active") == 0
