"""GET and POST of one entity against pgbench running the gateway's own statements."""

import json
import pathlib
import re
import subprocess

from bench import OWNER, SECONDS
from statements import learn, script, transactions_per_second

CONNECTIONS = 64
ROW_COUNT = 100_000
# A number of pgbench as a UUID, at the cost of one lpad.
RANDOM_ID = "lpad(:n, 32, '0')::uuid"

GET_LUA = """
math.randomseed(%d)
function request()
    return wrk.format("GET", string.format(
        "/v1/dots/concepts/00000000-0000-0000-0000-%%012d", math.random(1, %d)))
end
"""
POST_LUA = """
wrk.method = "POST"
wrk.path = "/v1/dots/concepts"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[%s]==]
"""
CHECK_LUA = """
function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format("p99 %.2f ms, errors %d\\n", latency:percentile(99) / 1000,
        errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
"""


def wrk(bench, url, lua, seconds=SECONDS):
    """Returns (requests/s, p99 in ms); any answer that is not 2xx fails the measure."""
    path = pathlib.Path(bench.stores.run_dir) / "wrk.lua"
    path.write_text(lua + CHECK_LUA)
    done = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", path, url],
        capture_output=True, text=True)
    assert done.returncode == 0 and "errors 0\n" in done.stdout, done.stdout + done.stderr
    return (float(re.search(r"Requests/sec: +([0-9.]+)", done.stdout)[1]),
            float(re.search(r"p99 ([0-9.]+)", done.stdout)[1]))


def get(bench):
    gateway = bench.gateway(FOURFOLD_LANES="off")
    bench.add_concepts(ROW_COUNT)
    bench.sql("VACUUM ANALYZE dots.concepts")
    one = "00000000-0000-0000-0000-000000000007"

    def request():
        assert gateway.http.get(f"/v1/dots/concepts/{one}").status_code == 200

    sql, values = next(each for each in reversed(learn(bench, request))
                       if one in each[1].values())
    keys = {number: RANDOM_ID for number, value in values.items() if value == one}
    text, variables = script(sql, values, keys, f"\\set n random(1, {ROW_COUNT})\n")
    lua = GET_LUA % (7, ROW_COUNT)
    wrk(bench, gateway.url, lua, 2)
    rate, p99 = wrk(bench, gateway.url, lua)
    base = transactions_per_second(bench, text, variables, SECONDS)
    bench.report("GET of one entity, 64 connections", rate, "requests/s", 1.1, base)
    bench.note(f"p99 {p99:.2f} ms")


def post(bench):
    body = json.dumps({"user_id": OWNER, "name": "A thought", "description": "Some words of it"})
    gateway = bench.gateway(FOURFOLD_LANES="off")
    bench.add_owner()

    def request():
        answer = gateway.http.post("/v1/dots/concepts", content=body,
                                   headers={"Content-Type": "application/json"})
        assert answer.status_code == 201, answer.text

    sql, values = next(each for each in reversed(learn(bench, request))
                       if any("A thought" in (value or "") for value in each[1].values()))
    bench.sql("CREATE SEQUENCE bench_ids CACHE 1000")
    # UUIDs in order, as the gateway makes them: random ones would cost the index more.
    fresh = "lpad(nextval('bench_ids')::text, 32, '0')"
    made = {number: f"{fresh}::uuid" for number, value in values.items()
            if value and re.fullmatch(r"[0-9a-f-]{36}", value) and value != OWNER}
    if not made:
        # The id travels inside the body.
        number = next(n for n, value in values.items() if "A thought" in (value or ""))
        made[number] = f"jsonb_set(:p{number}::jsonb, '{{concept_id}}', to_jsonb({fresh}))"
    text, variables = script(sql, values, made)
    variables |= {f"p{number}": values[number] for number in made if f":p{number}" in made[number]}
    lua = POST_LUA % body
    wrk(bench, gateway.url, lua, 2)
    rate, p99 = wrk(bench, gateway.url, lua)
    base = transactions_per_second(bench, text, variables, SECONDS)
    bench.report("POST of one entity, durable, lanes off", rate, "requests/s", 1.3, base)
    bench.note(f"p99 {p99:.2f} ms")
    gateway.stop()
    leading = bench.gateway(migrate=False, FOURFOLD_LANES="on")
    rate, p99 = wrk(bench, leading.url, lua)
    bench.note(f"with lanes on: {rate:,.0f} requests/s, p99 {p99:.2f} ms")
