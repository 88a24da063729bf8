"""Do the stores hold what the projection views give? Reads all of them, past the gateway."""

import datetime
import functools
import hashlib
import json
import math
import pathlib
import re

from waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The lane's own; everything else of a node, edge or object is the view's.
NODE_MARKS = {"revision", "applied_at"}
EDGE_MARKS = {"revision", "applied_at"}
DIFFERENCES_SHOWN = 8
VECTOR_TOLERANCE = 1e-4


@functools.cache
def read_pack(name="dots"):
    return json.loads((ROOT / "schemas" / name / "pack.json").read_text(encoding="utf-8"))


def instant(text):
    """A moment as a store writes it, to the microsecond."""
    text = re.sub(r"\[.*\]$", "", text)
    match = re.fullmatch(r"(.*?)(\.\d+)?(Z|[+-]\d\d:?\d\d)", text)
    whole, fraction, zone = match.groups()
    moment = datetime.datetime.fromisoformat(whole + ("+00:00" if zone == "Z" else zone))
    return moment + datetime.timedelta(microseconds=round(float(fraction or 0) * 1_000_000))


class Oracle:
    """`cypher` and `weaviate` are None where the gateway has no such store."""

    def __init__(self, psql, cypher=None, weaviate=None, pack="dots"):
        self.psql, self.cypher, self.weaviate = psql, cypher, weaviate
        self.pack = read_pack(pack)
        self.name = pack

    # When there is nothing left to project, everything must be equal at once.

    def lanes(self):
        return ["vector"] + (["graph"] if self.cypher else [])

    def is_quiet(self, allow_parked=False):
        """Every lane has done what is visible, and nothing is parked."""
        for lane in self.lanes():
            rows = self.psql(
                "SELECT pending, resync, parked FROM fourfold.lane_status(%s, %s, 1)",
                (self.name, lane))
            if not rows or rows[0]["pending"] or rows[0]["resync"]:
                return False
            if rows[0]["parked"] and not allow_parked:
                return False
        return True

    def wait_quiet(self, deadline=90, **options):
        wait_until(lambda: self.is_quiet(**options), deadline, message="the lanes are not done")

    def describe_lanes(self):
        lines = self.psql(
            "SELECT l.*, l.expires_at - clock_timestamp() AS lease, s.pending, s.parked"
            " FROM fourfold.lanes AS l,"
            " fourfold.lane_status(l.pack, l.lane) AS s")
        lines += self.psql("SELECT lane, entity, key, error, attempts FROM fourfold.parked LIMIT 5")
        return "\n".join(str({name: str(value) for name, value in each.items()})
                         for each in lines)

    def position(self):
        """Moves with every captured write."""
        return self.psql("SELECT last_value, is_called FROM fourfold.outbox_position")[0]

    def assert_converged(self, deadline=90, **options):
        before = None
        try:
            self.wait_quiet(deadline, **options)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.describe_lanes()}") from None
        # A write whose client has given up may still arrive meanwhile.
        while self.position() != before:
            before = self.position()
            self.wait_quiet(deadline, **options)
            found = self.differences()
        shown = "\n".join(found[:DIFFERENCES_SHOWN])
        assert not found, f"{len(found)} differences between the views and the stores:\n{shown}"

    def differences(self):
        found = []
        if self.cypher:
            found += compare("node", self.expected_nodes(), self.graph_nodes())
            found += compare("edge", self.expected_edges(), self.graph_edges())
            found += self.foreign_marks()
        for name in self.pack["vectors"]:
            found += self.vector_differences(name)
        return found

    # The graph.

    def expected_nodes(self):
        nodes = {}
        for label, node in self.pack["graph"]["nodes"].items():
            for row in self.psql(
                    f'SELECT key::text, owner::text, properties FROM dots."{node["view"]}"'):
                properties = with_datetimes(row["properties"], node.get("datetime", []))
                for point, (longitude, latitude) in node.get("point", {}).items():
                    if longitude in properties and latitude in properties:
                        properties[point] = (properties[longitude], properties[latitude])
                properties["id"] = row["key"]
                if row["owner"]:
                    properties["user_id"] = row["owner"]
                nodes[row["key"]] = [{"labels": sorted([self.key_label, label]), **properties}]
        return nodes

    @property
    def key_label(self):
        return self.pack["graph"]["keyLabel"]

    def graph_nodes(self):
        nodes = {}
        for row in self.cypher(
                f"MATCH (n:{self.key_label}) RETURN n.id AS key, labels(n) AS labels,"
                " properties(n) AS properties, [k IN keys(n) | [k, valueType(n[k])]] AS types"):
            properties = from_graph(row["properties"], row["types"], NODE_MARKS)
            nodes.setdefault(row["key"], []).append(
                {"labels": sorted(row["labels"]), **properties})
        return nodes

    def expected_edges(self):
        edges = {}
        for name, edge_set in self.pack["graph"]["edges"].items():
            for row in self.psql(
                    "SELECT key::text, anchor::text, type, from_key::text, to_key::text,"
                    f' owner::text, properties FROM dots."{edge_set["view"]}"'):
                properties = with_datetimes(row["properties"], edge_set.get("datetime", []))
                properties |= {
                    "id": row["key"], "anchor": row["anchor"],
                    "edge_set": f"{self.name}/{name}"}
                if row["owner"]:
                    properties["user_id"] = row["owner"]
                edges[f"{name}/{row['key']}"] = [
                    {"type": row["type"], "from": row["from_key"], "to": row["to_key"],
                     **properties}]
        return edges

    def graph_edges(self):
        edges = {}
        for row in self.cypher(
                "MATCH (a)-[r]->(b) WHERE r.edge_set IS NOT NULL"
                " RETURN type(r) AS type, a.id AS from, b.id AS to, properties(r) AS properties,"
                " [k IN keys(r) | [k, valueType(r[k])]] AS types"):
            properties = from_graph(row["properties"], row["types"], EDGE_MARKS)
            edge = {"type": row["type"], "from": row["from"], "to": row["to"], **properties}
            key = f"{properties['edge_set'].split('/', 1)[1]}/{properties['id']}"
            edges.setdefault(key, []).append(edge)
        return edges

    def foreign_marks(self):
        """A property of the lock that was left behind."""
        left = self.cypher("MATCH (n) WHERE n._lock IS NOT NULL RETURN count(n) AS n")[0]["n"]
        return [f"{left} nodes keep the property _lock"] if left else []

    # Vectors.

    def vector_differences(self, class_name):
        view = self.pack["vectors"][class_name]["view"]
        rows = {row["key"]: row for row in self.psql(
            f'SELECT key::text, owner::text, properties, text FROM dots."{view}"')}
        kept = {row["key"]: row for row in self.psql(
            "SELECT key, owner, encode(text_hash, 'hex') AS hash, embedding"
            " FROM fourfold.entity_vectors WHERE pack = %s AND class = %s",
            (self.name, class_name))}
        expected_kept = {
            key: [{"owner": row["owner"],
                   "hash": hashlib.sha256((row["text"] or "").encode()).hexdigest()}]
            for key, row in rows.items()}
        found = compare(f"kept vector of {class_name}", expected_kept, {
            key: [{"owner": row["owner"], "hash": row["hash"]}] for key, row in kept.items()})
        if self.weaviate is None:
            return found
        found += compare(f"object of {class_name}", {
            key: [normal_object(row["properties"])] for key, row in rows.items()
        }, {key: [normal_object(each["properties"])]
            for key, each in self.weaviate_objects(class_name).items()})
        for key, each in self.weaviate_objects(class_name).items():
            if key in kept and not same_vector(kept[key]["embedding"], each.get("vector")):
                found.append(f"vector of {class_name} {key} differs")
        return found

    def weaviate_objects(self, class_name):
        if class_name not in self.weaviate.classes():
            return {}
        return self.weaviate.objects(class_name, vector=True)


