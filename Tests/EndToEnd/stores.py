"""The real stores: where they are, how to read them, how to kill and restart them."""

import os
import pathlib
import signal
import time
from dataclasses import dataclass, field

import httpx
import psycopg
import psycopg.conninfo
import redis

import processes
from waiting import wait_until

START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 60
STOP_SIGNALS = {"postgres": signal.SIGINT}


class Cypher:
    """Neo4j's Query API: cypher("MATCH (n {id: $id}) RETURN n.name AS name", id=…)."""

    def __init__(self, url):
        self.client = httpx.Client(base_url=url, timeout=60)

    def __call__(self, statement, **parameters):
        answer = self.client.post("/db/neo4j/query/v2", json={
            "statement": statement, "parameters": parameters}).json()
        # Rows may precede an error, and the status is 202 all the same.
        assert not answer.get("errors"), answer["errors"]
        fields = answer["data"]["fields"]
        return [dict(zip(fields, row, strict=True)) for row in answer["data"]["values"]]

    def wipe(self):
        """Deletes all nodes and relationships; constraints and indexes stay."""
        while self("MATCH (n) WITH n LIMIT 10000 DETACH DELETE n RETURN count(*) AS n")[0]["n"]:
            pass


class Weaviate:
    """Weaviate's REST and GraphQL."""

    PAGE_OBJECTS_MAX = 500

    def __init__(self, url):
        self.client = httpx.Client(base_url=url, timeout=60)

    def classes(self):
        return [each["class"] for each in self.client.get("/v1/schema").json()["classes"]]

    def wipe(self):
        for name in self.classes():
            assert self.client.delete(f"/v1/schema/{name}").status_code == 200

    def object(self, class_name, id, vector=False):
        """The object, or None."""
        answer = self.client.get(
            f"/v1/objects/{class_name}/{id}", params={"include": "vector"} if vector else {})
        if answer.status_code == 404:
            return None
        assert answer.status_code == 200, answer.text
        return answer.json()

    def objects(self, class_name, vector=False):
        """All objects of a class, by id."""
        found, after = {}, ""
        while True:
            parameters = {"class": class_name, "limit": self.PAGE_OBJECTS_MAX, "after": after}
            if vector:
                parameters["include"] = "vector"
            answer = self.client.get("/v1/objects", params=parameters)
            assert answer.status_code == 200, answer.text
            page = answer.json().get("objects") or []
            if not page:
                return found
            found |= {each["id"]: each for each in page}
            after = page[-1]["id"]

    def graphql(self, query):
        answer = self.client.post("/v1/graphql", json={"query": query}).json()
        assert not answer.get("errors"), answer["errors"]
        return answer["data"]


@dataclass
class Stores:
    """Where the stores are; kill, stop and start them by name."""

    admin_database_url: str
    redis_url: str
    neo4j_url: str
    weaviate_url: str
    embeddings_url: str
    run_dir: pathlib.Path
    _restarted: set = field(default_factory=set)

    @classmethod
    def from_environment(cls):
        def value(name):
            assert os.environ.get(name), f"{name} is not set: run scripts/test e2e"
            return os.environ[name]

        return cls(
            value("FOURFOLD_TEST_DATABASE_URL"), value("FOURFOLD_TEST_REDIS_URL"),
            value("FOURFOLD_TEST_NEO4J_URL"), value("FOURFOLD_TEST_WEAVIATE_URL"),
            os.environ.get("FOURFOLD_TEST_EMBEDDINGS_URL", ""),
            pathlib.Path(value("FOURFOLD_TEST_RUN_DIR")))

    def pid(self, name):
        """The pid of a running store, else None."""
        try:
            pid, birth = (self.run_dir / "pids" / name).read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if processes.birth(int(pid)) == birth else None

    def kill(self, name):
        """SIGKILL, as a crash would."""
        self._end(name, signal.SIGKILL)

    def stop(self, name):
        """The store's own orderly stop."""
        self._end(name, STOP_SIGNALS.get(name, signal.SIGTERM))

    def pause(self, name):
        os.kill(self.pid(name), signal.SIGSTOP)

    def resume(self, name):
        os.kill(self.pid(name), signal.SIGCONT)

    def start(self, name):
        """Starts a store that is down, as it was, and waits until it answers."""
        def answers():
            # A killed PostgreSQL refuses to start while children of its old self still end.
            self._start_if_down(name)
            return getattr(self, f"_{name}_answers")()

        wait_until(answers, START_SECONDS_MAX, message=f"{name} does not answer")

    def _start_if_down(self, name):
        if self.pid(name) is None:
            raw = (self.run_dir / "commands" / name).read_bytes().split(b"\0")[:-1]
            # The recorded command itself asks for the signal of the parent's death.
            process = processes.start(
                [part.decode() for part in raw], self.run_dir / "log" / f"{name}.log",
                preexec_fn=None)
            # start_new_session forks nothing, so this is the store's own pid.
            (self.run_dir / "pids" / name).write_text(
                f"{process.pid} {processes.birth(process.pid)}\n")
            self._restarted.add(name)

    def restart(self, name):
        self.stop(name)
        self.start(name)

    def start_all(self):
        for name in ("postgres", "redis", "neo4j", "weaviate"):
            self.start(name)

    def end(self):
        """Ends those that would end with this process anyhow, in order and before it."""
        for name in self._restarted:
            self.stop(name)

    def url_through(self, name, port, database_url):
        """The URL of a store through a proxy on this port of the loopback interface."""
        if name == "postgres":
            parts = psycopg.conninfo.conninfo_to_dict(database_url)
            return f"postgresql://{parts['user']}@127.0.0.1:{port}/{parts['dbname']}"
        return str(httpx.URL(getattr(self, f"{name}_url")).copy_with(port=port))

    def _end(self, name, signal_number):
        pid = self.pid(name)
        if pid is None:
            return
        os.kill(pid, signal_number)
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while self.pid(name) is not None:
            assert time.monotonic() < deadline, f"{name} does not stop"
            time.sleep(0.02)

    def _postgres_answers(self):
        with psycopg.connect(self.admin_database_url, connect_timeout=5) as link:
            return link.execute("SELECT 1").fetchone()

    def _redis_answers(self):
        return redis.Redis.from_url(self.redis_url).ping()

    def _neo4j_answers(self):
        return Cypher(self.neo4j_url)("RETURN 1 AS one")

    def _weaviate_answers(self):
        answer = httpx.get(f"{self.weaviate_url}/v1/.well-known/ready", timeout=5)
        return answer.status_code == 200
