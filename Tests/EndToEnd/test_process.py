"""The process: starting, refusing, draining, deadlines, and stores that go away."""

import concurrent.futures
import os
import signal
import socket
import subprocess
import threading
import time

import httpx
import psycopg
import psycopg.conninfo
import pytest

import processes
from api import Api, done, problem
from faults import FaultProxy
from gateway import Gateway, free_port
from program import run_program, stores_of
from waiting import wait_until

REDIS_KEY = "REDIS_URL"


@pytest.fixture
def start(api):
    """start(**settings): another gateway on the module's database; stopped after the test."""
    started = []

    def run(*, wait=True, begin=True, **settings):
        inherited = {name: api.gateway.environment[name] for name in ("DATABASE_URL", REDIS_KEY)}
        each = Gateway(api.gateway.root, api.gateway.binary, inherited | settings)
        started.append(each)
        return each.start(wait=wait) if begin else each

    yield run
    for each in started:
        each.stop()


@pytest.fixture
def proxy(api, stores):
    """proxy(store): a fault proxy before PostgreSQL or Redis."""
    proxies = []

    def make(store):
        if store == "postgres":
            parts = psycopg.conninfo.conninfo_to_dict(api.database_url)
            target = ("unix", f"{parts['host']}/.s.PGSQL.{parts['port']}")
        else:
            url = httpx.URL(stores.redis_url)
            target = ("tcp", (url.host, url.port))
        each = FaultProxy(target)
        proxies.append(each)
        each.url = stores.url_through(store, each.port, api.database_url)
        return each

    yield make
    for each in proxies:
        each.close()


# Refusing to start.


REFUSALS = [
    pytest.param({"DATABASE_URL": None, REDIS_KEY: None}, ["DATABASE_URL", REDIS_KEY],
                 id="no-stores"),
    pytest.param({REDIS_KEY: "http://x"}, [REDIS_KEY], id="redis-url"),
    pytest.param({"REDIS_TLS_CA": "/some/file"}, ["REDIS_TLS", REDIS_KEY], id="redis-in-the-clear"),
    pytest.param({REDIS_KEY: "rediss://localhost", "REDIS_TLS_CA": "/nowhere"}, ["REDIS_TLS_CA"],
                 id="redis-authorities"),
    pytest.param({REDIS_KEY: "rediss://localhost", "REDIS_TLS_KEY": "/nowhere"}, ["REDIS_TLS_CERT"],
                 id="redis-certificate"),
    pytest.param({"FOURFOLD_LISTEN": "0.0.0.0:8080"}, ["FOURFOLD_SERVICE_KEYS"],
                 id="all-addresses"),
    pytest.param({"FOURFOLD_LISTEN": "[::]:8080"}, ["FOURFOLD_SERVICE_KEYS"], id="all-ipv6"),
    pytest.param({"FOURFOLD_LISTEN": "0.0.0.0:8080", "FOURFOLD_AUTH": "none"},
                 ["FOURFOLD_SERVICE_KEYS"], id="said-none"),
    pytest.param({"FOURFOLD_AUTH": "keys"}, ["FOURFOLD_SERVICE_KEYS"], id="keys-without-keys"),
    pytest.param({"FOURFOLD_SERVICE_KEYS": "bff:secret"}, ["FOURFOLD_SERVICE_KEYS"], id="no-hash"),
    pytest.param({"FOURFOLD_LISTEN": "here"}, ["FOURFOLD_LISTEN"], id="address"),
    pytest.param({"FOURFOLD_PACKS": "dots,nothing"}, ["nothing"], id="pack"),
    pytest.param({"FOURFOLD_ROOT": "/nowhere"}, ["/nowhere"], id="root"),
    pytest.param({"FOURFOLD_BODY_MAX": "many", "FOURFOLD_REQUEST_TIMEOUT": "-1s",
                  "FOURFOLD_AUTH": "maybe", "FOURFOLD_LOOPS": "0"},
                 ["FOURFOLD_BODY_MAX", "FOURFOLD_REQUEST_TIMEOUT", "FOURFOLD_AUTH",
                  "FOURFOLD_LOOPS"], id="every-mistake"),
    pytest.param({REDIS_KEY: None, "FOURFOLD_LISTEN": "here", "FOURFOLD_SERVICE_KEYS": "x"},
                 [REDIS_KEY, "FOURFOLD_LISTEN", "FOURFOLD_SERVICE_KEYS"], id="every-plan-mistake"),
]


