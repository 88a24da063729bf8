"""Rate limits: how many requests pass, what the headers say, and whose address counts."""

import concurrent.futures
import re
import socket
import time
import uuid

import httpx
import pytest
import redis

from api import done, problem
from serving import serve, serving  # noqa: F401
from waiting import wait_until


@pytest.fixture(autouse=True)
def fresh(serving):  # noqa: F811
    """No allowance is used up."""
    serving.redis.flushdb()


@pytest.fixture
def limited(serve):  # noqa: F811
    """limited(**settings): an Api of a gateway that allows two requests, and one more each 5 s."""
    return lambda limit="2/10s", **settings: serve.api(
        serve(wait=True, FOURFOLD_RATE_LIMIT=limit, **settings))


def standing(answer, header="ratelimit"):
    """{"client": {"r": 1, "t": 5}} of a structured field."""
    found = {}
    for item in answer.headers[header].split(", "):
        assert re.fullmatch(r'"[a-z]+"(;[a-z]=\d+)+', item), item
        name, *pairs = item.split(";")
        found[name.strip('"')] = {pair[0]: int(pair[2:]) for pair in pairs}
    return found


def get(at, **options):
    return at("GET", f"concepts/{uuid.uuid4()}", **options)


class TestCounting:
    def test_headers_and_refusal(self, limited):
        at = limited()
        first, second, third = get(at), get(at), get(at)
        assert [each.status_code for each in (first, second)] == [404, 404]
        assert standing(first) == {"client": {"r": 1, "t": 5}}
        assert standing(second) == {"client": {"r": 0, "t": 10}}
        for each in (first, second, third):
            assert standing(each, "ratelimit-policy") == {"client": {"q": 2, "w": 10}}
        problem(third, 429, "rate_limited")
        assert third.headers["retry-after"] == "5"
        assert standing(third) == {"client": {"r": 0, "t": 10}}

    def test_retry_after_is_true(self, limited):
        at = limited("2/6s")
        get(at), get(at)
        refused = get(at)
        seconds = int(refused.headers["retry-after"])
        assert seconds == 3
        time.sleep(seconds - 1)
        again = get(at)
        assert again.status_code == 429
        time.sleep(int(again.headers["retry-after"]))
        assert get(at).status_code == 404
        assert get(at).status_code == 429

    @pytest.mark.parametrize("request_", [
        ("GET", "concepts"), ("POST", "concepts", {"name": "x"}), ("POST", "batch", {}),
        ("GET", "nothing/7"), ("GET", "/v1/nothing/x"), ("GET", "/v1/sync/status"),
        ("GET", "/nothing"), ("POST", "search", {}), ("GET", f"sessions/{uuid.uuid4()}")],
        ids=lambda each: " ".join(each[:2]))
    def test_every_route_but_health(self, limited, request_):
        at = limited("1/60s")
        at(*request_)
        problem(at(*request_), 429, "rate_limited")
        for path in ("/health/live", "/health/ready"):
            answer = at("GET", path)
            assert answer.status_code == 200 and "ratelimit" not in answer.headers

    def test_rows_carry_the_headers(self, limited):
        at = limited("9/60s")
        user = at.user()
        concept = at.concept(user)
        answer = at("GET", f"concepts/{concept}")
        assert answer.status_code == 200 and standing(answer)["client"]["r"] == 8
        assert standing(at("GET", f"concepts?user_id=eq.{user}"))["client"]["r"] == 7

    def test_the_key_is_the_packs_and_goes_by_itself(self, limited, serving):  # noqa: F811
        at = limited("2/10s")
        get(at)
        assert 4000 < serving.redis.pttl("rate_limit:api:127.0.0.1") <= 5000
        assert serving.redis.keys("*limit*") == ["rate_limit:api:127.0.0.1"]

    def test_exactly_so_many_of_many_at_once(self, limited):
        at = limited("40/1h")
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = [each.result() for each in [pool.submit(get, at) for _ in range(120)]]
        assert sum(each.status_code != 429 for each in answers) == 40

    def test_gateways_share_the_limit(self, limited):
        one, two = limited("6/1h"), limited("6/1h")
        statuses = [get(at).status_code for _ in range(6) for at in (one, two)]
        assert statuses == [404] * 6 + [429] * 6

    def test_off_on_loopback(self, serve):  # noqa: F811
        at = serve.api(serve())
        assert "ratelimit" not in get(at).headers

    def test_on_beyond_loopback(self, serve, serving):  # noqa: F811
        key = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        gateway = serve(wait=False, FOURFOLD_SERVICE_KEYS=f"one:{key}")
        gateway.stop()
        gateway.environment["FOURFOLD_LISTEN"] = f"0.0.0.0:{gateway.port}"
        gateway.start()
        answer = gateway.http.get("/v1/dots/concepts")
        problem(answer, 401, "unauthenticated")
        assert standing(answer, "ratelimit-policy") == {"client": {"q": 6000, "w": 60}}

    @pytest.mark.parametrize("name, value", [
        ("FOURFOLD_RATE_LIMIT", "many"), ("FOURFOLD_RATE_LIMIT", "0/60s"),
        ("FOURFOLD_RATE_LIMIT", "5/0s"), ("FOURFOLD_RATE_LIMIT", "5/60"),
        ("FOURFOLD_RATE_LIMIT", "99999/1s"), ("FOURFOLD_RATE_LIMIT_OWNER", "-1/60s"),
        ("FOURFOLD_TRUSTED_PROXIES", "10.0.0.1/8"), ("FOURFOLD_TRUSTED_PROXIES", "localhost")])
    def test_bad_settings(self, serve, name, value):  # noqa: F811
        gateway = serve(wait=False, **{name: value})
        assert gateway.process.wait(20) == 2
        assert name in gateway.log()
        gateway.process.returncode = 0


