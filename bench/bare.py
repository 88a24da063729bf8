"""Loops that post to a store the batches that a lane posts, and do nothing else."""

BATCH_ROWS = 1_000

NODES = """
UNWIND $rows AS row
MERGE (n:Entity {id: row.id})
SET n = row.properties
SET n:Concept, n.id = row.id, n.user_id = row.owner, n.revision = 1, n.applied_at = datetime(),
    n.created_at = datetime(row.properties.created_at),
    n.updated_at = datetime(row.properties.updated_at)
"""
EDGES = """
UNWIND $rows AS row
MATCH (a:Entity {id: row.from})
MATCH (b:Entity {id: row.to})
MERGE (a)-[r:CREATED {id: row.id}]->(b)
SET r = row.properties
SET r.id = row.id, r.anchor = row.anchor, r.edge_set = 'created_concept', r.user_id = row.owner,
    r.revision = 1, r.applied_at = datetime(), r.created_at = datetime(row.properties.created_at)
"""


def graph_batches(bench, first):
    """Nodes and edges of the concepts from number `first` on, as the pack's views give them."""
    nodes = bench.sql("""
        SELECT json_build_object('id', key, 'owner', owner, 'properties', properties)
        FROM dots.node_concept WHERE key::text >= lpad(%s::text, 32, '0')::uuid::text ORDER BY key""",
                      [first])
    edges = bench.sql("""
        SELECT json_build_object('id', key, 'anchor', anchor, 'from', from_key, 'to', to_key,
            'owner', owner, 'properties', properties)
        FROM dots.edge_created_concept
        WHERE anchor::text >= lpad(%s::text, 32, '0')::uuid::text ORDER BY anchor""", [first])
    assert len(nodes) == len(edges)
    return [(statement, [row[0] for row in rows[start:start + BATCH_ROWS]])
            for start in range(0, len(nodes), BATCH_ROWS)
            for statement, rows in ((NODES, nodes), (EDGES, edges))]


def post_graph(cypher, batches):
    for statement, rows in batches:
        cypher(statement, rows=rows)


def post_vectors(weaviate, objects):
    for start in range(0, len(objects), BATCH_ROWS):
        answer = weaviate.client.post(
            "/v1/batch/objects", json={"objects": objects[start:start + BATCH_ROWS]})
        assert answer.status_code == 200, answer.text
        assert all(each["result"].get("status", "SUCCESS") == "SUCCESS" for each in answer.json())
