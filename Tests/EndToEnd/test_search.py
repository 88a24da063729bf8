"""Search by words, by meaning and both: asked of Weaviate and of the vectors kept in PostgreSQL."""

import pytest

from waiting import wait_until
from world import Writer, world  # noqa: F401

WIDTH = 256
HOSTILE = [
    "'", '"', "\\", '"}) { Get { UserConcept { name } } } #', "{ Get { UserConcept", "\u2028",
    "'; DROP TABLE dots.concepts; --", "$1", "%' OR 1=1 --", "a & b | !c:*", "(((", "`", "\t\r\n x",
    "\u0000 x", "👩‍👩‍👧", "x" * 8192, '\\"}}', "{\"operator\": \"Or\"}",
    "MATCH (n) DETACH DELETE n"]


@pytest.fixture(scope="module")
def gateways(world):
    return {"weaviate": world.gateway(),
            "postgres": world.gateway(WEAVIATE_URL=None, FOURFOLD_LANES="off")}


@pytest.fixture(scope="module")
def journal(world, gateways):
    writer = Writer(gateways["weaviate"].http, world.user())
    rows = {"user": writer.user}
    rows["garden"] = writer.concept("gardening", description="beds of tomatoes and beans")
    rows["tomato"] = writer.concept("tomatoes", description="red fruit", status="archived")
    rows["sea"] = writer.concept("the sea", description="waves and salt")
    rows["rain"] = writer.memory("rain in the garden", "it rained on the tomatoes")
    rows["walk"] = writer.memory("a walk", "along the sea wall")
    rows["poem"] = writer.id("artifacts", title="a poem", artifact_type="text",
                             description="on waves")
    talk = writer.id("conversations", title="talk")
    rows["message"] = writer.id("messages", conversation_id=talk, role="user",
                                content="shall we plant tomatoes")
    writer.relate("RELATED_TO", ("concepts", rows["garden"]), ("concepts", rows["sea"]))
    other = Writer(gateways["weaviate"].http, world.user())
    rows["other"] = other.user
    rows["foreign"] = other.concept("gardening", description="beds of tomatoes and beans")
    other.memory("rain in the garden", "it rained on the tomatoes")
    world.assert_converged()
    return rows


def ask(gateway, user, headers=None, **body):
    return gateway.http.post("/v1/dots/search", json={"user_id": user} | body, headers=headers)


def hits(gateway, journal, **body):
    answer = ask(gateway, journal["user"], **body)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["meta"]["degraded"] is False and found["meta"]["dropped"] == 0
    names = {id: name for name, id in journal.items()}
    scores = [hit["score"] for hit in found["hits"]]
    assert scores == sorted(scores, reverse=True)
    return [names[hit["id"]] for hit in found["hits"]]


both = pytest.mark.parametrize("store", ["weaviate", "postgres"])


@both
@pytest.mark.parametrize("mode", ["hybrid", "vector", "keyword"])
def test_each_mode_finds_the_words(gateways, journal, store, mode):
    found = hits(gateways[store], journal, text="tomatoes", mode=mode)
    assert {"garden", "tomato", "rain", "message"} <= set(found) if mode == "keyword" else (
        "tomato" in found[:2])
    if mode == "keyword":
        assert set(found) == {"garden", "tomato", "rain", "message"}


@both
def test_the_mode_is_hybrid_with_a_text(gateways, journal, store):
    assert hits(gateways[store], journal, text="tomatoes red fruit") == hits(
        gateways[store], journal, text="tomatoes red fruit", mode="hybrid", alpha=0.5)


@both
def test_alpha_weighs(gateways, journal, store):
    gateway = gateways[store]
    words = hits(gateway, journal, text="waves", alpha=0)
    assert set(words) == {"sea", "poem"}
    # Over several classes and within one.
    for narrow in ({}, {"entities": ["concepts"]}):
        assert hits(gateway, journal, text="waves", alpha=1, **narrow) == hits(
            gateway, journal, text="waves", mode="vector", **narrow)


@both
def test_classes_are_ranked_by_one_measure(gateways, journal, store):
    """The best of a class that has nothing to do with it does not come first."""
    found = hits(gateways[store], journal, text="waves salt")
    assert found[:2] == ["sea", "poem"]