@pytest.mark.parametrize("changes, told", REFUSALS)
def test_bad_settings_end_with_2_and_name_every_mistake(api, changes, told):
    settings = stores_of(api) | {"FOURFOLD_LISTEN": f"127.0.0.1:{free_port()}"} | changes
    ended = run_program(
        api, **{name: value for name, value in settings.items() if value is not None})
    assert ended.returncode == 2
    for word in told:
        assert word in ended.stderr
    assert "bff:secret" not in ended.stderr and api.database_url not in ended.stderr


@pytest.mark.parametrize("arguments, status", [
    (["--help"], 0), (["serve", "--help"], 0), (["nothing"], 2), (["serve", "--nothing", "1"], 2),
    (["serve", "--config"], 2), (["serve", "--config", "/nowhere"], 2), ([], 0)])
def test_command_line(api, arguments, status):
    ended = run_program(api, arguments, **stores_of(api))
    assert ended.returncode == status
    assert "usage" in ended.stdout if status == 0 else ended.stderr.startswith("fourfold: ")


def test_an_unreachable_database_ends_with_2(api):
    ended = run_program(api, **stores_of(api) | {
        "DATABASE_URL": f"postgresql://nobody:hush-hush@127.0.0.1:{free_port()}/x",
        "FOURFOLD_START_TIMEOUT": "1s", "FOURFOLD_LISTEN": f"127.0.0.1:{free_port()}"})
    assert ended.returncode == 2 and "PostgreSQL" in ended.stderr
    assert "hush-hush" not in ended.stderr


def test_a_taken_port_ends_with_2(api):
    ended = run_program(api, **stores_of(api), FOURFOLD_LISTEN=f"127.0.0.1:{api.gateway.port}")
    assert ended.returncode == 2 and str(api.gateway.port) in ended.stderr
    done(api("GET", "/health/live"), 200)


# Stopping.


class Lock:
    """A transaction of another client that holds a lock until it is released."""

    def __init__(self, api, statement, parameters=None):
        self.link = psycopg.connect(api.database_url)
        self.link.execute(statement, parameters)

    def release(self):
        self.link.rollback()
        self.link.close()


ROW = "SELECT FROM dots.concepts WHERE concept_id = %s FOR UPDATE"
TABLE = "LOCK TABLE dots.concepts IN ACCESS EXCLUSIVE MODE"


def waiting(api, pattern="%concepts%"):
    """Statements of gateways that wait for a lock."""
    return api.one("""
        SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
            AND wait_event_type = 'Lock' AND query LIKE %s""", [pattern])


def test_sigterm_drains_what_runs(api, start, owner):
    gateway, concept = start(), api.concept(owner)
    lock = Lock(api, ROW, [concept])
    with concurrent.futures.ThreadPoolExecutor() as pool:
        running = pool.submit(gateway.http.patch, f"/v1/dots/concepts/{concept}",
                              json={"status": "drained"})
        wait_until(lambda: waiting(api))
        gateway.process.send_signal(signal.SIGTERM)

        def refuses():
            try:
                socket.create_connection(("127.0.0.1", gateway.port), 1).close()
            except ConnectionRefusedError:
                return True

        wait_until(refuses)
        assert not running.done()
        lock.release()
        assert done(running.result(10), 200)["status"] == "drained"
    assert gateway.process.wait(10) == 0
    assert api.count("concepts", "concept_id = %s AND status = 'drained'", [concept]) == 1


def test_a_drain_ends_though_a_request_does_not(api, start, owner):
    gateway, concept = start(FOURFOLD_DRAIN_TIMEOUT="500ms"), api.concept(owner)
    lock = Lock(api, ROW, [concept])
    with concurrent.futures.ThreadPoolExecutor() as pool:
        running = pool.submit(gateway.http.patch, f"/v1/dots/concepts/{concept}", json={})
        wait_until(lambda: waiting(api))
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(10) == 0
        with pytest.raises(httpx.TransportError):
            assert running.result(10).status_code >= 500
            raise httpx.ReadError("an answer that says so will do")
    wait_until(lambda: not waiting(api))
    lock.release()


def test_idle_connections_do_not_hold_up_the_end(start):
    gateway = start()
    gateway.http.get("/health/live")
    begin = time.monotonic()
    assert gateway.stop() == 0 and time.monotonic() - begin < 5


# Deadlines.


