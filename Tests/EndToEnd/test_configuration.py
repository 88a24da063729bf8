"""Configuration: PostgreSQL holds it, Redis has the copy that is read, everybody is told."""

import json
import time

import pytest

from api import problem
from listening import Listener

DIMENSIONS = ["self_know", "self_act", "self_show", "world_know", "world_act", "world_show"]
PATH = "/v1/dots/configuration"


def copy(redis_client, name):
    text = redis_client.get(f"config:{name}")
    return text and json.loads(text)


def rules(redis_client):
    return {rule["state"]: rule for rule in copy(redis_client, "evolution-rules") or []}


@pytest.fixture
def served(gateway, redis_client, wait_until):
    found = gateway()
    wait_until(lambda: copy(redis_client, "growth-dimensions"))
    return found


@pytest.fixture
def listener(stores, served):
    found = Listener(stores.redis_url, "config")
    yield found
    found.close()


def test_the_copies_are_there_from_the_start(served, redis_client):
    assert [each["dim_key"] for each in copy(redis_client, "growth-dimensions")] == DIMENSIONS
    assert [rule["state"] for rule in copy(redis_client, "evolution-rules")] == [
        "constellation", "bloom", "sprout", "seed"]


def test_all_of_it_and_one(served, redis_client):
    answer = served.http.get(PATH)
    assert answer.status_code == 200 and "fourfold-degraded" not in answer.headers
    items = {item["name"]: item["value"] for item in answer.json()["items"]}
    assert set(items) == {"growth-dimensions", "evolution-rules"}
    for name, value in items.items():
        one = served.http.get(f"{PATH}/{name}")
        assert one.status_code == 200 and one.json() == value == copy(redis_client, name)


@pytest.mark.parametrize("path", [PATH, f"{PATH}/evolution-rules"])
def test_its_entity_tag(served, psql, path, wait_until):
    tag = served.http.get(path).headers["etag"]
    same = served.http.get(path, headers={"If-None-Match": tag})
    assert same.status_code == 304 and same.content == b"" and same.headers["etag"] == tag
    psql("UPDATE dots.evolution_rules SET connections_min = 6 WHERE state = 'constellation'")
    wait_until(lambda: served.http.get(path, headers={"If-None-Match": tag}).status_code == 200)


def test_what_is_refused(served):
    problem(served.http.get(f"{PATH}/nothing"), 404, "not_found")
    problem(served.http.post(PATH, json={}), 405, "method_not_allowed")
    problem(served.http.put(f"{PATH}/evolution-rules", json=[]), 405, "method_not_allowed")


def test_a_change_over_http_is_everywhere_within_a_second(
        served, gateway, redis_client, listener, wait_until):
    other = gateway(migrate=False)
    body = {"name": "Know myself", "description": "d", "color": "#112233", "place": 1}
    began = time.monotonic()
    answer = served.http.put("/v1/dots/dimensions/self_know", json=body)
    assert answer.status_code == 200, answer.text
    wait_until(lambda: other.http.get(f"{PATH}/growth-dimensions").json()[0]["name"]
               == "Know myself", 1, 0.005)
    assert time.monotonic() - began < 1
    assert copy(redis_client, "growth-dimensions")[0]["color"] == "#112233"
    wait_until(lambda: listener.messages())
    assert listener.settled() == [{"name": "growth-dimensions"}]


def test_a_change_by_hand_and_one_that_changes_nothing(
        served, psql, redis_client, listener, wait_until):
    psql("UPDATE dots.dimensions SET place = place + 100")
    psql("UPDATE dots.evolution_rules SET dimensions_min = 2 WHERE state = 'bloom'")
    wait_until(lambda: rules(redis_client)["bloom"]["dimensions_min"] == 2, 1, 0.005)
    assert listener.settled() == [{"name": "evolution-rules"}]


