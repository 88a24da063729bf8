"""Runs the measures named on the command line, in order; `scripts/bench` prepares the ground.

A measure is a function of a `Bench` in one of the modules below; it prints its lines by
`bench.report`. To add one: write it, name it in MEASURES and in scripts/bench.
"""

import sys

import lanes
import live_state
import live_channels
import process
import requests_per_second
from bench import Bench

MEASURES = {
    "get": requests_per_second.get,
    "post": requests_per_second.post,
    "state": live_state.state,
    "catch-up-graph": lanes.catch_up_graph,
    "catch-up-vector": lanes.catch_up_vector,
    "visible": lanes.visible,
    "events": live_channels.events,
    "memory": process.memory,
    "export": process.export,
    "start": process.start,
}


def main():
    misses = 0
    for name in sys.argv[1:]:
        with Bench(name) as bench:
            MEASURES[name](bench)
            misses += bench.miss_count
    print(f"{misses} below target" if misses else "all targets reached")


if __name__ == "__main__":
    main()
