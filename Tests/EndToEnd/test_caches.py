"""Caches: read through Redis, filled once, and never older than what was seen before."""

import json
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from api import done, problem
from gateway import new_database
from live_place import Place
from waiting import wait_until


@pytest.fixture
def place(stores):
    stores.start("postgres")
    stores.start("redis")
    with new_database(stores.admin_database_url) as url:
        found = Place(stores, url)
        yield found
        found.end()


def growth(api, concept, **options):
    return api("GET", f"cards/{concept}/cache/growth", **options)


def grow(api, user, concept, dimension="self_know", delta=0.5):
    api.sql("INSERT INTO dots.growth_events (user_id, entity_id, entity_type, dim_key, delta, "
            "source) VALUES (%s, %s, 'concept', %s, %s, 'journal_entry')",
            [user, concept, dimension, delta])


def settled(place, key):
    """What other rows did to the cache is over: the value stays."""
    def quiet():
        first = place.redis.get(key)
        time.sleep(0.4)
        return place.redis.get(key) == first
    wait_until(quiet, 15)


def count_queries(api):
    """Counts the readings of the view of cards from here on, by a sequence within it."""
    api.sql("CREATE SEQUENCE dots.readings")
    api.sql("""
        CREATE OR REPLACE VIEW dots.cache_card_growth AS
        SELECT s.entity_id AS key, s.user_id AS owner, jsonb_build_object(
            'card_id', s.entity_id, 'user_id', s.user_id,
            'reading', nextval('dots.readings'), 'nap', pg_sleep(0.3)::text) AS value
        FROM dots.v_card_state AS s""")
    return lambda: api.one("SELECT CASE WHEN is_called THEN last_value ELSE 0 END "
                           "FROM dots.readings")


def test_growth_of_a_card(place):
    api = place.gateway()
    user = api.user()
    concept = api.concept(user)
    grow(api, user, concept, "self_know", 0.5)
    grow(api, user, concept, "self_act", 0.25)
    answer = growth(api, concept)
    assert done(answer, 200) == {
        "card_id": concept, "card_type": "concept", "user_id": user, "evolution_state": "sprout",
        "connection_count": 0, "dimension_count": 2,
        "scores": {"self_know": 0.5, "self_act": 0.25}}
    settled(place, f"card:{concept}:growth")
    again = growth(api, concept)
    assert json.loads(place.redis.get(f"card:{concept}:growth")) == done(again, 200)
    assert 3_590 < place.redis.ttl(f"card:{concept}:growth") <= 3_600
    assert place.redis.get(f"fourfold:fill:card:{concept}:growth") is None
    tag = again.headers["etag"]
    assert growth(api, concept, headers={"If-None-Match": tag}).status_code == 304
    problem(growth(api, uuid.uuid4()), 404, "not_found")
    problem(growth(api, "no-id"), 404, "not_found")
    problem(api("GET", f"cards/{concept}/cache/other"), 404, "unknown_state")
    problem(api("PUT", f"cards/{concept}/cache/growth", {}), 405)
    # Whoever writes to PostgreSQL: the next reader sees it.
    grow(api, user, concept, "self_show", 1)
    wait_until(lambda: done(growth(api, concept), 200)["evolution_state"] == "bloom", 10)
    api.sql("DELETE FROM dots.concepts WHERE concept_id = %s", [concept])
    wait_until(lambda: growth(api, concept).status_code == 404, 10)


def test_state_of_a_challenge(place):
    api = place.gateway()
    user = api.user()
    template = api.insert("challenge_templates", "tpl_id", name="Walk", difficulty="easy")
    challenge = str(api.insert("user_challenges", "ch_id", tpl_id=template, user_id=user))
    path = f"challenges/{challenge}/cache/state"
    first = done(api("GET", path), 200)
    assert (first["challenge_id"], first["user_id"], first["status"]) == (
        challenge, user, "active")
    assert (first["template"]["name"], first["progress"]) == ("Walk", {})
    settled(place, f"challenge:{challenge}:state")
    done(api("GET", path), 200)
    assert 890 < place.redis.ttl(f"challenge:{challenge}:state") <= 900
    api.sql("UPDATE dots.challenge_templates SET name = 'Run' WHERE tpl_id = %s", [template])
    wait_until(lambda: done(api("GET", path), 200)["template"]["name"] == "Run", 10)


def test_another_owner_sees_nothing_cached_or_not(place):
    api = place.gateway()
    user, other = api.user(), api.user()
    concept = api.concept(user)
    problem(growth(api, concept, user=other), 404, "not_found")
    assert done(growth(api, concept, user=user), 200)["user_id"] == user
    settled(place, f"card:{concept}:growth")
    done(growth(api, concept), 200)
    assert place.redis.exists(f"card:{concept}:growth")
    problem(growth(api, concept, user=other), 404, "not_found")
    assert done(growth(api, concept, user=user.upper()), 200)["user_id"] == user


def test_a_thousand_misses_are_one_query(place):
    api = place.gateway()
    user = api.user()
    concept = api.concept(user)
    done(growth(api, concept), 200)
    settled(place, f"card:{concept}:growth")
    read = count_queries(api)
    place.redis.delete(f"card:{concept}:growth")
    url = f"{api.gateway.url}/v1/dots/cards/{concept}/cache/growth"
    links = [httpx.Client(timeout=20) for _ in range(50)]
    before = read()

    def ask(link):
        return {done(link.get(url), 200)["reading"] for _ in range(20)}

    with ThreadPoolExecutor(50) as pool:
        seen = set().union(*pool.map(ask, links))
    for link in links:
        link.close()
    assert read() - before == 1 and len(seen) == 1