def test_cards_follow_the_rules(served, psql, wait_until):
    user = psql("INSERT INTO dots.users (username, email, password_hash, region) "
                "VALUES ('a', 'a@example.org', 'x', 'eu') RETURNING user_id")[0]["user_id"]
    card = psql("INSERT INTO dots.concepts (user_id, name) VALUES (%s, 'a') "
                "RETURNING concept_id::text", (user,))[0]["concept_id"]

    def state():
        return served.http.get(f"/v1/dots/cards/{card}").json()["evolution_state"]

    assert state() == "seed"
    answer = served.http.put("/v1/dots/evolution-rules/sapling", json={
        "connections_min": 0, "dimensions_min": 0, "rank": 10})
    assert answer.status_code == 201, answer.text
    assert state() == "sapling"
    assert served.http.delete("/v1/dots/evolution-rules/sapling").status_code == 204
    assert state() == "seed"


def test_only_services_write_it(served, psql):
    user = psql("INSERT INTO dots.users (username, email, password_hash, region) "
                "VALUES ('a', 'a@example.org', 'x', 'eu') RETURNING user_id::text")[0]["user_id"]
    mine = {"Fourfold-User": user}
    problem(served.http.patch("/v1/dots/dimensions/self_know", json={"name": "x"}, headers=mine),
            403, "forbidden")
    assert served.http.get(PATH, headers=mine).status_code == 200


def test_every_row_of_an_entity_at_once(served, psql, redis_client, wait_until):
    psql("TRUNCATE dots.evolution_rules")
    wait_until(lambda: copy(redis_client, "evolution-rules") == [])


class TestRedisIsMortal:
    def test_down(self, served, stores, psql):
        before = served.http.get(PATH).json()
        stores.kill("redis")
        try:
            psql("UPDATE dots.dimensions SET name = 'N' WHERE dim_key = 'self_know'")
            answer = served.http.get(f"{PATH}/growth-dimensions")
            assert answer.status_code == 200
            assert answer.headers["fourfold-degraded"] == "redis"
            assert answer.json()[0]["name"] == "N"
            assert len(served.http.get(PATH).json()["items"]) == len(before["items"])
        finally:
            stores.start("redis")

    def test_postgres_down(self, served, stores):
        before = served.http.get(PATH).json()
        stores.kill("postgres")
        try:
            answer = served.http.get(PATH)
            assert answer.status_code == 200 and answer.json() == before
            assert "fourfold-degraded" not in answer.headers
        finally:
            stores.start("postgres")

    def test_a_change_meanwhile_is_copied_when_it_is_back(
            self, served, stores, psql, redis_client, wait_until):
        stores.kill("redis")
        psql("UPDATE dots.dimensions SET name = 'N' WHERE dim_key = 'self_know'")
        stores.start("redis")
        wait_until(lambda: copy(redis_client, "growth-dimensions")[0]["name"] == "N", 20)

    def test_emptied_and_read(self, served, redis_client):
        before = served.http.get(PATH).json()
        redis_client.flushall()
        answer = served.http.get(PATH)
        assert answer.json() == before and "fourfold-degraded" not in answer.headers
        assert copy(redis_client, "growth-dimensions")

    def test_one_copy_lost(self, served, redis_client):
        redis_client.delete("config:evolution-rules")
        assert len(served.http.get(f"{PATH}/evolution-rules").json()) == 4

    def test_an_older_reader_does_not_overwrite_a_newer_one(
            self, served, psql, redis_client, wait_until):
        psql("UPDATE dots.dimensions SET name = 'N' WHERE dim_key = 'self_know'")
        wait_until(lambda: copy(redis_client, "growth-dimensions")[0]["name"] == "N")
        revision = int(redis_client.hget("fourfold:config:dots", "growth-dimensions"))
        assert revision > 0
        # As if a later reader had been there: the copy must stay as that one left it.
        redis_client.hset("fourfold:config:dots", "growth-dimensions", revision + 1_000_000)
        psql("UPDATE dots.dimensions SET name = 'O' WHERE dim_key = 'self_know'")
        psql("UPDATE dots.evolution_rules SET dimensions_min = 2 WHERE state = 'bloom'")
        wait_until(lambda: rules(redis_client)["bloom"]["dimensions_min"] == 2)
        assert copy(redis_client, "growth-dimensions")[0]["name"] == "N"
