"""What every measure needs: a fresh database, gateways, rows, and a line to print."""

import os
import pathlib
import statistics
import sys

import psycopg
import redis

ROOT = pathlib.Path(__file__).resolve().parents[1]
# The measures drive the gateway with the tools of the end-to-end tests.
sys.path.insert(0, str(ROOT / "Tests" / "EndToEnd"))

from gateway import Gateway, new_database  # noqa: E402
from stores import Cypher, Stores, Weaviate  # noqa: E402

SECONDS = int(os.environ.get("FOURFOLD_BENCH_SECONDS", "2"))
ROUNDS = int(os.environ.get("FOURFOLD_BENCH_ROUNDS", "7"))
OWNER = "a0000000-0000-4000-8000-00000000be7c"


class Bench:
    def __init__(self, name):
        self.name = name
        self.stores = Stores.from_environment()
        self.miss_count = 0
        self._gateways = []

    def __enter__(self):
        redis.Redis.from_url(self.stores.redis_url).flushall()
        if self.stores.neo4j_url != "none":
            cypher = Cypher(self.stores.neo4j_url)
            # The owner's relationships are too many for one transaction of Neo4j's small heap.
            while cypher("MATCH ()-[r]->() WITH r LIMIT 20000 DELETE r RETURN count(*) AS n")[0]["n"]:
                pass
            cypher.wipe()
        if self.stores.weaviate_url != "none":
            Weaviate(self.stores.weaviate_url).wipe()
        self._database = new_database(self.stores.admin_database_url)
        self.database_url = self._database.__enter__()
        return self

    def __exit__(self, *error):
        for gateway in self._gateways:
            gateway.stop()
        self._database.__exit__(*error)

    def gateway(self, migrate=True, start=True, **settings):
        """A gateway on this measure's database, migrated and ready."""
        each = Gateway(ROOT, os.environ["FOURFOLD_TEST_BINARY"], {
            "DATABASE_URL": self.database_url, "REDIS_URL": self.stores.redis_url,
            "FOURFOLD_LOG_LEVEL": "warning"} | settings)
        self._gateways.append(each)
        if migrate:
            each.migrate()
        if start:
            each.start()
        return each

    def sql(self, statement, parameters=None):
        with psycopg.connect(self.database_url, autocommit=True) as link:
            cursor = link.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def admin_sql(self, statement):
        """Runs it as the superuser; the first value of its answer, if it has one."""
        with psycopg.connect(self.stores.admin_database_url, autocommit=True) as link:
            cursor = link.execute(statement)
            return cursor.fetchone()[0] if cursor.description else None

    def add_owner(self):
        self.sql("INSERT INTO dots.users (user_id, username, email, password_hash, region) "
                 "VALUES (%s, 'bench', 'bench@example.org', '!', 'eu') ON CONFLICT DO NOTHING",
                 [OWNER])

    def add_concepts(self, count, first=1):
        """Concepts whose ids are the numbers from `first` on, padded to a UUID."""
        self.add_owner()
        self.sql("""
            INSERT INTO dots.concepts (concept_id, user_id, name, description)
            SELECT lpad(n::text, 32, '0')::uuid, %s, 'Concept ' || n,
                   'A thought about ' || md5(n::text) || ' and what follows from it'
            FROM generate_series(%s::bigint, %s::bigint) AS n""",
                 [OWNER, first, first + count - 1])

    def report(self, what, value, unit, target, base=None, higher=True):
        """One line: the figure, what it is compared with, and whether the target is met."""
        figure = value / base if base else value
        reached = figure >= target if higher else figure <= target
        compared = f" ({value:,.1f} to {base:,.1f} {unit})" if base else f" {unit}"
        shown = f"{figure:.2f}x" if base else f"{figure:,.2f}"
        bound = f"{'at least' if higher else 'at most'} {target:g}{'x' if base else ''}"
        self._line(what, reached, shown, compared, bound)

    def _line(self, what, reached, figure, compared, bound):
        self.miss_count += not reached
        print(f"{'ok  ' if reached else 'MISS'} {what}: {figure}{compared}; {bound}", flush=True)

    def compare(self, what, unit, target, ours, theirs, rounds=ROUNDS):
        """Loads both sides in turn and reports the median of the ratios of the pairs.

        The first pair only warms both up.
        """
        pairs = [(ours(), theirs()) for _ in range(rounds + 1)][1:]
        ratios = sorted(own / base for own, base in pairs)
        ratio = self.median(ratios)
        self._line(what, ratio >= target, f"{ratio:.2f}x",
                   f" ({self.median(own for own, _ in pairs):,.0f} to "
                   f"{self.median(base for _, base in pairs):,.0f} {unit}; "
                   f"{ratios[0]:.2f} to {ratios[-1]:.2f} in {rounds} rounds)",
                   f"at least {target:g}x")

    @staticmethod
    def median(values):
        return statistics.median(values)

    def note(self, text):
        print(f"     {text}", flush=True)