@both
def test_entities_narrow_it(gateways, journal, store):
    gateway = gateways[store]
    assert hits(gateway, journal, text="tomatoes", mode="keyword",
                entities=["memories"]) == ["rain"]
    assert set(hits(gateway, journal, text="tomatoes", mode="keyword",
                    entities=["memories", "messages"])) == {"rain", "message"}


@both
def test_a_filter_is_the_list_grammars(gateways, journal, store):
    gateway = gateways[store]
    body = {"text": "tomatoes", "entities": ["concepts"], "mode": "keyword"}
    assert hits(gateway, journal, **body, filter={"status": "eq.active"}) == ["garden"]
    assert hits(gateway, journal, **body, filter={"status": "eq.archived"}) == ["tomato"]
    assert hits(gateway, journal, **body, filter={"status": "in.(archived,active)",
                                                  "name": "like.tom*"}) == ["tomato"]
    assert hits(gateway, journal, **body, filter={"status": "eq.nothing"}) == []


@both
def test_limit(gateways, journal, store):
    found = hits(gateways[store], journal, text="tomatoes garden sea waves", mode="vector", limit=3)
    assert len(found) == 3
    assert hits(gateways[store], journal, text="tomatoes garden sea waves", mode="vector",
                limit=1) == found[:1]


@both
def test_like_a_row(gateways, journal, store):
    found = hits(gateways[store], journal, like={"entity": "concepts", "id": journal["tomato"]})
    assert "tomato" not in found and len(found) == 6
    # An id may be written in capitals.
    assert found == hits(gateways[store], journal, like={
        "entity": "concepts", "id": journal["tomato"].upper()})


@both
def test_like_a_row_that_is_not_there_or_another_owners(gateways, journal, store):
    for id in ("00000000-0000-4000-8000-000000000000", journal["foreign"]):
        answer = ask(gateways[store], journal["user"], like={"entity": "concepts", "id": id})
        assert answer.status_code == 404, answer.text


@both
def test_a_vector_is_given(world, gateways, journal, store):
    vector = world.psql("SELECT embedding FROM fourfold.entity_vectors WHERE key = %s",
                        (journal["sea"],))[0]["embedding"]
    found = hits(gateways[store], journal, vector=vector)
    assert found[0] == "sea"
    # With a text the text counts as words beside it.
    found = hits(gateways[store], journal, vector=vector, text="tomatoes")
    assert {"sea", "tomato"} <= set(found[:4])


@both
@pytest.mark.parametrize("vector", [
    [], [1], [0.5] * (WIDTH - 1), [0.5] * (WIDTH + 1), ["a"] * WIDTH, [None] * WIDTH, "x", {},
    [[1]], [1e400] * WIDTH, [1e39] * WIDTH, [1] * 8193])
def test_vectors_that_do_not_fit(gateways, journal, store, vector):
    body = {"vector": vector}
    if isinstance(vector, list) and 1e400 in vector:
        answer = gateways[store].http.post(
            "/v1/dots/search", content='{"user_id":"%s","vector":[%s]}' % (
                journal["user"], ",".join(["1e400"] * WIDTH)),
            headers={"Content-Type": "application/json"})
    else:
        answer = ask(gateways[store], journal["user"], **body)
    assert answer.status_code == 400, answer.text
    assert "vector" in answer.text


@both
def test_a_vector_without_a_direction_finds_nothing(gateways, journal, store):
    answer = ask(gateways[store], journal["user"], vector=[0] * WIDTH)
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        assert answer.json()["hits"] == []


@both
def test_expand_adds_the_graph_around_the_hits(gateways, journal, store):
    answer = ask(gateways[store], journal["user"], text="gardening", mode="keyword",
                 entities=["concepts"], expand={"depth": 1, "types": ["RELATED_TO"]}).json()
    assert [hit["id"] for hit in answer["hits"]] == [journal["garden"]]
    assert [node["id"] for node in answer["graph"]["nodes"]] == [journal["sea"]]
    assert len(answer["graph"]["edges"]) == 1
    assert answer["meta"]["source"] == {"vector": store, "graph": "neo4j"}
    assert answer["meta"]["truncated"] is False
    empty = ask(gateways[store], journal["user"], text="nosuchword", mode="keyword",
                expand={"depth": 1}).json()
    assert empty["hits"] == [] and empty["graph"] == {"nodes": [], "edges": []}