class TestOwners:
    def test_both_policies(self, limited, serving):  # noqa: F811
        at = limited("10/60s", FOURFOLD_RATE_LIMIT_OWNER="2/60s")
        user, other = at.user(), at.user()
        first = get(at, user=user)
        assert standing(first) == {"client": {"r": 9, "t": 6}, "owner": {"r": 1, "t": 30}}
        assert standing(first, "ratelimit-policy") == {
            "client": {"q": 10, "w": 60}, "owner": {"q": 2, "w": 60}}
        assert serving.redis.exists(f"rate_limit:user:{user}")
        get(at, user=user.upper())
        refused = get(at, user=user)
        problem(refused, 429, "rate_limited")
        assert refused.headers["retry-after"] == "30"
        # What was refused for the owner is not counted for the client.
        assert standing(refused)["client"]["r"] == 8
        assert get(at, user=other).status_code == 404
        assert "owner" not in standing(get(at))

    def test_owners_alone(self, serve):  # noqa: F811
        at = serve.api(serve(FOURFOLD_RATE_LIMIT_OWNER="1/60s"))
        user = at.user()
        assert standing(get(at, user=user)) == {"owner": {"r": 0, "t": 60}}
        assert get(at, user=user).status_code == 429
        assert "ratelimit" not in get(at).headers

    def test_the_owner_of_a_stream_may_stand_in_its_query(self, serve):  # noqa: F811
        at = serve.api(serve(FOURFOLD_RATE_LIMIT_OWNER="1/60s"))
        user = at.user()
        path = f"/v1/dots/events?channels=user:{user}:scene&user={user}"
        with at.http.stream("GET", path) as stream:
            assert stream.status_code == 200 and standing(stream)["owner"]["r"] == 0
        assert at("GET", path).status_code == 429
        assert get(at, user=user).status_code == 429

    def test_bad_credentials_use_up_nothing_of_an_owner(self, serve, serving):  # noqa: F811
        key = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
        at = serve.api(serve(FOURFOLD_RATE_LIMIT_OWNER="1/60s", FOURFOLD_SERVICE_KEYS=f"s:{key}"))
        user = at.user()
        for _ in range(3):
            problem(get(at, user=user), 401)
        good = {"Authorization": "Bearer foo"}
        assert get(at, user=user, headers=good).status_code == 404
        assert get(at, user=user, headers=good).status_code == 429


