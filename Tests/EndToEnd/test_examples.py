"""The example journal: whole by itself, and whole behind a gateway."""

import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "dots"
OWNER = "a0000000-0000-4000-8000-000000000001"

KEY_COLUMNS = {
    "users": "user_id",
    "tags": "tag_id",
    "people": "person_id",
    "locations": "location_id",
    "concepts": "concept_id",
    "memories": "memory_id",
    "artifacts": "artifact_id",
    "annotations": "aid",
    "reflections": "reflection_id",
    "conversations": "conversation_id",
    "messages": "message_id",
    "growth-events": "event_id",
    "challenge-templates": "tpl_id",
    "challenges": "ch_id",
    "orb-states": "state_id",
    "relationships": "relationship_id",
}
OWNERLESS = {"challenge-templates"}
RELATIONSHIP_TYPES = {
    "RELATED_TO", "PART_OF", "REFERENCES", "EVOLVED_FROM", "HAPPENED_AT",
    "INVOLVES", "TAGGED_WITH", "INSPIRED_BY", "CONTRADICTS", "SUPPORTS",
}
DIMENSIONS = {"self_know", "self_act", "self_show", "world_know", "world_act", "world_show"}
GROWTH_ENTITIES = {"concept": "concepts", "memory": "memories", "artifact": "artifacts"}
TARGETS = {"HAPPENED_AT": "locations", "INVOLVES": "people", "TAGGED_WITH": "tags"}
REFERENCE_LISTS = {
    "artifacts": "source_entities",
    "reflections": "related_entities",
    "messages": "referenced_entities",
}
TIME_COLUMN = re.compile(r"_(at|ts)$")
UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")


def manifest():
    lines = (EXAMPLES / "manifest").read_text(encoding="utf-8").splitlines()
    return [tuple(line.split(" ")) for line in lines if line and not line.startswith("#")]


def refuse_repeated_keys(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key twice in one object: {keys}"
    return dict(pairs)


def read_rows(file):
    text = (EXAMPLES / file).read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line, object_pairs_hook=refuse_repeated_keys) for line in text.splitlines()]


@pytest.fixture(scope="module")
def journal():
    return {entity: read_rows(file) for entity, file in manifest()}


@pytest.fixture(scope="module")
def ids(journal):
    return {
        entity: {row[KEY_COLUMNS[entity]] for row in rows} for entity, rows in journal.items()
    }


def test_the_manifest_names_every_file_once():
    listed = [file for _, file in manifest()]
    assert sorted(listed) == sorted(path.name for path in EXAMPLES.glob("*.ndjson"))
    assert [entity for entity, _ in manifest()] == list(KEY_COLUMNS)


def test_ids_are_uuids_and_unique_across_entities(journal):
    every = [row[KEY_COLUMNS[entity]] for entity, rows in journal.items() for row in rows]
    assert [id for id in every if not UUID.match(id)] == []
    assert [id for id, count in Counter(every).items() if count > 1] == []


def test_rows_of_one_owner(journal):
    for entity, rows in journal.items():
        for row in rows:
            assert row.get("user_id") == (None if entity in OWNERLESS else OWNER), entity


def test_times_have_an_offset_and_are_in_order(journal):
    for entity, rows in journal.items():
        for row in rows:
            times = {
                column: datetime.fromisoformat(value)
                for column, value in row.items()
                if TIME_COLUMN.search(column)
            }
            for column, time in times.items():
                assert time.utcoffset() is not None, (entity, column)
            if "created_at" in times and "updated_at" in times:
                assert times["created_at"] <= times["updated_at"], row


def test_relationships_join_existing_entities(journal, ids):
    for row in journal["relationships"]:
        assert row["type"] in RELATIONSHIP_TYPES
        for end in ("from", "to"):
            assert row[f"{end}_id"] in ids[row[f"{end}_entity"]], row
        assert row["from_id"] != row["to_id"], row
        assert row["to_entity"] == TARGETS.get(row["type"], row["to_entity"]), row


def test_no_relationship_is_stated_twice(journal):
    stated = Counter(
        (row["type"], row["from_id"], row["to_id"]) for row in journal["relationships"]
    )
    assert [key for key, count in stated.items() if count > 1] == []


def test_references_inside_rows_exist(journal, ids):
    for entity, column in REFERENCE_LISTS.items():
        for row in journal[entity]:
            for target in row[column]:
                assert target["id"] in ids[target["entity"]], row
    for row in journal["annotations"]:
        assert row["target_id"] in ids[row["target_node_type"]], row
    for row in journal["messages"]:
        assert row["conversation_id"] in ids["conversations"]
    for row in journal["challenges"]:
        assert row["tpl_id"] in ids["challenge-templates"]


def test_memories_name_the_people_and_places_they_are_joined_to(journal):
    joined = {
        (row["from_id"], row["to_id"])
        for row in journal["relationships"]
        if row["type"] in ("INVOLVES", "HAPPENED_AT")
    }
    names = {row["person_id"]: row["name"] for row in journal["people"]}
    names |= {row["location_id"]: row["name"] for row in journal["locations"]}
    for memory in journal["memories"]:
        mentioned = [(person["person_id"], person["name"]) for person in memory.get("people", [])]
        if "location" in memory:
            mentioned.append((memory["location"]["location_id"], memory["location"]["name"]))
        for id, name in mentioned:
            assert names[id] == name, memory["title"]
            assert (memory["memory_id"], id) in joined, memory["title"]


def test_growth_profile_is_the_sum_of_the_growth_events(journal, ids):
    totals = Counter()
    for event in journal["growth-events"]:
        assert event["entity_id"] in ids[GROWTH_ENTITIES[event["entity_type"]]]
        assert event["dim_key"] in DIMENSIONS
        totals[event["dim_key"]] += event["delta"]
    profile = journal["users"][0]["growth_profile"]
    assert profile == {key: pytest.approx(total) for key, total in totals.items()}


def test_texts_are_not_repeated(journal):
    for entity, column in (("concepts", "description"), ("memories", "content")):
        texts = [row[column] for row in journal[entity]]
        assert len(set(texts)) == len(texts)
        assert min(len(text) for text in texts) > 80, entity
