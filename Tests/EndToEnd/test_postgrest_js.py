"""PostgREST's JavaScript client, pointed at a pack."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import uuid

import pytest

FOLDER = pathlib.Path(__file__).parent / "js"


@pytest.fixture(scope="session")
def client_folder():
    """The client, installed from the lock into the cache."""
    npm = shutil.which("npm")
    assert npm and shutil.which("node"), "needs Node.js 20 or newer with npm"
    lock = (FOLDER / "package-lock.json").read_bytes()
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = cache / "fourfold" / f"node-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not (folder / "installed").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(FOLDER / name, folder)
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=folder, check=True,
                       capture_output=True, text=True, timeout=300)
        (folder / "installed").touch()
    return folder


@pytest.fixture
def run(api, client_folder, owner):
    """run(*steps): what each step gave, as the owner."""

    def call(*steps, headers=None):
        # The script stands in the cache, because Node looks for modules beside it.
        script = shutil.copy(FOLDER / "run.mjs", client_folder)
        sent = {"url": f"{api.gateway.url}/v1/dots", "steps": steps,
                "headers": {"Fourfold-User": owner} if headers is None else headers}
        ended = subprocess.run(["node", script], input=json.dumps(sent), capture_output=True,
                               text=True, timeout=60)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    return call


@pytest.fixture
def three(api, owner):
    return [api.concept(owner, name=name, status=status) for name, status in
            (("alpha", "active"), ("beta", "merged"), ("gamma, (odd)", None))]


CONCEPTS = ["from", "concepts"]

READS = {
    "eq": ([["select", "name"], ["eq", "status", "active"]], [{"name": "alpha"}]),
    "neq": ([["select", "name"], ["neq", "name", "alpha"], ["order", "name"]],
            [{"name": "beta"}, {"name": "gamma, (odd)"}]),
    "in": ([["select", "name"], ["in", "name", ["alpha", "gamma, (odd)"]], ["order", "name"]],
           [{"name": "alpha"}, {"name": "gamma, (odd)"}]),
    "is": ([["select", "name"], ["is", "status", None]], [{"name": "gamma, (odd)"}]),
    "like": ([["select", "name"], ["like", "name", "%a"], ["order", "name"]],
             [{"name": "alpha"}, {"name": "beta"}]),
    "ilike": ([["select", "name"], ["ilike", "name", "ALP%"]], [{"name": "alpha"}]),
    "or": ([["select", "name"], ["or", "status.eq.merged,status.is.null"], ["order", "name"]],
           [{"name": "beta"}, {"name": "gamma, (odd)"}]),
    "not": ([["select", "name"], ["not", "status", "eq", "active"]], [{"name": "beta"}]),
    "match": ([["select", "name"], ["match", {"name": "beta", "status": "merged"}]],
              [{"name": "beta"}]),
    "filter": ([["select", "name"], ["filter", "name", "in", '("alpha","beta")'],
                ["order", "name", {"ascending": False}]], [{"name": "beta"}, {"name": "alpha"}]),
    "contains": ([["select", "name"], ["contains", "attributes", {}], ["limit", 1],
                  ["order", "name"]], [{"name": "alpha"}]),
    "order": ([["select", "name"], ["order", "status", {"nullsFirst": True}]],
              [{"name": "gamma, (odd)"}, {"name": "alpha"}, {"name": "beta"}]),
    "limit": ([["select", "name"], ["order", "name"], ["limit", 2]],
              [{"name": "alpha"}, {"name": "beta"}]),
    "range": ([["select", "name"], ["order", "name"], ["range", 1, 2]],
              [{"name": "beta"}, {"name": "gamma, (odd)"}]),
    "single": ([["select", "name"], ["eq", "name", "beta"], ["single"]], {"name": "beta"}),
    "maybeSingle": ([["select", "name"], ["eq", "name", "beta"], ["maybeSingle"]],
                    {"name": "beta"}),
    "maybeSingle of none": ([["select", "name"], ["eq", "name", "none"], ["maybeSingle"]], None),
    "alias": ([["select", "title:name"], ["eq", "name", "beta"]], [{"title": "beta"}]),
}


def test_reads(run, three):
    results = run(*([CONCEPTS, *calls] for calls, _ in READS.values()))
    for (name, (_, expected)), result in zip(READS.items(), results, strict=True):
        assert (result["error"], result["data"]) == (None, expected), name


def test_counts(run, three):
    head, listed = run(
        [CONCEPTS, ["select", "*", {"count": "exact", "head": True}]],
        [CONCEPTS, ["select", "name", {"count": "exact"}], ["limit", 1]])
    assert (head["count"], head["data"], head["status"]) == (3, None, 200)
    assert (listed["count"], len(listed["data"])) == (3, 1)


def test_errors(run, three):
    many, none, column, filtered, embedded = run(
        [CONCEPTS, ["select"], ["single"]],
        [CONCEPTS, ["select"], ["eq", "name", "none"], ["single"]],
        [CONCEPTS, ["select", "nothing"]],
        [CONCEPTS, ["delete"]],
        [CONCEPTS, ["select", "name,tags(*)"]])
    assert (many["status"], none["status"]) == (406, 406)
    assert "3 rows" in many["error"]["details"] or "2 or more" in many["error"]["details"]
    assert "0 rows" in none["error"]["details"]
    assert (column["status"], column["error"]["code"]) == (400, "unknown_column")
    assert "name" in column["error"]["hint"]
    assert (filtered["status"], filtered["error"]["code"]) == (400, "filter_required")
    assert (embedded["status"], embedded["error"]["code"]) == (400, "embedding_unsupported")


def test_insert(api, run, owner):
    bare, shown, many, single = run(
        [CONCEPTS, ["insert", {"name": "a"}]],
        [CONCEPTS, ["insert", {"name": "b"}], ["select", "name,user_id"]],
        [CONCEPTS, ["insert", [{"name": "c", "status": "x"}, {"name": "d"}],
                    {"defaultToNull": False}], ["select", "name,status"]],
        [CONCEPTS, ["insert", {"name": "e"}], ["select"], ["single"]])
    assert (bare["status"], bare["error"]) == (201, None)
    assert shown["data"] == [{"name": "b", "user_id": owner}]
    assert many["data"] == [{"name": "c", "status": "x"}, {"name": "d", "status": "active"}]
    assert single["data"]["name"] == "e"
    rows = api.sql("SELECT name FROM dots.concepts WHERE user_id = %s ORDER BY name", [owner])
    assert [row["name"] for row in rows] == list("abcde")


def test_insert_of_different_columns_defaults_to_null(api, run, owner):
    (result,) = run([CONCEPTS, ["insert", [{"name": "c", "status": "x"}, {"name": "d"}]],
                     ["select", "name,status"]])
    assert result["data"] == [{"name": "c", "status": "x"}, {"name": "d", "status": None}]


def test_upsert(api, run, owner, three):
    key = str(uuid.uuid4())
    changed, both, ignored = run(
        [CONCEPTS, ["upsert", {"concept_id": three[0], "name": "alpha", "status": "new"}],
         ["select", "status"]],
        [CONCEPTS, ["upsert", [{"concept_id": three[1], "name": "B"},
                               {"concept_id": key, "name": "fresh"}]], ["select", "name"]],
        [CONCEPTS, ["upsert", {"user_id": owner, "name": "alpha", "status": "not this"},
                    {"onConflict": "user_id,name", "ignoreDuplicates": True}], ["select"]])
    assert changed["data"] == [{"status": "new"}]
    assert both["data"] == [{"name": "B"}, {"name": "fresh"}], both
    assert (ignored["error"], ignored["data"]) == (None, [])
    rows = {str(row["concept_id"]): row for row in api.sql(
        "SELECT * FROM dots.concepts WHERE user_id = %s", [owner])}
    assert len(rows) == 4 and rows[three[0]]["status"] == "new" and rows[key]["name"] == "fresh"


def test_update_and_delete(api, run, owner, three):
    bare, shown, counted, gone, none = run(
        [CONCEPTS, ["update", {"status": "one"}], ["eq", "name", "alpha"]],
        [CONCEPTS, ["update", {"status": "two"}], ["eq", "name", "beta"], ["select", "status"]],
        [CONCEPTS, ["update", {"source": "x"}, {"count": "exact"}],
         ["in", "name", ["alpha", "beta"]]],
        [CONCEPTS, ["delete"], ["eq", "name", "alpha"], ["select", "name"]],
        [CONCEPTS, ["delete", {"count": "exact"}], ["eq", "name", "none"]])
    assert (bare["status"], bare["data"]) == (204, None)
    assert shown["data"] == [{"status": "two"}]
    assert counted["count"] == 2
    assert gone["data"] == [{"name": "alpha"}]
    assert (none["error"], none["count"]) == (None, 0)
    assert api.count("concepts", "user_id = %s", [owner]) == 2


def test_another_owner_sees_nothing(api, run, three, other):
    (result,) = run([CONCEPTS, ["select", "name"]], headers={"Fourfold-User": other})
    assert result["data"] == []
