"""How fast the lanes bring the stores up to date."""

import statistics
import time
import uuid

from bare import graph_batches, post_graph, post_vectors
from bench import OWNER, Cypher, Weaviate
from waiting import wait_until

ROW_COUNT = 20_000
CATCH_UP_SECONDS_MAX = 600
WARM_UP_WRITE_COUNT = 40
WRITE_COUNT = 200
WRITE_EVERY_SECONDS = 0.05
VECTOR_CLASS = "UserConcept"


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
    empty_class()
    bench.sql("UPDATE dots.concepts SET attributes = '{\"again\": true}'")
    gateway.start()
    own = seconds(wait_for_all)
    gateway.stop()
    empty_class()
    base = seconds(lambda: post_vectors(weaviate, objects))
    wait_for_all()
    bench.report(f"catch-up of Weaviate, {ROW_COUNT:,} objects, vectors at hand", ROW_COUNT / own,
                 "rows/s", 0.6, ROW_COUNT / base)
    bench.note(f"the bare loop: {base:.1f} s; the lane: {own:.1f} s")


def visible(bench):
    cypher = Cypher(bench.stores.neo4j_url)
    gateway = bench.gateway(NEO4J_URL=bench.stores.neo4j_url)
    bench.add_owner()
    delays = []
    # The lane connects, reconciles and has its statements planned during the first writes.
    for number in range(-WARM_UP_WRITE_COUNT, WRITE_COUNT):
        id = str(uuid.uuid4())
        started = time.monotonic()
        answer = gateway.http.post("/v1/dots/concepts", json={
            "concept_id": id, "user_id": OWNER, "name": f"Thought {number}"})
        assert answer.status_code == 201, answer.text
        wait_until(lambda: cypher("MATCH (n:Entity {id: $id}) RETURN 1 AS one", id=id), 10,
                   pause=0.001)
        if number >= 0:
            delays.append((time.monotonic() - started) * 1000)
        time.sleep(max(0, started + WRITE_EVERY_SECONDS - time.monotonic()))
    quantiles = statistics.quantiles(delays, n=100)
    bench.report("write to visible in Neo4j, p99", quantiles[98], "ms", 150, higher=False)
    bench.note(f"p50 {quantiles[49]:.1f} ms, most {max(delays):.1f} ms, with the time of the POST "
               f"and of the question")
