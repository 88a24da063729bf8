"""Changes of rows as messages: once each, after commit, in order, whoever changed them."""

import json
import threading
import uuid

import pytest

from listening import Listener

OWNER = "a0000000-0000-4000-8000-0000000000aa"
OTHER = "a0000000-0000-4000-8000-0000000000bb"
CARDS, CHALLENGES, INSIGHTS = (
    f"user:{OWNER}:cards", f"user:{OWNER}:challenges", f"user:{OWNER}:insights")


@pytest.fixture
def listen(stores):
    """listen(*channels): a Listener in another client of Redis."""
    listeners = []

    def start(*channels):
        listener = Listener(stores.redis_url, *channels)
        listeners.append(listener)
        return listener

    yield start
    for listener in listeners:
        listener.close()


def add_users(psql):
    for user, name in ((OWNER, "ada"), (OTHER, "bob")):
        psql("INSERT INTO dots.users (user_id, username, email, password_hash, region) "
             "VALUES (%s, %s, %s, 'x', 'eu')", (user, name, f"{name}@example.org"))


def caught_up(served):
    """Everything that is committed is told."""
    line = served.lanes()["live"]
    assert line["store"] == "redis"
    return line["pending"] == 0 and line["state"] == "idle"


@pytest.fixture
def served(gateway, psql, wait_until):
    found = gateway()
    add_users(psql)
    wait_until(lambda: caught_up(found))
    return found


