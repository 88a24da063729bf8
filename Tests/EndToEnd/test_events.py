"""Streams of events: what listeners get, where they resume, and when they are told of a gap."""

import hashlib
import json
import pathlib
import random
import shutil
import threading
import time
import uuid

import httpx
import pytest

from api import Api, problem
from event_stream import Connection, EventParser, EventStream, get
from faults import FaultProxy
from live import live, live_database, publish, publish_when_back  # noqa: F401
from waiting import wait_until

ONE, TWO, THREE = "user:1:cards", "user:1:insights", "user:2:cards"


def numbers(stream, *channels):
    """Of the events of these channels, or of all where no notice stands between them."""
    return [json.loads(data)["n"] for _, event, data in stream.events
            if not channels or event in channels]


# The stream itself.

def test_a_stream_begins_with_its_position(live):  # noqa: F811
    stream = live.listen(live.gateway(), ONE)
    assert stream.headers["content-type"] == "text/event-stream"
    assert stream.headers["cache-control"] == "no-store"
    assert stream.headers["x-accel-buffering"] == "no"
    assert stream.parser.retry == 2_000 and stream.last_id.isdigit() and not stream.events


def test_messages_of_all_channels_in_order(live):  # noqa: F811
    gateway = live.gateway()
    stream = live.listen(gateway, ONE, TWO, ONE)
    ids = [publish(gateway, [ONE, TWO][n % 2], {"n": n}) for n in range(50)]
    publish(gateway, THREE, {"n": -1})
    assert stream.wait(50) == [
        (ids[n], [ONE, TWO][n % 2], json.dumps({"n": n}, separators=(",", ":")))
        for n in range(50)]


def test_a_uuid_in_upper_case_names_the_same_channel(live):  # noqa: F811
    gateway = live.gateway()
    user = str(uuid.uuid4())
    name = f"user:{user}:cards"
    stream = live.listen(gateway, f"user:{user.upper()}:cards", name)
    id = publish(gateway, name, {"n": 1})
    assert stream.wait(1) == [(id, name, '{"n":1}')]


def test_a_foreign_message_comes_live_without_an_id(live):  # noqa: F811
    gateway = live.gateway()
    stream = live.listen(gateway, ONE)
    first = publish(gateway, ONE, {"n": 1})
    live.redis.publish(ONE, "not json\nof two lines")
    live.redis.publish(ONE, "")
    last = publish(gateway, ONE, {"n": 2})
    assert stream.wait(4) == [
        (first, ONE, '{"n":1}'), (first, ONE, "not json\nof two lines"), (first, ONE, ""),
        (last, ONE, '{"n":2}')]
    again = live.listen(gateway, ONE, after=first)
    assert again.wait(1) == [(last, ONE, '{"n":2}')]


def test_changes_of_rows_and_states_come_with_ids(live):  # noqa: F811
    gateway = live.gateway(FOURFOLD_LANES="on")
    api = Api(gateway, live.database_url)
    try:
        user = api.user()
        cards, orb = f"user:{user}:cards", f"user:{user}:orb_state"
        stream = live.listen(gateway, cards, orb)
        state = {"visual_state": "thinking", "emotional_tone": "curious", "energy_level": 0.5}
        answer = gateway.http.put(f"/v1/dots/users/{user}/state/orb", json=state)
        assert answer.status_code == 200, answer.text
        stream.wait(1)
        concept = api.concept(user)
        wait_until(lambda: [each for each in stream.events if each[1] == cards], 20)
        api.sql("UPDATE dots.concepts SET name = 'by hand' WHERE concept_id = %s", [concept])
        wait_until(lambda: "updated" in stream.data[-1], 20)
        assert stream.events[0][1] == orb
        assert json.loads(stream.data[0])["visual_state"] == "thinking"
        changes = [json.loads(data) for _, event, data in stream.events if event == cards]
        assert [(each["action"], each["card_id"]) for each in changes] == [
            ("created", concept), ("updated", concept)]
        again = live.listen(gateway, cards, orb, after=stream.events[0][0])
        again.wait(2)
        assert again.events == stream.events[1:]
    finally:
        api.close()


