"""States: what stands in Redis, what is published, and what is refused."""

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import redis

from api import done, problem
from waiting import wait_until

ORB = {"visual_state": "speaking", "emotional_tone": "excited", "energy_level": 0.8,
       "is_speaking": True, "effects": [{"id": "effect-123", "type": "particles"}]}


class Listener:
    """A plain subscriber, as any other client of Redis."""

    def __init__(self, client, *channels):
        self.pubsub = client.pubsub(ignore_subscribe_messages=True)
        self.pubsub.subscribe(*channels)
        for _ in channels:
            while self.pubsub.get_message(timeout=5) is not None:
                pass
            break

    def next(self):
        message = wait_until(lambda: self.pubsub.get_message(timeout=1), 5)
        return json.loads(message["data"])

    def close(self):
        self.pubsub.close()


@pytest.fixture
def client(api, redis_client):
    yield redis_client
    redis_client.close()


@pytest.fixture
def listen(client):
    open_ones = []

    def start(*channels):
        open_ones.append(Listener(client, *channels))
        return open_ones[-1]

    yield start
    for each in open_ones:
        each.close()


def state(api, method, row, name, body=None, **options):
    return api(method, f"users/{row}/state/{name}", body, **options)


# What is stored.

def test_orb_is_stored_as_json_and_read_back(api, client, owner):
    answer = state(api, "PUT", owner, "orb", ORB)
    assert done(answer, 200) == ORB
    text = client.get(f"user:{owner}:orb:state")
    assert json.loads(text) == ORB and " " not in text
    assert client.ttl(f"user:{owner}:orb:state") == -1
    read = state(api, "GET", owner, "orb")
    assert done(read, 200) == ORB
    assert read.headers["etag"] == answer.headers["etag"]
    assert read.headers["content-type"] == "application/json"
    head = state(api, "HEAD", owner, "orb")
    assert head.status_code == 200 and head.content == b""
    assert done(state(api, "DELETE", owner, "orb"), 204) is None
    assert client.get(f"user:{owner}:orb:state") is None


def test_digits_of_numbers_and_escapes_survive(api, client, owner):
    raw = '{"a": 1.10, "b": 123456789012345678901234567890, "c": "\\u00e9\\n\\"", "d": []}'
    answer = api.http.put(f"/v1/dots/users/{owner}/state/viewport", content=raw)
    assert answer.status_code == 200, answer.text
    assert client.get(f"user:{owner}:graph:viewport") == (
        '{"a":1.10,"b":123456789012345678901234567890,"c":"é\\n\\"","d":[]}')


@pytest.mark.parametrize(("name", "key", "seconds"), [
    ("viewport", "graph:viewport", 3_600), ("daily-stats", "stats:daily", 86_400)])
def test_lifetimes_begin_anew(api, client, owner, name, key, seconds):
    done(state(api, "PUT", owner, name, {"zoom": 1}), 200)
    assert seconds - 5 < client.ttl(f"user:{owner}:{key}") <= seconds
    client.expire(f"user:{owner}:{key}", 10)
    done(state(api, "PUT", owner, name, {"zoom": 2}), 200)
    assert seconds - 5 < client.ttl(f"user:{owner}:{key}") <= seconds


def test_a_number_nearer_to_zero_than_any_double_is_refused(api, client, owner):
    """Its history could not hold it: the write would be taken and its row refused."""
    body = '{"visual_state": "a", "emotional_tone": "b", "energy_level": %s}'
    for number, status in (("1e-400", 400), ("1e-300", 200), ("0e-400", 200)):
        answer = api.http.put(f"/v1/dots/users/{owner}/state/orb", content=body % number,
                              headers={"Content-Type": "application/json"})
        assert answer.status_code == status, (number, answer.text)


def test_scene_is_a_word(api, client, owner):
    assert done(state(api, "PUT", owner, "scene", {"scene": "graph", "transition_type": "zoom"}),
                200) == {"scene": "graph"}
    assert client.get(f"user:{owner}:scene:active") == "graph"
    assert done(state(api, "GET", owner, "scene"), 200) == {"scene": "graph"}
    client.set(f"user:{owner}:scene:active", 'clo"ud')
    assert done(state(api, "GET", owner, "scene"), 200) == {"scene": 'clo"ud'}


