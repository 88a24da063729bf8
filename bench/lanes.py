"""How fast the lanes bring the stores up to date."""

import concurrent.futures
import statistics
import time
import uuid

import httpx

from bare import graph_batches, post_graph, post_vectors
from bench import OWNER, Cypher, Weaviate
from waiting import wait_until

ROW_COUNT = 20_000
CATCH_UP_SECONDS_MAX = 600
WARM_UP_WRITE_COUNT = 40
WRITE_COUNT = 200
WRITE_EVERY_SECONDS = 0.05
LOOK_EVERY_SECONDS = 0.005
QUESTION = """
    CYPHER replan=skip
    UNWIND $p.ids AS id MATCH (n:Entity {id: id}) RETURN n.id AS id"""
VISIBLE_SECONDS_MAX = 60
VECTOR_CLASS = "UserConcept"
# Half a minute each.
VECTOR_ROUND_COUNT = 2


def seconds(body):
    started = time.monotonic()
    body()
    return time.monotonic() - started


def catch_up_graph(bench):
    cypher = Cypher(bench.stores.neo4j_url)
    gateway = bench.gateway(start=False, NEO4J_URL=bench.stores.neo4j_url)
    # The bare loop has the machine to itself too: nobody embeds the same rows meanwhile.
    bench.sql("SELECT fourfold.claim_lane('dots', 'vector', 'postgres', 'bench', '1 hour')")
    gateway.start()

    def wait_for(count):
        wait_until(lambda: cypher("MATCH ()-[r:CREATED]->() RETURN count(r) AS n")[0]["n"] == count,
                   CATCH_UP_SECONDS_MAX, pause=0.05)

    # Each pair writes the same rows twice: the lane after their commit, then the bare loop.
    first = 1

    def lane():
        bench.add_concepts(ROW_COUNT, first)
        return ROW_COUNT / seconds(lambda: wait_for(first - 1 + ROW_COUNT))

    def loop():
        nonlocal first
        batches = graph_batches(bench, first)
        keys = [row["id"] for _, rows in batches[::2] for row in rows]
        for start in range(0, len(keys), 5_000):
            cypher("UNWIND $keys AS key MATCH (n:Entity {id: key}) DETACH DELETE n",
                   keys=keys[start:start + 5_000])
        rate = ROW_COUNT / seconds(lambda: post_graph(cypher, batches))
        wait_for(first - 1 + ROW_COUNT)
        first += ROW_COUNT
        return rate

    bench.compare(f"catch-up of Neo4j, {ROW_COUNT:,} nodes and as many edges", "rows/s", 0.6,
                  lane, loop)


def catch_up_vector(bench):
    weaviate = Weaviate(bench.stores.weaviate_url)
    gateway = bench.gateway(WEAVIATE_URL=bench.stores.weaviate_url)
    bench.add_concepts(ROW_COUNT)

    def count():
        answer = weaviate.graphql(f"{{Aggregate{{{VECTOR_CLASS}{{meta{{count}}}}}}}}")
        return answer["Aggregate"][VECTOR_CLASS][0]["meta"]["count"]

    def wait_for_all():
        wait_until(lambda: count() == ROW_COUNT, CATCH_UP_SECONDS_MAX, pause=0.05)

    def empty_class():
        """A new class instead of the old one: deleted vectors would stay in its index a while."""
        definition = weaviate.client.get(f"/v1/schema/{VECTOR_CLASS}").json()
        assert weaviate.client.delete(f"/v1/schema/{VECTOR_CLASS}").status_code == 200
        answer = weaviate.client.post("/v1/schema", json=definition)
        assert answer.status_code == 200, answer.text

    wait_for_all()
    gateway.stop()
    # Every text is embedded by now: what follows only writes.
    objects = [{name: each[name] for name in ("class", "id", "properties", "vector")}
               for each in weaviate.objects(VECTOR_CLASS, vector=True).values()]

    def lane():
        empty_class()
        bench.sql("UPDATE dots.concepts SET attributes = jsonb_build_object('at', random())")
        gateway.start()
        rate = ROW_COUNT / seconds(wait_for_all)
        gateway.stop()
        return rate

    def loop():
        empty_class()
        rate = ROW_COUNT / seconds(lambda: post_vectors(weaviate, objects))
        wait_for_all()
        return rate

    bench.compare(f"catch-up of Weaviate, {ROW_COUNT:,} objects, vectors at hand", "objects/s", 0.6,
                  lane, loop, rounds=VECTOR_ROUND_COUNT)


def visible(bench):
    """Writes leave on schedule, however late earlier ones are; a second client looks for them.

    Looking must not take the machine from what is looked for: the question is planned once, as a
    list in a map is, and asked again a moment after each answer. Its time counts.
    """
    cypher = Cypher(bench.stores.neo4j_url)
    gateway = bench.gateway(NEO4J_URL=bench.stores.neo4j_url)
    bench.add_owner()
    # The lane connects and reconciles before the first write is seen.
    id = str(uuid.uuid4())

    def see_first():
        assert gateway.http.post("/v1/dots/concepts", json={
            "concept_id": id, "user_id": OWNER, "name": "First"}).status_code == 201
        wait_until(lambda: cypher(QUESTION, p={"ids": [id]}), VISIBLE_SECONDS_MAX, pause=0.01)

    def is_level():
        (lane,) = [each for each in gateway.http.get("/v1/sync/status").json()["lanes"]
                   if each["lane"] == "graph"]
        return lane["state"] == "idle" and lane["pending"] == 0

    first_seconds = seconds(see_first)
    wait_until(is_level, VISIBLE_SECONDS_MAX)
    ids = [str(uuid.uuid4()) for _ in range(WARM_UP_WRITE_COUNT + WRITE_COUNT)]
    first = time.monotonic() + WRITE_EVERY_SECONDS
    due = {id: first + number * WRITE_EVERY_SECONDS for number, id in enumerate(ids)}
    seen = {}

    def look():
        while len(seen) < len(ids):
            now = time.monotonic()
            waiting = [id for id in ids if id not in seen and due[id] <= now]
            rows = cypher(QUESTION, p={"ids": waiting}) if waiting else []
            now = time.monotonic()
            assert now < due[ids[-1]] + VISIBLE_SECONDS_MAX, "the writes do not become visible"
            seen.update((row["id"], now) for row in rows)
            time.sleep(LOOK_EVERY_SECONDS)

    def write(mine):
        for id in mine:
            time.sleep(max(0, due[id] - time.monotonic()))
            answer = client.post("/v1/dots/concepts", json={
                "concept_id": id, "user_id": OWNER, "name": f"Thought {id}"})
            assert answer.status_code == 201, answer.text

    with concurrent.futures.ThreadPoolExecutor() as pool, \
            httpx.Client(base_url=gateway.url, timeout=30) as client:
        # Two take turns, so that a POST that takes long does not put off the next.
        looking = pool.submit(look)
        for each in [pool.submit(write, ids[turn::2]) for turn in range(2)]:
            each.result()
        looking.result()
    delays = [(seen[id] - due[id]) * 1000 for id in ids[WARM_UP_WRITE_COUNT:]]
    quantiles = statistics.quantiles(delays, n=100)
    bench.report("write to visible in Neo4j, p99", quantiles[98], "ms", 150, higher=False)
    every = statistics.quantiles([(seen[id] - due[id]) * 1000 for id in ids], n=100)
    bench.note(f"p50 {quantiles[49]:.1f} ms, most {max(delays):.1f} ms, with the time of the POST "
               f"and of the question; the very first write {first_seconds:.1f} s, the others with "
               f"the warm-up p99 {every[98]:.0f} ms")