@pytest.mark.parametrize("method, path, lock", [
    ("PATCH", "concepts/{id}", ROW), ("DELETE", "concepts/{id}", ROW),
    ("PATCH", "concepts?concept_id=eq.{id}", ROW), ("GET", "concepts?limit=1", TABLE),
    ("POST", "concepts", TABLE), ("POST", "batch", TABLE)])
def test_a_statement_is_cancelled_at_the_deadline(api, owner, method, path, lock):
    concept = api.concept(owner)
    held = Lock(api, lock, [concept] if lock == ROW else None)
    body = {"PATCH": {"status": "late"}, "POST": {"user_id": owner, "name": "late"}}.get(method)
    if path == "batch":
        body = {"operations": [{"op": "create", "entity": "concepts", "value": body}]}
    try:
        begin = time.monotonic()
        answer = api(method, path.format(id=concept), body, headers={"Request-Timeout": "0.4"})
        seconds = time.monotonic() - begin
        problem(answer, 504, "deadline_exceeded")
        assert 0.3 < seconds < 2
        wait_until(lambda: not waiting(api), 3)
    finally:
        held.release()
    assert api.count("concepts", "user_id = %s AND 'late' IN (status, name)", [owner]) == 0
    assert api.count("concepts", "concept_id = %s", [concept]) == 1
    done(api("GET", f"concepts/{concept}"), 200)


def test_a_point_read_is_cancelled_at_the_timeout_of_the_setting(api, start, owner):
    # It shares its connection, so that only the setting bounds it in the database.
    gateway, concept = start(FOURFOLD_REQUEST_TIMEOUT="800ms"), api.concept(owner)
    held = Lock(api, TABLE)
    begin = time.monotonic()
    answer = gateway.http.get(f"/v1/dots/concepts/{concept}", headers={"Request-Timeout": "0.2"})
    problem(answer, 504, "deadline_exceeded")
    assert 0.1 < time.monotonic() - begin < 0.8
    wait_until(lambda: not waiting(api), 3)
    held.release()
    done(gateway.http.get(f"/v1/dots/concepts/{concept}"), 200)


@pytest.mark.parametrize("sent", ["0", "-1", "soon", "", "nan", "inf", "1, 2"])
def test_malformed_request_timeouts(api, sent):
    problem(api("GET", "concepts", headers={"Request-Timeout": sent}), 400, "invalid_header",
            "Request-Timeout")


def test_a_header_cannot_lengthen_the_deadline(api, start, owner):
    gateway, concept = start(FOURFOLD_REQUEST_TIMEOUT="300ms"), api.concept(owner)
    lock = Lock(api, ROW, [concept])
    begin = time.monotonic()
    answer = gateway.http.delete(f"/v1/dots/concepts/{concept}", headers={"Request-Timeout": "60"})
    problem(answer, 504)
    assert time.monotonic() - begin < 2
    lock.release()


