"""The example journal: whole by itself, and whole behind a gateway."""

import re
from collections import Counter
from datetime import datetime

import pytest

from example_data import EXAMPLES, OWNER, load_examples, read_journal, read_manifest

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
ENTITY_OF_TYPE = {
    "concept": "concepts", "memory": "memories", "artifact": "artifacts", "person": "people",
    "location": "locations", "challenge": "challenges",
}
GROWTH_TYPES = {"concept", "memory", "artifact"}
TARGETS = {"HAPPENED_AT": "locations", "INVOLVES": "people", "TAGGED_WITH": "tags"}
REFERENCE_LISTS = {
    "artifacts": "source_entities",
    "reflections": "related_entities",
    "messages": "referenced_entities",
}
TIME_COLUMN = re.compile(r"_(at|ts)$")
UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")


@pytest.fixture(scope="module")
def journal():
    return read_journal()


@pytest.fixture(scope="module")
def ids(journal):
    return {
        entity: {row[KEY_COLUMNS[entity]] for row in rows} for entity, rows in journal.items()
    }


def test_the_manifest_names_every_file_once():
    listed = [file for _, file in read_manifest()]
    assert sorted(listed) == sorted(path.name for path in EXAMPLES.glob("*.ndjson"))
    assert [entity for entity, _ in read_manifest()] == list(KEY_COLUMNS)


def test_the_document_counts_what_is_there(journal):
    text = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    stated = {entity: int(count) for count, entity in
              re.findall(r"^\| (\d+) ([\w-]+) \|", text, re.MULTILINE)}
    assert stated == {entity: len(rows) for entity, rows in journal.items()}
    assert "| 678 relationships | of ten types |" in text
    assert len({row["type"] for row in journal["relationships"]}) == 10
    assert "| in six dimensions |" in text
    assert len({row["dim_key"] for row in journal["growth-events"]}) == 6


def test_the_document_names_ids_that_are_there(ids):
    text = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `([0-9a-f-]{36})` \|", text, re.MULTILINE)
    assert named and set(named) <= set().union(*ids.values())


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
                assert target["id"] in ids[ENTITY_OF_TYPE[target["type"]]], row
    for row in journal["annotations"]:
        assert row["target_id"] in ids[ENTITY_OF_TYPE[row["target_node_type"]]], row
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


def test_growth_events_name_what_grew(journal, ids):
    for event in journal["growth-events"]:
        assert event["entity_type"] in GROWTH_TYPES
        assert event["entity_id"] in ids[ENTITY_OF_TYPE[event["entity_type"]]]
        assert event["dim_key"] in DIMENSIONS
    assert "growth_profile" not in journal["users"][0], "it follows from the events"


def test_no_relationship_repeats_a_reference_of_its_row(journal):
    stated = {
        (row["from_id"], row["to_id"])
        for row in journal["relationships"]
        if row["type"] == "REFERENCES"
    }
    for entity, column in REFERENCE_LISTS.items():
        for row in journal[entity]:
            for target in row[column]:
                assert (row[KEY_COLUMNS[entity]], target["id"]) not in stated, row


def test_texts_are_not_repeated(journal):
    for entity, column in (("concepts", "description"), ("memories", "content")):
        texts = [row[column] for row in journal[entity]]
        assert len(set(texts)) == len(texts)
        assert min(len(text) for text in texts) > 80, entity


TABLES = {
    "memories": "memory_units",
    "artifacts": "derived_artifacts",
    "messages": "conversation_messages",
    "challenges": "user_challenges",
}
SEARCHES = [
    ("creativity, inspiration", "concepts", "Creativity is a practice"),
    ("river under the city", "concepts", "The river under the city"),
    ("kiln shelf and shards", "memories", "The shelf that fell"),
    ("dahlias in Len's bed", "concepts", "Dahlias nobody planted"),
    ("hot-air balloon at the window", "memories", "A balloon at eye level"),
]
WAIT = {"Prefer": "wait=10000"}
OWNER_HEADER = {"Fourfold-User": OWNER}


@pytest.fixture
def loaded(http):
    """A gateway's HTTP client with the journal loaded, and the token of the last write."""
    http.token = load_examples(http)
    return http


def test_loaded_rows_are_in_the_database(loaded, psql, journal):
    for entity, rows in journal.items():
        table = TABLES.get(entity, entity.replace("-", "_"))
        assert psql(f"SELECT count(*) AS n FROM dots.{table}")[0]["n"] == len(rows), entity
    totals = Counter()
    for event in journal["growth-events"]:
        totals[event["dim_key"]] += event["delta"]
    profile = psql("SELECT growth_profile FROM dots.users")[0]["growth_profile"]
    assert profile == {key: pytest.approx(total) for key, total in totals.items()}


def test_connections_follow_the_files(loaded, journal):
    wall = "e0000000-0000-4000-8000-000000000011"
    answer = loaded.get(
        f"/v1/dots/memories/{wall}/connections",
        params={"depth": 1, "limit": 1000},
        headers=OWNER_HEADER | WAIT | {"Fourfold-Token": loaded.token},
    )
    assert answer.status_code == 200, answer.text
    edges = {(edge["type"], edge["from"], edge["to"]) for edge in answer.json()["edges"]}
    stated = {
        (row["type"], row["from_id"], row["to_id"])
        for row in journal["relationships"]
        if wall in (row["from_id"], row["to_id"])
    }
    assert stated <= edges


def test_searches_find_what_they_describe(loaded):
    for text, entity, title in SEARCHES:
        answer = loaded.post(
            "/v1/dots/search",
            json={"text": text, "entities": ["concepts", "memories"], "limit": 5},
            headers=OWNER_HEADER | WAIT | {"Fourfold-Token": loaded.token},
        )
        assert answer.status_code == 200, answer.text
        found = [
            (hit["entity"], hit["value"].get("name") or hit["value"].get("title"))
            for hit in answer.json()["hits"]
        ]
        assert (entity, title) in found, text