def test_recent_cards_are_bounded_and_without_repeats(api, client, owner):
    assert done(state(api, "GET", owner, "recent-cards"), 200) == {"items": []}
    for item in ("a", "b", "a", "c"):
        last = state(api, "POST", owner, "recent-cards", {"item": item})
    assert done(last, 200) == {"items": ["c", "a", "b"]}
    assert client.lrange(f"user:{owner}:cards:recent", 0, -1) == ["c", "a", "b"]
    assert 86_390 < client.ttl(f"user:{owner}:cards:recent") <= 86_400
    for number in range(60):
        done(state(api, "POST", owner, "recent-cards", {"item": f"card-{number}"}), 200)
    items = done(state(api, "GET", owner, "recent-cards"), 200)["items"]
    assert items == [f"card-{number}" for number in range(59, 9, -1)]
    done(state(api, "PUT", owner, "recent-cards", {"items": ["x", "y", "x"]}), 200)
    assert client.lrange(f"user:{owner}:cards:recent", 0, -1) == ["x", "y"]
    assert done(state(api, "PUT", owner, "recent-cards", {"items": []}), 200) == {"items": []}
    done(state(api, "DELETE", owner, "recent-cards"), 204)
    assert not client.exists(f"user:{owner}:cards:recent")


def test_unread_insights_count_atomically(api, client, owner):
    assert done(state(api, "GET", owner, "unread-insights"), 200) == {"value": 0}
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(
            lambda _: state(api, "POST", owner, "unread-insights", {"add": 1}), range(200)))
    assert sorted(done(each, 200)["value"] for each in answers) == list(range(1, 201))
    assert client.get(f"user:{owner}:insights:unread") == "200"
    problem(state(api, "POST", owner, "unread-insights", {"add": -201}), 422, "domain_rule")
    assert client.get(f"user:{owner}:insights:unread") == "200"
    assert done(state(api, "PUT", owner, "unread-insights", {"value": 0}), 200) == {"value": 0}
    problem(state(api, "PUT", owner, "unread-insights", {"value": -1}), 422, "domain_rule")
    largest = 2**53 - 1
    done(state(api, "PUT", owner, "unread-insights", {"value": largest}), 200)
    problem(state(api, "POST", owner, "unread-insights", {"add": 1}), 422, "domain_rule")
    assert client.get(f"user:{owner}:insights:unread") == str(largest)


# What is published.

def test_messages_have_the_shapes_of_the_seed(api, client, owner, listen):
    orb, scene = listen(f"user:{owner}:orb_state"), listen(f"user:{owner}:scene")
    done(state(api, "PUT", owner, "orb", ORB), 200)
    message = orb.next()
    assert abs(message.pop("timestamp") - int(client.time()[0]) * 1_000) < 5_000
    assert message == {"visual_state": "speaking", "emotional_tone": "excited",
                       "energy_level": 0.8}
    done(state(api, "PUT", owner, "scene", {"scene": "cloud"}), 200)
    message = scene.next()
    assert isinstance(message.pop("timestamp"), int)
    assert message == {"from": None, "to": "cloud"}
    done(state(api, "PUT", owner, "scene", {
        "scene": "graph", "transition_type": "zoom", "focus_entity": "concept-456"}), 200)
    message = scene.next()
    assert list(message) == ["from", "to", "transition_type", "focus_entity", "timestamp"]
    assert (message["from"], message["to"], message["transition_type"],
            message["focus_entity"]) == ("cloud", "graph", "zoom", "concept-456")


@pytest.mark.parametrize(("stored", "told"), [
    (b'say "hi" \\ \x01\x7f', 'say "hi" \\ \x01\x7f'), ("é😀".encode(), "é😀"),
    (b"\xff\xfe", None), (b"\xc3", None), (b"a\x00b", "a\x00b"), (b"\xed\xa0\x80", None),
    (b"\xc3a\xa9", None), (b"", "")])
def test_from_is_json_whatever_another_client_stored(api, client, owner, listen, stored, told):
    scene = listen(f"user:{owner}:scene")
    client.set(f"user:{owner}:scene:active", stored)
    done(state(api, "PUT", owner, "scene", {"scene": "graph"}), 200)
    assert scene.next()["from"] == told