def compare(kind, expected, found):
    """One line for each key that is missing, extra or different."""
    lines = [f"{kind} {key} is missing" for key in expected.keys() - found.keys()]
    lines += [f"{kind} {key} is extra" for key in found.keys() - expected.keys()]
    for key in expected.keys() & found.keys():
        if expected[key] == found[key]:
            continue
        if len(found[key]) != 1:
            lines.append(f"{kind} {key} is there {len(found[key])} times")
            continue
        want, have = expected[key][0], found[key][0]
        parts = [f"{name}: {want.get(name)!r} but {have.get(name)!r}"
                 for name in sorted(want.keys() | have.keys())
                 if want.get(name) != have.get(name)]
        lines.append(f"{kind} {key} differs in {'; '.join(parts)}")
    return sorted(lines)


def with_datetimes(properties, names):
    return {name: instant(value) if name in names else value
            for name, value in properties.items()}


def from_graph(properties, types, marks):
    """Properties as the view would give them, moments and points by the type they really have."""
    types = dict(types)
    converted = {}
    for name, value in properties.items():
        if name in marks:
            assert name != "revision" or isinstance(value, int), f"revision is {value!r}"
            continue
        kind = types[name]
        if kind.startswith("ZONED DATETIME"):
            value = instant(value)
        elif kind.startswith("POINT"):
            value = tuple(float(part) for part in re.findall(r"-?[\d.]+(?:E-?\d+)?",
                                                             value.split("(", 1)[1]))
        converted[name] = value
    return converted


def normal_object(properties):
    """An object's properties without the revision; moments as moments, no empty lists."""
    normal = {}
    for name, value in properties.items():
        if name == "revision" or value is None or value == []:
            continue
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)",
                                                   value):
            value = instant(value)
        normal[name] = value
    return normal


def same_vector(kept, stored):
    if not any(kept):
        return not stored
    if not stored or len(kept) != len(stored):
        return False
    return all(math.isclose(a, b, abs_tol=VECTOR_TOLERANCE) for a, b in zip(kept, stored))
