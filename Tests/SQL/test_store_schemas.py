"""The graph and vector schemas of the dots pack fit its document and its views."""

import json
import re

import pytest
from conftest import ROOT, one, pack_text

PACK = json.loads(pack_text())
CYPHER = "\n".join(
    line
    for file in sorted((ROOT / "cypher" / "dots").glob("*.cypher"))
    for line in file.read_text().splitlines()
    if not line.startswith("//")
)


def test_every_label_is_constrained_and_every_type_indexed():
    labels = {PACK["graph"]["keyLabel"], "Fence", *PACK["graph"]["nodes"]}
    assert set(re.findall(r"FOR \(\w:(\w+)\) REQUIRE \w\.id IS UNIQUE", CYPHER)) == labels
    types = {t for edge in PACK["graph"]["edges"].values() for t in edge["types"]}
    assert set(re.findall(r"FOR \(\)-\[r:(\w+)\]-\(\) ON \(r\.anchor\)", CYPHER)) == types
    names = re.findall(r"CREATE (?:CONSTRAINT|INDEX) (\w+)", CYPHER)
    assert len(names) == len(set(names)) == CYPHER.count(";")


@pytest.mark.parametrize("name", PACK["vectors"])
def test_a_vector_view_gives_the_properties_of_its_class(db, dots, name):
    document = json.loads((ROOT / "weaviate" / "dots" / f"{name}.json").read_text())
    assert document["class"] == name and document["vectorizer"] == "none"
    properties = {p["name"]: p["dataType"][0] for p in document["properties"]}
    assert properties.pop("revision") == "number"
    assert "evolutionState" not in properties and properties["userId"] == "uuid"

    user = dots.user()
    dots.concept(user, "c", description="d")
    dots.memory(user, "m", occurred_at="2026-01-02T03:04:05+02:00")
    dots.insert(
        "derived_artifacts",
        "artifact_id",
        user_id=user,
        title="a",
        description="d",
        artifact_type="poem",
    )
    talk = dots.insert("conversations", "conversation_id", user_id=user)
    dots.insert(
        "conversation_messages",
        "message_id",
        conversation_id=talk,
        user_id=user,
        role="user",
        content="x",
    )
    shown = one(db, f"SELECT properties FROM dots.{PACK['vectors'][name]['view']}")
    assert set(shown) == set(properties)
    kinds = {"text": str, "uuid": str, "date": str, "int": int, "text[]": list, "uuid[]": list}
    for key, kind in properties.items():
        assert isinstance(shown[key], kinds[kind]), key
        if kind == "date":
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", shown[key])