def test_from_of_another_type_is_null_and_the_write_mends_it(api, client, owner, listen):
    scene = listen(f"user:{owner}:scene")
    client.rpush(f"user:{owner}:scene:active", "x")
    problem(state(api, "GET", owner, "scene"), 409, "state_unreadable")
    done(state(api, "PUT", owner, "scene", {"scene": "graph"}), 200)
    assert scene.next()["from"] is None
    assert client.get(f"user:{owner}:scene:active") == "graph"


def test_the_chain_of_scenes_is_unbroken_over_64_writers(api, client, owner, listen):
    scene = listen(f"user:{owner}:scene")
    writers, each = 64, 10

    def write(writer):
        with httpx.Client() as link:
            for turn in range(each):
                done(link.put(f"{api.gateway.url}/v1/dots/users/{owner}/state/scene",
                              json={"scene": f"s{writer}-{turn}"}), 200)

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    before, seen = None, set()
    for _ in range(writers * each):
        message = scene.next()
        assert message["from"] == before
        before = message["to"]
        seen.add(before)
    assert len(seen) == writers * each
    assert client.get(f"user:{owner}:scene:active") == before


def test_what_a_message_tells_can_be_read(api, stores, owner, listen):
    """A subscriber that reads on each message sees that value or a newer one."""
    scene = listen(f"user:{owner}:scene")
    reader = redis.Redis.from_url(stores.redis_url, decode_responses=True)
    count, late = 300, []

    def write():
        for turn in range(count):
            done(state(api, "PUT", owner, "scene", {"scene": f"{turn}"}), 200)

    thread = threading.Thread(target=write)
    thread.start()
    for turn in range(count):
        assert scene.next()["to"] == str(turn)
        late.append(int(reader.get(f"user:{owner}:scene:active")) >= turn)
    thread.join()
    assert all(late)


# Conditions.

def test_conditions(api, client, owner):
    problem(state(api, "PUT", owner, "scene", {"scene": "a"}, headers={"If-Match": "*"}), 412)
    first = state(api, "PUT", owner, "scene", {"scene": "a"}, headers={"If-None-Match": "*"})
    tag = first.headers["etag"]
    refused = state(api, "PUT", owner, "scene", {"scene": "b"}, headers={"If-None-Match": "*"})
    problem(refused, 412, "precondition_failed")
    assert refused.headers["etag"] == tag
    assert state(api, "GET", owner, "scene", headers={"If-None-Match": tag}).status_code == 304
    second = state(api, "PUT", owner, "scene", {"scene": "b"}, headers={"If-Match": tag})
    assert second.status_code == 200
    problem(state(api, "PUT", owner, "scene", {"scene": "c"}, headers={"If-Match": tag}), 412)
    problem(state(api, "DELETE", owner, "scene", headers={"If-Match": tag}), 412)
    assert client.get(f"user:{owner}:scene:active") == "b"
    tags = f'"no", {second.headers["etag"]}'
    done(state(api, "DELETE", owner, "scene", headers={"If-Match": tags}), 204)
    done(state(api, "DELETE", owner, "scene"), 204)
    counter = state(api, "PUT", owner, "unread-insights", {"value": 5})
    match = {"If-Match": counter.headers["etag"]}
    assert state(api, "POST", owner, "unread-insights", {"add": 1}, headers=match).is_success
    problem(state(api, "POST", owner, "unread-insights", {"add": 1}, headers=match), 412)
    cards = state(api, "POST", owner, "recent-cards", {"item": "a"})
    assert cards.headers["etag"] == state(api, "GET", owner, "recent-cards").headers["etag"]
    match = {"If-Match": cards.headers["etag"]}
    assert state(api, "POST", owner, "recent-cards", {"item": "b"}, headers=match).is_success
    problem(state(api, "PUT", owner, "recent-cards", {"items": []}, headers=match), 412)


def test_one_of_many_conditional_writers_wins(api, owner):
    tag = state(api, "PUT", owner, "scene", {"scene": "start"}).headers["etag"]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(
            lambda n: state(api, "PUT", owner, "scene", {"scene": f"w{n}"},
                            headers={"If-Match": tag}).status_code, range(16)))
    assert sorted(answers) == [200] + [412] * 15


# Owners.

def test_another_owner_sees_and_changes_nothing(api, client, owner, other):
    done(state(api, "PUT", owner, "scene", {"scene": "mine"}, user=owner), 200)
    for method, body in (("GET", None), ("PUT", {"scene": "x"}), ("DELETE", None)):
        problem(state(api, method, owner, "scene", body, user=other), 404, "not_found")
    assert client.get(f"user:{owner}:scene:active") == "mine"
    assert done(state(api, "GET", owner, "scene", user=owner), 200) == {"scene": "mine"}


