"""Conditions on writes of one row, with others writing the same row at the same moment."""

import concurrent.futures
import threading
import uuid

import httpx
import pytest

from api import done, problem

ROUNDS = 60
WRITERS = 8
ANY, NONE = {"If-Match": "*"}, {"If-None-Match": "*"}


@pytest.fixture
def clients(api):
    """Clients with connections of their own, so that gateway and database see them at once."""
    found = [httpx.Client(base_url=api.gateway.url, timeout=20) for _ in range(WRITERS)]
    yield found
    for client in found:
        client.close()


def at_once(clients, send):
    """send(client, number) from all clients at the same moment; their answers."""
    barrier = threading.Barrier(len(clients))

    def run(number):
        barrier.wait()
        return send(clients[number], number)

    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        return list(pool.map(run, range(len(clients))))


class TestCreateOnly:
    def test_one_wins_and_the_others_are_told_the_state(self, api, owner, clients):
        for _ in range(ROUNDS):
            path = f"/v1/dots/concepts/{uuid.uuid4()}"
            answers = at_once(clients, lambda client, number: client.put(
                path, json={"user_id": owner, "name": f"{path[-12:]} {number}"}, headers=NONE))
            won = [each for each in answers if each.status_code == 201]
            assert len(won) == 1, [each.status_code for each in answers]
            stored = api.one("SELECT name FROM dots.concepts WHERE concept_id = %s", [path[-36:]])
            assert won[0].json()["name"] == stored
            for lost in answers:
                if lost is not won[0]:
                    problem(lost, 412, "precondition_failed")
                    assert lost.headers["etag"] == won[0].headers["etag"]

    def test_against_creates_of_another_owner(self, api, owner, other, clients):
        """Who creates the row at the same moment keeps it; the other is told that it is not his."""
        for _ in range(ROUNDS):
            row = uuid.uuid4()
            answers = at_once(clients, lambda client, number: client.put(
                f"/v1/dots/concepts/{row}", json={
                    "user_id": owner if number % 2 else other, "name": f"{row} {number}"}))
            assert {each.status_code for each in answers} == {200, 201, 422}, [
                each.status_code for each in answers]
            assert [each.status_code for each in answers].count(201) == 1


class TestReplaceOnly:
    def test_any_state_will_do(self, api, owner, clients):
        row = api.concept(owner)
        path = f"/v1/dots/concepts/{row}"

        def send(client, number):
            if number % 2:
                return client.patch(path, json={"attributes": {"n": str(uuid.uuid4())}})
            return client.put(path, json={"user_id": owner, "name": "as put"}, headers=ANY)

        for _ in range(ROUNDS):
            assert {each.status_code for each in at_once(clients, send)} == {200}

    def test_what_is_deleted_does_not_come_back(self, api, owner, clients):
        for each in range(ROUNDS):
            row = api.concept(owner)
            path = f"/v1/dots/concepts/{row}"
            tag = done_tag(api, path)

            def send(client, number):
                if number == 0:
                    return client.delete(path)
                return client.put(path, json={"user_id": owner, "name": f"as put {row}"},
                                  headers=ANY if number % 2 else {"If-Match": tag})

            answers = at_once(clients, send)
            assert answers[0].status_code == 204
            assert {each.status_code for each in answers[1:]} <= {200, 404, 412}
            assert api.count("concepts", "concept_id = %s", [row]) == 0

    def test_defaults_and_what_cannot_be_seen(self, api, owner):
        """A replacement with a condition is the same as one without."""
        sent = {"username": f"u-{owner[:8]}", "email": f"{owner[:8]}@example.org", "region": "us"}
        api.sql("UPDATE dots.users SET password_hash = 'kept' WHERE user_id = %s", [owner])
        plain = done(api("PUT", f"users/{owner}", sent), 200)
        stored = api.sql("SELECT * FROM dots.users WHERE user_id = %s", [owner])[0]
        matched = done(api("PUT", f"users/{owner}", sent, headers=ANY), 200)
        again = api.sql("SELECT * FROM dots.users WHERE user_id = %s", [owner])[0]
        times = {name for name in stored if name.endswith("_at")}
        assert stored["password_hash"] == again["password_hash"] == "kept"
        for before, after in ((plain, matched), (stored, again)):
            assert {name: value for name, value in before.items() if name not in times} == {
                name: value for name, value in after.items() if name not in times}

    def test_another_owner(self, api, owner, other):
        row = api.concept(owner)
        body = {"user_id": other, "name": "mine now"}
        problem(api("PUT", f"concepts/{row}", body, headers=ANY), 422, "owner_immutable")
        problem(api("PUT", f"concepts/{row}", body, headers=ANY, user=other), 412)
        assert str(api.one("SELECT user_id FROM dots.concepts WHERE concept_id = %s", [row])) == owner


def test_both_at_once_are_refused(api, owner):
    row = api.concept(owner)
    for match in ("*", '"0"'):
        answer = api("PUT", f"concepts/{row}", {"user_id": owner, "name": "x"},
                     headers=NONE | {"If-Match": match})
        problem(answer, 400, "invalid_header", "If-None-Match")


def done_tag(api, path):
    answer = api("GET", path)
    assert answer.status_code == 200
    return answer.headers["etag"]
