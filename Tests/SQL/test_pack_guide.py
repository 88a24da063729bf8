"""The example of docs/PACKS.md, as it stands there."""

import json
import re

import psycopg
from conftest import ROOT, Lane, column, one

GUIDE = (ROOT / "docs" / "PACKS.md").read_text()
SQL = re.findall(r"```sql\n(.*?)```", GUIDE, re.S)
MANIFEST, WEAVIATE_CLASS = re.findall(r"```json\n(.*?)```", GUIDE, re.S)


def test_a_sixth_domain(db):
    for script in SQL:
        with db.transaction():
            db.execute(script)
    assert (
        db.execute("SELECT * FROM fourfold.pack_problems(%s::jsonb)", [MANIFEST]).fetchall() == []
    )
    installed = one(db, "SELECT fourfold.install_pack(%s::jsonb)", [MANIFEST])
    assert installed == ["beds", "gardeners", "plants", "waterings"]

    lane = Lane(db, pack="garden")
    me = one(db, "INSERT INTO garden.gardeners (name) VALUES ('Ada') RETURNING gardener_id")
    bed = one(
        db,
        "INSERT INTO garden.beds (gardener_id, name) VALUES (%s, 'south') RETURNING bed_id",
        [me],
    )
    plant = one(
        db,
        "INSERT INTO garden.plants (gardener_id, bed_id, name) VALUES (%s, %s, 'fig')"
        " RETURNING plant_id",
        [me, bed],
    )
    lane.drain()
    db.execute(
        "INSERT INTO garden.waterings (gardener_id, plant_id, litres) VALUES (%s, %s, 2)",
        [me, plant],
    )
    (row,) = lane.page()
    rows = json.dumps([{"key": row[4], "op": row[5], "columns": row[6]}])
    rule = json.loads(MANIFEST)["dirty"][0]
    dirty = psycopg.RawCursor(db).execute(
        one(db, "SELECT fourfold.dirty_sql(%s)", [rule["keys"]]), [rows]
    )
    assert dirty.fetchall() == [(str(plant),)]
    assert column(db, "SELECT properties ->> 'litres' FROM garden.node_plant") == ["2"]
    assert column(db, "SELECT to_key FROM garden.edge_grows_in") == [bed]

    names = {p["name"] for p in json.loads(WEAVIATE_CLASS)["properties"]}
    shown = one(db, "SELECT properties FROM garden.vector_plant")
    assert set(shown) | {"revision", "notes"} == names
