"""Every kind of write reaches the graph and the vector store."""

import uuid

import pytest

from oracle import instant
from world import Writer, gateway, world, writer  # noqa: F401


def test_an_id_that_moves_to_another_entity_keeps_its_node(world, writer):
    """Deleted as one thing and made as another in one transaction: one page has both."""
    id, other = writer.concept("a concept"), writer.concept("another")
    writer.relate("RELATED_TO", ("concepts", id), ("concepts", other))
    back = writer.memory("a memory")
    world.assert_converged()
    answer = writer.http.post("/v1/dots/batch", json={"operations": [
        {"op": "delete", "entity": "concepts", "id": id},
        {"op": "create", "entity": "memories", "value": {
            "memory_id": id, "user_id": writer.user, "title": "now a memory", "content": "c",
            "memory_type": "journal"}},
        {"op": "delete", "entity": "memories", "id": back},
        {"op": "create", "entity": "concepts", "value": {
            "concept_id": back, "user_id": writer.user, "name": "now a concept"}}]})
    assert answer.status_code == 200, answer.text
    world.assert_converged()
    rows = world.cypher("MATCH (n:Entity) WHERE n.id IN $ids RETURN n.id AS id, labels(n) AS labels",
                        ids=[id, back])
    assert {row["id"]: sorted(row["labels"]) for row in rows} == {
        id: ["Entity", "MemoryUnit"], back: ["Concept", "Entity"]}


def test_arrays_of_several_dimensions_are_projected(world, writer):
    id = writer.memory("nested", media_urls=[["a", None], ["b", "c"]])
    reflection = writer.id("reflections", title="t", content="c", reflection_type="weekly",
                           tags=[["x"], ["y"]])
    world.assert_converged()
    rows = world.cypher("MATCH (n:Entity) WHERE n.id IN $ids RETURN n.media_urls AS urls, "
                        "n.tags AS tags ORDER BY n.title", ids=[id, reflection])
    assert (rows[0]["urls"], rows[1]["tags"]) == (["a", "b", "c"], ["x", "y"])


def test_the_oracle_sees_what_is_missing_extra_or_different(world, writer):
    kept, changed = writer.concept("kept"), writer.concept("changed")
    world.assert_converged()
    world.cypher("MATCH (n:Entity {id: $id}) SET n.name = 'x'", id=changed)
    world.cypher("CREATE (:Entity:Concept {id: 'stranger', revision: 1})")
    world.cypher("MATCH (n:Entity {id: $id}) DETACH DELETE n", id=kept)
    world.weaviate.client.delete(f"/v1/objects/UserConcept/{kept}")
    found = world.oracle.differences()
    assert f"node {kept} is missing" in found
    assert "node stranger is extra" in found
    assert f"object of UserConcept {kept} is missing" in found
    assert f"edge created_concept/CREATED:{kept} is missing" in found
    assert any(line.startswith(f"node {changed} differs in name") for line in found)
    world.cypher("MATCH (n:Entity {id: 'stranger'}) DELETE n")
    world.psql("UPDATE dots.concepts SET description = 'again' WHERE user_id = %s", (writer.user,))
    world.assert_converged()


def test_every_entity_with_every_property(world, writer):
    concept = writer.concept("gardening", description="beds & bees",
                             attributes={"a": [1, {"b": 2}]})
    memory = writer.memory(
        "rain", "it rained", occurred_at="2026-03-01T10:00:00.123456+02:00",
        location={"lat": 48.1, "lng": 11.5}, people=[{"name": "Ann"}, "Bo"],
        emotions=[{"type": "joy"}], media_urls=["https://example.org/a"])
    artifact = writer.id("artifacts", title="poem", artifact_type="text",
                         source_entities=[{"id": memory}, concept])
    tag = writer.tag("green")
    person = writer.id("people", name="Ann", relationship="friend")
    place = writer.id("locations", name="Munich", latitude=48.137, longitude=11.575)
    writer.id("annotations", target_id=concept, target_node_type="Concept",
              annotation_type="note", text_content="look")
    writer.id("reflections", content="hm", reflection_type="daily", sentiment=0.25,
              tags=["a", "b"], related_entities=[{"entity_id": concept}])
    talk = writer.id("conversations", title="talk")
    for text in ("first", "second"):
        writer.id("messages", conversation_id=talk, role="user", content=text,
                  referenced_entities=[{"type": "memory", "id": memory}])
    writer.post("growth-events", entity_id=concept, entity_type="concept", dim_key="self_know",
                delta=0.5, source="test")
    writer.relate("TAGGED_WITH", ("concepts", concept), ("tags", tag))
    writer.relate("INVOLVES", ("memories", memory), ("people", person),
                  properties={"n": 1, "x": {}})
    writer.relate("HAPPENED_AT", ("memories", memory), ("locations", place),
                  properties={"list": ["a", "b"], "mixed": ["a", 1], "huge": 10**30})
    writer.relate("INSPIRED_BY", ("artifacts", artifact), ("memories", memory))
    world.assert_converged()
    # The oracle is made of the views; a few values said here in words.
    [node] = world.cypher("MATCH (n:MemoryUnit {id: $id}) RETURN n.location.latitude AS latitude,"
                          " toString(n.occurred_at) AS moment, n.people AS people", id=memory)
    assert node["latitude"] == 48.1 and node["people"] == ["Ann", "Bo"]
    assert instant(node["moment"]) == instant("2026-03-01T08:00:00.123456Z")
    assert world.cypher("MATCH (n:Concept {id: $id}) RETURN n.growth_self_know AS score",
                        id=concept) == [{"score": 0.5}]
    assert world.weaviate.object("UserConcept", concept)["properties"]["tags"] == ["green"]