def test_two_processes_fill_once(place):
    first = place.gateway()
    second = place.gateway(migrate=False)
    concept = first.concept(first.user())
    done(growth(first, concept), 200)
    settled(place, f"card:{concept}:growth")
    read = count_queries(first)
    place.redis.delete(f"card:{concept}:growth")
    before = read()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(
            lambda n: httpx.get(f"{(first, second)[n % 2].gateway.url}/v1/dots/cards/{concept}"
                                "/cache/growth", timeout=20).status_code, range(40)))
    assert set(answers) == {200}
    assert read() - before == 1


def test_a_dead_filler_is_taken_over(place):
    api = place.gateway()
    concept = api.concept(api.user())
    done(growth(api, concept), 200)
    settled(place, f"card:{concept}:growth")
    place.redis.delete(f"card:{concept}:growth")
    place.redis.set(f"fourfold:fill:card:{concept}:growth", "of a process that died", px=700)
    started = time.monotonic()
    done(growth(api, concept), 200)
    assert 0.4 < time.monotonic() - started < 4
    assert place.redis.exists(f"card:{concept}:growth")


def test_nothing_older_after_something_newer(place):
    """A slow filler whose row changes meanwhile does not store what it read before."""
    api = place.gateway()
    user = api.user()
    concept = api.concept(user)
    key = f"card:{concept}:growth"
    done(growth(api, concept), 200)
    settled(place, key)
    api.sql("""
        CREATE OR REPLACE VIEW dots.cache_card_growth AS
        SELECT s.entity_id AS key, s.user_id AS owner, jsonb_build_object(
            'user_id', s.user_id, 'count', s.dimension_count,
            'nap', pg_sleep(0.7)::text) AS value
        FROM dots.v_card_state AS s""")
    place.redis.delete(key)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(httpx.get, f"{api.gateway.url}/v1/dots/cards/{concept}/cache/growth",
                           timeout=20)
        wait_until(lambda: place.redis.exists(f"fourfold:fill:{key}"), 5)
        time.sleep(0.1)
        grow(api, user, concept)
        # The lane deletes the token, so what is being read is not stored; it is read again.
        assert done(slow.result(), 200)["count"] == 1
    assert json.loads(place.redis.get(key))["count"] == 1


def test_readers_never_go_back(place):
    api = place.gateway()
    user = api.user()
    concept = api.concept(user)
    stop, wrong = threading.Event(), []

    def watch():
        last = -1.0
        with httpx.Client(timeout=20) as link:
            while not stop.is_set():
                scores = link.get(f"{api.gateway.url}/v1/dots/cards/{concept}/cache/growth"
                                  ).json()["scores"]
                score = scores.get("self_know", 0)
                if score < last:
                    wrong.append((last, score))
                last = score

    with ThreadPoolExecutor(4) as pool:
        watchers = [pool.submit(watch) for _ in range(4)]
        for _ in range(40):
            grow(api, user, concept, delta=1)
            time.sleep(0.03)
        wait_until(lambda: done(growth(api, concept), 200)["scores"] == {"self_know": 40}, 15)
        stop.set()
        for each in watchers:
            each.result()
    assert wrong == []


@pytest.mark.parametrize("stored", [b"{", b"\xff", b"", "a list"])
def test_what_another_client_stored_is_replaced(place, stored):
    api = place.gateway()
    concept = api.concept(api.user())
    done(growth(api, concept), 200)
    key = f"card:{concept}:growth"
    settled(place, key)
    place.redis.delete(key)
    if stored == "a list":
        place.redis.rpush(key, "x")
    else:
        place.redis.set(key, stored)
    assert done(growth(api, concept), 200)["card_id"] == concept
    assert json.loads(place.redis.get(key))["card_id"] == concept


@pytest.mark.parametrize("how", ["refuse", "pause"])
def test_without_redis_the_database_answers(place, how):
    proxy = place.proxy("redis")
    api = place.gateway(REDIS_URL=proxy.url)
    concept = api.concept(api.user())
    done(growth(api, concept), 200)
    getattr(proxy, how)()
    started = time.monotonic()
    answer = growth(api, concept)
    assert done(answer, 200)["card_id"] == concept
    assert answer.headers["fourfold-degraded"] == "redis"
    assert time.monotonic() - started < 5
    proxy.accept()
    proxy.resume()
    proxy.cut()
    wait_until(lambda: "fourfold-degraded" not in growth(api, concept).headers, 15)


def test_without_the_database_what_is_cached_answers(place):
    api = place.gateway()
    proxy = place.proxy("postgres")
    user = api.user()
    concept, other = api.concept(user), api.concept(user)
    done(growth(api, concept), 200)
    settled(place, f"card:{concept}:growth")
    done(growth(api, concept), 200)
    api.gateway.stop()
    api.gateway.environment["DATABASE_URL"] = proxy.url
    api.gateway.start()
    # A new start may forget caches once.
    wait_until(lambda: growth(api, concept).status_code == 200
               and place.redis.exists(f"card:{concept}:growth"), 10)
    proxy.refuse()
    proxy.cut()
    assert growth(api, concept).status_code == 200
    refused = growth(api, other)
    problem(refused, 503, "store_unavailable")
