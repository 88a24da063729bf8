-- A store without a fence (Weaviate) may still carry out a request of a leader that is gone, or one
-- whose outcome is unknown. Once the store's write timeout has passed, every key since then is made
-- dirty again, so that the last write is the present leader's.

ALTER TABLE fourfold.lanes
    ADD COLUMN repeat_from pg_snapshot,
    ADD COLUMN repeat_at timestamptz;

COMMENT ON COLUMN fourfold.lanes.repeat_from IS
    'Keys that this snapshot does not see are made dirty again at repeat_at';

-- The first plan's snapshot stays: what it covers may have been written late too.
CREATE FUNCTION fourfold.plan_repeat(
    p_pack text, p_lane text, p_epoch bigint, p_in interval
) RETURNS boolean
LANGUAGE sql AS $$
    WITH planned AS (
        UPDATE fourfold.lanes SET repeat_from = coalesce(repeat_from, done),
            repeat_at = clock_timestamp() + p_in
        WHERE pack = p_pack AND lane = p_lane AND epoch = p_epoch RETURNING 1)
    SELECT EXISTS (SELECT FROM planned)
$$;

-- Carries out a plan that is due. Answers the number of keys that were made dirty; with more than
-- p_bound of them their entities are reconciled instead.
CREATE FUNCTION fourfold.repeat_due(
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
        CASE WHEN o.is_within THEN 'u' ELSE 'r' END::"char"
    FROM (
        SELECT page.entity, page.key, count(*) OVER () < p_bound AS is_within
        FROM fourfold.outbox_page(p_pack, since, NULL, '0', 0, p_bound) AS page
        WHERE page.key IS NOT NULL) AS o;
    GET DIAGNOSTICS repeated = ROW_COUNT;
    UPDATE fourfold.lanes SET repeat_from = NULL, repeat_at = NULL
    WHERE pack = p_pack AND lane = p_lane AND epoch = p_epoch;
    RETURN repeated;
END $$;
