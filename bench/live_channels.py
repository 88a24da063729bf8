"""Streams of events: what an idle one costs, how soon a message is there, what a drop loses."""

import concurrent.futures
import http.client
import json
import multiprocessing
import statistics
import time

from event_readers import Readers
from load import GET_LUA, ROW_COUNT, wrk

IDLE_COUNT = 10_000
LISTENER_COUNT = 1_000
MESSAGES_PER_SECOND = 50
FAN_OUT_SECONDS = 10
RESUMING_COUNT = 200
STORM_MESSAGES_PER_SECOND = 1_000
STORM_SECONDS = 10
PUBLISHER_COUNT = 8
SETTLE_SECONDS = 3
LAST_SECONDS_MAX = 20
KILOBYTE = 1_000


def events(bench):
    idle(bench)
    fan_out(bench)
    resume(bench)


def idle(bench):
    gateway = bench.gateway(FOURFOLD_LANES="off")
    empty = bench.gateway(FOURFOLD_LANES="off", migrate=False)
    bench.add_concepts(ROW_COUNT)
    # What the loops allocate once is not the streams'.
    for each in (gateway, empty):
        wrk(bench, each.url, GET_LUA, seconds=1)
    time.sleep(SETTLE_SECONDS)
    before = gateway.resident_bytes()
    readers = Readers(gateway.port, [
        f"user:00000000-0000-4000-8000-{n:012d}:cards" for n in range(IDLE_COUNT)])
    started = time.monotonic()
    readers.open_all()
    seconds = time.monotonic() - started
    time.sleep(SETTLE_SECONDS)
    each = (gateway.resident_bytes() - before) / IDLE_COUNT
    bench.report(f"memory of each of {IDLE_COUNT:,} idle streams, all on different channels",
                 each / KILOBYTE, "KB", 4, higher=False)
    bench.note(f"all had begun after {seconds:.1f} s")
    bench.compare("GET of an entity beside them, against a gateway without", "requests/s", 0.75,
                  lambda: wrk(bench, gateway.url, GET_LUA).rate,
                  lambda: wrk(bench, empty.url, GET_LUA).rate)
    bench.note(f"memory of each after that load and heartbeats: "
               f"{(gateway.resident_bytes() - before) / IDLE_COUNT / KILOBYTE:.2f} KB")
    readers.close()
    gateway.stop()
    empty.stop()


def fan_out(bench):
    gateway = bench.gateway(FOURFOLD_LANES="off", migrate=False)
    count = FAN_OUT_SECONDS * MESSAGES_PER_SECOND
    with reading(listen_to_one, gateway.port, count) as (told, answer):
        assert told.recv() == "begun"
        link = http.client.HTTPConnection("127.0.0.1", gateway.port)
        sent, start = [], time.monotonic()
        for n in range(count):
            time.sleep(max(0, start + n / MESSAGES_PER_SECOND - time.monotonic()))
            sent.append(post(link, "user:1:cards", f'{{"t":{time.monotonic_ns()}}}'))
        exact, delays = answer(sent)
    quantiles = statistics.quantiles(delays, n=100)
    bench.report(f"one message to {LISTENER_COUNT:,} listeners, {MESSAGES_PER_SECOND} a second, p99",
                 quantiles[98], "ms", 60, higher=False)
    bench.note(f"from before the POST; p50 {quantiles[49]:.1f} ms, most {max(delays):.1f} ms")
    bench.report("listeners that got every message once, in order", exact, "listeners",
                 LISTENER_COUNT)
    gateway.stop()


def listen_to_one(port, count, told):
    readers = Readers(port, ["user:1:cards"] * LISTENER_COUNT)
    readers.open_all()
    told.send("begun")
    deadline = time.monotonic() + FAN_OUT_SECONDS + LAST_SECONDS_MAX
    while len(readers.delays) < count * LISTENER_COUNT and time.monotonic() < deadline:
        readers.read(0.1)
    sent = told.recv()
    told.send((sum(ids == sent for ids in readers.ids),
               [delay / 1e6 for delay in readers.delays]))


def resume(bench):
    gateway = bench.gateway(FOURFOLD_LANES="off", migrate=False)
    with reading(drop_and_resume, gateway.port) as (told, answer):
        assert told.recv() == "begun"
        start = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(PUBLISHER_COUNT) as pool:
            parts = list(pool.map(lambda n: publish_part(gateway.port, n, start),
                                  range(PUBLISHER_COUNT)))
        seconds = time.monotonic() - start
        sent = {channel: ids for part in parts for channel, ids in part.items()}
        exact, drops, lost, repeated = answer(sent)
    count = sum(map(len, sent.values()))
    bench.report(f"{RESUMING_COUNT} clients that drop and resume: got every message once, in order",
                 exact, "clients", RESUMING_COUNT)
    bench.note(f"{count:,} messages in {seconds:.1f} s ({count / seconds:,.0f}/s), {drops:,} drops; "
               f"{lost} lost, {repeated} twice")
    bench.report("messages published meanwhile", count / seconds, "messages/s",
                 0.95 * STORM_MESSAGES_PER_SECOND)
    gateway.stop()


def drop_and_resume(port, told):
    channels = storm_channels()
    readers = Readers(port, channels)
    readers.open_all()
    told.send("begun")
    drops = 0
    while not told.poll():
        drops += readers.read_and_drop(time.monotonic() + 0.5, seed=drops)
    sent = told.recv()
    deadline = time.monotonic() + LAST_SECONDS_MAX
    wanted = [sent[channel] for channel in channels]
    while any(len(ids) < len(all) for ids, all in zip(readers.ids, wanted)):
        if time.monotonic() > deadline:
            break
        for index in readers.read(0.1):
            readers.open(index)
    pairs = list(zip(readers.ids, wanted))
    told.send((sum(ids == all for ids, all in pairs), drops,
               sum(len(set(all) - set(ids)) for ids, all in pairs),
               sum(len(ids) - len(set(ids)) for ids, _ in pairs)))


def storm_channels():
    return [f"user:{n}:cards" for n in range(RESUMING_COUNT)]


def publish_part(port, part, start):
    """Publishes this publisher's share, on channels of its own, at a steady rate."""
    link = http.client.HTTPConnection("127.0.0.1", port)
    channels = storm_channels()[part::PUBLISHER_COUNT]
    sent = {channel: [] for channel in channels}
    rate = STORM_MESSAGES_PER_SECOND / PUBLISHER_COUNT
    for n in range(int(rate * STORM_SECONDS)):
        time.sleep(max(0, start + n / rate - time.monotonic()))
        channel = channels[n % len(channels)]
        sent[channel].append(post(link, channel, f'{{"n":{n}}}'))
    return sent


def post(link, channel, message):
    """The id of the message."""
    link.request("POST", f"/v1/dots/channels/{channel}", message,
                 {"Content-Type": "application/json"})
    answer = link.getresponse()
    body = answer.read()
    assert answer.status == 200, body
    return int(json.loads(body)["id"])


class reading:
    """A process that reads streams: as (told, answer), where answer(sent) ends it."""

    def __init__(self, body, *arguments):
        context = multiprocessing.get_context("fork")
        self.told, other = context.Pipe()
        self.process = context.Process(target=body, args=(*arguments, other), daemon=True)

    def __enter__(self):
        self.process.start()
        return self.told, self.answer

    def answer(self, sent):
        self.told.send(sent)
        return self.told.recv()

    def __exit__(self, *error):
        self.process.join(5)
        self.process.kill()
