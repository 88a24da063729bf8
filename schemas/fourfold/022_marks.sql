-- Marks of states that have no history any more (their user was deleted), or never had one (a state
-- of nobody was deleted): restoring asks for none of them, and any caller can make them.

-- Looks at marks behind the row p_after, p_limit of them, and deletes those of rows that p_kept does
-- not answer: a query of those among $1::text[] that have a history. Answers the last row that was
-- looked at, null at the end.
--
-- A write that comes with the history of such a row has moved its mark's time, and the mark stays.
CREATE FUNCTION fourfold.sweep_state_marks(
    p_pack text, p_state text, p_after text, p_limit int, p_kept text
) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    looked text[];
    times timestamptz[];
    kept text[] := '{}';
    answered text[];
    looked_at text;
BEGIN
    SELECT array_agg(m.row_id ORDER BY m.row_id), array_agg(m.written_at ORDER BY m.row_id)
    INTO looked, times
    FROM (
        SELECT s.row_id, s.written_at FROM fourfold.state_marks AS s
        WHERE s.pack = p_pack AND s.state = p_state AND s.row_id > p_after
        ORDER BY s.row_id LIMIT p_limit) AS m;
    IF looked IS NULL THEN
        RETURN NULL;
    END IF;
    BEGIN
        EXECUTE format('SELECT ARRAY(%s)', p_kept) INTO kept USING looked;
    EXCEPTION WHEN data_exception THEN
        -- One of them is no key at all.
        FOREACH looked_at IN ARRAY looked LOOP
            BEGIN
                EXECUTE format('SELECT ARRAY(%s)', p_kept) INTO answered USING ARRAY[looked_at];
                kept := kept || answered;
            EXCEPTION WHEN data_exception THEN
                CONTINUE;
            END;
        END LOOP;
    END;
    DELETE FROM fourfold.state_marks AS m
    USING unnest(looked, times) AS l(row_id, written_at)
    WHERE m.pack = p_pack AND m.state = p_state AND m.row_id = l.row_id
        AND m.written_at = l.written_at AND l.row_id <> ALL (kept);
    RETURN CASE WHEN cardinality(looked) = p_limit THEN looked[p_limit] END;
END $$;