def test_one_subscription_however_many_listen(live):  # noqa: F811
    gateway = live.gateway(FOURFOLD_LOOPS=2)
    streams = [live.listen(gateway, ONE) for _ in range(20)]
    assert dict(live.redis.pubsub_numsub(ONE)) == {ONE: 1}
    for stream in streams[1:]:
        stream.close()
    publish(gateway, ONE, {"n": 1})
    streams[0].wait(1)
    streams[0].close()
    # It lingers for those who come back at once, but not for ever.
    assert dict(live.redis.pubsub_numsub(ONE)) == {ONE: 1}
    deadline = time.monotonic() + 15
    while dict(live.redis.pubsub_numsub(ONE)) != {ONE: 0}:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_heartbeats_carry_the_position(live):  # noqa: F811
    gateway = live.gateway(FOURFOLD_EVENTS_HEARTBEAT="200ms", FOURFOLD_CHANNEL_RETENTION="1s")
    stream = live.listen(gateway, ONE)
    start = stream.last_id
    deadline = time.monotonic() + 10
    while int(stream.last_id) < int(start) + 2_000_000:
        assert time.monotonic() < deadline, stream.parser.comment_count
        time.sleep(0.05)
    assert not stream.events and stream.parser.comment_count >= 5
    # Silent for longer than a history lasts, and still nothing is missing.
    again = live.listen(gateway, ONE, after=stream.close())
    publish(gateway, ONE, {"n": 1})
    assert [event for _, event, _ in again.wait(1)] == [ONE]


# Resuming.

def test_resuming_on_another_gateway(live):  # noqa: F811
    here, there = live.gateway(), live.gateway()
    stream = live.listen(here, ONE, TWO, THREE)
    sent = [publish([here, there][n % 2], [ONE, TWO, THREE][n % 3], {"n": n}) for n in range(30)]
    stream.wait(30)
    assert [id for id, _, _ in stream.events] == sent
    for start in (0, 7, 28):
        resumed = live.listen(there, ONE, TWO, THREE, after=sent[start])
        resumed.wait(29 - start)
        assert numbers(resumed) == list(range(start + 1, 30))
        assert [id for id, _, _ in resumed.events] == sent[start + 1:]
    query = live.listen(there, TWO, last_event_id=sent[0])
    query.wait(10)
    assert numbers(query) == list(range(1, 30, 3))
    # The header is of now, the query of when the page was loaded.
    both = live.listen(there, TWO, last_event_id=sent[0], after=sent[27])
    assert both.wait(1)[0][0] == sent[28]


def test_resuming_before_the_first_message(live):  # noqa: F811
    gateway = live.gateway()
    start = live.listen(gateway, ONE).close()
    publish(gateway, ONE, {"n": 1})
    resumed = live.listen(gateway, ONE, after=start)
    resumed.wait(1)
    assert numbers(resumed) == [1]


def test_a_long_history_in_pages(live):  # noqa: F811
    gateway = live.gateway(FOURFOLD_CHANNEL_HISTORY=2000)
    start = live.listen(gateway, ONE).last_id
    text = "x" * 2_000
    for n in range(900):
        publish(gateway, [ONE, TWO, THREE][n % 7 % 3], {"n": n, "text": text})
    resumed = live.listen(gateway, ONE, TWO, THREE, after=start)
    resumed.wait(900, deadline=30)
    publish(gateway, ONE, {"n": 900})
    resumed.wait(901)
    assert numbers(resumed) == list(range(901))


# Gaps.

def expect_reset(live, stream, reason, gateway):  # noqa: F811
    id, _, data = stream.wait_for("reset")
    assert json.loads(data) == {"reason": reason}
    assert int(id) <= int(live.redis.get("fourfold:channels:last"))
    assert not [each for each in stream.events if each[1] != "reset"]
    sent = publish(gateway, ONE, {"n": "after"})
    assert stream.wait(2)[-1] == (sent, ONE, '{"n":"after"}')


def test_reset_after_redis_lost_everything(live):  # noqa: F811
    gateway = live.gateway()
    id = publish(gateway, ONE, {"n": 1})
    live.redis.flushall()
    expect_reset(live, live.listen(gateway, ONE, after=id), "lost", gateway)


def test_reset_where_the_history_was_trimmed(live):  # noqa: F811
    gateway = live.gateway(FOURFOLD_CHANNEL_HISTORY=3)
    ids = [publish(gateway, ONE, {"n": n}) for n in range(5)]
    expect_reset(live, live.listen(gateway, ONE, after=ids[0]), "trimmed", gateway)
    resumed = live.listen(gateway, TWO, after=ids[0])
    publish(gateway, TWO, {"n": 9})
    assert resumed.wait(1)[0][1] == TWO