def test_a_client_that_left_does_not_keep_a_statement(api, owner):
    lock = Lock(api, TABLE)
    with socket.create_connection(("127.0.0.1", api.gateway.port)) as client:
        client.sendall(b"GET /v1/dots/concepts?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: waiting(api))
    wait_until(lambda: not waiting(api), 4)
    lock.release()


# Group commit.


def test_one_bad_write_among_many_good_ones(api, owner):
    taken = "taken"
    api.concept(owner, name=taken)

    def write(number):
        with httpx.Client(base_url=api.gateway.url, timeout=30) as client:
            answers = []
            for turn in range(10):
                name = taken if number % 8 == 0 and turn % 2 else f"good {number} {turn}"
                answers.append((name, client.post(
                    "/v1/dots/concepts", json={"user_id": owner, "name": name})))
            return answers

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = [each for each in pool.map(write, range(32)) for each in each]
    for name, answer in answers:
        if name == taken:
            problem(answer, 409, "unique_violation", "name")
        else:
            done(answer, 201)
    good = sorted(name for name, _ in answers if name != taken)
    assert [row["name"] for row in api.sql("""
        SELECT name FROM dots.concepts WHERE user_id = %s AND name <> %s
        ORDER BY name COLLATE "C" """, [owner, taken])] == good
    tokens = {answer.headers["fourfold-token"] for _, answer in answers if answer.is_success}
    xids = api.one("""SELECT count(DISTINCT xid) FROM fourfold.outbox AS o JOIN dots.concepts AS c
        ON o.key = c.concept_id::text WHERE c.user_id = %s AND c.name <> %s""", [owner, taken])
    assert len(tokens) == xids


def test_concurrent_writes_to_one_row_all_answer(api, owner):
    concept = api.concept(owner)

    def write(number):
        return httpx.patch(f"{api.gateway.url}/v1/dots/concepts/{concept}",
                           json={"attributes": {str(number): number}}, timeout=30)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for answer in pool.map(write, range(64)):
            done(answer, 200)
    stored = api.one("SELECT attributes FROM dots.concepts WHERE concept_id = %s", [concept])
    assert stored == {str(number): number for number in range(64)}


def test_if_match_lets_exactly_one_of_many_win(api, owner):
    concept = api.concept(owner)
    tag = api("GET", f"concepts/{concept}").headers["etag"]

    def write(number):
        return httpx.patch(f"{api.gateway.url}/v1/dots/concepts/{concept}", timeout=30,
                           json={"status": str(number)}, headers={"If-Match": tag}).status_code

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        statuses = sorted(pool.map(write, range(16)))
    assert statuses == [200] + [412] * 15


# Stores that go away.


def test_health(api):
    assert done(api("GET", "/health/live"), 200) == {"status": "up"}
    ready = done(api("GET", "/health/ready"), 200)
    assert ready == {"status": "up", "stores": {"postgres": {"state": "up"},
                                                "redis": {"state": "up"}}}
    head = api("HEAD", "/health/ready")
    assert (head.status_code, head.content) == (200, b"")
    problem(api("POST", "/health/live", {}), 405)


def certify(folder, name, *additions, by=None):
    """Makes {name}.crt and {name}.key, signed by another one or by itself."""
    signer = ["-CA", folder / f"{by}.crt", "-CAkey", folder / f"{by}.key"] if by else []
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt", "-days", "2",
         "-subj", f"/CN={name}", *signer, *(word for each in additions
                                            for word in ("-addext", each))],
        check=True, capture_output=True)
    return folder / f"{name}.crt"


@pytest.fixture
def redis_with_tls(tmp_path):
    """The port of a Redis that speaks TLS only and asks for a login, and its authority's file."""
    trusted = certify(tmp_path, "authority", "basicConstraints=critical,CA:TRUE")
    certificate = certify(tmp_path, "server", "subjectAltName=DNS:localhost",
                          "basicConstraints=critical,CA:FALSE", by="authority")
    port = free_port()
    program = os.environ.get("FOURFOLD_TEST_REDIS_SERVER", "redis-server")
    server = processes.start(
        [program, "--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no",
         "--tls-cert-file", certificate, "--tls-key-file", tmp_path / "server.key", "--save", "",
         "--dir", tmp_path, "--user", "me", "on", ">hush-hush", "~*", "&*", "+@all"],
        tmp_path / "redis.log")
    yield port, trusted
    server.kill()
    server.wait()


def test_redis_over_tls(start, redis_with_tls, tmp_path):
    port, trusted = redis_with_tls
    settings = {REDIS_KEY: f"rediss://me:hush-hush@localhost:{port}/2", "REDIS_TLS_CA": trusted}

    def redis_state(gateway):
        return done(gateway.http.get("/health/ready"), 200)["stores"]["redis"]["state"]

    gateway = start(**settings)
    wait_until(lambda: redis_state(gateway) == "up", message="Redis is not reached over TLS")
    stranger = certify(tmp_path, "stranger", "basicConstraints=critical,CA:TRUE")
    suspicious = start(**settings | {"REDIS_TLS_CA": stranger})
    assert redis_state(suspicious) == "down"
    assert "the certificate of the server is not trusted" in suspicious.log()
    assert "hush-hush" not in suspicious.log()


def test_without_redis_entities_answer_as_ever(api, start, proxy, owner):
    redis = proxy("redis")
    gateway = start(**{REDIS_KEY: redis.url})
    for fault in (redis.refuse, redis.pause):
        fault()
        ready = done(gateway.http.get("/health/ready"), 200)
        assert ready["status"] == "degraded" and ready["stores"]["redis"]["state"] == "down"
        made = gateway.http.post("/v1/dots/concepts", json={"user_id": owner, "name": str(fault)})
        key = done(made, 201)["concept_id"]
        done(gateway.http.get(f"/v1/dots/concepts/{key}"), 200)
        redis.accept()
        redis.resume()
        wait_until(lambda: gateway.http.get("/health/ready").json()["status"] == "up")


