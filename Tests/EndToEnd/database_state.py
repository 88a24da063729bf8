"""What a database holds, to see that nothing changed."""

OBJECTS = """
    SELECT md5(string_agg(o::text, ',' ORDER BY o::text)) FROM (
        SELECT c.oid, c.relname, c.relkind, c.relfilenode, c.relacl::text
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        UNION ALL
        SELECT p.oid, p.proname, 'p', 0, p.proacl::text
        FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema') AS o"""


def state(api, pack="dots"):
    """The pack's rows by table, and a digest of every object of the database."""
    tables = [row["name"] for row in api.sql(
        "SELECT format('%%I.%%I', schemaname, tablename) AS name FROM pg_tables"
        " WHERE schemaname = %s ORDER BY 1", [pack])]
    counts = {name: api.one(
        f"SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '')"
        f" FROM {name} AS t") for name in tables}
    return counts | {"objects": api.one(OBJECTS)}
