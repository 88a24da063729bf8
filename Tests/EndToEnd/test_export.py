"""The scheduled export: what is really in the graph comes back into PostgreSQL."""

import json
import threading

import pytest

OWNER = "a0000000-0000-4000-8000-0000000000aa"
STRANGER = "ffffffff-0000-4000-8000-0000000000ff"


def concept_id(number):
    return f"c0000000-0000-4000-8000-{number:012d}"


@pytest.fixture
def journal(full_gateway, psql, cypher, wait_until):
    """Six concepts in a star around the first, and one alone, all in Neo4j."""
    served = full_gateway()
    psql("INSERT INTO dots.users (user_id, username, email, password_hash, region) "
         "VALUES (%s, 'star', 'star@example.org', 'x', 'eu')", (OWNER,))
    for number in range(1, 8):
        psql("INSERT INTO dots.concepts (concept_id, user_id, name) VALUES (%s, %s, %s)",
             (concept_id(number), OWNER, f"concept {number}"))
    for number in range(2, 7):
        psql("INSERT INTO dots.relationships (user_id, type, from_entity, from_id, to_entity, to_id) "
             "VALUES (%s, %s, 'concepts', %s, 'concepts', %s)",
             (OWNER, "RELATED_TO" if number < 5 else "SUPPORTS", concept_id(1), concept_id(number)))
    wait_until(lambda: cypher(
        "MATCH (:Concept)-[r:RELATED_TO|SUPPORTS]->(:Concept) RETURN count(r) AS n")[0]["n"] == 5,
        30)
    # The nodes are there before the reconciliation of a new store is over, and it exports nothing.
    wait_until(lambda: served.lanes()["graph"]["state"] == "idle", 30)
    return served


def export(served, check=True):
    done = served.run("export-connections", "--pack", "dots", check=check)
    return json.loads(done.stdout) if done.stdout else done


def degrees(psql):
    return {row["entity_id"]: (row["degree"], row["by_type"]) for row in psql(
        "SELECT entity_id::text, degree, by_type FROM dots.graph_connections")}


def states(psql):
    return {row["entity_id"]: row["evolution_state"] for row in psql(
        "SELECT entity_id::text, evolution_state FROM dots.v_card_state")}


def test_degrees_come_back_and_cards_evolve(journal, psql):
    assert states(psql)[concept_id(1)] == "seed"
    summary = export(journal)
    assert set(summary) == {
        "pack", "exported_at", "watermark", "nodes", "edges", "changed", "unknown", "seconds"}
    assert summary["unknown"] == 0 and summary["edges"] == 5
    found = degrees(psql)
    # Ownership (CREATED by the user) does not count.
    assert found[concept_id(1)] == (5, {"RELATED_TO": 3, "SUPPORTS": 2})
    assert found[concept_id(2)] == (1, {"RELATED_TO": 1})
    assert found.get(concept_id(7), (0, {}))[0] == 0
    # Connections are counted, not exported rows: five make a constellation, one does not.
    assert states(psql)[concept_id(1)] == "constellation"
    assert states(psql)[concept_id(2)] == "seed"
    again = export(journal)
    assert again["changed"] == 0 and degrees(psql) == found


def test_edges_and_types_of_other_tools_count_and_unknown_nodes_are_reported(
        journal, psql, cypher):
    cypher("MATCH (a:Entity {id: $a}), (b:Entity {id: $b}) CREATE (a)-[:DREAMT_OF]->(b)",
           a=concept_id(7), b=concept_id(2))
    # The id of ours in capitals is another id, and in no UUID column.
    for id in (STRANGER, concept_id(2).upper(), "not a UUID"):
        cypher("CREATE (:Entity:Concept {id: $id, user_id: $owner})", id=id, owner=OWNER)
    summary = export(journal)
    assert summary["unknown"] == 3
    found = degrees(psql)
    assert found[concept_id(7)] == (1, {"DREAMT_OF": 1})
    assert found[concept_id(2)] == (2, {"DREAMT_OF": 1, "RELATED_TO": 1})
    assert STRANGER not in found
    assert psql("SELECT 1 FROM dots.concepts WHERE concept_id = %s", (STRANGER,)) == []


def test_a_removed_edge_is_gone_after_the_next_export(journal, psql, cypher, wait_until):
    export(journal)
    psql("DELETE FROM dots.relationships WHERE to_id = %s", (concept_id(2),))
    wait_until(lambda: cypher(
        "MATCH (:Entity {id: $id})-[r:RELATED_TO]-() RETURN count(r) AS n",
        id=concept_id(2))[0]["n"] == 0, 30)
    assert export(journal)["changed"] > 0
    assert degrees(psql)[concept_id(1)] == (4, {"RELATED_TO": 2, "SUPPORTS": 2})


def test_the_old_numbers_stay_while_the_graph_is_down(journal, psql, stores):
    export(journal)
    before = degrees(psql)
    watermarks = psql("SELECT count(*) AS n FROM fourfold.exports")
    journal.environment["NEO4J_URL"] = "http://127.0.0.1:1"
    done = export(journal, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert "the old numbers stay" in done.stderr
    assert degrees(psql) == before
    assert psql("SELECT count(*) AS n FROM fourfold.exports") == watermarks


def test_the_old_numbers_stay_when_the_graph_breaks_half_way(journal, psql, fault_proxy):
    export(journal)
    before = degrees(psql)
    psql("DELETE FROM dots.relationships")
    proxy = fault_proxy("neo4j")
    journal.environment["NEO4J_URL"] = proxy.url
    # Enough for the fence and the list of types, too little for the pages.
    proxy.refuse_after(1200)
    done = export(journal, check=False)
    assert done.returncode == 2
    assert degrees(psql) == before


def test_two_exports_at_once_agree(journal, psql):
    results = []
    threads = [threading.Thread(target=lambda: results.append(export(journal))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each["edges"] for each in results] == [5, 5]
    assert degrees(psql)[concept_id(1)] == (5, {"RELATED_TO": 3, "SUPPORTS": 2})


def test_serve_exports_on_its_schedule(full_gateway, journal, psql, wait_until):
    full_gateway(FOURFOLD_EXPORT_EVERY="1s", migrate=False)
    wait_until(lambda: degrees(psql).get(concept_id(1)) == (5, {"RELATED_TO": 3, "SUPPORTS": 2}), 30)


def test_without_a_graph_store_the_embedded_graph_is_counted(gateway, psql):
    served = gateway()
    psql("INSERT INTO dots.users (user_id, username, email, password_hash, region) "
         "VALUES (%s, 'lone', 'lone@example.org', 'x', 'eu')", (OWNER,))
    for number in (1, 2):
        psql("INSERT INTO dots.concepts (concept_id, user_id, name) VALUES (%s, %s, %s)",
             (concept_id(number), OWNER, f"concept {number}"))
    psql("INSERT INTO dots.relationships (user_id, type, from_entity, from_id, to_entity, to_id) "
         "VALUES (%s, 'SUPPORTS', 'concepts', %s, 'concepts', %s)",
         (OWNER, concept_id(1), concept_id(2)))
    export(served)
    assert degrees(psql)[concept_id(1)] == (1, {"SUPPORTS": 1})


@pytest.mark.parametrize("arguments, message", [
    (["--pack", "nothing"], "no pack named nothing has an export"),
    (["--pack"], "--pack needs a value"),
    (["--other"], "no flag --other"),
], ids=["unknown pack", "no value", "unknown flag"])
def test_bad_arguments_exit_2(gateway, arguments, message):
    done = gateway(wait=False).run("export-connections", *arguments, check=False)
    assert done.returncode == 2 and message in done.stderr
