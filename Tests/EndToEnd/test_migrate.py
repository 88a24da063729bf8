"""`fourfold packs check` and `fourfold migrate`: what they refuse, and what they leave behind."""

import json
import os
import pathlib
import re
import shutil

import psycopg
import pytest

from gateway import Gateway, free_port, new_database
from program import run_program, stores_of

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def packs(api, tmp_path):
    """A copy of the packs, to be spoilt."""
    for folder in ("schemas", "cypher", "weaviate"):
        shutil.copytree(api.gateway.root / folder, tmp_path / folder)
    return tmp_path


@pytest.fixture
def new_url(stores):
    """Another database, empty."""
    with new_database(stores.admin_database_url) as url:
        yield url


def change(file, old, new):
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def problems_of(text, intro=""):
    """{file: (place, message, remedy)} of lines `file: place: message. remedy`."""
    found = {}
    for line in text.splitlines():
        assert line.startswith(intro), line
        head, remedy = line.removeprefix(intro).split(". ", 1)
        file, *place, message = head.split(": ")
        found[file, ": ".join(place)] = (message, remedy)
    return found


# Packs.


def test_packs_check(api):
    ended = run_program(api, ["packs", "check"], **stores_of(api))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "ok: dots\n"


def spoil(packs):
    """Mistakes in each kind of file; what has to be said of them."""
    manifest = packs / "schemas/dots/pack.json"
    change(manifest, '"memories": {"table"', '"memories": {"tabel"')
    change(manifest, '{"appendOnly": true},\n    "challenge-templates"',
           '{"appendOnly": 1},\n    "challenge-templates"')
    (packs / "weaviate/dots/UserMemory.json").rename(packs / "weaviate/dots/Memory.json")
    (packs / "cypher/dots/more.cypher").write_text("RETURN 1;\n")
    (packs / "schemas/dots/more.sql").write_text("SELECT 1;\n")
    document = "schemas/dots/pack.json"
    return {
        (document, "entities.memories.tabel"): ("there is no such key", "Use one of: table, "),
        (document, "entities.growth-events.appendOnly"): (
            "it must be true or false", "Write true or false."),
        (document, "vectors.UserMemory"): (
            "the class has no file", "Add weaviate/dots/UserMemory.json."),
        ("weaviate/dots/Memory.json", ""): (
            "it is no class named like the file", "Write one JSON object"),
        ("cypher/dots/more.cypher", ""): ("the name has no number", "Name it NNN_what.cypher"),
        ("schemas/dots/more.sql", ""): ("the name has no number", "Name it NNN_what.sql"),
    }


def assert_says(found, expected):
    assert set(found) == set(expected)
    for place, (message, remedy) in expected.items():
        assert found[place][0] == message
        assert found[place][1].startswith(remedy)


@pytest.mark.parametrize("with_schema", [False, True], ids=["files", "schema"])
def test_packs_check_says_every_mistake_with_file_place_and_remedy(api, packs, with_schema):
    expected = spoil(packs)
    settings = stores_of(api) if with_schema else {}
    ended = run_program(api, ["packs", "check"], **settings, FOURFOLD_ROOT=str(packs))
    assert ended.returncode == 1, ended.stderr
    assert_says(problems_of(ended.stdout), expected)


def test_packs_check_says_every_mistake_against_the_schema(api, packs):
    manifest = packs / "schemas/dots/pack.json"
    change(manifest, '"memory_units"', '"memory_unit"')
    change(manifest, '"view": "node_concept"', '"view": "node_thought"')
    files_alone = run_program(api, ["packs", "check"], FOURFOLD_ROOT=str(packs))
    assert files_alone.returncode == 0 and "set DATABASE_URL" in files_alone.stdout
    ended = run_program(api, ["packs", "check"], **stores_of(api), FOURFOLD_ROOT=str(packs))
    assert ended.returncode == 1, ended.stderr
    document, remedy = "schemas/dots/pack.json", "Correct the pack or its SQL."
    assert problems_of(ended.stdout) == {
        (document, "entities.memories"): ("its table or view does not exist", remedy),
        (document, "graph.nodes.Concept"): ("its view does not exist", remedy)}


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_a_pack_with_mistakes_is_refused_before_anything_is_applied(
        api, packs, new_url, command):
    expected = spoil(packs)
    settings = stores_of(api) | {"DATABASE_URL": new_url, "FOURFOLD_ROOT": str(packs),
                                 "FOURFOLD_LISTEN": f"127.0.0.1:{free_port()}"}
    ended = run_program(api, [command], **settings)
    assert ended.returncode == 2
    assert_says(problems_of(ended.stderr, "fourfold: "), expected)
    with psycopg.connect(new_url) as link:
        assert link.execute("SELECT to_regnamespace('fourfold'), to_regnamespace('dots')"
                            ).fetchone() == (None, None)


# Migrating.


def test_two_gateways_migrate_at_once(api, new_url):
    settings = stores_of(api) | {"DATABASE_URL": new_url}
    both = [Gateway(api.gateway.root, api.gateway.binary, settings) for _ in range(3)]
    try:
        for each in both:
            each.start(wait=False)
        for each in both:
            each.wait_ready()
        with psycopg.connect(new_url) as link:
            files = link.execute("SELECT file FROM fourfold.migrations").fetchall()
        assert len(files) == len(set(files)) > 10
    finally:
        for each in both:
            assert each.stop() == 0