@both
def test_values_are_the_rows_as_they_are_now(gateways, journal, store):
    [hit] = ask(gateways[store], journal["user"], text="salt", mode="keyword").json()["hits"]
    row = gateways[store].http.get(f"/v1/dots/concepts/{journal['sea']}").json()
    assert hit["value"] == row and hit["entity"] == "concepts"


@both
def test_another_owners_rows_are_never_shown(gateways, journal, store):
    gateway = gateways[store]
    for mode in ("hybrid", "vector", "keyword"):
        assert "foreign" not in hits(gateway, journal, text="gardening beds", mode=mode)
    answer = gateway.http.post("/v1/dots/search", json={"text": "gardening"})
    assert answer.status_code == 400 and answer.json()["code"] == "owner_required"
    answer = ask(gateway, journal["user"], headers={"Fourfold-User": journal["other"]}, text="x")
    assert answer.status_code == 422 and answer.json()["code"] == "owner_mismatch"
    answer = gateway.http.post("/v1/dots/search", headers={"Fourfold-User": journal["other"]},
                               json={"text": "gardening", "mode": "keyword",
                                     "entities": ["concepts"]})
    assert [hit["id"] for hit in answer.json()["hits"]] == [journal["foreign"]]
    for owner in ("not a uuid", ""):
        assert ask(gateway, owner, text="x").status_code == 400
        assert gateway.http.post("/v1/dots/search", headers={"Fourfold-User": owner},
                                 json={"text": "x"}).status_code == 400
    assert ask(gateway, "00000000-0000-4000-8000-000000000000", text="gardening").json()[
        "hits"] == []


@both
def test_hits_whose_row_is_gone_are_dropped_and_counted(world, gateways, journal, store):
    writer = Writer(gateways["weaviate"].http, journal["user"])
    doomed = [writer.concept(f"ephemeral {n}") for n in range(3)]
    world.assert_converged()
    world.psql("UPDATE fourfold.lanes SET epoch = epoch + 1, holder = 'nobody',"
               " expires_at = clock_timestamp() + interval '1 h'")
    try:
        world.psql("DELETE FROM dots.concepts WHERE concept_id = ANY (%s::uuid[])", (doomed[:2],))
        found = ask(gateways[store], journal["user"], text="ephemeral", mode="keyword").json()
        assert [hit["id"] for hit in found["hits"]] == [doomed[2]]
        assert found["meta"]["dropped"] == 2
        world.psql("UPDATE dots.concepts SET name = 'renamed since' WHERE concept_id = %s",
                   (doomed[2],))
        found = ask(gateways[store], journal["user"], text="ephemeral", mode="keyword").json()
        [hit] = found["hits"]
        assert hit["value"]["name"] == "renamed since"
    finally:
        world.psql("UPDATE fourfold.lanes SET expires_at = clock_timestamp()")
    world.psql("DELETE FROM dots.concepts WHERE concept_id = ANY (%s::uuid[])", (doomed,))
    world.assert_converged()


@both
@pytest.mark.parametrize("body", [
    {}, {"text": ""}, {"text": "  "}, {"text": 1}, {"text": None}, {"text": "x" * 8193},
    {"text": "x", "mode": "magic"}, {"text": "x", "mode": 1}, {"text": "x", "alpha": 2},
    {"text": "x", "alpha": "a"}, {"text": "x", "limit": 0}, {"text": "x", "limit": 101},
    {"text": "x", "limit": 1.5}, {"text": "x", "entities": []},
    {"text": "x", "entities": "concepts"},
    {"text": "x", "entities": ["users"]}, {"text": "x", "entities": [1]},
    {"text": "x", "filter": "status=eq.a"}, {"text": "x", "filter": {"nope": "eq.a"}},
    {"text": "x", "filter": {"status": 1}}, {"text": "x", "filter": {"status": "xx.a"}},
    {"text": "x", "filter": {"created_at": "gte.notadate"}}, {"text": "x", "unknown": 1},
    {"text": "x", "expand": 1}, {"text": "x", "expand": {"depth": 9}},
    {"text": "x", "expand": {"types": "A"}}, {"text": "x", "expand": {"nope": 1}},
    {"like": 1}, {"like": {"entity": "concepts"}}, {"like": {"entity": "users", "id": "x"}},
    {"text": "x", "like": {"entity": "concepts", "id": "x"}}, {"mode": "keyword", "vector": [1]}])