def test_each_method_of_http(world, writer):
    first, second = writer.concept("first"), writer.concept("second")
    edge = writer.relate("RELATED_TO", ("concepts", first), ("concepts", second))
    world.assert_converged()
    writer.patch("concepts", first, name="renamed", description=None)
    writer.put("concepts", second, name="put", description="whole")
    writer.put("concepts", str(uuid.uuid4()), name="made by put")
    writer.patch("relationships", edge, properties={"weight": 3})
    world.assert_converged()
    writer.delete("relationships", edge)
    world.assert_converged()
    writer.relate("SUPPORTS", ("concepts", second), ("concepts", first))
    writer.delete("concepts", first)
    world.assert_converged()
    assert world.cypher("MATCH (n:Entity {id: $id}) RETURN n", id=first) == []
    assert world.weaviate.object("UserConcept", first) is None


def test_arrays_batches_and_filtered_writes(world, writer):
    rows = [{"user_id": writer.user, "name": f"row {n}"} for n in range(50)]
    answer = writer.http.post("/v1/dots/concepts", json=rows)
    assert answer.status_code == 201, answer.text
    world.assert_converged()
    ids = [str(uuid.uuid4()) for _ in range(2)]
    answer = writer.http.post("/v1/dots/batch", json={"operations": [
        {"op": "create", "entity": "concepts",
         "value": {"concept_id": ids[0], "user_id": writer.user, "name": "batched"}},
        {"op": "put", "entity": "tags", "id": ids[1],
         "value": {"user_id": writer.user, "name": "batch tag"}},
        {"op": "create", "entity": "relationships", "value": {
            "user_id": writer.user, "type": "TAGGED_WITH", "from_entity": "concepts",
            "from_id": ids[0], "to_entity": "tags", "to_id": ids[1]}},
        {"op": "update", "entity": "concepts", "id": ids[0], "value": {"description": "twice"}},
    ]})
    assert answer.status_code == 200, answer.text
    world.assert_converged()
    owned = f"user_id=eq.{writer.user}"
    assert writer.http.patch(f"/v1/dots/concepts?{owned}&name=like.row*",
                             json={"description": "all"}).status_code in (200, 204)
    world.assert_converged()
    assert writer.http.delete(
        f"/v1/dots/concepts?{owned}&name=like.row 1*").status_code in (200, 204)
    world.assert_converged()
    assert len(world.cypher("MATCH (n:Concept {user_id: $u}) RETURN n.id AS id",
                            u=writer.user)) == 50 - 11 + 1


def test_upserts(world, writer):
    world.psql("INSERT INTO dots.concepts (user_id, name) VALUES (%s, 'a'), (%s, 'b')",
               (writer.user, writer.user))
    world.assert_converged()
    world.psql(
        "INSERT INTO dots.concepts (user_id, name, description) VALUES (%s, 'a', 'new'),"
        " (%s, 'c', 'new') ON CONFLICT (user_id, name) DO UPDATE SET description = 'upserted'",
        (writer.user, writer.user))
    world.psql(
        "MERGE INTO dots.concepts AS c USING (VALUES (%s::uuid, 'b'), (%s, 'd')) AS v(u, name)"
        " ON c.user_id = v.u AND c.name = v.name"
        " WHEN MATCHED THEN UPDATE SET description = 'merged'"
        " WHEN NOT MATCHED THEN INSERT (user_id, name) VALUES (v.u, v.name)",
        (writer.user, writer.user))
    world.psql(
        "MERGE INTO dots.concepts AS c USING (VALUES (%s::uuid, 'c')) AS v(u, name)"
        " ON c.user_id = v.u AND c.name = v.name WHEN MATCHED THEN DELETE", (writer.user,))
    world.assert_converged()
    names = world.cypher("MATCH (n:Concept {user_id: $u}) RETURN n.name + '/' +"
                         " coalesce(n.description, '') AS n ORDER BY n", u=writer.user)
    assert [each["n"] for each in names] == ["a/upserted", "b/merged", "d/"]


