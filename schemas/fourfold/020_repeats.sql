-- A repeat must reach every key that a late batch may have written: also those that a dirty rule
-- derives from columns of a row, those of an entity that was truncated, and all beyond the bound.
-- Until then the outbox keeps the rows that say so.

-- The first plan's snapshot stays: what it covers may have been written late too. What a new lane
-- wrote, it read after the goal of its first reconciliation.
CREATE OR REPLACE FUNCTION fourfold.plan_repeat(
    p_pack text, p_lane text, p_epoch bigint, p_in interval
) RETURNS boolean
LANGUAGE sql AS $$
    WITH planned AS (
        UPDATE fourfold.lanes SET
            repeat_from = coalesce(
                repeat_from, CASE WHEN resync AND done::text = '1:1:' THEN goal END, done),
            repeat_at = clock_timestamp() + p_in
        WHERE pack = p_pack AND lane = p_lane AND epoch = p_epoch RETURNING 1)
    SELECT EXISTS (SELECT FROM planned)
$$;

-- Carries out a plan that is due. Answers the number of rows that make keys dirty: one for each
-- key and what was captured of its columns. Of an entity that was marked as a whole no row names
-- the keys, so it is reconciled again; with more than p_bound rows every entity among them is.
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
    WITH page AS MATERIALIZED (
        SELECT p.entity, p.key, p.columns
        FROM fourfold.outbox_page(p_pack, since, NULL, '0', 0, p_bound + 1) AS p
    ), beyond AS MATERIALIZED (
        SELECT count(*) > p_bound AS is_true FROM page
    ), whole AS MATERIALIZED (
        SELECT p.entity FROM page AS p WHERE p.key IS NULL
        UNION
        SELECT o.entity FROM fourfold.outbox AS o
        WHERE (SELECT is_true FROM beyond) AND o.pack = p_pack
            AND o.xid >= pg_snapshot_xmin(since) AND NOT pg_visible_in_snapshot(o.xid, since)
    )
    INSERT INTO fourfold.outbox (pack, entity, key, op, columns)
    SELECT p_pack, w.entity, NULL, 'r'::"char", NULL::jsonb FROM whole AS w
    UNION ALL
    SELECT DISTINCT p_pack, p.entity, p.key, 'w'::"char", p.columns FROM page AS p
    WHERE NOT (SELECT is_true FROM beyond) AND p.key IS NOT NULL;
    GET DIAGNOSTICS repeated = ROW_COUNT;
    UPDATE fourfold.lanes SET repeat_from = NULL, repeat_at = NULL
    WHERE pack = p_pack AND lane = p_lane AND epoch = p_epoch;
    RETURN repeated;
END $$;

-- Forgets a plan, for a store that refuses late batches by itself. Answers whether there was one.
CREATE FUNCTION fourfold.drop_repeat(p_pack text, p_lane text, p_epoch bigint) RETURNS boolean
LANGUAGE sql AS $$
    WITH dropped AS (
        UPDATE fourfold.lanes SET repeat_from = NULL, repeat_at = NULL
        WHERE pack = p_pack AND lane = p_lane AND epoch = p_epoch AND repeat_from IS NOT NULL
        RETURNING 1)
    SELECT EXISTS (SELECT FROM dropped)
$$;

-- Empties the slots of the outbox that every lane has done, and that no planned repeat needs; to be
-- called now and then by one process, with a lock_timeout of some 100 ms set in its transaction.
-- Answers the slots emptied.
--
-- A slot is full once the ring has moved on. Whoever wrote into it had an xid before it drew a
-- position, so all of them are below the xid of the transaction that sees it full. It can be
-- emptied when each lane's done has no gap below that xid, or the lane has nothing in the slot.
CREATE OR REPLACE FUNCTION fourfold.maintain_outbox() RETURNS int[]
LANGUAGE plpgsql AS $$
DECLARE
    chunk_now bigint;
    chunk_of_slot bigint;
    s record;
    emptied int[] := '{}';
BEGIN
    SELECT last_value / 1048576 INTO chunk_now FROM fourfold.outbox_position;
    FOR s IN SELECT * FROM fourfold.outbox_slots ORDER BY slot FOR UPDATE LOOP
        CONTINUE WHEN s.slot = chunk_now % 4;
        chunk_of_slot := chunk_now - ((chunk_now - s.slot) % 4 + 4) % 4;
        CONTINUE WHEN chunk_of_slot < 0;
        IF s.chunk <> chunk_of_slot THEN
            UPDATE fourfold.outbox_slots SET chunk = chunk_of_slot,
                full_before = pg_current_xact_id() WHERE slot = s.slot;
            CONTINUE;
        END IF;
        CONTINUE WHEN s.full_before IS NULL
            OR pg_snapshot_xmin(pg_current_snapshot()) <= s.full_before
            OR EXISTS (
                SELECT FROM fourfold.lanes AS l
                CROSS JOIN LATERAL (
                    VALUES (CASE WHEN l.resync THEN l.goal ELSE l.done END), (l.repeat_from)
                ) AS needs(seen)
                WHERE pg_snapshot_xmin(needs.seen) <= s.full_before
                    AND EXISTS (
                        SELECT FROM fourfold.outbox AS o
                        WHERE o.position / 1048576 % 4 = s.slot AND o.pack = l.pack
                            AND NOT pg_visible_in_snapshot(o.xid, needs.seen)));
        EXECUTE format('LOCK TABLE fourfold.outbox_%s IN ACCESS EXCLUSIVE MODE', s.slot);
        CONTINUE WHEN (
            SELECT last_value / 1048576 % 4 = s.slot FROM fourfold.outbox_position);
        EXECUTE format('TRUNCATE fourfold.outbox_%s', s.slot);
        UPDATE fourfold.outbox_slots SET full_before = NULL WHERE slot = s.slot;
        emptied := emptied || s.slot;
    END LOOP;
    RETURN emptied;
END $$;
