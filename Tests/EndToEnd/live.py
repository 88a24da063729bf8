"""Gateways of one module that need PostgreSQL and Redis alone."""

import os
import pathlib

import pytest
import redis

from event_stream import EventStream
from gateway import Gateway, new_database
from waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Live:
    """Gateways and streams of one test, all ended after it."""

    def __init__(self, stores, database_url):
        self.stores, self.database_url = stores, database_url
        self.redis = redis.Redis.from_url(stores.redis_url, decode_responses=True)
        self.gateways, self._streams = [], []

    def gateway(self, **settings):
        defaults = {"DATABASE_URL": self.database_url, "REDIS_URL": self.stores.redis_url,
                    "FOURFOLD_PACKS": "dots", "FOURFOLD_LANES": "off"}
        each = Gateway(ROOT, os.environ["FOURFOLD_TEST_BINARY"], defaults | settings)
        self.gateways.append(each)
        return each.start()

    def listen(self, gateway, *channels, **options):
        """A stream that has begun."""
        each = EventStream(gateway, channels, **options)
        self._streams.append(each)
        return each.wait_begun()

    def end(self):
        for stream in self._streams:
            stream.close()
        for gateway in self.gateways:
            assert gateway.stop() == 0, gateway.log()[-4000:]


@pytest.fixture(scope="module")
def live_database(stores):
    stores.start("postgres")
    stores.start("redis")
    with new_database(stores.admin_database_url) as url:
        yield url


@pytest.fixture
def live(stores, live_database):
    """Gateways and streams over an empty Redis."""
    stores.start("redis")
    found = Live(stores, live_database)
    found.redis.flushall()
    yield found
    found.end()


def publish(gateway, channel, message, **options):
    """Publishes over HTTP; the id of the message."""
    answer = gateway.http.post(f"/v1/dots/channels/{channel}", json=message, **options)
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def publish_when_back(gateway, channel, message):
    """The same after Redis was away: each connection of a gateway finds it again by itself."""
    return wait_until(lambda: publish(gateway, channel, message), 20)