def test_reset_where_the_history_expired(live):  # noqa: F811
    gateway = live.gateway(FOURFOLD_CHANNEL_RETENTION="1s", FOURFOLD_EVENTS_HEARTBEAT="60s")
    first = publish(gateway, ONE, {"n": 1})
    publish(gateway, ONE, {"n": 2})
    time.sleep(1.2)
    assert not live.redis.exists(f"fourfold:channel:{ONE}")
    expect_reset(live, live.listen(gateway, ONE, after=first), "expired", gateway)
    # The history that began again since does not hide it.
    expect_reset(live, live.listen(gateway, ONE, after=first), "expired", gateway)


def test_the_last_id_of_all_never_resets(live):  # noqa: F811
    gateway = live.gateway(FOURFOLD_CHANNEL_RETENTION="1s", FOURFOLD_EVENTS_HEARTBEAT="60s")
    publish(gateway, ONE, {"n": 1})
    id = publish(gateway, TWO, {"n": 1})
    time.sleep(1.2)
    stream = live.listen(gateway, ONE, after=id)
    publish(gateway, ONE, {"n": 2})
    assert stream.wait(1)[0][1] == ONE


def test_a_very_old_id_resets(live):  # noqa: F811
    gateway = live.gateway()
    publish(gateway, ONE, {"n": 1})
    expect_reset(live, live.listen(gateway, ONE, after="1"), "lost", gateway)


# What is refused.

@pytest.mark.parametrize("id", [
    "abc", "0", "-1", "1.5", "01", "9999999999999999", "99999999999999999999", "1-0", "1 2", "é",
    "1795203870848028, 1795203870848029",
])
def test_an_id_that_was_never_given(api, id):
    status, _, body = get(api.gateway, f"/v1/dots/events?channels={ONE}", {"Last-Event-ID": id})
    assert status == 400 and json.loads(body)["code"] == "invalid_header"


@pytest.mark.parametrize("query, status, code", [
    ("", 400, "invalid_parameter"), ("?channels=", 400, "invalid_parameter"),
    ("?channels=,,", 400, "invalid_parameter"), ("?channel=user:1:cards", 400, "invalid_parameter"),
    ("?channels=user:1:cards&x=1", 400, "invalid_parameter"),
    ("?channels=user:1:nothing", 404, "unknown_channel"),
    ("?channels=user:1:cards,user:*:cards", 404, "unknown_channel"),
    ("?channels=*", 404, "unknown_channel"), ("?channels=user:1:car%3Fs", 404, "unknown_channel"),
    ("?channels=fourfold:sent:user:1:cards", 404, "unknown_channel"),
    ("?channels=user:{uid}:cards", 404, "unknown_channel"),
    ("?channels=" + ",".join(f"user:{n}:cards" for n in range(101)), 400, "invalid_parameter"),
    ("?channels=" + ",".join(f"u:{n}" for n in range(1_000)), 400, "invalid_parameter"),
    ("?channels=" + ",".join(f"user:{n}:cards" for n in range(2_000)), 414, "url_too_long"),
    ("?channels=user:1:cards&last_event_id=x", 400, "invalid_header"),
])
def test_a_request_that_cannot_be_meant(api, query, status, code):
    found, _, body = get(api.gateway, f"/v1/dots/events{query}")
    assert (found, json.loads(body)["code"]) == (status, code)


@pytest.mark.parametrize("method, status", [("POST", 405), ("DELETE", 405), ("PUT", 405)])
def test_other_methods(api, method, status):
    answer = api(method, f"events?channels={ONE}")
    assert answer.status_code == status and answer.headers["allow"] == "GET, HEAD"


def test_head_answers_without_a_stream(api):
    answer = api("HEAD", f"events?channels={ONE}")
    assert answer.status_code == 200 and answer.headers["content-type"] == "text/event-stream"
    assert api("HEAD", "events?channels=x").status_code == 404


