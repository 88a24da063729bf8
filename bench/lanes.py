"""How fast the lanes bring the stores up to date."""

import statistics
import time
import uuid

from bench import OWNER, Cypher, Weaviate
from waiting import wait_until

ROW_COUNT = 20_000
BATCH_ROWS = 500
CATCH_UP_SECONDS_MAX = 600
WRITE_COUNT = 200
WRITE_EVERY_SECONDS = 0.05


def catch_up_graph(bench):
    cypher = Cypher(bench.stores.neo4j_url)
    bench.gateway(NEO4J_URL=bench.stores.neo4j_url)
    bench.add_owner()
    started = time.monotonic()
    bench.add_concepts(ROW_COUNT)
    wait_until(lambda: cypher("MATCH (n:Concept) RETURN count(n) AS n")[0]["n"] == ROW_COUNT,
               CATCH_UP_SECONDS_MAX, pause=0.1)
    rate = ROW_COUNT / (time.monotonic() - started)
    # The same nodes with the same properties, posted by a loop that does nothing else.
    rows = [row["p"] for row in cypher("MATCH (n:Concept) RETURN properties(n) AS p")]
    cypher.wipe()
    started = time.monotonic()
    for start in range(0, ROW_COUNT, BATCH_ROWS):
        cypher("UNWIND $rows AS row MERGE (n:Entity {id: row.id}) SET n:Concept, n += row",
               rows=rows[start:start + BATCH_ROWS])
    base = ROW_COUNT / (time.monotonic() - started)
    bench.report(f"catch-up of Neo4j, {ROW_COUNT:,} nodes with their edges", rate, "rows/s",
                 0.6, base)


def catch_up_vector(bench):
    weaviate = Weaviate(bench.stores.weaviate_url)
    gateway = bench.gateway(WEAVIATE_URL=bench.stores.weaviate_url)
    bench.add_concepts(ROW_COUNT)

    def count():
        classes = weaviate.classes()
        if "UserConcept" not in classes:
            return 0
        answer = weaviate.graphql("{Aggregate{UserConcept{meta{count}}}}")
        return answer["Aggregate"]["UserConcept"][0]["meta"]["count"]

    wait_until(lambda: count() == ROW_COUNT, CATCH_UP_SECONDS_MAX, pause=0.1)
    objects = list(weaviate.objects("UserConcept", vector=True).values())
    # Every text is embedded by now; an empty class and dirty keys leave the writing alone.
    gateway.stop()
    weaviate.wipe()
    gateway.migrate()
    bench.sql("UPDATE dots.concepts SET attributes = '{\"again\": true}'")
    started = time.monotonic()
    gateway.start()
    wait_until(lambda: count() == ROW_COUNT, CATCH_UP_SECONDS_MAX, pause=0.1)
    rate = ROW_COUNT / (time.monotonic() - started)
    gateway.stop()
    weaviate.wipe()
    gateway.migrate()
    started = time.monotonic()
    for start in range(0, ROW_COUNT, BATCH_ROWS):
        batch = [{name: each[name] for name in ("class", "id", "properties", "vector")}
                 for each in objects[start:start + BATCH_ROWS]]
        answer = weaviate.client.post("/v1/batch/objects", json={"objects": batch})
        assert answer.status_code == 200, answer.text
        assert all(each["result"].get("status", "SUCCESS") == "SUCCESS" for each in answer.json())
    base = ROW_COUNT / (time.monotonic() - started)
    bench.report(f"catch-up of Weaviate, {ROW_COUNT:,} objects, vectors at hand", rate, "rows/s",
                 0.6, base)


def visible(bench):
    cypher = Cypher(bench.stores.neo4j_url)
    gateway = bench.gateway(NEO4J_URL=bench.stores.neo4j_url)
    bench.add_owner()
    delays = []
    for _ in range(WRITE_COUNT):
        id = str(uuid.uuid4())
        started = time.monotonic()
        answer = gateway.http.post("/v1/dots/concepts", json={
            "concept_id": id, "user_id": OWNER, "name": "A thought"})
        assert answer.status_code == 201, answer.text
        wait_until(lambda: cypher("MATCH (n:Entity {id: $id}) RETURN 1 AS one", id=id), 10,
                   pause=0.001)
        delays.append((time.monotonic() - started) * 1000)
        time.sleep(max(0, started + WRITE_EVERY_SECONDS - time.monotonic()))
    quantiles = statistics.quantiles(delays, n=100)
    bench.report("write to visible in Neo4j, p99", quantiles[98], "ms", 150, higher=False)
    bench.note(f"p50 {quantiles[49]:.1f} ms, most {max(delays):.1f} ms, with the time of the POST")
