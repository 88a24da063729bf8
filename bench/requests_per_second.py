"""GET and POST of one entity against pgbench running the gateway's own statements."""

import json
import re
import time

from answers import check_answers
from bench import OWNER
from load import CONNECTIONS, GET_LUA, POST_LUA, ROW_COUNT, wrk
from statements import learn, script, transactions_per_second

# A number of pgbench as a UUID, at the cost of one lpad.
RANDOM_ID = "lpad(:n, 32, '0')"


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
    loads = []

    def ours():
        loads.append(wrk(bench, gateway.url, GET_LUA))
        return loads[-1].rate

    bench.compare("GET of one entity, 64 connections", "requests/s", 1.1, ours,
                  lambda: transactions_per_second(bench, text, variables))
    bench.note(f"p99 {bench.median(load.p99_ms for load in loads):.2f} ms; "
               f"{check_answers(bench, gateway.url)}")


def post(bench):
    gateway = bench.gateway(FOURFOLD_LANES="off")
    bench.add_owner()
    body = json.dumps({"user_id": OWNER, "name": "A thought %d", "description": "Some words of it"})

    def request():
        answer = gateway.http.post("/v1/dots/concepts", content=body % start_number(),
                                   headers={"Content-Type": "application/json"})
        assert answer.status_code == 201, answer.text

    sql, values = next(each for each in reversed(learn(bench, request))
                       if any("A thought" in (value or "") for value in each[1].values()))
    text, variables = pgbench_post(sql, values, body)
    loads = []

    def ours(url):
        row_count = bench.sql("SELECT count(*) FROM dots.concepts")[0][0]
        loads.append(wrk(bench, url, POST_LUA % (start_number(), body)))
        added = bench.sql("SELECT count(*) FROM dots.concepts")[0][0] - row_count
        # wrk leaves up to one request of each connection unread when its time is over.
        assert 0 <= added - loads[-1].count <= CONNECTIONS, f"{added} rows, {loads[-1].count} answers"
        return loads[-1].rate

    def theirs():
        return transactions_per_second(bench, text, variables | {"c": start_number()})

    bench.compare("POST of one entity, durable, lanes off", "requests/s", 1.3,
                  lambda: ours(gateway.url), theirs)
    bench.note(f"p99 {bench.median(load.p99_ms for load in loads):.2f} ms; "
               "each answered POST is one row")
    gateway.stop()
    loads.clear()
    leading = bench.gateway(migrate=False, FOURFOLD_LANES="on")
    bench.note(f"with lanes on: {ours(leading.url):,.0f} requests/s, p99 {loads[0].p99_ms:.2f} ms")


def start_number():
    """Greater than any number that a load counted up to before."""
    return int(time.time() * 1_000_000)


def pgbench_post(sql, values, body):
    """The gateway's INSERT with keys in order, as the gateway makes them, and names of their own."""
    # The clients count in step, so that the keys of all come nearly in order.
    prelude = (f"\\set c :c + 1\n\\set n :c * {CONNECTIONS} + :client_id\n")
    replaced = {}
    for number, value in values.items():
        if value and "A thought" in value:
            before, after = body.split("%d")
            replaced[number] = f"('{before}' || :n || '{after}')"
        elif value and re.fullmatch(r"[0-9a-f-]{36}", value) and value != OWNER:
            replaced[number] = "lpad(:n, 32, '0')"
    return script(sql, values, replaced, prelude)
