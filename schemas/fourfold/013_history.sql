-- Writes of states that have a history. Redis keeps them in a stream until they are here; the
-- cursor moves in the transaction that inserts them, so that each is here once, whatever breaks.

CREATE TABLE fourfold.history_cursors (
    pack text NOT NULL,
    state text NOT NULL,
    redis_identity text NOT NULL,
    last_id text NOT NULL DEFAULT '0-0',
    moved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pack, state, redis_identity)
);
COMMENT ON TABLE fourfold.history_cursors IS
    'The last entry of each stream of writes that PostgreSQL has; a Redis that lost its data is another one';

CREATE TABLE fourfold.state_marks (
    pack text NOT NULL,
    state text NOT NULL,
    row_id text NOT NULL,
    written_at timestamptz NOT NULL,
    members text[],
    PRIMARY KEY (pack, state, row_id)
);
COMMENT ON TABLE fourfold.state_marks IS
    'The last write of each state with a history, for restoring it exactly';
COMMENT ON COLUMN fourfold.state_marks.members IS
    'Those that were written, for columns also hold defaults; null: it was deleted';

CREATE TABLE fourfold.history_refused (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pack text NOT NULL,
    state text NOT NULL,
    stream_id text NOT NULL,
    row_id text NOT NULL,
    value jsonb,
    error_code text NOT NULL,
    refused_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE fourfold.history_refused IS
    'Writes that PostgreSQL does not take, e.g. of a user that does not exist; error_code is its SQLSTATE';

-- Whether an error is the row's own fault, so that waiting would not cure it.
CREATE FUNCTION fourfold.is_row_refusal(state text) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN left(state, 2) IN ('22', '23') OR left(state, 3) = 'FF4' OR state IN ('P0001', '21000');

-- The time of a stream's entry: its milliseconds, and its place among those of the same one as
-- microseconds.
CREATE FUNCTION fourfold.stream_time(stream_id text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE
RETURN timestamptz 'epoch' + interval '1 millisecond' * split_part(stream_id, '-', 1)::bigint
    + interval '1 microsecond' * split_part(stream_id, '-', 2)::bigint;

-- Takes entries of a stream over: p_rows is [{"i": stream id, "r": row id, "v": value}]; without
-- "v" the state was deleted; "x" says that the value is no JSON. p_insert inserts such rows.
-- Answers how many rows were refused, or -1 if another process has taken the entries over.
CREATE FUNCTION fourfold.drain_history(
    p_pack text, p_state text, p_identity text, p_last text, p_next text, p_insert text,
    p_rows jsonb
) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    writes jsonb;
    entry jsonb;
    refused_ids text[] := '{}';
BEGIN
    UPDATE fourfold.history_cursors AS c SET last_id = p_next, moved_at = now()
    WHERE c.pack = p_pack AND c.state = p_state AND c.redis_identity = p_identity
        AND c.last_id = p_last;
    IF NOT FOUND THEN
        RETURN -1;
    END IF;
    writes := (
        SELECT coalesce(jsonb_agg(e.value ORDER BY e.n), '[]')
        FROM jsonb_array_elements(p_rows) WITH ORDINALITY AS e(value, n)
        WHERE e.value ? 'v');
    BEGIN
        EXECUTE p_insert USING writes;
    EXCEPTION WHEN OTHERS THEN
        IF NOT fourfold.is_row_refusal(SQLSTATE) THEN
            RAISE;
        END IF;
        FOR entry IN SELECT * FROM jsonb_array_elements(writes) LOOP
            BEGIN
                EXECUTE p_insert USING jsonb_build_array(entry);
            EXCEPTION WHEN OTHERS THEN
                IF NOT fourfold.is_row_refusal(SQLSTATE) THEN
                    RAISE;
                END IF;
                refused_ids := refused_ids || (entry ->> 'i');
                INSERT INTO fourfold.history_refused
                    (pack, state, stream_id, row_id, value, error_code)
                VALUES (p_pack, p_state, entry ->> 'i', entry ->> 'r', entry -> 'v', SQLSTATE);
            END;
        END LOOP;
    END;
    INSERT INTO fourfold.history_refused (pack, state, stream_id, row_id, error_code)
    SELECT p_pack, p_state, e ->> 'i', e ->> 'r', '22P02'
    FROM jsonb_array_elements(p_rows) AS e WHERE e ? 'x';
    INSERT INTO fourfold.state_marks AS m (pack, state, row_id, written_at, members)
    SELECT DISTINCT ON (e.value ->> 'r') p_pack, p_state, e.value ->> 'r',
        fourfold.stream_time(e.value ->> 'i'),
        CASE WHEN e.value ? 'v'
            THEN ARRAY(SELECT jsonb_object_keys(e.value -> 'v')) END
    FROM jsonb_array_elements(p_rows) WITH ORDINALITY AS e(value, n)
    WHERE NOT e.value ? 'x' AND e.value ->> 'i' <> ALL (refused_ids)
    ORDER BY e.value ->> 'r', e.n DESC
    ON CONFLICT (pack, state, row_id) DO UPDATE
    SET written_at = EXCLUDED.written_at, members = EXCLUDED.members
    WHERE m.written_at <= EXCLUDED.written_at;
    RETURN cardinality(refused_ids)
        + (SELECT count(*) FROM jsonb_array_elements(p_rows) AS e WHERE e ? 'x');
END $$;
