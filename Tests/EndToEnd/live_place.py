"""A database and a Redis of one test's own, gateways on them, and faults between."""

import os
import pathlib

import httpx
import psycopg
import psycopg.conninfo
import redis

from api import Api
from faults import FaultProxy
from gateway import Gateway

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Of the stores' Redis; the other tests use number 0.
DATABASE_NUMBER = 7


class Place:
    """A database and a Redis of its own number, gateways on them, and faults between."""

    def __init__(self, stores, database_url):
        self.stores, self.database_url = stores, database_url
        self.redis_url = str(httpx.URL(stores.redis_url).copy_with(path=f"/{DATABASE_NUMBER}"))
        self.redis = redis.Redis.from_url(self.redis_url, decode_responses=True)
        self.redis.flushdb()
        self.gateways, self.proxies = [], []

    def gateway(self, *, migrate=True, **settings):
        each = Gateway(ROOT, os.environ["FOURFOLD_TEST_BINARY"], {
            "DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url} | settings)
        self.gateways.append(each)
        if migrate:
            each.migrate()
        return Api(each.start(), self.database_url)

    def proxy(self, name):
        if name == "redis":
            url = httpx.URL(self.redis_url)
            proxy = FaultProxy(("tcp", (url.host, url.port)))
            proxy.url = str(url.copy_with(port=proxy.port))
        else:
            parts = psycopg.conninfo.conninfo_to_dict(self.stores.admin_database_url)
            proxy = FaultProxy(("unix", f"{parts['host']}/.s.PGSQL.{parts['port']}"))
            proxy.url = self.stores.url_through("postgres", proxy.port, self.database_url)
        self.proxies.append(proxy)
        return proxy

    def end(self):
        for each in self.gateways:
            each.stop()
        for each in self.proxies:
            each.close()
        self.redis.flushdb()
        self.redis.close()
