"""The graph around a row: one table of cases, asked of Neo4j and of the embedded graph."""

import json

import pytest

from api import problem
from oracle import instant
from waiting import wait_until
from world import Writer, world  # noqa: F401

HOSTILE = [
    "'", '"', "`", "a`b", "\\", "\\u0060", "RELATED_TO`]->(x) DETACH DELETE x //",
    "RELATED_TO|SUPPORTS", "*1..9", "'; DROP TABLE dots.concepts; --", "$rows", "{id: 1}", "%00",
    "\u0000", "\n", "ünï\u2028", "A" * 100, "}) RETURN 1 UNION MATCH (n) RETURN n //"]


@pytest.fixture(scope="module")
def gateways(world):
    """By the store that walks."""
    return {"neo4j": world.gateway(),
            "postgres": world.gateway(NEO4J_URL=None, FOURFOLD_LANES="off")}


@pytest.fixture(scope="module")
def journal(world, gateways):
    """A ring of ten concepts, a star of tags, a chain of memories; and another owner's island."""
    writer = Writer(gateways["neo4j"].http, world.user())
    rows = {"user": writer.user}
    for n in range(10):
        rows[f"c{n}"] = writer.concept(f"c{n}")
    for n in range(10):
        rows[f"r{n}"] = writer.relate(
            "RELATED_TO", ("concepts", rows[f"c{n}"]), ("concepts", rows[f"c{(n + 1) % 10}"]),
            properties={"n": n, "list": ["a", "b"], "nested": {"x": 1}, "half": 0.5})
    for n in range(8):
        rows[f"t{n}"] = writer.tag(f"t{n}")
        writer.relate("TAGGED_WITH", ("concepts", rows["c0"]), ("tags", rows[f"t{n}"]))
    rows["m0"] = writer.memory("m0", occurred_at="2026-03-01T10:00:00Z")
    for n in range(1, 4):
        rows[f"m{n}"] = writer.memory(f"m{n}")
        writer.relate("EVOLVED_FROM", ("memories", rows[f"m{n}"]), ("memories", rows[f"m{n - 1}"]))
    writer.relate("SUPPORTS", ("memories", rows["m0"]), ("concepts", rows["c0"]))
    # Two edges between the same ends, one back, and one to itself.
    writer.relate("SUPPORTS", ("concepts", rows["c0"]), ("concepts", rows["c1"]))
    writer.relate("CONTRADICTS", ("concepts", rows["c1"]), ("concepts", rows["c0"]))
    writer.relate("RELATED_TO", ("concepts", rows["c5"]), ("concepts", rows["c5"]))
    rows["a0"] = writer.id("artifacts", title="a0", artifact_type="t",
                           source_entities=[{"id": rows["c0"]}, {"id": rows["m0"]}])
    other = Writer(gateways["neo4j"].http, world.user())
    rows["other"], rows["island"] = other.user, other.concept("island")
    world.assert_converged()
    return rows


def ask(gateway, entity, id, headers=None, **parameters):
    return gateway.http.get(f"/v1/dots/{entity}/{id}/connections", params=parameters,
                            headers=headers)


def comparable(answer):
    """An answer without what tells the stores apart: the source, and how a moment is written."""
    meta = dict(answer["meta"])
    meta.pop("source")
    edges = [edge | {"properties": {
        name: instant(value) if name == "created_at" else value
        for name, value in edge["properties"].items()}} for edge in answer["edges"]]
    return {"nodes": answer["nodes"], "edges": edges, "meta": meta}


CASES = {
    "one step": ("concepts", "c0", {}),
    "two steps": ("concepts", "c0", {"depth": 2}),
    "five steps": ("concepts", "c3", {"depth": 5}),
    "out": ("concepts", "c0", {"direction": "out"}),
    "in": ("concepts", "c0", {"direction": "in"}),
    "out, deep": ("concepts", "c0", {"direction": "out", "depth": 3}),
    "in, deep": ("memories", "m0", {"direction": "in", "depth": 4}),
    "one type": ("concepts", "c0", {"types": "RELATED_TO", "depth": 2}),
    "two types": ("concepts", "c0", {"types": "SUPPORTS,CONTRADICTS", "depth": 2}),
    "derived types": ("artifacts", "a0", {"types": "REFERENCES"}),
    "type and direction": ("memories", "m2", {"types": "EVOLVED_FROM", "direction": "out",
                                              "depth": 5}),
    "a type nobody has": ("concepts", "c0", {"types": "NOBODY"}),
    "limit": ("concepts", "c0", {"limit": 4}),
    "limit in the second layer": ("concepts", "c4", {"limit": 3, "depth": 3}),
    "limit of one": ("concepts", "c0", {"limit": 1, "depth": 5}),
    "limit just enough": ("concepts", "c5", {"limit": 2, "types": "RELATED_TO"}),
    "to itself": ("concepts", "c5", {"types": "RELATED_TO"}),
    "from a user": ("users", "user", {"limit": 1000}),
    "from a tag": ("tags", "t3", {"depth": 2}),
    "alone": ("concepts", "island", {"types": "RELATED_TO"}),
    "the owner's island": ("concepts", "island", {"depth": 3}),
}


