-- Capture: generated statement-level triggers that write the outbox in the writer's transaction.

CREATE TABLE fourfold.captures (
    pack text NOT NULL,
    entity text NOT NULL,
    relation regclass NOT NULL,
    key_column text NOT NULL,
    owner_column text,
    extra_columns text[] NOT NULL,
    append_only boolean NOT NULL,
    definition text NOT NULL,
    PRIMARY KEY (pack, entity)
);

CREATE FUNCTION fourfold.refuse_owner_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'FF420', MESSAGE = 'the owner of a row cannot change',
        SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = TG_ARGV[0];
END $$;

-- A helper for packs: CREATE TRIGGER … BEFORE UPDATE … WHEN (OLD.* IS DISTINCT FROM NEW.*).
CREATE FUNCTION fourfold.touch_updated_at() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END $$;

-- The name of a generated function: readable, and unique although names end at 63 bytes.
CREATE FUNCTION fourfold.generated_name(prefix text, pack text, entity text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN left(format('%s_%s_%s', prefix, pack, replace(entity, '-', '_')), 50)
    || CASE WHEN length(prefix || pack || entity) > 48
            THEN '_' || left(md5(pack || '/' || entity), 8) ELSE '' END;

-- jsonb_build_object('a', n.a, …), or NULL where nothing is asked for.
CREATE FUNCTION fourfold.extra_columns_sql(alias text, columns text[]) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN coalesce((
    SELECT 'jsonb_build_object('
        || string_agg(format('%L, %s.%I', c, alias, c), ', ' ORDER BY c) || ')'
    FROM unnest(columns) AS c), 'NULL::jsonb');

-- The function that the triggers of one table run. Everything in it is qualified or in pg_catalog.
CREATE FUNCTION fourfold.capture_function_sql(
    name text, pack text, entity text, key_column text, owner_column text, extra text[]
) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    target constant text :=
        'INSERT INTO fourfold.outbox (pack, entity, key, op, columns, owner, trace)';
    traced constant text := $q$nullif(current_setting('fourfold.trace', true), '')$q$;
    has_extra constant boolean := cardinality(extra) > 0;
    new_columns text := 'NULL::jsonb';
    old_columns text := 'NULL::jsonb';
    both_columns text := 'NULL::jsonb';
    new_owner text := 'NULL::text';
    old_owner text := 'NULL::text';
BEGIN
    IF has_extra THEN
        new_columns := format('jsonb_build_object(''new'', %s)',
            fourfold.extra_columns_sql('new_rows', extra));
        old_columns := format('jsonb_build_object(''old'', %s)',
            fourfold.extra_columns_sql('old_rows', extra));
        -- On one side only where the key changed: that row left, or came.
        both_columns := format(
            'CASE WHEN old_rows.%1$I IS NULL THEN %2$s WHEN new_rows.%1$I IS NULL THEN %3$s '
            'ELSE %3$s || %2$s END',
            key_column, new_columns, old_columns);
    END IF;
    IF owner_column IS NOT NULL THEN
        new_owner := format('new_rows.%I::text', owner_column);
        old_owner := format('old_rows.%I::text', owner_column);
    END IF;
    RETURN format($f$
CREATE OR REPLACE FUNCTION fourfold.%1$I() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $capture$
BEGIN
    IF TG_OP = 'INSERT' THEN
        %2$s
        SELECT %3$L, %4$L, new_rows.%5$I::text, 'i', %6$s, %9$s, %11$s
        FROM new_rows;
    ELSIF TG_OP = 'UPDATE' THEN
        %2$s
        SELECT %3$L, %4$L, coalesce(new_rows.%5$I::text, old_rows.%5$I::text),
            CASE WHEN old_rows.%5$I IS NULL THEN 'i' WHEN new_rows.%5$I IS NULL THEN 'd'
                ELSE 'u' END::"char",
            %8$s, coalesce(%9$s, %10$s), %11$s
        FROM old_rows FULL JOIN new_rows ON old_rows.%5$I::text = new_rows.%5$I::text
        WHERE old_rows.%5$I IS NULL OR new_rows.%5$I IS NULL OR old_rows *<> new_rows;
    ELSIF TG_OP = 'DELETE' THEN
        %2$s
        SELECT %3$L, %4$L, old_rows.%5$I::text, 'd', %7$s, %10$s, %11$s
        FROM old_rows;
    ELSE
        %2$s
        VALUES (%3$L, %4$L, NULL, 't', NULL, NULL, %11$s);
    END IF;
    RETURN NULL;
END $capture$;
$f$, name, target, pack, entity, key_column, new_columns, old_columns, both_columns,
        new_owner, old_owner, traced);
END $$;

-- The function that keeps an append-only table so. Two changes pass, both only from within a
-- trigger: a cascade whose parent row is gone, and ON DELETE SET NULL of a reference.
CREATE FUNCTION fourfold.append_only_function_sql(name text, relation regclass) RETURNS text
LANGUAGE sql STABLE AS $$
    WITH links AS (
        SELECT c.oid, c.confdeltype, c.confrelid::regclass::text AS parent,
            n.nspname AS parent_schema, p.relname AS parent_name,
            string_agg(format('parent.%I = OLD.%I', pa.attname, ca.attname), ' AND ') AS same_row
        FROM pg_constraint AS c
        JOIN pg_class AS p ON p.oid = c.confrelid
        JOIN pg_namespace AS n ON n.oid = p.relnamespace
        CROSS JOIN LATERAL unnest(c.conkey, c.confkey) AS k(child, parent)
        JOIN pg_attribute AS ca ON ca.attrelid = c.conrelid AND ca.attnum = k.child
        JOIN pg_attribute AS pa ON pa.attrelid = c.confrelid AND pa.attnum = k.parent
        WHERE c.conrelid = relation AND c.contype = 'f'
        GROUP BY c.oid, c.confdeltype, c.confrelid, n.nspname, p.relname
    ), nullable AS (
        SELECT DISTINCT a.attname
        FROM pg_constraint AS c
        CROSS JOIN LATERAL unnest(coalesce(c.confdelsetcols, c.conkey)) AS k(child)
        JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.child
        WHERE c.conrelid = relation AND c.contype = 'f' AND c.confdeltype = 'n'
    )
    SELECT format($f$
CREATE OR REPLACE FUNCTION fourfold.%I() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $guard$
BEGIN
    IF pg_trigger_depth() > 1 THEN
        IF TG_OP = 'DELETE' AND (%s) THEN
            RETURN OLD;
        ELSIF TG_OP = 'UPDATE' AND %s THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'FF405', MESSAGE = 'the table is append-only',
        SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
END $guard$;
$f$, name,
        coalesce((SELECT string_agg(format(
            'NOT EXISTS (SELECT FROM %I.%I AS parent WHERE %s)',
            parent_schema, parent_name, same_row), ' OR ' ORDER BY oid)
            FROM links WHERE confdeltype = 'c'), 'false'),
        coalesce((SELECT string_agg(format('NEW.%I IS NULL', attname), ' AND ' ORDER BY attname)
            || format(' AND to_jsonb(NEW) - %1$L::text[] = to_jsonb(OLD) - %1$L::text[]',
                array_agg(attname ORDER BY attname)::text)
            FROM nullable), 'false'))
$$;

-- The triggers of one relation (a table, or one partition of it), as one string of statements.
CREATE FUNCTION fourfold.capture_triggers_sql(name text, relation regclass) RETURNS text
LANGUAGE sql STABLE
RETURN format($f$
CREATE OR REPLACE TRIGGER fourfold_capture_insert AFTER INSERT ON %1$s
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION fourfold.%2$I();
CREATE OR REPLACE TRIGGER fourfold_capture_update AFTER UPDATE ON %1$s
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION fourfold.%2$I();
CREATE OR REPLACE TRIGGER fourfold_capture_delete AFTER DELETE ON %1$s
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION fourfold.%2$I();
CREATE OR REPLACE TRIGGER fourfold_capture_truncate BEFORE TRUNCATE ON %1$s
    FOR EACH STATEMENT EXECUTE FUNCTION fourfold.%2$I();
$f$, relation, name);

-- Takes the triggers and functions of one entity away.
CREATE FUNCTION fourfold.remove_capture(p_pack text, p_entity text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    generated text;
BEGIN
    FOREACH generated IN ARRAY ARRAY[
        fourfold.generated_name('capture', p_pack, p_entity),
        fourfold.generated_name('append_only', p_pack, p_entity)]
    LOOP
        EXECUTE format('DROP FUNCTION IF EXISTS fourfold.%I() CASCADE', generated);
    END LOOP;
    DELETE FROM fourfold.captures AS c WHERE c.pack = p_pack AND c.entity = p_entity;
    RETURN FOUND;
END $$;

-- Captures the changes of one table for one entity: outbox triggers, an owner that cannot change,
-- and the append-only guard. Run again at each migrate: a table whose capture is as it should be
-- is not locked (the fixed search_path makes names print alike for every caller). Answers whether
-- something changed; then a marker makes the lanes resynchronise the entity, because of rows that
-- were there already, or that were written while a trigger was missing.
CREATE FUNCTION fourfold.install_capture(
    p_pack text, p_entity text, p_schema text, p_table text, p_key_column text,
    p_owner_column text DEFAULT NULL, p_extra_columns text[] DEFAULT '{}',
    p_append_only boolean DEFAULT false
) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source constant regclass := to_regclass(format('%I.%I', p_schema, p_table));
    capture_name constant text := fourfold.generated_name('capture', p_pack, p_entity);
    guard_name constant text := fourfold.generated_name('append_only', p_pack, p_entity);
    extra constant text[] := coalesce(p_extra_columns, '{}');
    wanted_triggers int := 4;
    leaf regclass;
    leaves regclass[];
    missing text;
    statements text;
BEGIN
    IF source IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'FF500',
            MESSAGE = format('table %I.%I does not exist', p_schema, p_table);
    END IF;
    SELECT string_agg(c, ', ') INTO missing
    FROM unnest(ARRAY[p_key_column, p_owner_column] || extra) AS c
    WHERE c IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_attribute AS a
        WHERE a.attrelid = source AND a.attname = c AND a.attnum > 0 AND NOT a.attisdropped);
    IF missing IS NOT NULL OR p_key_column IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'FF500',
            MESSAGE = format('table %s has no column %s', source, coalesce(missing, '(key)'));
    END IF;

    SELECT array_agg(t.relid ORDER BY t.level, t.relid) INTO leaves
    FROM pg_partition_tree(source) AS t;
    leaves := coalesce(leaves, ARRAY[source]);
    statements := fourfold.capture_function_sql(
        capture_name, p_pack, p_entity, p_key_column, p_owner_column, extra);
    FOREACH leaf IN ARRAY leaves LOOP
        statements := statements || fourfold.capture_triggers_sql(capture_name, leaf);
    END LOOP;
    wanted_triggers := wanted_triggers * cardinality(leaves);
    IF p_owner_column IS NOT NULL THEN
        statements := statements || format($f$
CREATE OR REPLACE TRIGGER fourfold_owner BEFORE UPDATE OF %1$I ON %2$s FOR EACH ROW
    WHEN (OLD.%1$I IS DISTINCT FROM NEW.%1$I)
    EXECUTE FUNCTION fourfold.refuse_owner_change(%1$L);
$f$, p_owner_column, source);
    END IF;
    IF p_append_only THEN
        statements := statements || fourfold.append_only_function_sql(guard_name, source)
            || format($f$
CREATE OR REPLACE TRIGGER fourfold_append_only BEFORE UPDATE OR DELETE ON %s
    FOR EACH ROW EXECUTE FUNCTION fourfold.%I();
$f$, source, guard_name);
    END IF;

    IF EXISTS (SELECT FROM fourfold.captures AS c
               WHERE c.pack = p_pack AND c.entity = p_entity AND c.relation = source
                 AND c.definition = md5(statements))
        AND wanted_triggers = (
            SELECT count(*) FROM pg_trigger AS t JOIN pg_proc AS f ON f.oid = t.tgfoid
            WHERE t.tgrelid = ANY (leaves::oid[]) AND f.proname = capture_name
              AND f.pronamespace = 'fourfold'::regnamespace AND t.tgenabled <> 'D')
    THEN
        RETURN false;
    END IF;

    PERFORM fourfold.remove_capture(p_pack, p_entity)
    WHERE EXISTS (SELECT FROM fourfold.captures AS c
                  WHERE c.pack = p_pack AND c.entity = p_entity
                    AND (c.relation <> source
                         OR c.append_only AND NOT p_append_only));
    EXECUTE statements;
    INSERT INTO fourfold.captures AS c VALUES (
        p_pack, p_entity, source, p_key_column, p_owner_column, extra, p_append_only,
        md5(statements))
    ON CONFLICT (pack, entity) DO UPDATE SET
        relation = EXCLUDED.relation, key_column = EXCLUDED.key_column,
        owner_column = EXCLUDED.owner_column, extra_columns = EXCLUDED.extra_columns,
        append_only = EXCLUDED.append_only, definition = EXCLUDED.definition;
    INSERT INTO fourfold.outbox (pack, entity, op) VALUES (p_pack, p_entity, 'r');
    RETURN true;
END $$;