def test_an_owner_listens_to_their_own_channels_only(live):  # noqa: F811
    gateway = live.gateway()
    mine, theirs = (f"user:{uuid.uuid4()}:cards" for _ in range(2))
    owner = mine.split(":")[1]
    live.listen(gateway, mine, headers={"Fourfold-User": owner})
    live.listen(gateway, mine, user=owner)
    for channels in (theirs, f"{mine},{theirs}"):
        for path, headers in ((f"/v1/dots/events?channels={channels}", {"Fourfold-User": owner}),
                              (f"/v1/dots/events?channels={channels}&user={owner}", {})):
            status, _, body = get(gateway, path, headers)
            assert status == 404 and json.loads(body)["code"] == "unknown_channel"


def test_a_key_in_the_query_opens_this_route_only(live):  # noqa: F811
    key = "very-secret-key-of-a-service"
    gateway = live.gateway(
        FOURFOLD_SERVICE_KEYS=f"bff:{hashlib.sha256(key.encode()).hexdigest()}",
        FOURFOLD_LOG_LEVEL="debug")
    live.listen(gateway, ONE, access_token=key)
    for query in ("", "&access_token=wrong", "&access_token="):
        status, _, body = get(gateway, f"/v1/dots/events?channels={ONE}{query}")
        assert status == 401 and json.loads(body)["instance"] == "/v1/dots/events"
    status, _, body = get(gateway, f"/v1/dots/events?channels=x&access_token={key}")
    assert status == 404 and key not in body.decode()
    problem(gateway.http.get(f"/v1/dots/concepts?access_token={key}"), 401)
    problem(gateway.http.post(f"/v1/dots/channels/{ONE}?access_token={key}", json={}), 401)
    assert key not in gateway.log()


def test_more_streams_than_may_be(live):  # noqa: F811
    gateway = live.gateway(FOURFOLD_EVENTS_MAX=3)
    streams = [live.listen(gateway, ONE) for _ in range(3)]
    status, headers, body = get(gateway, f"/v1/dots/events?channels={ONE}")
    assert status == 503 and headers["retry-after"] and json.loads(body)["code"] == "overloaded"
    streams[0].close()
    deadline = time.monotonic() + 10
    while True:
        try:
            live.listen(gateway, ONE)
            break
        except AssertionError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


# Readers that are slow, and the end.

def test_a_slow_reader_is_dropped_and_resumes(live):  # noqa: F811
    gateway = live.gateway(FOURFOLD_EVENTS_QUEUE_MAX="64KiB", FOURFOLD_MESSAGE_MAX="64KiB")
    quick = live.listen(gateway, ONE)
    slow = Connection(gateway.port, f"/v1/dots/events?channels={ONE}", receive_buffer=4_096)
    text = "x" * 30_000
    ids = [publish(gateway, ONE, {"n": n, "text": text}) for n in range(400)]
    quick.wait(400, deadline=20)
    assert numbers(quick) == list(range(400))
    # It reads at last: what was on its way, why it was dropped, and the end of the answer.
    parser, events = EventParser(), []
    for piece in slow.chunks():
        events += parser.feed(piece)
    *events, (last_id, name, reason) = events
    assert (last_id, name, json.loads(reason)) == (
        events[-1][0], "dropped", {"reason": "slow_reader"})
    assert 0 < len(events) < 400
    assert [id for id, _, _ in events] == ids[:len(events)]
    resumed = live.listen(gateway, ONE, after=parser.last_id)
    resumed.wait(400 - len(events))
    assert numbers(resumed) == list(range(len(events), 400))
    deadline = time.monotonic() + 5
    while "slow readers were dropped" not in gateway.log():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_end_of_the_gateway_ends_streams_at_once(live):  # noqa: F811
    gateway = live.gateway()
    streams = [live.listen(gateway, f"user:{n}:cards") for n in range(50)]
    stuck = Connection(gateway.port, f"/v1/dots/events?channels={ONE}", receive_buffer=4_096)
    for n in range(100):
        publish(gateway, ONE, {"text": "x" * 60_000})
    started = time.monotonic()
    assert gateway.stop() == 0
    assert time.monotonic() - started < 5
    for stream in streams:
        assert stream.ended.wait(1)
    stuck.close()


# Redis goes and comes.

def test_redis_is_killed_and_keeps_its_data(live):  # noqa: F811
    gateway = live.gateway()
    stream = live.listen(gateway, ONE, TWO)
    idle = live.listen(gateway, THREE)
    publish(gateway, ONE, {"n": 0})
    stream.wait(1)
    live.stores.kill("redis")
    stream.wait_for("degraded")
    status, headers, body = get(gateway, f"/v1/dots/events?channels={ONE}")
    assert status == 503 and headers["retry-after"]
    assert json.loads(body)["code"] == "store_unavailable"
    live.stores.start("redis")
    stream.wait_for("recovered")
    idle.wait_for("recovered")
    publish_when_back(gateway, TWO, {"n": 1})
    stream.wait(4)
    assert [event for _, event, _ in stream.events] == [ONE, "degraded", "recovered", TWO]
    assert [event for _, event, _ in idle.events] == ["degraded", "recovered"]


