-- What the engine asks of a pack's document (pack.json, as jsonb) and of the catalog.

-- The entities of a pack with what the document leaves to the catalog filled in: the table is the
-- path with underscores, the key is the primary key, the owner is the pack's owner column where
-- the relation has it.
CREATE FUNCTION fourfold.pack_entities(pack jsonb) RETURNS TABLE (
    entity text, relation regclass, is_table boolean, key_column text, owner_column text,
    is_append_only boolean, is_read_only boolean, is_captured boolean, has_routes boolean,
    write_only text[], extra_columns text[]
)
LANGUAGE sql STABLE AS $$
    SELECT e.key, r.relation, r.is_table,
        coalesce(e.value ->> 'key', (
            SELECT a.attname FROM pg_index AS i
            JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
            WHERE i.indrelid = r.relation AND i.indisprimary AND i.indnkeyatts = 1)),
        (SELECT a.attname FROM pg_attribute AS a
         WHERE a.attrelid = r.relation AND a.attnum > 0 AND NOT a.attisdropped
            AND a.attname = coalesce(e.value ->> 'owner', pack #>> '{owner,column}')),
        coalesce((e.value ->> 'appendOnly')::boolean, false),
        coalesce((e.value ->> 'readOnly')::boolean, NOT r.is_table),
        coalesce((e.value ->> 'capture')::boolean, r.is_table),
        coalesce((e.value ->> 'routes')::boolean, true),
        ARRAY(SELECT jsonb_array_elements_text(e.value -> 'writeOnly')),
        ARRAY(
            SELECT DISTINCT c
            FROM jsonb_array_elements(pack -> 'dirty') AS d
            CROSS JOIN LATERAL jsonb_array_elements_text(d -> 'columns') AS c
            WHERE d -> 'on' ? e.key ORDER BY c)
    FROM jsonb_each(pack -> 'entities') AS e
    CROSS JOIN LATERAL (
        SELECT to_regclass(format('%I.%I', pack ->> 'schema', coalesce(
                e.value ->> 'table', e.value ->> 'view', replace(e.key, '-', '_')))) AS relation,
            e.value ->> 'view' IS NULL AS is_table) AS r
$$;

-- Installs the capture of every entity of a pack and removes that of entities it no longer has.
-- Answers the entities whose capture changed.
CREATE FUNCTION fourfold.install_pack(pack jsonb) RETURNS text[]
LANGUAGE sql AS $$
    WITH wanted AS (
        SELECT e.*, n.nspname, c.relname
        FROM fourfold.pack_entities(pack) AS e
        JOIN pg_class AS c ON c.oid = e.relation
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE e.is_captured
    ), removed AS (
        SELECT o.entity FROM fourfold.captures AS o
        WHERE o.pack = install_pack.pack ->> 'name'
            AND o.entity NOT IN (SELECT w.entity FROM wanted AS w)
            AND fourfold.remove_capture(o.pack, o.entity)
    ), installed AS (
        SELECT w.entity FROM wanted AS w
        WHERE fourfold.install_capture(
            install_pack.pack ->> 'name', w.entity, w.nspname, w.relname, w.key_column,
            w.owner_column, w.extra_columns, w.is_append_only)
    )
    SELECT coalesce(array_agg(entity ORDER BY entity), '{}')
    FROM (SELECT entity FROM removed UNION ALL SELECT entity FROM installed) AS changed
$$;

-- Node labels, edge sets and vector classes of a pack, as one list. key_type: what an array of
-- keys is cast to when the view is asked for them.
CREATE FUNCTION fourfold.pack_projections(pack jsonb) RETURNS TABLE (
    place text, kind text, lane text, name text, entity text, view regclass, key_column text,
    key_type text
)
LANGUAGE sql STABLE AS $$
    SELECT p.place, p.kind, p.lane, p.name, p.entity, p.view, p.key_column,
        (SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a
         WHERE a.attrelid = p.view AND a.attname = p.key_column AND a.attnum > 0)
    FROM (
        SELECT 'graph.nodes.' || n.key AS place, 'node' AS kind, 'graph' AS lane, n.key AS name,
            n.value ->> 'entity' AS entity, 'key' AS key_column,
            to_regclass(format('%I.%I', pack ->> 'schema', n.value ->> 'view')) AS view
        FROM jsonb_each(pack #> '{graph,nodes}') AS n
        UNION ALL
        SELECT 'graph.edges.' || n.key, 'edge', 'graph', n.key, n.value ->> 'anchor', 'anchor',
            to_regclass(format('%I.%I', pack ->> 'schema', n.value ->> 'view'))
        FROM jsonb_each(pack #> '{graph,edges}') AS n
        UNION ALL
        SELECT 'vectors.' || n.key, 'vector', 'vector', n.key, n.value ->> 'entity', 'key',
            to_regclass(format('%I.%I', pack ->> 'schema', n.value ->> 'view'))
        FROM jsonb_each(pack -> 'vectors') AS n) AS p
$$;

-- Outbox rows of one entity, [{"key","op","columns"}], as the relation `changed` of a dirty
-- query: one row for the columns as they were and one for the columns as they are.
CREATE FUNCTION fourfold.changed_rows(outbox_rows jsonb)
RETURNS TABLE (key text, op text, columns jsonb)
LANGUAGE sql IMMUTABLE AS $$
    SELECT DISTINCT c.key, c.op, s.columns
    FROM jsonb_to_recordset(outbox_rows) AS c(key text, op text, columns jsonb)
    CROSS JOIN LATERAL (VALUES (c.columns -> 'old'), (c.columns -> 'new')) AS s(columns)
    WHERE c.key IS NOT NULL
        AND (s.columns IS NOT NULL OR coalesce(jsonb_typeof(c.columns), 'null') = 'null')
$$;

-- The statement that answers the keys a dirty entry makes dirty; its one parameter is the jsonb
-- of changed_rows().
CREATE FUNCTION fourfold.dirty_sql(keys text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN format('WITH changed AS MATERIALIZED (SELECT * FROM fourfold.changed_rows($1::jsonb)) '
    || 'SELECT DISTINCT dirty.key::text FROM (%s) AS dirty(key) WHERE dirty.key IS NOT NULL', keys);

-- Everything that a view reads: itself, the views below it, and what the bodies of its functions
-- read, as far as the catalog knows them (SQL bodies written with RETURN or BEGIN ATOMIC).
CREATE FUNCTION fourfold.view_reads(p_view regclass)
RETURNS TABLE (class regclass, object oid, attribute int)
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE reads(class, object, attribute) AS (
        SELECT 'pg_class'::regclass, p_view::oid, 0
        UNION
        SELECT d.refclassid::regclass, d.refobjid, d.refobjsubid
        FROM reads AS r
        CROSS JOIN LATERAL (
            SELECT 'pg_rewrite'::regclass AS class, w.oid AS object
            FROM pg_rewrite AS w JOIN pg_class AS c ON c.oid = w.ev_class
            WHERE r.class = 'pg_class'::regclass AND w.ev_class = r.object
                AND c.relkind IN ('v', 'm')
            UNION ALL
            SELECT r.class, r.object WHERE r.class = 'pg_proc'::regclass) AS by
        JOIN pg_depend AS d ON d.classid = by.class AND d.objid = by.object
        WHERE d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass)
            AND d.refobjid <> r.object)
    SELECT * FROM reads
$$;

-- Functions that a view calls, its own and the bodies' of those it calls, builtin ones too (the
-- catalog records no dependency on those, so they are read from the parse trees).
CREATE FUNCTION fourfold.view_functions(p_view regclass) RETURNS TABLE (function oid)
LANGUAGE sql STABLE AS $$
    SELECT DISTINCT f[1]::oid
    FROM fourfold.view_reads(p_view) AS r
    CROSS JOIN LATERAL (
        SELECT w.ev_action::text FROM pg_rewrite AS w
        WHERE r.class = 'pg_class'::regclass AND w.ev_class = r.object
        UNION ALL
        SELECT p.prosqlbody::text FROM pg_proc AS p
        WHERE r.class = 'pg_proc'::regclass AND p.oid = r.object) AS tree(text)
    CROSS JOIN LATERAL regexp_matches(
        tree.text, ':(?:funcid|opfuncid|aggfnoid|winfnoid) ([0-9]+)', 'g') AS f
    UNION
    SELECT r.object FROM fourfold.view_reads(p_view) AS r WHERE r.class = 'pg_proc'::regclass
$$;

-- What is wrong with one projection view, given the tables whose changes reach it.
CREATE FUNCTION fourfold.projection_problems(p_view regclass, p_covered regclass[])
RETURNS SETOF text
LANGUAGE sql STABLE AS $$
    SELECT CASE c.relkind
        WHEN 'm' THEN format('reads the materialised view %s, which goes stale', c.oid::regclass)
        WHEN 'f' THEN format(
            'reads the foreign table %s, whose changes are not seen', c.oid::regclass)
        ELSE format('reads %s, but no dirty entry says which keys its changes touch',
            c.oid::regclass) END
    FROM (SELECT DISTINCT object FROM fourfold.view_reads(p_view)
          WHERE class = 'pg_class'::regclass) AS r
    JOIN pg_class AS c ON c.oid = r.object
    WHERE c.relkind IN ('m', 'f')
        OR c.relkind IN ('r', 'p') AND c.oid <> ALL (p_covered::oid[])
    UNION ALL
    SELECT CASE
        WHEN p.provolatile = 'v' THEN format('calls the volatile function %s', p.oid::regprocedure)
        WHEN p.pronamespace = 'pg_catalog'::regnamespace
            THEN format('calls %s, so it changes without a write', p.oid::regprocedure)
        ELSE format('calls %s, whose body the catalog does not know: '
            'write it with RETURN or BEGIN ATOMIC', p.oid::regprocedure) END
    FROM fourfold.view_functions(p_view) AS f
    JOIN pg_proc AS p ON p.oid = f.function
    WHERE p.provolatile = 'v'
        OR p.pronamespace = 'pg_catalog'::regnamespace AND p.proname IN (
            'now', 'transaction_timestamp', 'statement_timestamp', 'current_setting')
        OR p.pronamespace <> 'pg_catalog'::regnamespace AND p.provolatile = 's'
            AND p.prosqlbody IS NULL
    UNION ALL
    SELECT 'uses CURRENT_TIMESTAMP, CURRENT_USER or the like, so it changes without a write'
    FROM fourfold.view_reads(p_view) AS r
    JOIN pg_rewrite AS w ON r.class = 'pg_class'::regclass AND w.ev_class = r.object
    WHERE w.ev_action::text LIKE '%{SQLVALUEFUNCTION %'
$$;

-- Every mistake of a pack that only the database can see, all at once: where, and what.
CREATE FUNCTION fourfold.pack_problems(pack jsonb) RETURNS TABLE (place text, problem text)
LANGUAGE plpgsql AS $$
DECLARE
    entry record;
BEGIN
    RETURN QUERY
    SELECT 'entities.' || e.entity, p.text
    FROM fourfold.pack_entities(pack) AS e
    CROSS JOIN LATERAL (
        SELECT 'its table or view does not exist' AS text WHERE e.relation IS NULL
        UNION ALL
        SELECT 'it has no primary key of one column: say "key"'
        WHERE e.relation IS NOT NULL AND e.key_column IS NULL
        UNION ALL
        SELECT format('it has no column %s', c)
        FROM unnest(e.write_only || e.extra_columns || e.key_column) AS c
        WHERE e.relation IS NOT NULL AND c IS NOT NULL AND NOT EXISTS (
            SELECT FROM pg_attribute AS a WHERE a.attrelid = e.relation AND a.attname = c
                AND a.attnum > 0 AND NOT a.attisdropped)) AS p;

    RETURN QUERY
    SELECT v.place, p.text
    FROM fourfold.pack_projections(pack) AS v
    CROSS JOIN LATERAL (
        SELECT format('the pack has no entity %s', v.entity) AS text
        WHERE NOT EXISTS (
            SELECT FROM fourfold.pack_entities(pack) AS e WHERE e.entity = v.entity)
        UNION ALL
        SELECT 'its view does not exist' WHERE v.view IS NULL
        UNION ALL
        SELECT format('its view has no column %s', c)
        FROM unnest(CASE v.kind
            WHEN 'node' THEN '{key,owner,properties}'::text[]
            WHEN 'edge' THEN '{key,anchor,type,from_key,to_key,owner,properties}'
            ELSE '{key,owner,properties,text}' END) AS c
        WHERE v.view IS NOT NULL AND NOT EXISTS (
            SELECT FROM pg_attribute AS a
            WHERE a.attrelid = v.view AND a.attname = c AND a.attnum > 0)) AS p;

    RETURN QUERY
    SELECT v.place, fourfold.projection_problems(v.view, ARRAY(
        SELECT t.relid FROM fourfold.pack_entities(pack) AS e
        CROSS JOIN LATERAL pg_partition_tree(e.relation) AS t
        WHERE e.entity = v.entity OR e.entity = ANY (reach.entities)
        UNION ALL
        SELECT e.relation FROM fourfold.pack_entities(pack) AS e
        WHERE e.entity = v.entity OR e.entity = ANY (reach.entities)
        UNION ALL
        SELECT to_regclass(format('%I.%I', pack ->> 'schema', m.key))
        FROM jsonb_each(pack -> 'maintained') AS m
        WHERE m.value <@ to_jsonb(reach.entities)
        UNION ALL
        SELECT to_regclass(format('%I.%I', pack ->> 'schema', s))
        FROM jsonb_array_elements_text(pack -> 'static') AS s))
    FROM fourfold.pack_projections(pack) AS v
    CROSS JOIN LATERAL (
        SELECT ARRAY(
            SELECT o FROM jsonb_array_elements(pack -> 'dirty') AS d
            CROSS JOIN LATERAL jsonb_array_elements_text(d -> 'on') AS o
            WHERE d ->> 'of' = v.entity
                AND (d -> 'lanes' IS NULL OR d -> 'lanes' ? v.lane)) AS entities) AS reach
    WHERE v.view IS NOT NULL;

    RETURN QUERY
    SELECT DISTINCT v.place, format('shows the write-only column %s', a.attname)
    FROM fourfold.pack_projections(pack) AS v
    CROSS JOIN LATERAL fourfold.view_reads(v.view) AS r
    JOIN fourfold.pack_entities(pack) AS e ON e.relation = r.object
    JOIN pg_attribute AS a ON a.attrelid = r.object AND a.attnum = r.attribute
    WHERE r.class = 'pg_class'::regclass AND a.attname = ANY (e.write_only);

    FOR entry IN
        SELECT format('dirty[%s]', d.n - 1) AS place, d.value
        FROM jsonb_array_elements(pack -> 'dirty') WITH ORDINALITY AS d(value, n)
    LOOP
        RETURN QUERY
        SELECT entry.place, format('the pack captures no entity %s', o)
        FROM jsonb_array_elements_text(entry.value -> 'on' || (entry.value -> 'of')) AS o
        WHERE NOT EXISTS (
            SELECT FROM fourfold.pack_entities(pack) AS e
            WHERE e.entity = o AND e.is_captured);
        BEGIN
            EXECUTE fourfold.dirty_sql(entry.value ->> 'keys') USING '[]'::jsonb;
        EXCEPTION WHEN OTHERS THEN
            RETURN QUERY SELECT entry.place, 'keys: ' || SQLERRM;
        END;
    END LOOP;
END $$;