def test_a_changed_migration_is_refused(api, packs, new_url):
    settings = stores_of(api) | {"DATABASE_URL": new_url, "FOURFOLD_ROOT": str(packs)}
    assert run_program(api, ["migrate"], **settings).returncode == 0
    assert run_program(api, ["migrate"], **settings).returncode == 0
    script = packs / "schemas/dots/003_growth.sql"
    script.write_text(script.read_text() + "\n-- changed\n")
    ended = run_program(api, ["migrate"], **settings)
    assert ended.returncode == 2 and "003_growth.sql" in ended.stderr
    later = packs / "schemas/dots/900_broken.sql"
    script.write_text(script.read_text().replace("\n-- changed\n", ""))
    later.write_text("CREATE TABLE dots.half (a int);\nCREATE TABLE dots.half (a int);\n")
    ended = run_program(api, ["migrate"], **settings)
    assert ended.returncode == 2 and "900_broken.sql" in ended.stderr
    with psycopg.connect(new_url) as link:
        assert link.execute("SELECT to_regclass('dots.half')").fetchone() == (None,)


# The graph and the vector store.


def schema_of_the_graph(cypher):
    """Names and meanings of the constraints, and of the indexes that no constraint owns."""
    constraints = cypher(
        "SHOW CONSTRAINTS YIELD name, type, labelsOrTypes, properties"
        " RETURN name, type, labelsOrTypes[0] AS of, properties")
    indexes = cypher(
        "SHOW INDEXES YIELD name, type, entityType, labelsOrTypes, properties, owningConstraint"
        " WHERE owningConstraint IS NULL AND type <> 'LOOKUP'"
        " RETURN name, entityType, labelsOrTypes[0] AS of, properties")
    return ({(each["name"], each["type"], each["of"], *each["properties"])
             for each in constraints},
            {(each["name"], each["entityType"], each["of"], *each["properties"])
             for each in indexes})


def drop_schema_of_the_graph(cypher):
    constraints, _ = schema_of_the_graph(cypher)
    for name, *_ in constraints:
        cypher(f"DROP CONSTRAINT {name}")
    _, indexes = schema_of_the_graph(cypher)
    for name, *_ in indexes:
        cypher(f"DROP INDEX {name}")
    assert schema_of_the_graph(cypher) == (set(), set())


def classes_of(weaviate):
    """Weaviate's schema, {class: definition}."""
    answer = weaviate.client.get("/v1/schema")
    assert answer.status_code == 200
    return {each["class"]: each for each in answer.json()["classes"]}


def properties_of(document):
    return {each["name"]: each["dataType"][0] for each in document["properties"]}


def expected_schema():
    """What the files of the pack say, read without the program."""
    text = (ROOT / "cypher/dots/001_schema.cypher").read_text()
    constraints = {(name, "UNIQUENESS", label, key) for name, label, key in re.findall(
        r"CREATE CONSTRAINT (\w+) IF NOT EXISTS FOR \(\w:(\w+)\) REQUIRE \w\.(\w+) IS UNIQUE;",
        text)}
    indexes = set()
    for name, node, edge, keys in re.findall(
            r"CREATE INDEX (\w+) IF NOT EXISTS FOR (?:\(\w:(\w+)\)|\(\)-\[\w:(\w+)\]-\(\))"
            r" ON \((.+)\);", text):
        kind = ("NODE", node) if node else ("RELATIONSHIP", edge)
        indexes.add((name, *kind, *(key.split(".")[1] for key in keys.split(", "))))
    assert len(constraints) + len(indexes) == text.count("CREATE ")
    classes = {}
    for file in (ROOT / "weaviate/dots").glob("*.json"):
        document = json.loads(file.read_text())
        classes[document["class"]] = properties_of(document)
    return constraints, indexes, classes


def test_migrate_makes_what_the_stores_need_and_may_run_again(
        stores, database_url, cypher, weaviate):
    """Nothing serves: a lane would make its own."""
    drop_schema_of_the_graph(cypher)
    assert weaviate.classes() == []
    constraints, indexes, classes = expected_schema()
    assert constraints and indexes and classes
    gateway = Gateway(ROOT, os.environ["FOURFOLD_TEST_BINARY"], {
        "DATABASE_URL": database_url, "NEO4J_URL": stores.neo4j_url,
        "WEAVIATE_URL": stores.weaviate_url})

    def assert_made():
        gateway.migrate()
        assert schema_of_the_graph(cypher) == (constraints, indexes)
        found = classes_of(weaviate)
        assert {name: properties_of(each) for name, each in found.items()} == classes
        return found

    assert assert_made() == assert_made()
    # What somebody removed comes back, beside what is there.
    cypher(f"DROP CONSTRAINT {sorted(constraints)[0][0]}")
    cypher(f"DROP INDEX {sorted(indexes)[0][0]}")
    assert weaviate.client.delete("/v1/schema/UserConcept").status_code == 200
    assert_made()


def test_migrate_ends_with_2_where_a_store_is_away(stores, database_url):
    for setting, store in (("NEO4J_URL", "Cypher"), ("WEAVIATE_URL", "class")):
        gateway = Gateway(ROOT, os.environ["FOURFOLD_TEST_BINARY"], {
            "DATABASE_URL": database_url, setting: f"http://127.0.0.1:{free_port()}"})
        ended = gateway.run("migrate", check=False)
        assert ended.returncode == 2 and store in ended.stderr