def test_one_row_has_one_key_however_its_id_is_written(api, client, owner):
    done(state(api, "PUT", owner.upper(), "scene", {"scene": "a"}, user=owner), 200)
    assert client.get(f"user:{owner}:scene:active") == "a"


# What is refused.

BAD_BODIES = [
    ("orb", "PUT", {**ORB, "energy_level": 1.01}, "energy_level"),
    ("orb", "PUT", {**ORB, "energy_level": -0.01}, "energy_level"),
    ("orb", "PUT", {**ORB, "energy_level": "high"}, "energy_level"),
    ("orb", "PUT", {"visual_state": "a", "emotional_tone": "b"}, "energy_level"),
    ("orb", "PUT", {**ORB, "visual_state": ""}, "visual_state"),
    ("orb", "PUT", {**ORB, "visual_state": "x" * 65}, "visual_state"),
    ("orb", "PUT", {**ORB, "mood": 1}, "mood"),
    ("orb", "PUT", {**ORB, "effects": [{}, 7]}, "effects.1"),
    ("orb", "PUT", {**ORB, "effects": [{}] * 101}, "effects"),
    ("scene", "PUT", {}, "scene"),
    ("scene", "PUT", {"scene": ""}, "scene"),
    ("scene", "PUT", {"scene": None}, "scene"),
    ("scene", "PUT", {"scene": "x" * 65}, "scene"),
    ("scene", "PUT", {"scene": "a", "focus_entity": 7}, "focus_entity"),
    ("recent-cards", "POST", {"item": ""}, "item"),
    ("recent-cards", "POST", {"item": 5}, "item"),
    ("recent-cards", "POST", {"item": "x" * 1_025}, "item"),
    ("recent-cards", "PUT", {"items": "a"}, "items"),
    ("recent-cards", "PUT", {"items": ["a", None]}, "items.1"),
    ("recent-cards", "PUT", {"items": [str(n) for n in range(51)]}, "items"),
    ("unread-insights", "POST", {"add": 1.5}, "add"),
    ("unread-insights", "POST", {"add": 2**53}, "add"),
    ("unread-insights", "POST", {"add": 2**70}, "add"),
    ("unread-insights", "POST", {}, "add"),
    ("unread-insights", "PUT", {"value": "5"}, "value"),
]


@pytest.mark.parametrize(("name", "method", "body", "field"), BAD_BODIES)
def test_bodies_that_do_not_fit(api, client, owner, name, method, body, field):
    found = problem(state(api, method, owner, name, body), 400, "invalid_value", field)
    assert all("xxx" not in error["message"] for error in found["errors"])
    assert client.keys(f"user:{owner}:*") == []


BAD_REQUESTS = [
    ("PUT", "users/{user}/state/orb", b"[1]", 400, "invalid_body"),
    ("PUT", "users/{user}/state/orb", b"{", 400, "malformed_json"),
    ("PUT", "users/{user}/state/orb", b"", 400, "malformed_json"),
    ("PUT", "users/{user}/state/viewport", b'{"a":"\xff"}', 400, "malformed_json"),
    ("PUT", "users/{user}/state/viewport", b'{"a":"\\u0000"}', 400, "malformed_json"),
    ("PUT", "users/{user}/state/viewport", b'{"a":"' + b"x" * 70_000 + b'"}', 413,
     "body_too_large"),
    ("PUT", "users/{user}/state/viewport", b'{"a":1e401}', 400, "invalid_value"),
    ("PUT", "users/{user}/state/viewport", b'{"a":[{"b":-1e1000000000000}]}', 400,
     "invalid_value"),
    ("PUT", "users/{user}/state/viewport", b'{"a":0.' + b"1" * 1_000 + b"}", 400,
     "invalid_value"),
    ("PUT", "users/{user}/state/viewport", b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", 400,
     "malformed_json"),
    ("POST", "users/{user}/state/orb", b"{}", 405, "method_not_allowed"),
    ("PATCH", "users/{user}/state/orb", b"{}", 405, "method_not_allowed"),
    ("OPTIONS", "users/{user}/state/orb", None, 405, "method_not_allowed"),
    ("GET", "users/{user}/state/mood", None, 404, "unknown_state"),
    ("GET", "users/{user}/state/*", None, 404, "unknown_state"),
    ("GET", "concepts/{user}/state/orb", None, 404, "unknown_state"),
    ("GET", "nothing/{user}/state/orb", None, 404, "unknown_entity"),
    ("GET", "users/not-an-id/state/orb", None, 404, "not_found"),
    ("PUT", "users/*/state/scene", b'{"scene":"a"}', 404, "not_found"),
    ("GET", "users/{user}/state/orb", None, 404, "not_found"),
    ("GET", "users/{user}/state/orb/more", None, 404, "unknown_route"),
]


