"""What other clients of Redis put where the gateway reads: never told as ours, never contagious."""

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from api import done, problem
from waiting import wait_until

# More than one reply of Redis may have.
TOO_LARGE = 80 << 20


@pytest.fixture
def client(api, redis_client):
    yield redis_client
    for key in redis_client.scan_iter("user:*"):
        redis_client.delete(key)
    redis_client.close()


def state(api, method, row, name, body=None, **options):
    return api(method, f"users/{row}/state/{name}", body, **options)


def settled(api):
    """No lane has anything left to tell or to forget."""
    wait_until(lambda: all(lane["pending"] == 0 for lane in done(
        api("GET", "/v1/sync/status"), 200)["lanes"]), 20)


class TestConfiguration:
    @pytest.fixture
    def rules(self, api, client):
        """What the evolution rules are, with copies of this database in place."""
        client.delete("fourfold:config:dots", *client.keys("config:*"))
        found = done(api("GET", "configuration/evolution-rules"), 200)
        assert json.loads(client.get("config:evolution-rules")) == found
        return found

    @pytest.mark.parametrize("garbage", ["garbage", "", "[1", "[]]", '{"a":"\udcff"}', "nan"])
    def test_no_json(self, api, client, rules, garbage):
        client.set("config:evolution-rules", garbage.encode("utf-8", "surrogateescape"))
        answer = api("GET", "configuration/evolution-rules")
        assert done(answer, 200) == rules and "fourfold-degraded" not in answer.headers
        assert json.loads(client.get("config:evolution-rules")) == rules, "the copy is mended"

    def test_no_json_in_the_list(self, api, client, rules):
        client.set("config:evolution-rules", "garbage")
        items = done(api("GET", "configuration"), 200)["items"]
        assert {"name": "evolution-rules", "value": rules} in items
        assert json.loads(client.get("config:evolution-rules")) == rules

    def test_another_type(self, api, client, rules):
        client.delete("config:evolution-rules")
        client.rpush("config:evolution-rules", "garbage")
        assert done(api("GET", "configuration/evolution-rules"), 200) == rules
        assert json.loads(client.get("config:evolution-rules")) == rules