def test_what_was_sent_while_the_gateway_could_not_hear(live, stores):  # noqa: F811
    url = httpx.URL(stores.redis_url)
    proxy = FaultProxy(("tcp", (url.host, url.port)))
    try:
        deaf = live.gateway(REDIS_URL=stores.url_through("redis", proxy.port, ""))
        other = live.gateway()
        streams = [live.listen(deaf, ONE, TWO) for _ in range(5)] + [live.listen(deaf, THREE)]
        for round in range(3):
            publish(other, ONE, {"n": f"{round} before"})
            proxy.refuse()
            for n in range(20):
                publish(other, [ONE, TWO][n % 2], {"n": f"{round} {n}"})
            time.sleep(0.2)
            proxy.accept()
            publish(other, TWO, {"n": f"{round} after"})
        expected = [text for round in range(3) for text in
                    [f"{round} before", *(f"{round} {n}" for n in range(20)), f"{round} after"]]
        for stream in streams[:5]:
            # Notices stand between the messages, if Redis was away for long enough.
            wait_until(lambda: len(numbers(stream, ONE, TWO)) >= len(expected))
            assert numbers(stream, ONE, TWO) == expected
            assert "reset" not in [event for _, event, _ in stream.events]
    finally:
        for gateway in live.gateways:
            gateway.stop()
        proxy.close()


def test_redis_comes_back_empty(live):  # noqa: F811
    gateway = live.gateway()
    stream = live.listen(gateway, ONE)
    publish(gateway, ONE, {"n": 0})
    stream.wait(1)
    live.redis.config_set("appendonly", "no")
    try:
        live.redis.config_set("save", "")
        live.stores.kill("redis")
        shutil.rmtree(append_only_folder(live))
        live.stores.start("redis")
        stream.wait_for("reset")
        sent = publish_when_back(gateway, ONE, {"n": 1})
        assert stream.wait_for(ONE) and stream.wait(3)
        assert [each for each in stream.events if each[1] == ONE][-1][0] == sent
        assert json.loads(stream.wait_for("reset")[2]) == {"reason": "lost"}
    finally:
        live.stores.start("redis")


def append_only_folder(live):  # noqa: F811
    """Where Redis keeps its log of writes."""
    raw = (live.stores.run_dir / "commands" / "redis").read_bytes().split(b"\0")
    return pathlib.Path(raw[raw.index(b"--dir") + 1].decode()) / "appendonlydir"


def test_redis_comes_back_with_older_data(live):  # noqa: F811
    gateway = live.gateway()
    stream = live.listen(gateway, ONE)
    first = publish(gateway, ONE, {"n": 0})
    stream.wait(1)
    folder = append_only_folder(live)
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    publish(gateway, ONE, {"n": 1})
    stream.wait(2)
    live.stores.kill("redis")
    shutil.rmtree(folder)
    copy.rename(folder)
    live.stores.start("redis")
    stream.wait_for("reset")
    sent = publish_when_back(gateway, ONE, {"n": 2})
    assert int(sent) > int(stream.events[1][0])
    deadline = time.monotonic() + 10
    while stream.events[-1][0] != sent:
        assert time.monotonic() < deadline, stream.events
        time.sleep(0.02)
    # Who was away meanwhile is told too, whatever id it has.
    for id in (first, stream.events[1][0]):
        resumed = live.listen(gateway, ONE, after=id)
        assert json.loads(resumed.wait_for("reset")[2]) == {"reason": "lost"}