def counted(serving):  # noqa: F811
    """Whom the requests were counted for."""
    found = [key.removeprefix("rate_limit:api:") for key in serving.redis.keys("rate_limit:*")]
    serving.redis.flushdb()
    return found


class TestAddresses:
    def test_nobody_is_believed_unless_told(self, limited, serving):  # noqa: F811
        at = limited("9/60s", FOURFOLD_TRUSTED_PROXIES="10.0.0.0/8")
        for headers in ({"X-Forwarded-For": "192.0.2.1"}, {"Forwarded": "for=192.0.2.1"}):
            get(at, headers=headers)
            assert counted(serving) == ["127.0.0.1"]

    @pytest.mark.parametrize("headers, expected", [
        ({}, "127.0.0.1"),
        ({"X-Forwarded-For": "192.0.2.1"}, "192.0.2.1"),
        ({"X-Forwarded-For": "203.0.113.9, 192.0.2.1"}, "192.0.2.1"),
        ({"X-Forwarded-For": "203.0.113.9, 192.0.2.1, 10.1.2.3"}, "192.0.2.1"),
        ({"X-Forwarded-For": "nonsense"}, "127.0.0.1"),
        ({"Forwarded": 'for="[2001:db8:1:2:3::4]:80"'}, "2001:db8:1:2::/64"),
        ({"Forwarded": "for=192.0.2.7", "X-Forwarded-For": "192.0.2.1"}, "192.0.2.7"),
        ({"Forwarded": 'for=", for=192.0.2.7'}, "192.0.2.7"),
        ({"Forwarded": "for=_hidden"}, "127.0.0.1"),
        ({"Forwarded": ";;;==\"\\"}, "127.0.0.1"),
        ({"X-Forwarded-For": "," * 8000}, "127.0.0.1"),
    ])
    def test_behind_a_proxy(self, limited, serving, headers, expected):  # noqa: F811
        at = limited("9/60s", FOURFOLD_TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8")
        assert get(at, headers=headers).status_code == 404
        assert counted(serving) == [expected]

    def test_clients_behind_one_proxy_are_apart(self, limited):
        at = limited("1/60s", FOURFOLD_TRUSTED_PROXIES="127.0.0.1")
        for last in range(5):
            headers = {"X-Forwarded-For": f"192.0.2.{last}"}
            assert [get(at, headers=headers).status_code for _ in range(2)] == [404, 429]

    def test_a_session_has_the_clients_address(self, serve):  # noqa: F811
        at = serve.api(serve(FOURFOLD_TRUSTED_PROXIES="127.0.0.1"))
        session = done(at("POST", "sessions", {"user_id": at.user(), "device_info": {}},
                          headers={"X-Forwarded-For": "2001:DB8:0::9"}), 201)
        assert session["ip_address"] == "2001:db8::9"

    def test_ipv6_is_counted_by_its_network(self, serve, serving):  # noqa: F811
        gateway = serve(wait=False, FOURFOLD_RATE_LIMIT="9/60s")
        gateway.stop()
        gateway.environment["FOURFOLD_LISTEN"] = f"[::1]:{gateway.port}"
        gateway.http = httpx.Client(base_url=f"http://[::1]:{gateway.port}", timeout=30)
        gateway.start()
        gateway.http.get("/v1/dots/concepts")
        assert counted(serving) == ["::/64"]

    def test_unix_sockets(self, serve, serving, tmp_path):  # noqa: F811
        path = str(tmp_path / "gateway.sock")
        for trusted, headers, expected in [
                ("", {}, []), ("", {"X-Forwarded-For": "192.0.2.1"}, []), ("unix", {}, []),
                ("unix", {"X-Forwarded-For": "192.0.2.1"}, ["192.0.2.1"])]:
            gateway = serve(wait=False, FOURFOLD_RATE_LIMIT="1/60s",
                            FOURFOLD_LISTEN=f"unix:{path}", FOURFOLD_TRUSTED_PROXIES=trusted)
            gateway.http = httpx.Client(
                base_url="http://gateway", transport=httpx.HTTPTransport(uds=path), timeout=30)
            gateway.wait_ready()
            answers = [gateway.http.get(f"/v1/dots/concepts/{uuid.uuid4()}", headers=headers)
                       for _ in range(2)]
            assert [each.status_code for each in answers] == [404, 429 if expected else 404]
            assert counted(serving) == expected
            gateway.stop()


class TestWithoutRedis:
    """Nobody is refused, and nobody waits."""

    @pytest.mark.parametrize("how", ["refuse", "pause"])
    def test_away(self, serve, how):  # noqa: F811
        proxy = serve.redis_proxy()
        gateway = serve(REDIS_URL=proxy.url, FOURFOLD_RATE_LIMIT="1/60s", FOURFOLD_LOOPS="1")
        at = serve.api(gateway)
        assert [get(at).status_code for _ in range(2)] == [404, 429]
        getattr(proxy, how)()
        started = time.monotonic()
        for _ in range(200):
            answer = get(at)
            assert answer.status_code == 404 and "ratelimit" not in answer.headers
        # Three wait 50 ms each, then none for a second.
        assert time.monotonic() - started < 3
        notices = [line for line in gateway.log().splitlines() if "not counted" in line]
        assert len(notices) == 1
        proxy.accept()
        proxy.resume()
        proxy.cut()
        wait_until(lambda: get(at).status_code == 429, 20)

    def test_full(self, serving, serve):  # noqa: F811
        """maxmemory without eviction: what cannot be counted passes."""
        at = serve.api(serve(FOURFOLD_RATE_LIMIT="1/60s"))
        serving.redis.config_set("maxmemory", "1")
        try:
            assert [get(at).status_code for _ in range(3)] == [404] * 3
        finally:
            serving.redis.config_set("maxmemory", "0")
        wait_until(lambda: get(at).status_code == 429)

    def test_a_read_only_replica(self, serving, serve):  # noqa: F811
        at = serve.api(serve(FOURFOLD_RATE_LIMIT="1/60s"))
        serving.redis.replicaof("127.0.0.1", 1)
        try:
            assert [get(at).status_code for _ in range(3)] == [404] * 3
        finally:
            serving.redis.replicaof("NO", "ONE")
        wait_until(lambda: get(at).status_code == 429)

    def test_a_key_of_another_type(self, limited, serving):  # noqa: F811
        at = limited("1/60s", FOURFOLD_TRUSTED_PROXIES="127.0.0.1")
        serving.redis.hset("rate_limit:api:127.0.0.1", "a", "b")
        assert [get(at).status_code for _ in range(5)] == [404] * 5
        other = {"X-Forwarded-For": "192.0.2.1"}
        assert [get(at, headers=other).status_code for _ in range(2)] == [404, 429]


def test_pipelined_requests_are_answered_in_order(limited):
    at = limited("3/1h")
    ids = [str(uuid.uuid4()) for _ in range(6)]
    with socket.create_connection(("127.0.0.1", at.gateway.port)) as link:
        link.sendall(b"".join(
            f"GET /v1/dots/concepts/{id} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for id in ids[:-1])
            + f"GET /v1/dots/concepts/{ids[-1]} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            .encode())
        text = b"".join(iter(lambda: link.recv(65536), b"")).decode()
    assert re.findall(r"HTTP/1.1 (\d+)", text) == ["404"] * 3 + ["429"] * 3
    assert re.findall(r'"instance":"/v1/dots/concepts/([^"]+)"', text) == ids


def test_redis_of_another_database_is_not_touched(limited, serving):  # noqa: F811
    """The number in REDIS_URL counts."""
    url = httpx.URL(serving.stores.redis_url).copy_with(path="/5")
    at = limited("2/10s", REDIS_URL=str(url))
    get(at)
    assert not serving.redis.keys("*")
    other = redis.Redis.from_url(str(url))
    assert other.delete("rate_limit:api:127.0.0.1") == 1
