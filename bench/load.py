"""wrk: one thread, 64 keep-alive connections."""

import dataclasses
import pathlib
import re
import subprocess

from bench import SECONDS

CONNECTIONS = 64
ROW_COUNT = 100_000

# Requests are made before the clock runs, so that the load costs little of the machine.
GET_LUA = f"""
local requests, index = {{}}, 0
function init()
    math.randomseed(7)
    for n = 1, 20000 do
        requests[n] = wrk.format("GET", string.format(
            "/v1/dots/concepts/00000000-0000-0000-0000-%012d", math.random(1, {ROW_COUNT})))
    end
end
function request()
    index = index % #requests + 1
    return requests[index]
end
"""
# Names are unique for each user: a number that no run before this one reached.
POST_LUA = """
local index = %d
wrk.headers["Content-Type"] = "application/json"
function request()
    index = index + 1
    return wrk.format("POST", "/v1/dots/concepts", nil, string.format([==[%s]==], index))
end
"""
CHECK_LUA = """
function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format("count %d, p99 %.3f ms, errors %d\\n", summary.requests,
        latency:percentile(99) / 1000,
        errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
"""


@dataclasses.dataclass
class Load:
    rate: float
    p99_ms: float
    count: int


def wrk(bench, url, lua, seconds=SECONDS):
    """Loads the gateway; any answer that is not 2xx fails the measure."""
    path = pathlib.Path(bench.stores.run_dir) / "wrk.lua"
    path.write_text(lua + CHECK_LUA)
    done = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", path, url],
        capture_output=True, text=True)
    match = re.search(r"count (\d+), p99 ([0-9.]+) ms, errors 0\n", done.stdout)
    assert done.returncode == 0 and match, done.stdout + done.stderr
    return Load(float(re.search(r"Requests/sec: +([0-9.]+)", done.stdout)[1]),
                float(match[2]), int(match[1]))