REQUESTS = [("GET", "concepts/{id}", None), ("GET", "concepts?limit=1", None),
            ("POST", "concepts", {"name": "x"}), ("PATCH", "concepts/{id}", {"status": "x"}),
            ("POST", "concepts", [{"name": "a"}, {"name": "b"}]), ("DELETE", "concepts/{id}", None),
            ("POST", "batch", {"operations": [
                {"op": "create", "entity": "tags", "value": {"name": "x"}}]})]


def test_without_postgres(api, start, proxy, owner):
    postgres = proxy("postgres")
    gateway = start(DATABASE_URL=postgres.url, FOURFOLD_REQUEST_TIMEOUT="2s")
    behind = Api(gateway, api.database_url)
    try:
        behind("GET", "concepts?limit=1")
        postgres.refuse()
        ready = gateway.http.get("/health/ready")
        assert ready.status_code == 503 and ready.headers["retry-after"]
        assert ready.json()["stores"]["postgres"]["state"] == "down"
        done(gateway.http.get("/health/live"), 200)
        for method, path, body in REQUESTS:
            begin = time.monotonic()
            answer = behind(method, path.format(id=owner), body, user=owner)
            assert time.monotonic() - begin < 3
            problem(answer, 503, "store_unavailable")
            assert int(answer.headers["retry-after"]) >= 1
        assert api.count("concepts", "user_id = %s", [owner]) == 0
        postgres.accept()
        wait_until(lambda: gateway.http.get("/health/ready").status_code == 200)
        for method, path, body in REQUESTS:
            answer = behind(method, path.format(id=owner), body, user=owner)
            assert answer.status_code in (200, 201, 404, 409)
    finally:
        behind.close()


def test_a_silent_postgres_costs_a_deadline_and_no_more(api, start, proxy, owner):
    postgres = proxy("postgres")
    gateway = start(DATABASE_URL=postgres.url, FOURFOLD_REQUEST_TIMEOUT="700ms")
    behind = Api(gateway, api.database_url)

    def timed(method, path, body):
        begin = time.monotonic()
        answer = behind(method, path.format(id=owner), body, user=owner)
        return answer, time.monotonic() - begin

    try:
        behind("GET", "concepts?limit=1")
        postgres.pause()
        with concurrent.futures.ThreadPoolExecutor(len(REQUESTS)) as pool:
            for answer, seconds in pool.map(lambda each: timed(*each), REQUESTS):
                problem(answer, 504, "deadline_exceeded")
                assert 0.6 < seconds < 2.5

        def refused_at_once():
            answer, seconds = timed("GET", "concepts/{id}", None)
            problem(answer, 503, "store_unavailable")
            assert int(answer.headers["retry-after"]) >= 1
            return seconds < 0.3

        # It has learnt by now that new connections do not come about.
        wait_until(refused_at_once, 20)
        postgres.resume()
        wait_until(lambda: behind("GET", "concepts?limit=1").status_code == 200)
        wait_until(lambda: behind("PATCH", f"concepts/{owner}", {}).status_code == 404)
    finally:
        behind.close()


def test_postgres_restarts_under_requests(api, stores, owner):
    stop, seen, acknowledged = threading.Event(), [], []

    def load(number):
        with httpx.Client(base_url=api.gateway.url, timeout=30) as client:
            turn = 0
            while not stop.is_set():
                name = f"{number}-{turn}"
                answer = client.post("/v1/dots/concepts", json={"user_id": owner, "name": name})
                seen.append(answer)
                if answer.status_code == 201:
                    acknowledged.append(name)
                seen.append(client.get("/v1/dots/concepts?limit=1"))
                turn += 1

    api.link.close()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        loads = [pool.submit(load, number) for number in range(6)]
        wait_until(lambda: len(acknowledged) > 50)
        stores.kill("postgres")
        wait_until(lambda: any(answer.status_code == 503 for answer in seen))
        stores.start("postgres")
        count = len(acknowledged)
        wait_until(lambda: len(acknowledged) > count + 50)
        stop.set()
        for each in loads:
            each.result(30)
    api.link = psycopg.connect(api.database_url, autocommit=True,
                               row_factory=psycopg.rows.dict_row)
    for answer in seen:
        assert answer.status_code in (200, 201, 503), answer.text
        if answer.status_code == 503:
            problem(answer, 503)
            assert int(answer.headers["retry-after"]) >= 1
    stored = {row["name"] for row in api.sql(
        "SELECT name FROM dots.concepts WHERE user_id = %s", [owner])}
    assert set(acknowledged) <= stored
