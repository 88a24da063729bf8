"""States against Redis itself: the same script and the same command, without the gateway."""

import json
import re
import socket
import subprocess
import time

import httpx
import redis

from bench import SECONDS
from load import CONNECTIONS, wrk

USER_COUNT = 1_000
# As redis-benchmark writes a random number: twelve digits.
USER = "0197be7c-0000-7000-8000-{:012d}"
SCENE = {"scene": "graph", "transition_type": "zoom", "focus_entity": "concept-456"}
ORB = {"visual_state": "speaking", "emotional_tone": "excited", "energy_level": 0.8,
       "is_speaking": True, "effects": [{"id": "effect-123", "type": "particles"}]}

# Requests are made before the clock runs, so that the load costs little of the machine.
LUA = """
local requests, index = {}, 0
function init()
    for n = 1, %d do
        requests[n] = wrk.format("%s", string.format(
            "/v1/dots/users/0197be7c-0000-7000-8000-%%012d/state/%s", n - 1),
            {["Content-Type"] = "application/json"}, %s)
    end
end
function request()
    index = index %% #requests + 1
    return requests[index]
end
"""


def state(bench):
    gateway = bench.gateway(FOURFOLD_LANES="off")
    put_scene(bench, gateway)
    get_scene(bench, gateway)
    put_orb(bench, bench.gateway(migrate=False, FOURFOLD_HISTORY_BACKLOG_MAX="10000000"))


def lua(method, name, body=None):
    return LUA % (USER_COUNT, method, name, f"[==[{json.dumps(body)}]==]" if body else "nil")


def put_scene(bench, gateway):
    words = learn(bench, gateway)
    bench.compare(
        f"PUT of the scene, {CONNECTIONS} connections, against the script alone", "requests/s",
        0.5, lambda: wrk(bench, gateway.url, lua("PUT", "scene", SCENE)).rate,
        lambda: redis_benchmark(bench, words))


def get_scene(bench, gateway):
    wrk(bench, gateway.url, lua("PUT", "scene", SCENE))
    words = ["GET", f"user:{USER.format(0)[:-12]}__rand_int__:scene:active"]
    bench.compare(
        f"GET of the scene, {CONNECTIONS} connections, against GET alone", "requests/s", 0.6,
        lambda: wrk(bench, gateway.url, lua("GET", "scene")).rate,
        lambda: redis_benchmark(bench, words))


def put_orb(bench, gateway):
    """Writes and their rows in PostgreSQL, from the first request until the last row is there."""
    bench.sql("""
        INSERT INTO dots.users (user_id, username, email, password_hash, region)
        SELECT ('0197be7c-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'bench' || n,
            'bench' || n || '@example.org', '!', 'eu'
        FROM generate_series(0, %s - 1) AS n""", [USER_COUNT])
    client = redis.Redis.from_url(bench.stores.redis_url)
    started = time.monotonic()
    load = wrk(bench, gateway.url, lua("PUT", "orb", ORB), seconds=5 * SECONDS)
    behind = client.xlen("fourfold:history:dots:orb")
    while client.xlen("fourfold:history:dots:orb") > 0:
        time.sleep(0.02)
    seconds = time.monotonic() - started
    (row_count,), = bench.sql("SELECT count(*) FROM dots.orb_states")
    # wrk leaves up to one request of each connection unread when its time is over.
    assert load.count <= row_count <= load.count + CONNECTIONS, (load.count, row_count)
    bench.note(f"PUT of the orb: {load.rate:,.0f}/s answered, p99 {load.p99_ms:.2f} ms; with its "
               f"history {row_count / seconds:,.0f}/s sustained ({row_count:,} rows in "
               f"{seconds:.1f} s, {behind:,} behind at the end of the load)")


def learn(bench, gateway):
    """The words of the command that the gateway sends for one PUT, for any user."""
    path = f"{gateway.url}/v1/dots/users/{USER.format(7)}/state/scene"
    # The first one makes Redis know the script.
    assert httpx.put(path, json=SCENE).status_code == 200
    parts = httpx.URL(bench.stores.redis_url)
    with socket.create_connection((parts.host, parts.port), timeout=10) as link:
        link.sendall(b"MONITOR\r\n")
        lines = link.makefile()
        assert lines.readline() == "+OK\n"
        assert httpx.put(path, json=SCENE).status_code == 200
        line = next(each for each in lines if '"EVALSHA"' in each)
    words = [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r'"((?:[^"\\]|\\.)*)"', line)]
    return [word.replace(USER.format(7), f"{USER.format(0)[:-12]}__rand_int__") for word in words]


def redis_benchmark(bench, words):
    """Requests/s of redis-benchmark with as many clients, without pipelining."""
    parts = httpx.URL(bench.stores.redis_url)
    command = ["redis-benchmark", "-h", parts.host, "-p", str(parts.port), "-c", str(CONNECTIONS),
               "-n", str(25_000 * SECONDS), "-r", str(USER_COUNT), "--csv", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    # The name of the test comes first and may hold anything.
    return float(done.stdout.strip().split('","')[-7])