def post(served, entity, **body):
    answer = served.http.post(f"/v1/dots/{entity}", json={"user_id": OWNER} | body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def insert_concepts(psql, names, user=OWNER):
    return [row["concept_id"] for row in psql(
        "INSERT INTO dots.concepts (user_id, name) SELECT %s, n FROM unnest(%s::text[]) AS n "
        "RETURNING concept_id::text", (user, list(names)))]


def cards(listener):
    return [(message["action"], message["card_id"]) for message in listener.messages(CARDS)]


def test_the_life_of_a_card_over_http(served, listen, wait_until):
    listener = listen(CARDS)
    card = post(served, "concepts", name="a")["concept_id"]
    wait_until(lambda: len(cards(listener)) == 1)
    assert served.http.patch(f"/v1/dots/concepts/{card}", json={"name": "b"}).status_code == 200
    wait_until(lambda: len(cards(listener)) == 2)
    assert served.http.delete(f"/v1/dots/concepts/{card}").status_code == 204
    wait_until(lambda: len(cards(listener)) == 3)
    assert listener.settled() == [
        {"action": "created", "card_id": card, "evolution_state": "seed"},
        {"action": "updated", "card_id": card, "evolution_state": "seed"},
        {"action": "deleted", "card_id": card},
    ]


@pytest.mark.parametrize("entity, key, body", [
    ("concepts", "concept_id", {"name": "a"}),
    ("memories", "memory_id", {"title": "a", "content": "b", "memory_type": "t"}),
    ("artifacts", "artifact_id", {"title": "a", "artifact_type": "t"}),
])
def test_every_kind_of_card_is_told(served, listen, wait_until, entity, key, body):
    listener = listen(CARDS, INSIGHTS)
    card = post(served, entity, **body)[key]
    wait_until(lambda: listener.messages())
    assert listener.settled() == [
        {"action": "created", "card_id": card, "evolution_state": "seed"}]


def test_a_challenge_and_its_template(served, psql, listen, wait_until):
    listener = listen(CHALLENGES)
    template = served.http.post(
        "/v1/dots/challenge-templates", json={"name": "New perspective"}).json()["tpl_id"]
    challenge = post(served, "challenges", tpl_id=template)["ch_id"]
    wait_until(lambda: len(listener.messages()) == 1)
    psql("UPDATE dots.user_challenges SET status = 'done'")
    wait_until(lambda: len(listener.messages()) == 2)
    psql("UPDATE dots.challenge_templates SET name = 'Another'")
    wait_until(lambda: len(listener.messages()) == 3)
    psql("DELETE FROM dots.user_challenges")
    wait_until(lambda: len(listener.messages()) == 4)
    assert listener.settled() == [
        {"action": "new", "challenge_id": challenge, "title": "New perspective"},
        {"action": "updated", "challenge_id": challenge, "title": "New perspective"},
        {"action": "updated", "challenge_id": challenge, "title": "Another"},
        {"action": "deleted", "challenge_id": challenge},
    ]


def test_a_new_insight(served, psql, listen, wait_until):
    listener = listen(INSIGHTS)
    source = post(served, "concepts", name="source")["concept_id"]
    urgent = post(served, "artifacts", title="a", artifact_type="insight",
                  attributes={"urgency": "high"}, source_entities=[{"id": source}])["artifact_id"]
    wait_until(lambda: len(listener.messages()) == 1)
    plain = post(served, "artifacts", title="b", artifact_type="insight")["artifact_id"]
    post(served, "artifacts", title="c", artifact_type="poster")
    wait_until(lambda: len(listener.messages()) == 2)
    psql("UPDATE dots.derived_artifacts SET title = 'd'")
    psql("DELETE FROM dots.derived_artifacts")
    assert listener.settled() == [
        {"insight_id": urgent, "urgency": "high", "source_entities": [source]},
        {"insight_id": plain, "urgency": "normal", "source_entities": []},
    ]


def test_growth_and_connections_change_a_card(served, psql, listen, wait_until):
    (card, lone) = insert_concepts(psql, ["a", "b"])
    wait_until(lambda: caught_up(served))
    listener = listen(CARDS)

    def grow(*dimensions):
        psql("INSERT INTO dots.growth_events (user_id, entity_id, entity_type, dim_key, delta, "
             "source) SELECT %s, %s, 'concept', d, 1, 'test' FROM unnest(%s::text[]) AS d",
             (OWNER, card, list(dimensions)))

    grow("self_know")
    wait_until(lambda: len(listener.messages()) == 1)
    grow("self_act", "self_show")
    wait_until(lambda: len(listener.messages()) == 2)
    psql("INSERT INTO dots.graph_connections (entity_id, degree) VALUES (%s, 5), (%s, 0)",
         (card, lone))
    wait_until(lambda: len(listener.messages()) == 3)
    # An export that finds the same degrees changes no card.
    psql("UPDATE dots.graph_connections SET exported_at = now() + interval '1 minute'")
    wait_until(lambda: caught_up(served))
    psql("UPDATE dots.graph_connections SET degree = 1")
    wait_until(lambda: len(listener.messages()) == 5)
    assert [(m["action"], m["card_id"], m["evolution_state"]) for m in listener.settled()] == [
        ("updated", card, "sprout"), ("updated", card, "bloom"),
        ("updated", card, "constellation"),
        *[("updated", id, {card: "bloom", lone: "seed"}[id]) for id in sorted([card, lone])],
    ]


def test_by_hand_in_one_transaction(served, psql, listen, wait_until):
    """Only after the commit, and only what is left of it."""
    (kept, gone) = insert_concepts(psql, ["kept", "gone"])
    wait_until(lambda: caught_up(served))
    listener = listen(CARDS)
    with psql.connect() as link:
        link.execute("UPDATE dots.concepts SET description = 'x'")
        link.execute("DELETE FROM dots.concepts WHERE name = 'gone'")
        link.execute("INSERT INTO dots.concepts (user_id, name) VALUES (%s, 'passing')", (OWNER,))
        link.execute("DELETE FROM dots.concepts WHERE name = 'passing'")
        link.execute("UPDATE dots.concepts SET description = 'y'")
        (again,) = link.execute(
            "INSERT INTO dots.concepts (user_id, name) VALUES (%s, 'new') "
            "RETURNING concept_id::text", (OWNER,)).fetchone().values()
        link.execute("UPDATE dots.concepts SET description = 'z' WHERE name = 'new'")
        assert listener.settled(0.3) == []
        link.commit()
    wait_until(lambda: len(listener.messages()) == 3)
    listener.settled()
    assert cards(listener) == [("deleted", gone), ("updated", kept), ("created", again)]


def test_what_was_rolled_back_is_not_told(served, psql, listen):
    listener = listen(CARDS)
    with psql.connect() as link:
        link.execute("INSERT INTO dots.concepts (user_id, name) VALUES (%s, 'a')", (OWNER,))
        link.rollback()
    assert listener.settled() == []


def test_a_key_that_changes_and_a_row_that_comes_back(served, psql, listen, wait_until):
    (old,) = insert_concepts(psql, ["a"])
    wait_until(lambda: caught_up(served))
    listener = listen(CARDS)
    new = str(uuid.uuid4())
    psql("UPDATE dots.concepts SET concept_id = %s", (new,))
    wait_until(lambda: len(listener.messages()) == 2)
    assert set(cards(listener)) == {("deleted", old), ("created", new)}
    with psql.connect() as link:
        link.execute("DELETE FROM dots.concepts")
        link.execute("INSERT INTO dots.concepts (concept_id, user_id, name) VALUES (%s, %s, 'b')",
                     (new, OWNER))
    wait_until(lambda: len(listener.messages()) == 3)
    listener.settled()
    assert cards(listener)[2] == ("updated", new)


def test_a_cascade_tells_each_card_of_its_owner_only(served, psql, listen, wait_until):
    mine = insert_concepts(psql, [f"c{n}" for n in range(20)])
    insert_concepts(psql, ["theirs"], OTHER)
    wait_until(lambda: caught_up(served))
    listener, other = listen(CARDS), listen(f"user:{OTHER}:cards")
    psql("DELETE FROM dots.users WHERE user_id = %s", (OWNER,))
    wait_until(lambda: len(listener.messages()) == 20)
    listener.settled()
    assert sorted(cards(listener)) == sorted(("deleted", id) for id in mine)
    assert other.messages() == []


def test_a_batch_and_an_array(served, listen, wait_until):
    listener = listen(CARDS)
    answer = served.http.post("/v1/dots/batch", json={"operations": [
        {"op": "create", "entity": "concepts", "value": {"user_id": OWNER, "name": f"b{n}"}}
        for n in range(10)]})
    assert answer.status_code == 200, answer.text
    wait_until(lambda: len(listener.messages()) == 10)
    answer = served.http.post("/v1/dots/concepts", json=[
        {"user_id": OWNER, "name": f"a{n}"} for n in range(100)],
        headers={"Prefer": "return=representation"})
    assert answer.status_code == 201, answer.text
    wait_until(lambda: len(listener.messages()) == 110)
    listener.settled()
    assert cards(listener)[10:] == [("created", row["concept_id"]) for row in answer.json()]


def test_five_thousand_rows_in_one_statement(served, psql, listen, wait_until):
    listener = listen(CARDS)
    ids = insert_concepts(psql, [f"c{n:05}" for n in range(5000)])
    wait_until(lambda: len(listener.messages()) == 5000, 60)
    listener.settled()
    assert cards(listener) == [("created", id) for id in ids]


def test_one_event_that_touches_many_rows(served, psql, listen, wait_until):
    """More messages than one run of the script tells."""
    psql("INSERT INTO dots.challenge_templates (name) VALUES ('t')")
    psql("INSERT INTO dots.user_challenges (tpl_id, user_id) SELECT tpl_id, %s "
         "FROM dots.challenge_templates, generate_series(1, 3000)", (OWNER,))
    wait_until(lambda: caught_up(served), 30)
    listener = listen(CHALLENGES)
    psql("UPDATE dots.challenge_templates SET name = 'u'")
    wait_until(lambda: len(listener.messages()) == 3000, 30)
    messages = listener.settled()
    assert len({message["challenge_id"] for message in messages}) == len(messages) == 3000
    assert {(message["action"], message["title"]) for message in messages} == {("updated", "u")}


def test_messages_are_in_the_history_of_their_channel(served, redis_client, psql, wait_until):
    ids = insert_concepts(psql, ["a", "b"])
    wait_until(lambda: caught_up(served))
    history = redis_client.xrange(f"fourfold:channel:{CARDS}")
    assert [json.loads(entry["m"])["card_id"] for _, entry in history] == ids


@pytest.mark.parametrize("change", [
    "UPDATE dots.concepts SET name = 'b'",
    "INSERT INTO dots.growth_events (user_id, entity_id, entity_type, dim_key, delta, source) "
    "SELECT user_id, concept_id, 'concept', 'self_know', 1, 'test' FROM dots.concepts",
    "INSERT INTO dots.graph_connections (entity_id, degree) SELECT concept_id, 2 FROM dots.concepts",
    "UPDATE dots.evolution_rules SET dimensions_min = 2 WHERE state = 'bloom'",
    "TRUNCATE dots.concepts CASCADE",
    "DELETE FROM dots.users",
], ids=["card", "growth", "connections", "rules", "truncate", "cascade"])
def test_a_change_by_hand_forgets_the_cache_of_a_card(
        served, psql, redis_client, wait_until, change):
    (card,) = insert_concepts(psql, ["a"])
    wait_until(lambda: caught_up(served))
    key, stranger = f"card:{card}:growth", f"card:{uuid.uuid4()}:other"
    redis_client.mset({key: "{}", f"fourfold:fill:{key}": "x", stranger: "{}"})
    psql(change)
    wait_until(lambda: redis_client.exists(key, f"fourfold:fill:{key}") == 0)
    assert redis_client.exists(stranger) == 1


def test_a_change_of_a_template_forgets_the_cache_of_its_challenges(
        served, psql, redis_client, wait_until):
    psql("INSERT INTO dots.challenge_templates (name) VALUES ('t')")
    challenge = psql("INSERT INTO dots.user_challenges (tpl_id, user_id) SELECT tpl_id, %s "
                     "FROM dots.challenge_templates RETURNING ch_id::text", (OWNER,))[0]["ch_id"]
    wait_until(lambda: caught_up(served))
    redis_client.set(f"challenge:{challenge}:state", "{}")
    psql("UPDATE dots.challenge_templates SET difficulty = 'hard'")
    wait_until(lambda: redis_client.exists(f"challenge:{challenge}:state") == 0)


def test_truncate_tells_nothing_and_later_changes_are_told(served, psql, listen, wait_until):
    insert_concepts(psql, ["a"])
    wait_until(lambda: caught_up(served))
    listener = listen(CARDS)
    psql("TRUNCATE dots.concepts CASCADE")
    wait_until(lambda: caught_up(served))
    (card,) = insert_concepts(psql, ["b"])
    wait_until(lambda: listener.messages())
    listener.settled()
    assert cards(listener) == [("created", card)]


def test_repeated_keys_of_another_lane_are_no_changes(served, psql, listen, wait_until):
    """What the vector lane writes again after a take-over did not happen again."""
    (card,) = insert_concepts(psql, ["a"])
    wait_until(lambda: caught_up(served))
    listener = listen(CARDS)
    psql("INSERT INTO fourfold.outbox (pack, entity, key, op) VALUES ('dots', 'concepts', %s, 'w')",
         (card,))
    wait_until(lambda: caught_up(served))
    assert listener.settled() == []


def test_only_graph_and_vector_have_a_state_for_a_row(served, wait_until):
    card = post(served, "concepts", name="a")["concept_id"]
    wait_until(lambda: caught_up(served))
    state = served.http.get(f"/v1/dots/concepts/{card}/sync").json()
    assert set(state) == {"graph", "vector"}


class TestRedisIsAway:
    def test_what_changed_meanwhile_is_told_once(
            self, served, stores, psql, listen, wait_until):
        stores.kill("redis")
        ids = insert_concepts(psql, [f"c{n}" for n in range(1200)])
        card = post(served, "concepts", name="while down")["concept_id"]
        wait_until(lambda: (lane := served.lanes()["live"])["state"] == "waiting"
                   and lane["last_error"])
        stores.start("redis")
        listener = listen(CARDS)
        wait_until(lambda: len(listener.messages()) == 1201, 30)
        listener.settled()
        assert cards(listener) == [("created", id) for id in [*ids, card]]

    def test_from_the_first_start_on(self, gateway, stores, psql, listen, wait_until):
        stores.kill("redis")
        served = gateway(wait=False)
        wait_until(lambda: served.http.get("/health/live").status_code == 200)
        add_users(psql)
        # The lane's place is kept from its first attempt on.
        wait_until(lambda: psql(
            "SELECT 1 FROM fourfold.lanes WHERE lane = 'live' AND goal IS NOT NULL"))
        ids = insert_concepts(psql, ["a", "b"])
        wait_until(lambda: (lane := served.lanes()["live"])["state"] == "waiting"
                   and lane["pending"] >= 2 and lane["lag_seconds"] > 1)
        stores.start("redis")
        listener = listen(CARDS)
        wait_until(lambda: len(listener.messages()) == 2, 30)
        listener.settled()
        assert cards(listener) == [("created", id) for id in ids]

    @pytest.mark.parametrize("broken, mended", [
        (("maxmemory", "1mb"), ("maxmemory", "0")),
        (("min-replicas-to-write", "1"), ("min-replicas-to-write", "0")),
    ], ids=["out of memory", "takes no writes"])
    def test_it_refuses_writes(
            self, served, redis_client, psql, listen, wait_until, broken, mended):
        listener = listen(CARDS)
        redis_client.config_set(*broken)
        try:
            ids = insert_concepts(psql, ["a", "b"])
            wait_until(lambda: served.lanes()["live"]["last_error"])
            assert listener.messages() == []
        finally:
            redis_client.config_set(*mended)
        wait_until(lambda: len(listener.messages()) == 2, 30)
        listener.settled()
        assert cards(listener) == [("created", id) for id in ids]

    def test_it_was_emptied(self, served, redis_client, psql, listen, wait_until):
        insert_concepts(psql, ["before"])
        wait_until(lambda: caught_up(served))
        redis_client.flushall()
        listener = listen(CARDS)
        ids = insert_concepts(psql, ["a", "b"])
        wait_until(lambda: len(listener.messages()) == 2, 30)
        listener.settled()
        assert cards(listener) == [("created", id) for id in ids]

    def test_writes_of_entities_are_taken_over_the_lag_budget(
            self, gateway, stores, psql, wait_until):
        served = gateway(FOURFOLD_LAG_BUDGET="1s")
        add_users(psql)
        wait_until(lambda: caught_up(served))
        stores.kill("redis")
        try:
            post(served, "concepts", name="first")
            wait_until(lambda: served.lanes()["live"]["lag_seconds"] > 2.5, 20)
            post(served, "concepts", name="second")
        finally:
            stores.start("redis")


def test_killed_in_a_storm(served, psql, listen, wait_until, gateway):
    """kill -9 of the leader again and again: none lost, none twice, each row in order."""
    listener = listen(CARDS)
    standby = gateway(migrate=False)
    written, touched, ended = [], [], threading.Event()

    def write():
        with psql.connect(autocommit=True) as link:
            while not ended.wait(0.04):
                number = len(written)
                rows = link.execute(
                    "INSERT INTO dots.concepts (user_id, name) SELECT %s, %s || n "
                    "FROM generate_series(1, 40) AS n RETURNING concept_id::text",
                    (OWNER, f"s{number}-")).fetchall()
                written.extend(row["concept_id"] for row in rows)
                touched.append(written[number])
                link.execute("UPDATE dots.concepts SET description = 'x' WHERE concept_id = %s",
                             (touched[-1],))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            count = len(listener.received)
            wait_until(lambda: len(listener.received) > count + 1000, 60)
            leader = served if leads(served) else standby
            leader.kill()
            leader.start()
    finally:
        ended.set()
        writer.join()
    wait_until(lambda: caught_up(served) or caught_up(standby), 90)
    listener.settled(1)
    told = cards(listener)
    assert [id for action, id in told if action == "created"] == written
    updated = [id for action, id in told if action == "updated"]
    assert len(updated) == len(set(updated)) and set(updated) <= set(touched)


def test_a_leader_that_was_paused_repeats_nothing(served, psql, listen, wait_until, gateway):
    standby = gateway(migrate=False)
    listener = listen(CARDS)
    first = insert_concepts(psql, [f"a{n}" for n in range(50)])
    wait_until(lambda: len(listener.messages()) == 50)
    leader, other = (served, standby) if leads(served) else (standby, served)
    leader.pause()
    second = insert_concepts(psql, [f"b{n}" for n in range(50)])
    wait_until(lambda: len(listener.messages()) == 100, 40)
    leader.resume()
    third = insert_concepts(psql, [f"c{n}" for n in range(50)])
    wait_until(lambda: len(listener.messages()) == 150, 40)
    listener.settled(1)
    assert cards(listener) == [("created", id) for id in first + second + third]
    assert other.http.get("/health/ready").status_code == 200


def leads(served):
    return f"/{served.process.pid}/" in (served.lanes()["live"]["leader"] or "")


def test_a_row_whose_view_cannot_be_read_holds_nobody_up(served, psql, listen, wait_until):
    before = psql("SELECT pg_get_viewdef('dots.message_card_concept'::regclass) AS sql")[0]["sql"]
    psql("CREATE OR REPLACE VIEW dots.message_card_concept AS SELECT concept_id AS key, "
         "user_id AS owner, jsonb_build_object('card_id', concept_id, 'length', "
         "1 / (length(name) - 1)) AS message FROM dots.concepts")
    mine, other = listen(CARDS), listen(f"user:{OTHER}:cards")
    try:
        names = ["one", "x", "two", "y", "three"]
        keys = insert_concepts(psql, names)
        insert_concepts(psql, ["of another"], user=OTHER)
        wait_until(lambda: caught_up(served))
        wait_until(lambda: len(other.messages()) == 1)
        assert [each["card_id"] for each in mine.settled()] == [keys[0], keys[2], keys[4]]
        assert served.log().count("a change is not told") == 2
    finally:
        psql(f"CREATE OR REPLACE VIEW dots.message_card_concept AS {before}")