@pytest.mark.parametrize("case", CASES)
def test_both_stores_answer_alike(gateways, journal, case):
    entity, start, parameters = CASES[case]
    answers = {}
    for source, gateway in gateways.items():
        answer = ask(gateway, entity, journal[start], **parameters)
        assert answer.status_code == 200, answer.text
        answers[source] = answer.json()
        assert answers[source]["meta"]["source"] == source
        assert answers[source]["meta"]["degraded"] is False
        again = ask(gateway, entity, journal[start], **parameters)
        assert again.content == answer.content, "the same question, another answer"
    assert comparable(answers["neo4j"]) == comparable(answers["postgres"])


def test_edges_are_written_alike_to_the_byte(gateways, journal):
    """Moments too: a client may compare texts."""
    answers = [ask(gateway, "concepts", journal["c0"], depth=2).json()["edges"]
               for gateway in gateways.values()]
    assert json.dumps(answers[0], sort_keys=True) == json.dumps(answers[1], sort_keys=True)


@pytest.mark.parametrize("source", ["neo4j", "postgres"])
def test_what_the_answer_says(gateways, journal, source):
    found = ask(gateways[source], "concepts", journal["c0"], depth=2, types="RELATED_TO").json()
    name = {id: name for name, id in journal.items()}
    layers = {1: {"c1", "c9"}, 2: {"c2", "c8"}}
    assert {name[node["id"]]: node["depth"] for node in found["nodes"]} == {
        each: depth for depth, layer in layers.items() for each in layer}
    assert [(node["depth"], node["id"]) for node in found["nodes"]] == sorted(
        (node["depth"], node["id"]) for node in found["nodes"])
    assert {name[edge["id"]] for edge in found["edges"]} == {"r0", "r9", "r1", "r8"}
    [edge] = [edge for edge in found["edges"] if name[edge["id"]] == "r0"]
    assert (edge["from"], edge["to"]) == (journal["c0"], journal["c1"])
    assert edge["properties"]["n"] == 0 and edge["properties"]["list"] == ["a", "b"]
    assert not {"revision", "applied_at", "anchor", "edge_set", "user_id"} & edge[
        "properties"].keys()
    [node] = [node for node in found["nodes"] if name[node["id"]] == "c1"]
    assert node["entity"] == "concepts" and node["properties"]["name"] == "c1"
    assert found["meta"]["truncated"] is False and found["meta"]["lagging"] == []


@pytest.mark.parametrize("source", ["neo4j", "postgres"])
def test_a_limit_keeps_the_nearest_and_says_so(gateways, journal, source):
    everything = ask(gateways[source], "concepts", journal["c0"], depth=3).json()
    assert everything["meta"]["truncated"] is False
    for limit in (1, 5, len(everything["nodes"]) - 1, len(everything["nodes"])):
        found = ask(gateways[source], "concepts", journal["c0"], depth=3, limit=limit).json()
        assert found["nodes"] == everything["nodes"][:limit]
        assert found["meta"]["truncated"] is (limit < len(everything["nodes"]))
        kept = {journal["c0"]} | {node["id"] for node in found["nodes"]}
        assert all({edge["from"], edge["to"]} <= kept for edge in found["edges"])


@pytest.mark.parametrize("source", ["neo4j", "postgres"])
def test_another_owners_rows_are_never_shown(world, gateways, journal, source):
    gateway, mine, island = gateways[source], journal["c0"], journal["island"]
    assert ask(gateway, "concepts", island,
               headers={"Fourfold-User": journal["user"]}).status_code == 404
    assert ask(gateway, "concepts", mine,
               headers={"Fourfold-User": journal["other"]}).status_code == 404
    # Another tool joins the two owners' rows in the graph: the walk does not cross.
    world.cypher("MATCH (a:Entity {id: $a}), (b:Entity {id: $b}) CREATE (a)-[:RELATED_TO]->(b)",
                 a=mine, b=island)
    try:
        for start, hidden in ((mine, island), (island, mine)):
            found = ask(gateway, "concepts", start, depth=3).json()
            assert hidden not in json.dumps(found["nodes"]) + json.dumps(found["edges"])
    finally:
        world.cypher("MATCH (:Entity {id: $a})-[r:RELATED_TO]->(:Entity {id: $b}) DELETE r",
                     a=mine, b=island)


def test_edges_of_other_tools_are_shown(world, gateways, journal):
    world.cypher("MATCH (a:Entity {id: $a}), (b:Entity {id: $b})"
                 " CREATE (a)-[:FOUND_BY_A_TOOL {score: 0.5}]->(b)",
                 a=journal["c2"], b=journal["c7"])
    try:
        found = ask(gateways["neo4j"], "concepts", journal["c2"], types="FOUND_BY_A_TOOL").json()
        assert [node["id"] for node in found["nodes"]] == [journal["c7"]]
        [edge] = found["edges"]
        assert edge["properties"] == {"score": 0.5} and edge["id"]
    finally:
        world.cypher("MATCH ()-[r:FOUND_BY_A_TOOL]->() DELETE r")


