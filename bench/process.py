"""Memory, start-up, and the export as a process of its own."""

import statistics
import subprocess
import threading
import time

from bench import OWNER, Cypher
from load import GET_LUA, ROW_COUNT, wrk

MEGABYTE = 1_000_000
EXPORT_NODES = 100_000
START_COUNT = 5


def memory(bench):
    idle = bench.gateway()
    time.sleep(2)
    resident = idle.resident_bytes()
    idle.stop()
    bench.report("resident memory, idle", resident / MEGABYTE, "MB", 25, higher=False)
    # The rows that are read are not to be projected meanwhile.
    gateway = bench.gateway(migrate=False, FOURFOLD_LANES="off")
    bench.add_concepts(ROW_COUNT)
    peak = gateway.resident_bytes()
    over = threading.Event()

    def watch():
        nonlocal peak
        while not over.wait(0.1):
            peak = max(peak, gateway.resident_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    wrk(bench, gateway.url, GET_LUA)
    over.set()
    watcher.join()
    bench.report("resident memory under the GET load", peak / MEGABYTE, "MB", 80, higher=False)


def export(bench):
    cypher = Cypher(bench.stores.neo4j_url)
    gateway = bench.gateway(start=False, NEO4J_URL=bench.stores.neo4j_url)
    bench.add_owner()
    # No lane runs: the graph is made here, with edges that the export has to count.
    bench.sql("ALTER TABLE dots.concepts DISABLE TRIGGER fourfold_capture_insert")
    bench.add_concepts(EXPORT_NODES)
    for first in range(1, EXPORT_NODES, 10_000):
        cypher("""UNWIND range($first, $first + 9999) AS i
            CREATE (:Entity:Concept {user_id: $owner,
                id: '00000000-0000-0000-0000-' + right('00000000000' + toString(i), 12)})""",
               first=first, owner=OWNER)
    for first in range(1, EXPORT_NODES, 10_000):
        cypher("""UNWIND range($first, $first + 9999) AS i
            MATCH (a:Entity {id: '00000000-0000-0000-0000-'
                + right('00000000000' + toString(i), 12)})
            MATCH (b:Entity {id: '00000000-0000-0000-0000-'
                + right('00000000000' + toString(i * 7919 % $count + 1), 12)})
            CREATE (a)-[:RELATED_TO {id: toString(i)}]->(b)""", first=first, count=EXPORT_NODES)
    started = time.monotonic()
    child = subprocess.Popen(
        [gateway.binary, "export-connections", "--pack", "dots"], cwd=gateway.root,
        env=gateway.environment, stdout=subprocess.PIPE, text=True)
    peak = 0
    while child.poll() is None:
        peak = max(peak, high_water_bytes(child.pid))
        time.sleep(0.01)
    seconds = time.monotonic() - started
    summary = child.stdout.read()
    assert child.returncode == 0, summary
    count = bench.sql("SELECT count(*) FROM dots.graph_connections")[0][0]
    assert count == EXPORT_NODES, summary
    bench.report(f"export of {count:,} degrees", seconds, "s", 10, higher=False)
    bench.report("memory of the export", peak / MEGABYTE, "MB", 60, higher=False)
    bench.note(summary.strip())


def high_water_bytes(pid):
    """What the process itself had resident at most; what `wait4` says begins with its parent's."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            found = [line.split()[1] for line in file if line.startswith("VmHWM")]
    except ProcessLookupError:
        return 0
    return int(found[0]) * 1024 if found else 0


def start(bench):
    gateway = bench.gateway()
    gateway.stop()
    times = []
    for _ in range(START_COUNT):
        started = time.monotonic()
        gateway.start()
        times.append(time.monotonic() - started)
        gateway.stop()
    bench.report("start to ready, warm", statistics.median(times), "s", 1, higher=False)
