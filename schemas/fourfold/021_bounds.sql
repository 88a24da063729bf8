-- Tables that only tell what happened keep the newest rows: callers must not be able to fill them.

CREATE INDEX history_refused_by_state ON fourfold.history_refused (pack, state, id);

-- Takes entries of a stream over: p_rows is [{"i": stream id, "r": row id, "v": value}]; without
-- "v" the state was deleted; "x" says that the value is no JSON. p_insert inserts such rows.
-- Answers how many rows were refused, or -1 if another process has taken the entries over. Of the
-- refused rows of a state the newest 10,000 stay.
CREATE OR REPLACE FUNCTION fourfold.drain_history(
    p_pack text, p_state text, p_identity text, p_last text, p_next text, p_insert text,
    p_rows jsonb
) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    refused_max constant int := 10000;
    writes jsonb;
    entry jsonb;
    refused_ids text[] := '{}';
    refused_count int;
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
    GET DIAGNOSTICS refused_count = ROW_COUNT;
    refused_count := refused_count + cardinality(refused_ids);
    IF refused_count > 0 THEN
        DELETE FROM fourfold.history_refused AS r
        WHERE r.pack = p_pack AND r.state = p_state AND r.id <= (
            SELECT k.id FROM fourfold.history_refused AS k
            WHERE k.pack = p_pack AND k.state = p_state
            ORDER BY k.id DESC OFFSET refused_max LIMIT 1);
    END IF;
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
    RETURN refused_count;
END $$;

-- Notes an export of connection counts and answers when it was; the newest 1,000 of a pack stay.
CREATE FUNCTION fourfold.record_export(
    p_pack text, watermark bigint, nodes bigint, edges bigint, changed bigint, unknown bigint,
    seconds double precision
) RETURNS text
LANGUAGE sql AS $$
    DELETE FROM fourfold.exports AS e WHERE e.id IN (
        SELECT k.id FROM fourfold.exports AS k WHERE k.pack = p_pack
        ORDER BY k.exported_at DESC, k.id DESC OFFSET 999);
    INSERT INTO fourfold.exports (pack, watermark, nodes, edges, changed, unknown, seconds)
    VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING fourfold.rfc3339(exported_at)
$$;
