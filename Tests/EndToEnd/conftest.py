"""Fixtures of the end-to-end tests: real stores, a real gateway, and faults between them.

`scripts/test e2e` starts the stores and names them in FOURFOLD_TEST_*. Reading back goes through
other clients (psycopg, redis-py, Cypher over HTTP, Weaviate's REST), never through the gateway.
"""

import os
import pathlib

import httpx
import psycopg
import psycopg.conninfo
import pytest
import redis

from api import Api
from faults import FaultProxy
from gateway import Gateway, new_database
from stores import Cypher, Stores, Weaviate
from waiting import wait_until as wait_until_true

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def stores():
    """The URLs of the real stores, and their life and death: stores.kill("redis"), .start(…)."""
    found = Stores.from_environment()
    yield found
    found.end()


@pytest.fixture(scope="session")
def wait_until():
    """wait_until(predicate, deadline=10): calls it until it is true; returns what it returned."""
    return wait_until_true


@pytest.fixture
def clean(stores):
    """Every store empty, all of them running."""
    stores.start_all()
    redis.Redis.from_url(stores.redis_url).flushall()
    Cypher(stores.neo4j_url).wipe()
    Weaviate(stores.weaviate_url).wipe()


@pytest.fixture
def database_url(stores, clean):
    """A fresh, empty database of this test."""
    with new_database(stores.admin_database_url) as url:
        yield url


@pytest.fixture
def gateway(stores, database_url):
    """gateway(**environment): starts a migrated gateway on this test's database and waits.

    Graph and vectors are embedded unless named: gateway(NEO4J_URL=stores.neo4j_url). Several may
    run at once; all are stopped after the test.
    """
    started = []

    def start(*, migrate=True, wait=True, arguments=(), **environment):
        settings = {"DATABASE_URL": database_url, "REDIS_URL": stores.redis_url} | environment
        each = Gateway(ROOT, os.environ["FOURFOLD_TEST_BINARY"], settings, arguments)
        started.append(each)
        if migrate:
            each.migrate()
        each.start(wait=wait)
        return each

    yield start
    for each in reversed(started):
        each.stop()


@pytest.fixture
def full_gateway(gateway, stores):
    """full_gateway(**environment): the same with the real Neo4j and the real Weaviate."""

    def start(**options):
        return gateway(**({"NEO4J_URL": stores.neo4j_url,
                           "WEAVIATE_URL": stores.weaviate_url} | options))

    return start


@pytest.fixture
def http(gateway):
    """An HTTP client of a gateway with embedded graph and vectors."""
    return gateway().http


@pytest.fixture(scope="module")
def api(stores):
    """An Api of one gateway on a database of its own, shared by the tests of a module."""
    stores.start("postgres")
    stores.start("redis")
    with new_database(stores.admin_database_url) as url:
        settings = {"DATABASE_URL": url, "REDIS_URL": stores.redis_url}
        served = Gateway(ROOT, os.environ["FOURFOLD_TEST_BINARY"], settings).start()
        found = Api(served, url)
        yield found
        found.close()
        assert served.stop() == 0, served.log()[-4000:]


@pytest.fixture
def owner(api):
    """The id of a new user."""
    return api.user()


@pytest.fixture
def other(api):
    """The id of another new user."""
    return api.user()


@pytest.fixture
def psql(database_url):
    """psql(sql, parameters=None): runs SQL in the test's database; rows as dicts."""
    with psycopg.connect(database_url, autocommit=True, row_factory=psycopg.rows.dict_row) as link:

        def run(sql, parameters=None):
            cursor = link.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

        run.connect = lambda **options: psycopg.connect(
            database_url, **({"row_factory": psycopg.rows.dict_row} | options))
        yield run


@pytest.fixture
def cypher(stores):
    """cypher(statement, **parameters): rows as dicts, straight from Neo4j."""
    return Cypher(stores.neo4j_url)


@pytest.fixture
def weaviate(stores):
    """Weaviate's REST: weaviate.objects(class), .object(class, id), .client for the rest."""
    return Weaviate(stores.weaviate_url)


@pytest.fixture
def redis_client(stores):
    return redis.Redis.from_url(stores.redis_url, decode_responses=True)


@pytest.fixture
def fault_proxy(stores, database_url):
    """fault_proxy("postgres"): a proxy before that store with .url, .pause(), .cut(), .refuse()."""
    proxies = []

    def make(store):
        if store == "postgres":
            parts = psycopg.conninfo.conninfo_to_dict(stores.admin_database_url)
            target = ("unix", f"{parts['host']}/.s.PGSQL.{parts['port']}")
        else:
            url = httpx.URL(getattr(stores, f"{store}_url"))
            target = ("tcp", (url.host, url.port))
        proxy = FaultProxy(target)
        proxies.append(proxy)
        proxy.url = stores.url_through(store, proxy.port, database_url)
        return proxy

    yield make
    for proxy in proxies:
        proxy.close()
