"""`fourfold packs check` and `fourfold migrate`: what they refuse, and what they leave behind."""

import shutil

import psycopg
import pytest

from gateway import Gateway, free_port, new_database
from program import run_program, stores_of


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