class TestTooLarge:
    """A connection whose server sends too much is closed, and with it go the writes of others."""

    @pytest.fixture
    def undisturbed(self, api, client):
        """Writes of another user all the while, none of which may fail."""
        other, failures, ends = api.user(), [], threading.Event()
        counts = [0]

        def write():
            with httpx.Client(base_url=api.gateway.url, timeout=30) as http:
                while not ends.is_set():
                    answer = http.post(f"/v1/dots/users/{other}/state/unread-insights",
                                       json={"add": 1})
                    if answer.status_code == 200:
                        counts[0] += 1
                    else:
                        failures.append(answer.text)

        threads = [threading.Thread(target=write, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: counts[0] > 20)
            yield
            before = counts[0]
            wait_until(lambda: counts[0] > before + 20 or failures)
        finally:
            ends.set()
            for thread in threads:
                thread.join(60)
        assert not failures, (len(failures), failures[0])

    def read(self, api, path, status, code=None, count=10):
        """Several reads of different clients."""
        with ThreadPoolExecutor(count) as pool:
            for answer in pool.map(lambda _: api("GET", path), range(count)):
                if code:
                    problem(answer, status, code)
                assert answer.status_code == status, answer.text[:500]

    @pytest.mark.parametrize("name, key", [
        ("orb", "orb:state"), ("scene", "scene:active"), ("unread-insights", "insights:unread")])
    def test_texts(self, api, client, owner, undisturbed, name, key):
        client.setrange(f"user:{owner}:{key}", TOO_LARGE, "x")
        self.read(api, f"users/{owner}/state/{name}", 409, "state_unreadable")
        done(state(api, "DELETE", owner, name), 204)
        assert not client.exists(f"user:{owner}:{key}")

    def test_one_item_of_a_list(self, api, client, owner, undisturbed):
        key = f"user:{owner}:cards:recent"
        client.rpush(key, "a", b"x" * TOO_LARGE)
        self.read(api, f"users/{owner}/state/recent-cards", 409, "state_unreadable")
        problem(state(api, "POST", owner, "recent-cards", {"item": "a"}), 409, "state_unreadable")
        assert client.llen(key) == 2

    def test_all_items_of_a_list(self, api, client, owner, undisturbed):
        key = f"user:{owner}:cards:recent"
        client.rpush(key, *[b"%d" % number + b"x" * 64_000 for number in range(40)])
        self.read(api, f"users/{owner}/state/recent-cards", 409, "state_unreadable")
        problem(state(api, "POST", owner, "recent-cards", {"item": "a"}), 409, "state_unreadable")
        assert client.llen(key) == 40
        done(state(api, "PUT", owner, "recent-cards", {"items": ["a"]}), 200)
        assert client.lrange(key, 0, -1) == ["a"]

    def test_as_large_as_may_be(self, api, client, owner):
        word = "w" * (64 << 10)
        client.set(f"user:{owner}:scene:active", word)
        assert done(state(api, "GET", owner, "scene"), 200) == {"scene": word}
        client.append(f"user:{owner}:scene:active", "w")
        problem(state(api, "GET", owner, "scene"), 409, "state_unreadable")
        items = [f"{number}".ljust(1024, "x") for number in range(50)]
        client.rpush(f"user:{owner}:cards:recent", *items)
        assert done(state(api, "GET", owner, "recent-cards"), 200) == {"items": items}
        more = done(state(api, "POST", owner, "recent-cards", {"item": "y" * 1024}), 200)
        assert more == {"items": ["y" * 1024, *items[:49]]}

    def test_caches(self, api, client, owner, undisturbed):
        card = api.concept(owner)
        settled(api)
        kept = done(api("GET", f"cards/{card}/cache/growth"), 200)
        client.setrange(f"card:{card}:growth", TOO_LARGE, "x")
        self.read(api, f"cards/{card}/cache/growth", 200)
        assert json.loads(client.get(f"card:{card}:growth")) == kept

    def test_configuration(self, api, client, undisturbed):
        client.delete("fourfold:config:dots", *client.keys("config:*"))
        rules = done(api("GET", "configuration/evolution-rules"), 200)
        client.setrange("config:evolution-rules", TOO_LARGE, "x")
        self.read(api, "configuration/evolution-rules", 200)
        self.read(api, "configuration", 200)
        assert json.loads(client.get("config:evolution-rules")) == rules


class TestCounters:
    @pytest.mark.parametrize("text", [
        "01", "-0", "00", "+1", "-", "", " 1", "1 ", "1\n", "1e3", "0x10", "9" * 400,
        "-" + "9" * 400, "9223372036854775808", "-9223372036854775809"])
    def test_what_cannot_be_read_cannot_be_added_to(self, api, client, owner, text):
        client.set(f"user:{owner}:insights:unread", text)
        problem(state(api, "GET", owner, "unread-insights"), 409, "state_unreadable")
        problem(state(api, "POST", owner, "unread-insights", {"add": 1}), 409, "state_unreadable")
        assert client.get(f"user:{owner}:insights:unread") == text
        assert done(state(api, "PUT", owner, "unread-insights", {"value": 2}), 200)["value"] == 2

    @pytest.mark.parametrize("text", [
        "9007199254740993", "9223372036854775807", "-9223372036854775808"])
    def test_what_can_be_read_and_is_out_of_range(self, api, client, owner, text):
        client.set(f"user:{owner}:insights:unread", text)
        assert done(state(api, "GET", owner, "unread-insights"), 200) == {"value": int(text)}
        problem(state(api, "POST", owner, "unread-insights", {"add": 1}), 422, "domain_rule")

    @pytest.mark.parametrize("text", ["0", "7", "9007199254740990"])
    def test_what_can_be_added_to(self, api, client, owner, text):
        client.set(f"user:{owner}:insights:unread", text)
        assert done(state(api, "POST", owner, "unread-insights", {"add": 1}), 200) == {
            "value": int(text) + 1}


class TestLists:
    @pytest.mark.parametrize("again", [0, 10, 49, 50, 55, 69])
    def test_no_repeats_in_one_that_is_too_long(self, api, client, owner, again):
        key = f"user:{owner}:cards:recent"
        items = [f"i{number}" for number in range(70)]
        items[60] = items[10]
        client.rpush(key, *items)
        pushed = items[again]
        expected = [pushed, *[item for item in items[:50] if item != pushed]][:50]
        answer = state(api, "POST", owner, "recent-cards", {"item": pushed})
        assert done(answer, 200) == {"items": expected}
        assert client.lrange(key, 0, -1) == expected


class TestCaches:
    @pytest.mark.parametrize("value", [
        "[]", "{}", '"x"', "null", "1", '{"user_id":null}', '{"user_id":1}', '{"user_id":""}',
        '[{"user_id":"OWNER"}]', "garbage", ""])
    def test_what_no_gateway_would_have_stored(self, api, client, owner, value):
        card = api.concept(owner)
        settled(api)
        path, key = f"cards/{card}/cache/growth", f"card:{card}:growth"
        kept = done(api("GET", path, user=owner), 200)
        client.set(key, value.replace("OWNER", owner))
        assert done(api("GET", path, user=owner), 200) == kept
        assert json.loads(client.get(key)) == kept and client.ttl(key) > 0
        client.set(key, value.replace("OWNER", owner))
        assert done(api("GET", path), 200) == kept

    def test_another_owner_still_sees_nothing(self, api, client, owner, other):
        card = api.concept(owner)
        settled(api)
        path, key = f"cards/{card}/cache/growth", f"card:{card}:growth"
        client.set(key, "{}")
        problem(api("GET", path, user=other), 404, "not_found")
        client.set(key, "{}")
        problem(api("GET", f"cards/{uuid.uuid4()}/cache/growth", user=other), 404, "not_found")


class TestSessions:
    def garbage(self, client, key, what):
        client.delete(key)
        if what == "a list":
            client.rpush(key, "x")
        elif what == "a hash":
            client.hset(key, "a", "b")
        else:
            client.set(key, what)

    @pytest.mark.parametrize("what", ["garbage", "{}", "", "a list", "a hash", "forged"])
    def test_a_copy_is_made_again(self, api, client, owner, what):
        session = done(api("POST", "sessions", {"user_id": owner, "device_info": {}}), 201)
        key = f"user:{owner}:session:{session['session_id']}"
        forged = json.dumps(session | {"device_info": {"os": "forged"}})
        self.garbage(client, key, forged if what == "forged" else what)
        for _ in range(2):
            answer = api("GET", f"sessions/{session['session_id']}")
            assert done(answer, 200) == session and "fourfold-degraded" not in answer.headers
            assert json.loads(client.get(key)) == session
            assert 3 * 86_400 - 60 < client.ttl(key) <= 3 * 86_400

    def test_an_older_reader_does_not_bring_back_older_times(self, api, client, owner):
        """Reads at once, the first of which begins the time anew: the copy is the newest row."""
        session = done(api("POST", "sessions", {"user_id": owner, "device_info": {}}), 201)
        path = f"sessions/{session['session_id']}"
        key = f"user:{owner}:session:{session['session_id']}"
        for _ in range(20):
            api.sql("UPDATE dots.user_sessions SET last_active_at = now() - interval '5 minutes' "
                    "WHERE session_id = %s", [session["session_id"]])
            with ThreadPoolExecutor(8) as pool:
                assert {each.status_code for each in pool.map(
                    lambda _: api("GET", path), range(16))} == {200}
            row = api.one("SELECT row_to_json(s) FROM dots.user_sessions AS s "
                          "WHERE session_id = %s", [session["session_id"]])
            assert json.loads(client.get(key))["last_active_at"][:19] == row["last_active_at"][:19]