@pytest.mark.parametrize(("method", "path", "content", "status", "code"), BAD_REQUESTS)
def test_requests_that_are_refused(api, owner, method, path, content, status, code):
    answer = api.http.request(
        method, "/v1/dots/" + path.format(user=owner), content=content,
        headers={"Content-Type": "application/json"})
    problem(answer, status, code)


def test_headers_that_are_refused(api, owner):
    body = {"scene": "a"}
    for headers in ({"If-None-Match": '"x"'}, {"If-Match": "x"},
                    {"If-Match": '"x"', "If-None-Match": "*"}, {"Fourfold-User": "nobody"}):
        problem(state(api, "PUT", owner, "scene", body, headers=headers), 400, "invalid_header")
    problem(api.http.put(f"/v1/dots/users/{owner}/state/scene", content=b"{}",
                         headers={"Content-Type": "text/plain"}), 415)


UNREADABLE = [
    ("orb", "orb:state", "set", (b"{",)), ("orb", "orb:state", "set", (b"[1]",)),
    ("orb", "orb:state", "set", (b'{"a":"\xff"}',)), ("orb", "orb:state", "rpush", (b"x",)),
    ("orb", "orb:state", "set", (b'{"a":"' + b"x" * 70_000 + b'"}',)),
    ("scene", "scene:active", "set", (b"\xff",)),
    ("recent-cards", "cards:recent", "set", (b"x",)),
    ("recent-cards", "cards:recent", "rpush", (b"\xff",)),
    ("unread-insights", "insights:unread", "set", (b"many",)),
    ("unread-insights", "insights:unread", "set", (b"1.5",)),
    ("unread-insights", "insights:unread", "sadd", (b"1",)),
]


@pytest.mark.parametrize(("name", "key", "command", "arguments"), UNREADABLE)
def test_what_another_client_stored_cannot_be_read(api, client, owner, name, key, command,
                                                   arguments):
    getattr(client, command)(f"user:{owner}:{key}", *arguments)
    problem(state(api, "GET", owner, name), 409, "state_unreadable")
    if name == "unread-insights":
        problem(state(api, "POST", owner, name, {"add": 1}), 409, "state_unreadable")
        done(state(api, "PUT", owner, name, {"value": 3}), 200)
    else:
        if name == "recent-cards":
            problem(state(api, "POST", owner, name, {"item": "new"}), 409, "state_unreadable")
            assert command == "set" or client.llen(f"user:{owner}:{key}") == 1, "nothing was done"
        done(state(api, "DELETE", owner, name), 204)
        assert not client.exists(f"user:{owner}:{key}")


def test_an_unknown_row_may_have_a_state_without_a_history(api, client):
    nobody = str(uuid.uuid4())
    done(state(api, "PUT", nobody, "scene", {"scene": "a"}), 200)
    assert client.get(f"user:{nobody}:scene:active") == "a"


def test_pipelined_requests_are_answered_in_order(api, client, owner):
    """Straight to the socket: the direct way must keep the order within a connection."""
    import socket
    body = b'{"add":1}'
    request = (f"POST /v1/dots/users/{owner}/state/unread-insights HTTP/1.1\r\nHost: x\r\n"
               f"Content-Length: {len(body)}\r\n\r\n").encode() + body
    bad = request.replace(b'"add":1', b'"add":x')
    with socket.create_connection(("127.0.0.1", api.gateway.port)) as link:
        link.sendall((request * 3 + bad) * 20)
        received = b""
        while received.count(b"HTTP/1.1 ") < 80 or not received.endswith(b"}"):
            received += link.recv(65536)
    statuses = [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]
    assert statuses == ([b"200"] * 3 + [b"400"]) * 20
    assert client.get(f"user:{owner}:insights:unread") == "60"
