-- What of a pack the live lane reads: views of messages, caches and configuration are checked like
-- those of the projections. And a row that a vector store gets a second time did not change, so it
-- must not be told a second time.

-- A configuration has no entity: its view is asked whole.
CREATE OR REPLACE FUNCTION fourfold.pack_projections(pack jsonb) RETURNS TABLE (
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
        FROM jsonb_each(pack -> 'vectors') AS n
        UNION ALL
        SELECT format('channels.%s.changes[%s]', c.key, m.n - 1), 'message', 'live', c.key,
            m.value ->> 'of', 'key',
            to_regclass(format('%I.%I', pack ->> 'schema', m.value ->> 'view'))
        FROM jsonb_each(pack -> 'channels') AS c
        CROSS JOIN LATERAL jsonb_array_elements(c.value -> 'changes')
            WITH ORDINALITY AS m(value, n)
        UNION ALL
        SELECT 'caches.' || n.key, 'cache', 'live', n.key, n.value ->> 'of', 'key',
            to_regclass(format('%I.%I', pack ->> 'schema', n.value ->> 'view'))
        FROM jsonb_each(pack -> 'caches') AS n
        UNION ALL
        SELECT 'configuration', 'configuration', 'live', 'configuration', NULL, 'name',
            to_regclass(format('%I.%I', pack ->> 'schema', pack #>> '{configuration,view}'))
        WHERE pack ? 'configuration') AS p
$$;

-- The columns that the view of a projection must have.
CREATE FUNCTION fourfold.projection_columns(kind text) RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN CASE kind
    WHEN 'node' THEN '{key,owner,properties}'::text[]
    WHEN 'edge' THEN '{key,anchor,type,from_key,to_key,owner,properties}'
    WHEN 'vector' THEN '{key,owner,properties,text}'
    WHEN 'message' THEN '{key,owner,message}'
    WHEN 'cache' THEN '{key,owner,value}'
    WHEN 'configuration' THEN '{name,value}' END;

-- Every mistake of a pack that only the database can see, all at once: where, and what.
CREATE OR REPLACE FUNCTION fourfold.pack_problems(pack jsonb)
RETURNS TABLE (place text, problem text)
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
        WHERE v.entity IS NOT NULL AND NOT EXISTS (
            SELECT FROM fourfold.pack_entities(pack) AS e WHERE e.entity = v.entity)
        UNION ALL
        SELECT format('the pack captures no entity %s', v.entity)
        WHERE v.kind = 'message' AND EXISTS (
            SELECT FROM fourfold.pack_entities(pack) AS e
            WHERE e.entity = v.entity AND NOT e.is_captured)
        UNION ALL
        SELECT 'its view does not exist' WHERE v.view IS NULL
        UNION ALL
        SELECT format('its view has no column %s', c)
        FROM unnest(fourfold.projection_columns(v.kind)) AS c
        WHERE v.view IS NOT NULL AND NOT EXISTS (
            SELECT FROM pg_attribute AS a
            WHERE a.attrelid = v.view AND a.attname = c AND a.attnum > 0)) AS p;

    RETURN QUERY
    SELECT 'configuration.on', format('the pack captures no entity %s', o)
    FROM jsonb_array_elements_text(pack #> '{configuration,on}') AS o
    WHERE NOT EXISTS (
        SELECT FROM fourfold.pack_entities(pack) AS e WHERE e.entity = o AND e.is_captured);

    RETURN QUERY
    SELECT v.place, fourfold.projection_problems(v.view, ARRAY(
        SELECT t.relid FROM fourfold.pack_entities(pack) AS e
        CROSS JOIN LATERAL pg_partition_tree(e.relation) AS t
        WHERE e.entity = ANY (reach.entities)
        UNION ALL
        SELECT e.relation FROM fourfold.pack_entities(pack) AS e
        WHERE e.entity = ANY (reach.entities)
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
            SELECT v.entity WHERE v.entity IS NOT NULL
            UNION ALL
            SELECT o FROM jsonb_array_elements(pack -> 'dirty') AS d
            CROSS JOIN LATERAL jsonb_array_elements_text(d -> 'on') AS o
            WHERE d ->> 'of' = v.entity
                AND (d -> 'lanes' IS NULL OR d -> 'lanes' ? v.lane)
            UNION ALL
            SELECT o FROM jsonb_array_elements_text(pack #> '{configuration,on}') AS o
            WHERE v.kind = 'configuration') AS entities) AS reach
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
        FROM jsonb_array_elements_text(entry.value -> 'on') AS o
        WHERE NOT EXISTS (
            SELECT FROM fourfold.pack_entities(pack) AS e
            WHERE e.entity = o AND e.is_captured);
        -- A cache can be of a view, which has no rows that could be captured.
        RETURN QUERY
        SELECT entry.place, format('the pack captures no entity %s', entry.value ->> 'of')
        WHERE NOT EXISTS (
            SELECT FROM fourfold.pack_entities(pack) AS e
            WHERE e.entity = entry.value ->> 'of'
                AND (e.is_captured OR NOT e.is_table AND entry.value -> 'lanes' = '["live"]'));
        BEGIN
            EXECUTE fourfold.dirty_sql(entry.value ->> 'keys') USING '[]'::jsonb;
        EXCEPTION WHEN OTHERS THEN
            RETURN QUERY SELECT entry.place, 'keys: ' || SQLERRM;
        END;
    END LOOP;
END $$;

COMMENT ON COLUMN fourfold.outbox.op IS
    'i inserted, u updated, d deleted, t truncated, r resynchronise, w did not change but is to be '
    'written again';

-- Carries out a plan that is due. Answers the number of keys that were made dirty; with more than
-- p_bound of them their entities are reconciled instead.
CREATE OR REPLACE FUNCTION fourfold.repeat_due(
    p_pack text, p_lane text, p_epoch bigint, p_bound int
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    since pg_snapshot;
    repeated bigint;
BEGIN
    SELECT l.repeat_from INTO since FROM fourfold.lanes AS l
    WHERE l.pack = p_pack AND l.lane = p_lane AND l.epoch = p_epoch AND NOT l.resync
        AND l.repeat_at <= clock_timestamp()
    FOR UPDATE;
    IF since IS NULL THEN
        RETURN 0;
    END IF;
    INSERT INTO fourfold.outbox (pack, entity, key, op)
    SELECT DISTINCT p_pack, o.entity, CASE WHEN o.is_within THEN o.key END,
        CASE WHEN o.is_within THEN 'w' ELSE 'r' END::"char"
    FROM (
        SELECT page.entity, page.key, count(*) OVER () < p_bound AS is_within
        FROM fourfold.outbox_page(p_pack, since, NULL, '0', 0, p_bound) AS page
        WHERE page.key IS NOT NULL) AS o;
    GET DIAGNOSTICS repeated = ROW_COUNT;
    UPDATE fourfold.lanes SET repeat_from = NULL, repeat_at = NULL
    WHERE pack = p_pack AND lane = p_lane AND epoch = p_epoch;
    RETURN repeated;
END $$;
