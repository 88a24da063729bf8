"""Gateways over PostgreSQL and Redis alone, on one database that a module shares."""

import os
import pathlib

import httpx
import pytest
import redis

from api import Api
from faults import FaultProxy
from gateway import Gateway, new_database

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Serving:
    def __init__(self, stores, database_url):
        self.stores, self.database_url = stores, database_url
        self.redis = redis.Redis.from_url(stores.redis_url, decode_responses=True)
        self._gateways, self._proxies, self._apis = [], [], []

    def __call__(self, wait=True, **environment):
        """A gateway; it runs until the end of the test that asked for it."""
        settings = {
            "DATABASE_URL": self.database_url, "REDIS_URL": self.stores.redis_url} | environment
        gateway = Gateway(ROOT, os.environ["FOURFOLD_TEST_BINARY"], settings)
        self._gateways.append(gateway)
        return gateway.start(wait=wait)

    def api(self, gateway):
        api = Api(gateway, self.database_url)
        self._apis.append(api)
        return api

    def redis_proxy(self):
        """A proxy before Redis, with .url."""
        url = httpx.URL(self.stores.redis_url)
        proxy = FaultProxy(("tcp", (url.host, url.port)))
        proxy.url = self.stores.url_through("redis", proxy.port, self.database_url)
        self._proxies.append(proxy)
        return proxy

    def mark(self):
        return len(self._gateways), len(self._proxies), len(self._apis)

    def end(self, mark=(0, 0, 0)):
        """Stops what was started since the mark; a gateway that does not stop well fails."""
        codes = []
        while len(self._gateways) > mark[0]:
            gateway = self._gateways.pop()
            gateway.http.close()
            codes.append(gateway.stop())
        while len(self._proxies) > mark[1]:
            self._proxies.pop().close()
        while len(self._apis) > mark[2]:
            self._apis.pop().close()
        assert set(codes) <= {0}, codes


@pytest.fixture(scope="module")
def serving(stores):
    stores.start("postgres")
    stores.start("redis")
    with new_database(stores.admin_database_url) as url:
        made = Serving(stores, url)
        yield made
        made.end()


@pytest.fixture
def serve(serving):
    """serve(**environment): a gateway for this test."""
    mark = serving.mark()
    yield serving
    serving.end(mark)