def test_copy_and_bulk_in_one_statement(world, writer):
    with world.transaction() as link, link.cursor() as cursor:
        with cursor.copy("COPY dots.concepts (user_id, name) FROM STDIN") as copy:
            for n in range(500):
                copy.write_row((writer.user, f"copied {n}"))
    world.psql(
        "INSERT INTO dots.concepts (user_id, name, description)"
        " SELECT %s, 'bulk ' || n, md5(n::text) FROM generate_series(1, 5000) AS n",
        (writer.user,))
    world.assert_converged(deadline=90)
    world.psql("DELETE FROM dots.concepts WHERE user_id = %s", (writer.user,))
    world.assert_converged(deadline=60)


def test_cascade_of_a_user(world, gateway, writer):
    concept, tag = writer.concept("c"), writer.tag("t")
    writer.relate("TAGGED_WITH", ("concepts", concept), ("tags", tag))
    writer.memory("m")
    talk = writer.id("conversations")
    writer.id("messages", conversation_id=talk, role="user", content="x")
    world.assert_converged()
    world.psql("DELETE FROM dots.users WHERE user_id = %s", (writer.user,))
    world.assert_converged()
    assert world.cypher("MATCH (n {user_id: $u}) RETURN n", u=writer.user) == []
    assert world.cypher("MATCH ()-[r {user_id: $u}]->() RETURN r", u=writer.user) == []


def test_a_key_that_changes_takes_its_edges_along(world, writer):
    old, other, new = writer.concept("moves"), writer.concept("stays"), str(uuid.uuid4())
    writer.relate("RELATED_TO", ("concepts", other), ("concepts", old))
    writer.relate("SUPPORTS", ("concepts", old), ("concepts", other))
    world.assert_converged()
    world.psql("UPDATE dots.concepts SET concept_id = %s WHERE concept_id = %s", (new, old))
    world.assert_converged()
    assert world.cypher("MATCH (:Entity {id: $id})--() RETURN count(*) AS n",
                        id=new) == [{"n": 3}]


def test_a_renamed_tag_reaches_the_concepts_that_carry_it(world, writer):
    tag = writer.tag("before")
    concepts = [writer.concept(f"tagged {n}") for n in range(3)]
    for concept in concepts:
        writer.relate("TAGGED_WITH", ("concepts", concept), ("tags", tag))
    world.assert_converged()
    writer.patch("tags", tag, name="after")
    world.assert_converged()
    for concept in concepts:
        assert world.weaviate.object("UserConcept", concept)["properties"]["tags"] == ["after"]
    writer.delete("tags", tag)
    world.assert_converged()
    assert not world.weaviate.object("UserConcept", concepts[0])["properties"].get("tags")


def test_an_element_removed_from_an_array_removes_its_edge(world, writer):
    one, two = writer.memory("one"), writer.memory("two")
    artifact = writer.id("artifacts", title="a", artifact_type="t",
                         source_entities=[{"id": one}, {"id": two}])
    world.assert_converged()
    writer.patch("artifacts", artifact, source_entities=[{"id": two}])
    world.assert_converged()
    edges = world.cypher("MATCH (:Entity {id: $id})-[r:REFERENCES]->(b) RETURN b.id AS id",
                         id=artifact)
    assert edges == [{"id": two}]
    writer.patch("artifacts", artifact, source_entities=[])
    world.assert_converged()


def test_a_reference_to_what_comes_later(world, writer):
    later = str(uuid.uuid4())
    writer.id("artifacts", title="early", artifact_type="t", source_entities=[{"id": later}])
    world.assert_converged()
    writer.put("memories", later, title="later", content="c", memory_type="journal")
    world.assert_converged()
    assert world.cypher("MATCH (:DerivedArtifact)-[r:REFERENCES]->({id: $id}) RETURN count(r)"
                        " AS n", id=later) == [{"n": 1}]


def test_a_relationship_that_changes_type_and_ends(world, writer):
    a, b, c = (writer.concept(name) for name in "abc")
    edge = writer.relate("RELATED_TO", ("concepts", a), ("concepts", b))
    world.assert_converged()
    writer.patch("relationships", edge, type="CONTRADICTS", to_id=c)
    world.assert_converged()
    assert world.cypher("MATCH ()-[r {id: $id}]->() RETURN type(r) AS t", id=edge) == [
        {"t": "CONTRADICTS"}]


