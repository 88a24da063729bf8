"""Publishing: what any other Redis client sees, and what is refused."""

import json
import uuid

import pytest
import redis

from api import done, problem
from live import live, live_database, publish  # noqa: F401


@pytest.fixture(scope="module")
def url(stores):
    return stores.redis_url


def subscriber(url, *channels):
    """What `redis-cli SUBSCRIBE` would be; subscribed."""
    found = redis.Redis.from_url(url, decode_responses=True).pubsub()
    found.subscribe(*channels)
    for _ in channels:
        assert found.get_message(timeout=5)["type"] == "subscribe"
    return found


def message(found, timeout=5):
    got = found.get_message(timeout=timeout)
    return got and got["data"]


# The seed's own examples.
MESSAGES = {
    "orb_state": '{"visual_state":"thinking","emotional_tone":"curious"}',
    "cards": '{"action":"updated","card_id":"123","evolution_state":"bloom"}',
    "challenges": '{"action":"new","challenge_id":"456","title":"New perspective"}',
    "insights": '{"insight_id":"789","urgency":"high","source_entities":["123","456"]}',
    "scene": '{"from":"cloud","to":"graph","transition_type":"zoom"}',
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_plain_subscriber_sees_exactly_the_message(api, url, name):
    channel = f"user:{uuid.uuid4()}:{name}"
    other = subscriber(url, channel)
    answer = done(api("POST", f"channels/{channel}", content=MESSAGES[name].encode(),
                      headers={"Content-Type": "application/json"}), 200)
    assert answer["receivers"] == 1 and answer["id"].isdigit()
    assert message(other) == MESSAGES[name]
    assert message(other, timeout=0.1) is None


def test_a_uuid_in_upper_case_names_the_same_channel(api, url):
    id = str(uuid.uuid4())
    other = subscriber(url, f"user:{id}:cards")
    answer = done(api("POST", f"channels/user:{id.upper()}:cards", json={"a": 1},
                      headers={"Fourfold-User": id.upper()}), 200)
    assert answer["receivers"] == 1
    assert message(other) == '{"a":1}'
    assert message(other, timeout=0.1) is None


@pytest.mark.parametrize("body, sent", [
    (b'{ "a" : 1.50 ,\n "b" : "x y\\n" }', '{"a":1.50,"b":"x y\\n"}'),
    (b'{"big":123456789012345678901234567890,"e":1E400}',
     '{"big":123456789012345678901234567890,"e":1E400}'),
    ('{"ä":"€","z":1,"a":{"z":[],"b":null}}'.encode(), '{"ä":"€","z":1,"a":{"z":[],"b":null}}'),
    (b"{}", "{}"),
], ids=["blanks", "numbers", "order", "empty"])
def test_a_message_is_kept_as_it_is_on_one_line(api, url, body, sent):
    channel = f"user:{uuid.uuid4()}:insights"
    other = subscriber(url, channel)
    done(api("POST", f"channels/{channel}", content=body,
             headers={"Content-Type": "application/json"}), 200)
    assert message(other) == sent


def test_ids_grow_over_all_channels(api):
    channels = [f"user:{uuid.uuid4()}:insights" for _ in range(3)]
    ids = [int(publish(api.gateway, channels[n % 3], {"n": n})) for n in range(30)]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("junk", ["", "abc", "1.5e3", "-5", "9" * 20, None])
def test_ids_begin_anew_where_another_client_broke_the_last(live, junk):  # noqa: F811
    gateway = live.gateway()
    before = publish(gateway, "user:1:insights", {"n": 1})
    live.redis.delete("fourfold:channels:last")
    if junk is None:
        live.redis.rpush("fourfold:channels:last", "x")
    else:
        live.redis.set("fourfold:channels:last", junk)
    assert int(publish(gateway, "user:1:insights", {"n": 2})) > int(before)


def test_the_history_is_bounded(live):  # noqa: F811
    gateway = live.gateway(FOURFOLD_CHANNEL_HISTORY=5, FOURFOLD_CHANNEL_RETENTION="10s")
    channel = "user:1:insights"
    for n in range(20):
        publish(gateway, channel, {"n": n})
    key = f"fourfold:channel:{channel}"
    assert [json.loads(fields["m"])["n"] for _, fields in live.redis.xrange(key)] == [
        15, 16, 17, 18, 19]
    assert 0 < live.redis.pttl(key) <= 10_000


@pytest.mark.parametrize("channel", [
    "user:1:nothing", "user:*:cards", "user:1", "user::cards", "user:1:cards:more", "*",
    "user:1:card?", "user:{uid}:cards", "fourfold:sent:user:1:cards", "user:a b:cards",
    "user:1:cards%0A", "user:" + "x" * 201 + ":cards",
])
def test_a_channel_that_the_pack_has_not(api, channel):
    problem(api("POST", f"channels/{channel}", {"a": 1}), 404, "unknown_channel")


def test_an_owner_publishes_on_their_own_channels_only(api, owner, other):
    done(api("POST", f"channels/user:{owner}:cards", {"a": 1}, user=owner), 200)
    problem(api("POST", f"channels/user:{other}:cards", {"a": 1}, user=owner), 404,
            "unknown_channel")


@pytest.mark.parametrize("body, status, code", [
    (b"", 400, "malformed_json"), (b"{", 400, "malformed_json"), (b"[1]", 400, "invalid_body"),
    (b'"x"', 400, "invalid_body"), (b"null", 400, "invalid_body"),
    (b'{"a":"\xff"}', 400, "malformed_json"), (b'{"a":"\\u0000"}', 400, None),
    (b'{"a":' * 100 + b"1" + b"}" * 100, 400, None),
    (json.dumps({"a": "x" * 70_000}).encode(), 413, "body_too_large"),
], ids=["none", "half", "array", "text", "null", "latin", "nul", "deep", "large"])
def test_a_body_that_is_no_message(api, body, status, code):
    answer = api("POST", "channels/user:1:cards", content=body,
                 headers={"Content-Type": "application/json"})
    problem(answer, status, code)


def test_a_message_that_does_not_fit_the_schema_of_the_channel(api):
    wrong = {"insight_id": 789, "source_entities": ["123", 456]}
    found = problem(api("POST", "channels/user:1:insights", wrong), 400, "invalid_value")
    assert {error["field"] for error in found["errors"]} == {"insight_id", "source_entities.1"}


def test_a_channel_on_which_nobody_publishes(api):
    problem(api("POST", "channels/config", {"name": "dimensions"}), 403, "forbidden")


def test_another_media_type(api):
    answer = api("POST", "channels/user:1:cards", content=b"a=1",
                 headers={"Content-Type": "application/x-www-form-urlencoded"})
    problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods(api, method):
    answer = api(method, "channels/user:1:cards")
    assert answer.status_code == 405 and answer.headers["allow"] == "POST"


def test_a_message_of_the_greatest_size(live):  # noqa: F811
    gateway = live.gateway(FOURFOLD_MESSAGE_MAX=256, FOURFOLD_BODY_MAX="64KiB")
    fits = {"a": "x" * (256 - len('{"a":""}'))}
    listener = live.listen(gateway, "user:1:cards")
    publish(gateway, "user:1:cards", fits)
    answer = gateway.http.post("/v1/dots/channels/user:1:cards", json={"a": fits["a"] + "x"})
    problem(answer, 413, "body_too_large")
    assert json.loads(listener.wait(1)[0][2]) == fits


def test_without_redis_publishing_says_so(live):  # noqa: F811
    gateway = live.gateway()
    live.stores.stop("redis")
    answer = gateway.http.post("/v1/dots/channels/user:1:cards", json={"a": 1})
    problem(answer, 503)
    assert answer.headers["retry-after"]
    live.stores.start("redis")
