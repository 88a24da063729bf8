"""Many clients that write at once, and a ledger of what the database must hold afterwards."""

import random
import threading
import time
import uuid

import httpx

ATTEMPT_SECONDS_MAX = 10
# Else the backlog of a store that is away for long would take longer to write than to test.
PACE_SECONDS = 0.03
# A row counts as gone where it is not there.
GONE = None


class Storm:
    """Writers on some gateways. Each keeps to its own rows, so what must be there is known.

    An acknowledged write must be there. One that got no answer, or a 5xx, may be there whole or
    not at all: its row has two allowed states from then on, and is left alone.
    """

    def __init__(self, world, gateways, writer_count=4, seed=1):
        self.world, self.gateways = world, list(gateways)
        self.errors, self.acknowledged_count, self.unknown_count = [], 0, 0
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self.writers = [StormWriter(self, world.user(), random.Random(f"{seed}/{n}"))
                        for n in range(writer_count)]
        self._threads = [threading.Thread(target=each.run, daemon=True) for each in self.writers]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    @property
    def is_stopping(self):
        return self._stopping.is_set()

    def count(self, is_acknowledged):
        with self._lock:
            if is_acknowledged:
                self.acknowledged_count += 1
            else:
                self.unknown_count += 1

    def assert_kept(self):
        """Every acknowledged write is there, every other one whole or not at all."""
        assert not self.errors, self.errors[:5]
        problems = []
        for writer in self.writers:
            found = self.read(writer.user)
            for id, states in writer.rows.items():
                if found.get(id, GONE) not in states:
                    problems.append(f"{id}: {found.get(id, GONE)!r} is none of {states!r}")
            for id in found.keys() - writer.rows.keys():
                problems.append(f"{id} was never written")
            for group in writer.groups:
                there = sum(id in found for id in group)
                if there not in (0, len(group)):
                    problems.append(f"{there} of {len(group)} rows of one write are there")
        assert not problems, f"{len(problems)} problems\n" + "\n".join(problems[:8])

    def read(self, user):
        rows = self.world.psql(
            "SELECT concept_id::text AS id, name || '/' || coalesce(description, '') AS state"
            " FROM dots.concepts WHERE user_id = %(u)s UNION ALL"
            " SELECT tag_id::text, name || '/' FROM dots.tags WHERE user_id = %(u)s UNION ALL"
            " SELECT relationship_id::text, type || '/' || from_id || '/' || to_id"
            " FROM dots.relationships WHERE user_id = %(u)s", {"u": user})
        return {row["id"]: row["state"] for row in rows}


class StormWriter:
    def __init__(self, storm, user, random):
        self.storm, self.user, self.random = storm, user, random
        # id -> the states that are allowed; live: the ids that may still be written to.
        self.rows, self.live, self.groups = {}, [], []

    def run(self):
        steps = [self.create, self.create, self.create_many, self.change, self.change, self.replace,
                 self.batch, self.link, self.delete]
        try:
            with httpx.Client(timeout=ATTEMPT_SECONDS_MAX) as self.http:
                while not self.storm.is_stopping:
                    self.random.choice(steps)()
                    time.sleep(PACE_SECONDS)
        except Exception as error:
            self.storm.errors.append(repr(error))

    # Writes.

    def create(self):
        id, name = self.new_row()
        self.expect(self.send("POST", "/concepts", {
            "concept_id": id, "user_id": self.user, "name": name}), {id: f"{name}/"}, live=[id])

    def create_many(self):
        new = [self.new_row() for _ in range(5)]
        is_done = self.send("POST", "/concepts", [
            {"concept_id": id, "user_id": self.user, "name": name} for id, name in new])
        self.groups.append([id for id, _ in new] if not is_done else [])
        self.expect(is_done, {id: f"{name}/" for id, name in new})

    def change(self):
        id, name = self.pick()
        if id:
            text = f"text {self.random.random()}"
            self.expect(self.send("PATCH", f"/concepts/{id}", {"description": text}),
                        {id: f"{name}/{text}"})

    def replace(self):
        id, name = self.pick()
        if id:
            text = f"put {self.random.random()}"
            self.expect(self.send("PUT", f"/concepts/{id}", {
                "user_id": self.user, "name": name, "description": text}), {id: f"{name}/{text}"})

    def delete(self):
        id, _ = self.pick()
        if id:
            self.live.remove(id)
            self.expect(self.send("DELETE", f"/concepts/{id}"), {id: GONE})

    def batch(self):
        (concept, name), (tag, tag_name), (edge, _) = (self.new_row() for _ in range(3))
        is_done = self.send("POST", "/batch", {"operations": [
            {"op": "create", "entity": "concepts", "value": {
                "concept_id": concept, "user_id": self.user, "name": name}},
            {"op": "create", "entity": "tags", "value": {
                "tag_id": tag, "user_id": self.user, "name": tag_name}},
            {"op": "create", "entity": "relationships", "value": {
                "relationship_id": edge, "user_id": self.user, "type": "TAGGED_WITH",
                "from_entity": "concepts", "from_id": concept,
                "to_entity": "tags", "to_id": tag}}]})
        self.groups.append([] if is_done else [concept, tag, edge])
        self.expect(is_done, {concept: f"{name}/", tag: f"{tag_name}/",
                              edge: f"TAGGED_WITH/{concept}/{tag}"})

    def link(self):
        """Two new concepts and an edge, one request each; they are left alone afterwards."""
        ends = []
        for _ in range(2):
            id, name = self.new_row()
            is_done = self.send("POST", "/concepts", {
                "concept_id": id, "user_id": self.user, "name": name})
            self.expect(is_done, {id: f"{name}/"})
            if not is_done:
                return
            ends.append(id)
        edge, _ = self.new_row()
        self.expect(self.send("POST", "/relationships", {
            "relationship_id": edge, "user_id": self.user, "type": "RELATED_TO",
            "from_entity": "concepts", "from_id": ends[0], "to_entity": "concepts",
            "to_id": ends[1]}), {edge: f"RELATED_TO/{ends[0]}/{ends[1]}"})

    # The ledger.

    def new_row(self):
        id = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        return id, f"row {id[:13]}"

    def pick(self):
        """A row that may be written to, with its name; or nothing."""
        if not self.live:
            return None, None
        id = self.random.choice(self.live)
        [state] = self.rows[id]
        return id, state.split("/")[0]

    def send(self, method, path, body=None):
        """Whether the write was acknowledged."""
        gateway = self.random.choice(self.storm.gateways)
        try:
            answer = self.http.request(method, f"{gateway.url}/v1/dots{path}", json=body)
        except httpx.HTTPError:
            self.storm.count(False)
            return False
        if answer.status_code >= 500:
            self.storm.count(False)
            return False
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        self.storm.count(True)
        return True

    def expect(self, is_done, states, live=()):
        for id, state in states.items():
            before = self.rows.get(id, [GONE])
            self.rows[id] = [state] if is_done else [*before, state]
            if not is_done and id in self.live:
                self.live.remove(id)
        if is_done:
            self.live += live