def test_a_node_whose_row_is_gone_is_not_shown(world, gateways, journal):
    """Neo4j still has it; PostgreSQL decides."""
    writer = Writer(gateways["neo4j"].http, journal["user"])
    doomed = writer.concept("doomed")
    writer.relate("SUPPORTS", ("concepts", journal["c8"]), ("concepts", doomed))
    world.assert_converged()
    world.psql("UPDATE fourfold.lanes SET epoch = epoch + 1, holder = 'nobody',"
               " expires_at = clock_timestamp() + interval '1 h'")
    try:
        world.psql("DELETE FROM dots.concepts WHERE concept_id = %s", (doomed,))
        assert world.cypher("MATCH (n:Entity {id: $id}) RETURN 1 AS n", id=doomed)
        found = ask(gateways["neo4j"], "concepts", journal["c8"], types="SUPPORTS").json()
        assert found["nodes"] == [] and found["edges"] == []
        assert found["meta"]["source"] == "neo4j"
    finally:
        world.psql("UPDATE fourfold.lanes SET expires_at = clock_timestamp()")
    world.assert_converged()


@pytest.mark.parametrize("source", ["neo4j", "postgres"])
@pytest.mark.parametrize("parameters", [
    {"depth": "0"}, {"depth": "6"}, {"depth": "x"}, {"depth": ""}, {"depth": "1.5"},
    {"depth": "99999999999999999999"}, {"limit": "0"}, {"limit": "1001"}, {"limit": "-1"},
    {"direction": "up"}, {"direction": ""}, {"types": ""}, {"types": ","}, {"types": "A" * 101},
    {"types": ",".join(f"T{n}" for n in range(51))}, {"unknown": "1"}, {"select": "name"}])
def test_bad_parameters(gateways, journal, source, parameters):
    answer = ask(gateways[source], "concepts", journal["c0"], **parameters)
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "invalid_parameter"


@pytest.mark.parametrize("source", ["neo4j", "postgres"])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_strings_change_nothing(world, gateways, journal, source, text):
    gateway = gateways[source]
    answer = ask(gateway, "concepts", journal["c0"], types=text)
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 200:
        assert answer.json()["nodes"] == [] or text in ("%00",)
    quoted = "".join(f"%{byte:02X}" for byte in text.encode())
    for path in (f"/v1/dots/concepts/{quoted}/connections", f"/v1/dots/{quoted}/x/connections",
                 f"/v1/{quoted}/concepts/x/connections", f"/v1/dots/concepts/{quoted}/sync"):
        assert gateway.http.get(path).status_code in (400, 404), path
    for name in ("direction", "depth", "limit", text):
        assert ask(gateway, "concepts", journal["c0"], **{name: text}).status_code == 400


@pytest.mark.parametrize("source", ["neo4j", "postgres"])
def test_as_many_types_as_may_be(gateways, journal, source):
    types = ",".join(["RELATED_TO", *[f"T{n}" for n in range(49)]])
    answer = ask(gateways[source], "concepts", journal["c5"], types=types)
    assert answer.status_code == 200, answer.text
    alone = ask(gateways[source], "concepts", journal["c5"], types="RELATED_TO").json()
    assert answer.json()["edges"] == alone["edges"] != []


@pytest.mark.parametrize("what", ["connections", "sync"])
@pytest.mark.parametrize("id", ["zzz", "1", "%20", "00000000-0000-4000-8000-00000000000g"])
def test_what_cannot_be_an_id_is_no_row(gateways, what, id):
    http = gateways["postgres"].http
    for path in (f"/v1/dots/concepts/{id}", f"/v1/dots/concepts/{id}/{what}"):
        problem(http.get(path), 404, "not_found")


def test_after_all_that_nothing_has_changed(world, gateways, journal):
    world.assert_converged()


@pytest.mark.parametrize("source", ["neo4j", "postgres"])
@pytest.mark.parametrize("entity", ["cards", "messages", "relationships", "challenges", "nothing"])
def test_rows_that_are_no_nodes(gateways, journal, source, entity):
    answer = ask(gateways[source], entity, journal["c0"])
    assert answer.status_code == 404, answer.text


def test_while_neo4j_is_filled_postgres_answers(world, gateways, journal):
    world.stop(gateways["neo4j"])
    world.reconcile("graph")
    reader = world.gateway(FOURFOLD_LANES="off")
    world.cypher("MATCH (n:Entity) DETACH DELETE n")
    found = ask(reader, "concepts", journal["c0"]).json()
    expected = ask(gateways["postgres"], "concepts", journal["c0"]).json()
    assert found["meta"] == expected["meta"] | {"degraded": True, "reason": "reconciling"}
    assert comparable(found)["nodes"] == comparable(expected)["nodes"] != []
    # Who leads the lane fills it, and then Neo4j answers again.
    gateways["neo4j"] = world.gateway()
    wait_until(lambda: ask(reader, "concepts", journal["c0"]).json()["meta"]["source"] == "neo4j",
               30)
    assert comparable(ask(reader, "concepts", journal["c0"]).json()) == comparable(expected)
