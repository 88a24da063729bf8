"""One database with its gateways, shared by the tests of a module, and how to write into it."""

import contextlib
import os
import pathlib
import uuid

import psycopg
import psycopg.conninfo
import pytest

from faults import FaultProxy
from gateway import Gateway, new_database
from oracle import Oracle
from stores import Cypher, Weaviate
from waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Graph, vector and live.
LANE_COUNT = 3
KEY_COLUMNS = {
    "users": "user_id", "concepts": "concept_id", "memories": "memory_id",
    "artifacts": "artifact_id", "tags": "tag_id", "people": "person_id",
    "locations": "location_id", "annotations": "aid", "reflections": "reflection_id",
    "conversations": "conversation_id", "messages": "message_id",
    "relationships": "relationship_id", "growth-events": "event_id",
}


class World:
    def __init__(self, stores, database_url):
        self.stores, self.database_url = stores, database_url
        self.cypher = Cypher(stores.neo4j_url)
        self.weaviate = Weaviate(stores.weaviate_url)
        self._link = None
        self._gateways, self._proxies = [], []
        self._is_migrated = False

    # Gateways.

    def gateway(self, wait=True, **environment):
        """A gateway with the real stores, unless their URLs are given otherwise (None: none)."""
        settings = {
            "DATABASE_URL": self.database_url, "REDIS_URL": self.stores.redis_url,
            "NEO4J_URL": self.stores.neo4j_url, "WEAVIATE_URL": self.stores.weaviate_url,
        } | environment
        gateway = Gateway(ROOT, os.environ["FOURFOLD_TEST_BINARY"], settings)
        self._gateways.append(gateway)
        if not self._is_migrated:
            gateway.migrate()
            self._is_migrated = True
        return gateway.start(wait=wait)

    def stop(self, gateway):
        self._gateways.remove(gateway)
        gateway.http.close()
        return gateway.stop()

    def proxy(self, store):
        if store == "postgres":
            parts = psycopg.conninfo.conninfo_to_dict(self.stores.admin_database_url)
            target = ("unix", f"{parts['host']}/.s.PGSQL.{parts['port']}")
        else:
            address = getattr(self.stores, f"{store}_url").split("//")[1].split("/")[0]
            host, port = address.split(":")
            target = ("tcp", (host, int(port)))
        proxy = FaultProxy(target)
        self._proxies.append(proxy)
        proxy.url = self.stores.url_through(store, proxy.port, self.database_url)
        return proxy

    def close(self):
        for proxy in self._proxies:
            proxy.close()
        for gateway in reversed(self._gateways):
            gateway.stop()
        if self._link:
            self._link.close()

    # Reading and writing past the gateway.

    def psql(self, sql, parameters=None):
        """Runs SQL; rows as dicts. Connects again after a restart of PostgreSQL."""
        try:
            cursor = self._connected().execute(sql, parameters)
        except psycopg.OperationalError:
            if not self._link.closed:
                raise
            cursor = self._connected().execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []

    def _connected(self):
        if self._link is None or self._link.closed:
            self._link = self.connect(autocommit=True)
        return self._link

    def connect(self, **options):
        return psycopg.connect(
            self.database_url, **({"row_factory": psycopg.rows.dict_row} | options))

    @contextlib.contextmanager
    def transaction(self):
        """An own connection and transaction, committed at the end of the block."""
        with self.connect() as link:
            yield link

    @property
    def oracle(self):
        return Oracle(self.psql, self.cypher, self.weaviate)

    def assert_converged(self, deadline=30, **options):
        self.oracle.assert_converged(deadline, **options)

    def lane(self, name):
        rows = self.psql("SELECT * FROM fourfold.lanes WHERE lane = %s", (name,))
        return rows[0] if rows else None

    def reconcile(self, lane):
        """Has the lane write everything anew once it connects, as OPERATING.md says."""
        self.psql("UPDATE fourfold.lanes SET resync = true, resync_entity = NULL, resync_key = NULL "
                  "WHERE lane = %s", (lane,))

    def expire_lease(self, lane=None):
        """As if the time of the lease had passed."""
        self.psql("UPDATE fourfold.lanes SET expires_at = clock_timestamp() - interval '1 s'"
                  " WHERE %s::text IS NULL OR lane = %s", (lane, lane))

    def wait_led_by(self, gateway, deadline=20):
        """Every lane is led by this gateway's process."""
        def led():
            lanes = self.psql(
                "SELECT holder FROM fourfold.lanes WHERE expires_at > clock_timestamp()")
            return len(lanes) == LANE_COUNT and all(
                f"/{gateway.process.pid}/" in (each["holder"] or "") for each in lanes)
        wait_until(led, deadline, message="it does not lead")

    # Owners.

    def user(self, http=None):
        """A new user, written by SQL or through a gateway."""
        id, name = str(uuid.uuid4()), f"user-{uuid.uuid4().hex[:12]}"
        row = {"user_id": id, "username": name, "email": f"{name}@example.org",
               "password_hash": "x", "region": "eu"}
        if http is None:
            self.psql(
                "INSERT INTO dots.users (user_id, username, email, password_hash, region)"
                " VALUES (%(user_id)s, %(username)s, %(email)s, %(password_hash)s, %(region)s)",
                row)
        else:
            answer = http.post("/v1/dots/users", json=row)
            assert answer.status_code == 201, answer.text
        return id


