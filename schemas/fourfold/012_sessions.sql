-- Sessions: the rows are the truth, Redis holds a copy of each. What the copies may have missed is
-- noted here and made right by the process that keeps house.

CREATE TABLE fourfold.session_repairs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pack text NOT NULL,
    owner text NOT NULL,
    session text NOT NULL
);
CREATE INDEX session_repairs_of_pack ON fourfold.session_repairs (pack, id);
COMMENT ON TABLE fourfold.session_repairs IS
    'Sessions whose copy in Redis may differ from the row: it is made what the row is';

-- Arguments: pack, key column, owner column. However a row ends (a revocation, a cascade, an expiry,
-- SQL by hand), the same transaction notes it.
CREATE FUNCTION fourfold.note_ended_sessions() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(
        'INSERT INTO fourfold.session_repairs (pack, owner, session) '
        'SELECT $1, e.%I::text, e.%I::text FROM ended AS e WHERE e.%1$I IS NOT NULL',
        TG_ARGV[2], TG_ARGV[1])
    USING TG_ARGV[0];
    RETURN NULL;
END $$;

-- Puts the trigger onto the session table of a pack, if it is not there, and takes it off tables
-- that are no longer it.
CREATE FUNCTION fourfold.install_sessions(pack jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    wanted record;
    present record;
    is_present boolean := false;
BEGIN
    SELECT e.relation, e.key_column, e.owner_column INTO wanted
    FROM fourfold.pack_entities(pack) AS e
    WHERE e.entity = pack #>> '{sessions,entity}' AND e.relation IS NOT NULL;
    FOR present IN
        SELECT t.tgrelid::regclass AS relation, t.tgargs
        FROM pg_trigger AS t
        JOIN pg_class AS c ON c.oid = t.tgrelid
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE t.tgname = 'fourfold_sessions_ended' AND n.nspname = pack ->> 'schema'
    LOOP
        IF present.relation = wanted.relation AND encode(present.tgargs, 'escape') = format(
            '%s\000%s\000%s\000', pack ->> 'name', wanted.key_column, wanted.owner_column) THEN
            is_present := true;
        ELSE
            EXECUTE format('DROP TRIGGER fourfold_sessions_ended ON %s', present.relation);
        END IF;
    END LOOP;
    IF wanted.relation IS NOT NULL AND NOT is_present THEN
        EXECUTE format(
            'CREATE TRIGGER fourfold_sessions_ended AFTER DELETE ON %s '
            'REFERENCING OLD TABLE AS ended FOR EACH STATEMENT '
            'EXECUTE FUNCTION fourfold.note_ended_sessions(%L, %L, %L)',
            wanted.relation, pack ->> 'name', wanted.key_column, wanted.owner_column);
    END IF;
END $$;