def test_bad_bodies(gateways, journal, store, body):
    answer = ask(gateways[store], journal["user"], entities=["concepts"], **body) if (
        "filter" in body and "entities" not in body) else ask(
        gateways[store], journal["user"], **body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] in (
        "invalid_body", "invalid_parameter", "invalid_filter", "unknown_column", "invalid_value")


@both
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_strings_change_nothing(gateways, journal, store, text):
    gateway, user = gateways[store], journal["user"]
    for mode in ("hybrid", "vector", "keyword"):
        answer = ask(gateway, user, text=text, mode=mode)
        assert answer.status_code in (200, 400), answer.text
        if answer.status_code == 200:
            assert journal["foreign"] not in answer.text
    for body, expected in (
            ({"text": "x", "entities": [text]}, (400,)),
            ({"text": "tomatoes", "entities": ["concepts"], "filter": {"name": f"eq.{text}"}},
             (200, 400)),
            ({"text": "tomatoes", "entities": ["concepts"], "filter": {text: "eq.x"}}, (400,)),
            ({"text": "tomatoes", "entities": ["concepts"], "filter": {"name": text}}, (400,)),
            ({"like": {"entity": "concepts", "id": text}}, (400, 404)),
            ({"like": {"entity": text, "id": "x"}}, (400,)),
            ({"text": "x", "mode": text}, (400,)),
            ({"text": "gardening", "expand": {"types": [text]}}, (200, 400)),
            ({"text": "gardening", "expand": {"direction": text}}, (400,))):
        answer = ask(gateway, user, **body)
        assert answer.status_code in expected, f"{body}: {answer.text}"
    assert ask(gateway, text, text="gardening").status_code == 400


def test_after_all_that_nothing_has_changed(world, gateways, journal):
    world.assert_converged()
    wait_until(lambda: hits(gateways["weaviate"], journal, text="salt", mode="keyword") == ["sea"])


@pytest.fixture
def other_model(world):
    """The kept vectors are of another model than the configured one, as after a change of it."""
    world.assert_converged()
    world.psql("UPDATE fourfold.entity_vectors SET model = 'another'")
    yield
    world.psql("UPDATE fourfold.entity_vectors SET model = 'fourfold-hash'")


@both
def test_vectors_of_another_model_are_not_compared(gateways, journal, other_model, store):
    user = journal["user"]
    answer = ask(gateways[store], user, text="tomatoes", mode="hybrid")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["meta"]["reasons"] == ["embedding_model_changed"] and found["hits"]
    words = ask(gateways[store], user, text="tomatoes", mode="keyword").json()
    assert words["meta"]["degraded"] is False
    assert [hit["id"] for hit in words["hits"]] == [hit["id"] for hit in found["hits"]]
    refused = ask(gateways[store], user, text="tomatoes", mode="vector")
    assert refused.status_code == 503 and "embedding_model_changed" in refused.text


def test_while_weaviate_is_filled_postgres_answers(world, gateways, journal):
    world.stop(gateways["weaviate"])
    world.reconcile("vector")
    reader = world.gateway(FOURFOLD_LANES="off")
    found = ask(reader, journal["user"], text="tomatoes").json()
    assert found["meta"]["source"] == {"vector": "postgres"} and found["hits"]
    assert found["meta"]["reasons"] == ["reconciling"]
    gateways["weaviate"] = world.gateway()
    wait_until(lambda: ask(reader, journal["user"], text="tomatoes").json()["meta"]["source"]
               == {"vector": "weaviate"}, 30)