def test_nodes_and_edges_of_other_tools_stay(world, writer):
    concept, other = writer.concept("mine"), writer.concept("too")
    world.assert_converged()
    world.cypher(
        "MATCH (a:Entity {id: $a}), (b:Entity {id: $b}) CREATE (t:Topic {id: 'topic', n: 1})"
        " CREATE (a)-[:ABOUT {w: 1}]->(t) CREATE (a)-[:RELATED_TO {by: 'tool'}]->(b)",
        a=concept, b=other)
    writer.patch("concepts", concept, description="changed")
    edge = writer.relate("RELATED_TO", ("concepts", concept), ("concepts", other))
    world.assert_converged()
    writer.delete("relationships", edge)
    writer.delete("concepts", other)
    world.assert_converged()
    foreign = "MATCH (a:Entity {id: $id})-[r:ABOUT]->(t:Topic) RETURN r.w AS w, t.n AS n"
    assert world.cypher(foreign, id=concept) == [{"w": 1, "n": 1}]
    world.cypher("MATCH (t:Topic) DETACH DELETE t")


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside other rows"])
def test_truncate(world, writer, beside):
    concept, memory = writer.concept("gone"), writer.memory("stays")
    writer.relate("RELATED_TO", ("memories", memory), ("concepts", concept))
    world.assert_converged()
    with world.transaction() as link:
        link.execute("TRUNCATE dots.concepts CASCADE")
        if beside:
            link.execute("INSERT INTO dots.concepts (user_id, name) VALUES (%s, 'after')",
                         (writer.user,))
            link.execute("INSERT INTO dots.tags (user_id, name) VALUES (%s, 'beside')",
                         (writer.user,))
            link.execute("UPDATE dots.memory_units SET title = 'changed' WHERE memory_id = %s",
                         (memory,))
    world.assert_converged()
    assert len(world.cypher("MATCH (n:Concept) RETURN n")) == beside
    assert world.weaviate.object("UserMemory", memory)


@pytest.mark.parametrize("text", [
    "", " ", "…", "quo\"te ' back\\slash", "new\nline\ttab\r", "emoji 👩‍👩‍👧 ünï", "a" * 200_000,
    "`backtick` {brace} $dollar ${x}", "\u2028\u202e", "{\"json\": [1]}", "\u0001\u001f\u007f"])
def test_any_text_arrives_as_it_is(world, writer, text):
    writer.memory("t", text)
    writer.concept("odd", description=text, attributes={"k": text})
    world.assert_converged()


def test_odd_relationship_properties(world, writer):
    a, b = writer.concept("a"), writer.concept("b")
    for properties in (
            {"id": "mine", "revision": 9, "anchor": "x", "edge_set": "y", "_lock": True},
            {"a b": 1, "a`b": 2, "": 3, "ünï": 4, "$x": 5}, {"n": None, "deep": {"a": [1, [2]]}},
            {"big": 9223372036854775807, "bigger": 1e300, "tiny": 1e-300, "neg": -0.0},
            {"mixed": [1, 2.5], "strings": ["a", ""], "empty": [], "nulls": [None]},
            {"created_at": "not a date", "applied_at": 1, "user_id": "x"}):
        writer.relate("RELATED_TO", ("concepts", a), ("concepts", b), properties=properties)
    world.assert_converged()


def test_a_write_that_changes_nothing_moves_nothing(world, writer):
    concept = writer.concept("same", description="same")
    world.assert_converged()
    before = world.cypher("MATCH (n:Entity {id: $id}) RETURN n.revision AS r", id=concept)
    world.psql("UPDATE dots.concepts SET description = 'same' WHERE concept_id = %s", (concept,))
    writer.concept("other")
    world.assert_converged()
    assert world.cypher("MATCH (n:Entity {id: $id}) RETURN n.revision AS r", id=concept) == before


def test_sync_of_one_entity(world, writer):
    concept = writer.concept("state")
    world.assert_converged()
    state = writer.http.get(f"/v1/dots/concepts/{concept}/sync").json()
    assert state["graph"]["state"] == state["vector"]["state"] == "applied"
    [node] = world.cypher("MATCH (n:Entity {id: $id}) RETURN n.revision AS r", id=concept)
    assert state["graph"]["revision"] == node["r"]
    assert instant(state["graph"]["applied_at"])
    assert writer.http.get(f"/v1/dots/concepts/{concept.upper()}/sync").json() == state
    writer.delete("concepts", concept)
    world.assert_converged()
    state = writer.http.get(f"/v1/dots/concepts/{concept}/sync").json()
    assert state["graph"]["state"] == state["vector"]["state"] == "absent"