class Writer:
    """Writes rows of one owner through a gateway; remembers the last token."""

    def __init__(self, http, user):
        self.http, self.user, self.token = http, user, None

    def post(self, entity, **row):
        """The new row, with the owner filled in."""
        answer = self.http.post(f"/v1/dots/{entity}", json={"user_id": self.user} | row)
        assert answer.status_code == 201, f"{entity}: {answer.text}"
        self.token = answer.headers.get("Fourfold-Token", self.token)
        return answer.json()

    def id(self, entity, **row):
        return self.post(entity, **row)[KEY_COLUMNS[entity]]

    def concept(self, name, **row):
        return self.id("concepts", name=name, **row)

    def memory(self, title, content="something happened", **row):
        return self.id("memories", title=title, content=content, memory_type="journal", **row)

    def tag(self, name, **row):
        return self.id("tags", name=name, **row)

    def relate(self, type, source, target, **row):
        """`source` and `target` as (entity, id)."""
        return self.id("relationships", type=type, from_entity=source[0], from_id=source[1],
                       to_entity=target[0], to_id=target[1], **row)

    def patch(self, entity, id, **changes):
        return self._change("PATCH", entity, id, json=changes)

    def put(self, entity, id, **row):
        return self._change("PUT", entity, id, json={"user_id": self.user} | row)

    def delete(self, entity, id):
        return self._change("DELETE", entity, id)

    def _change(self, method, entity, id, **options):
        answer = self.http.request(method, f"/v1/dots/{entity}/{id}", **options)
        assert answer.status_code in (200, 201, 204), f"{method} {entity}: {answer.text}"
        self.token = answer.headers.get("Fourfold-Token", self.token)
        return answer


def freshness(token, milliseconds=5000):
    """Headers of a read that wants to see a write."""
    return {"Fourfold-Token": token, "Prefer": f"wait={milliseconds}"}


@pytest.fixture(scope="module")
def world(stores):
    """Empty stores and a fresh database for this module's tests."""
    stores.start_all()
    Cypher(stores.neo4j_url).wipe()
    Weaviate(stores.weaviate_url).wipe()
    with new_database(stores.admin_database_url) as url:
        made = World(stores, url)
        yield made
        made.close()
        stores.start_all()


@pytest.fixture(scope="module")
def gateway(world):
    """The one gateway of a module, with all real stores."""
    return world.gateway()


@pytest.fixture
def writer(world, gateway):
    return Writer(gateway.http, world.user(gateway.http))