@pytest.mark.parametrize("break_it, mend_it", [
    (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
    (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
], ids=["full", "read-only"])
def test_redis_takes_no_writes(live, break_it, mend_it):  # noqa: F811
    gateway = live.gateway(FOURFOLD_EVENTS_HEARTBEAT="200ms")
    stream = live.listen(gateway, ONE)
    first = publish(gateway, ONE, {"n": 0})
    try:
        live.redis.execute_command(*break_it)
        answer = gateway.http.post(f"/v1/dots/channels/{ONE}", json={"n": 1})
        problem(answer, 503, "store_unavailable")
        assert answer.headers["retry-after"]
        assert numbers(live.listen(gateway, ONE)) == []
        live.listen(gateway, ONE, after=str(int(first) - 1)).wait_begun()
        live.redis.publish(ONE, "foreign")
        assert stream.wait(2)[1][2] == "foreign"
    finally:
        live.redis.execute_command(*mend_it)
    last = publish_when_back(gateway, ONE, {"n": 1})
    assert stream.wait(3)[-1][0] == last


def test_redis_accepts_and_says_nothing(live):  # noqa: F811
    gateway = live.gateway(FOURFOLD_REQUEST_TIMEOUT="1s")
    stream = live.listen(gateway, ONE)
    live.stores.pause("redis")
    try:
        started = time.monotonic()
        status, headers, _ = get(gateway, f"/v1/dots/events?channels={ONE}")
        assert status == 503 and headers["retry-after"]
        answer = gateway.http.post(f"/v1/dots/channels/{ONE}", json={"n": 1})
        assert answer.status_code in (503, 504)
        assert time.monotonic() - started < 4
        stream.wait_for("degraded", deadline=25)
    finally:
        live.stores.resume("redis")
    stream.wait_for("recovered", deadline=20)
    publish_when_back(gateway, ONE, {"n": 2})
    stream.wait_for(ONE)


# A storm.

class Reader(threading.Thread):
    """Drops its connection now and then, and resumes from its last id on either gateway."""

    def __init__(self, gateways, channels, seed):
        super().__init__(daemon=True)
        self.gateways, self.channels = gateways, channels
        self.random = random.Random(seed)
        self.got, self.failure, self.wanted = [], None, None
        self.has_begun = False
        self.start()

    def run(self):
        try:
            last = None
            while self.wanted is None or len(self.got) < self.wanted:
                last = self.read_for_a_while(last)
        except Exception as caught:
            self.failure = caught

    def read_for_a_while(self, last):
        try:
            stream = EventStream(self.random.choice(self.gateways), self.channels, after=last)
        except AssertionError as refused:
            # The gateway whose Redis is away says 503.
            assert "store_unavailable" in str(refused)
            time.sleep(0.05)
            return last
        if last is None:
            stream.wait_begun()
            self.has_begun = True
        end = time.monotonic() + self.random.uniform(0.02, 0.6)
        while time.monotonic() < end and not self.is_whole(stream):
            time.sleep(0.01)
        last = stream.close() or last
        self.got += [each for each in stream.events if each[1] not in ("degraded", "recovered")]
        return last

    def is_whole(self, stream):
        return self.wanted is not None and len(self.got) + len(stream.events) >= self.wanted


@pytest.mark.parametrize("is_cut", [False, True], ids=["steady", "cut"])
def test_a_storm_of_readers_that_drop_and_resume(live, stores, is_cut):  # noqa: F811
    """None is lost, none comes twice, all are in order; also where a gateway loses Redis."""
    url = httpx.URL(stores.redis_url)
    proxy = FaultProxy(("tcp", (url.host, url.port)))
    try:
        gateways = [live.gateway(FOURFOLD_LOOPS=2),
                    live.gateway(REDIS_URL=stores.url_through("redis", proxy.port, ""))]
        names = [f"user:{n}:cards" for n in range(40)]
        readers = [Reader(gateways, random.Random(n).sample(names, 3), n) for n in range(50)]
        wait_until(lambda: all(each.has_begun or each.failure for each in readers), 20)
        sent, end, cut_at = [], time.monotonic() + 6, 0
        while time.monotonic() < end:
            if is_cut and time.monotonic() > cut_at:
                proxy.cut()
                cut_at = time.monotonic() + 0.5
            channel = names[len(sent) % len(names)]
            sent.append((publish(gateways[0], channel, {"n": len(sent)}), channel))
        expected = {}
        for reader in readers:
            expected[reader] = [id for id, channel in sent if channel in reader.channels]
            reader.wanted = len(expected[reader])
        for reader in readers:
            reader.join(30)
            assert reader.failure is None, reader.failure
            assert [id for id, _, _ in reader.got] == expected[reader]
        assert len(sent) > 200
    finally:
        for gateway in live.gateways:
            gateway.stop()
        proxy.close()
