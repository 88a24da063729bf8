-- Questions about lanes: tokens, states, lag, retention, restored databases.

-- What is visible and not done, at most p_bound rows: the rest of the goal, and what the goal
-- does not see.
CREATE FUNCTION fourfold.outbox_pending(p_pack text, p_lane text, p_bound int DEFAULT 10000)
RETURNS TABLE (xid xid8, entity text, key text, captured_at timestamptz)
LANGUAGE sql STABLE ROWS 1000 AS $$
    SELECT page.xid, page.entity, page.key, page.captured_at
    FROM fourfold.lanes AS l
    CROSS JOIN LATERAL (
        SELECT * FROM fourfold.outbox_page(
            l.pack, l.done, l.goal, l.cursor_xid, l.cursor_position,
            CASE WHEN l.goal IS NULL THEN 0 ELSE p_bound END)
        UNION ALL
        SELECT * FROM fourfold.outbox_page(
            l.pack, coalesce(l.goal, l.done), NULL, '0', 0, p_bound)) AS page
    WHERE l.pack = p_pack AND l.lane = p_lane AND NOT l.resync
    LIMIT p_bound
$$;

-- Has the lane applied the write with this transaction id? p_entities: those that the lane
-- projects; a write that touched none of them has nothing to apply.
CREATE FUNCTION fourfold.lane_has_applied(
    p_pack text, p_lane text, p_xid xid8, p_entities text[] DEFAULT NULL
) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT coalesce((
        SELECT CASE
            WHEN EXISTS (
                SELECT FROM fourfold.parked AS p
                WHERE p.pack = p_pack AND p.lane = p_lane AND p_xid = ANY (p.xids)) THEN false
            WHEN l.resync THEN false
            WHEN pg_visible_in_snapshot(p_xid, l.done) THEN true
            WHEN l.goal IS NOT NULL AND p_xid < l.cursor_xid
                AND pg_visible_in_snapshot(p_xid, l.goal) THEN true
            ELSE NOT EXISTS (
                SELECT FROM fourfold.outbox AS o
                WHERE o.pack = p_pack AND o.xid = p_xid
                    AND (p_entities IS NULL OR o.entity = ANY (p_entities))) END
        FROM fourfold.lanes AS l
        WHERE l.pack = p_pack AND l.lane = p_lane), false)
$$;

-- pending: a row of the key is not done; parked: the store refused it; else applied. Beyond
-- p_bound rows of backlog every key is said to be pending, so that the answer stays cheap.
CREATE FUNCTION fourfold.entity_state(
    p_pack text, p_lane text, p_entity text, p_key text, p_bound int DEFAULT 10000
) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN EXISTS (
            SELECT FROM fourfold.parked AS p
            WHERE p.pack = p_pack AND p.lane = p_lane AND p.entity = p_entity AND p.key = p_key)
            THEN 'parked'
        WHEN NOT EXISTS (
            SELECT FROM fourfold.lanes AS l
            WHERE l.pack = p_pack AND l.lane = p_lane AND NOT l.resync) THEN 'pending'
        WHEN (SELECT count(*) = p_bound
                OR count(*) FILTER (
                    WHERE o.entity = p_entity AND (o.key = p_key OR o.key IS NULL)) > 0
              FROM fourfold.outbox_pending(p_pack, p_lane, p_bound) AS o) THEN 'pending'
        ELSE 'applied' END
$$;

-- Pending is counted up to p_bound. A row counts as late since it was captured, but no longer
-- than since the lane was last level with the database: a long transaction is not the lane's lag.
CREATE FUNCTION fourfold.lane_status(p_pack text, p_lane text, p_bound int DEFAULT 10000)
RETURNS TABLE (
    store text, epoch bigint, leader text, is_led boolean, resync boolean, pending bigint,
    lag_seconds double precision, parked bigint, applied bigint, last_applied_at timestamptz,
    last_error text
)
LANGUAGE sql STABLE ROWS 1 AS $$
    SELECT l.store, l.epoch, l.holder, l.expires_at > clock_timestamp(), l.resync, o.pending,
        greatest(0, extract(epoch FROM clock_timestamp()
            - greatest(o.oldest, CASE WHEN l.expires_at > clock_timestamp()
                                      THEN l.caught_up_at END)))
            * (o.pending > 0)::int,
        (SELECT count(*) FROM fourfold.parked AS p WHERE p.pack = l.pack AND p.lane = l.lane),
        l.applied, l.last_applied_at, l.last_error
    FROM fourfold.lanes AS l
    CROSS JOIN LATERAL (
        SELECT count(*) AS pending, min(captured_at) AS oldest
        FROM fourfold.outbox_pending(p_pack, p_lane, p_bound)) AS o
    WHERE l.pack = p_pack AND l.lane = p_lane
$$;

-- Empties the slots of the outbox that every lane has done; to be called now and then by one
-- process, with a lock_timeout of some 100 ms set in its transaction. Answers the slots emptied.
--
-- A slot is full once the ring has moved on. Whoever wrote into it had an xid before it drew a
-- position, so all of them are below the xid of the transaction that sees it full. It can be
-- emptied when each lane's done has no gap below that xid, or the lane has nothing in the slot.
CREATE FUNCTION fourfold.maintain_outbox() RETURNS int[]
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
                SELECT FROM (
                    SELECT l.pack, CASE WHEN l.resync THEN l.goal ELSE l.done END AS done
                    FROM fourfold.lanes AS l) AS l
                WHERE pg_snapshot_xmin(l.done) <= s.full_before
                    AND EXISTS (
                        SELECT FROM fourfold.outbox AS o
                        WHERE o.position / 1048576 % 4 = s.slot AND o.pack = l.pack
                            AND NOT pg_visible_in_snapshot(o.xid, l.done)));
        EXECUTE format('LOCK TABLE fourfold.outbox_%s IN ACCESS EXCLUSIVE MODE', s.slot);
        CONTINUE WHEN (
            SELECT last_value / 1048576 % 4 = s.slot FROM fourfold.outbox_position);
        EXECUTE format('TRUNCATE fourfold.outbox_%s', s.slot);
        UPDATE fourfold.outbox_slots SET full_before = NULL WHERE slot = s.slot;
        emptied := emptied || s.slot;
    END LOOP;
    RETURN emptied;
END $$;

-- After a restore, a promotion or a copy: xids and cursors of the other database mean nothing
-- here. Empties the outbox, lifts the revision above everything the stores hold, and makes every
-- lane resynchronise. One caller wins; the others find the database adopted.
CREATE FUNCTION fourfold.adopt_database(p_highest_revision bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM fourfold.database FOR UPDATE;
    IF NOT fourfold.database_changed() THEN
        RETURN false;
    END IF;
    UPDATE fourfold.database SET identity = fourfold.database_identity(), adopted_at = now();
    TRUNCATE fourfold.outbox;
    UPDATE fourfold.outbox_slots SET chunk = -1, full_before = NULL;
    PERFORM setval('fourfold.revision_seq',
        greatest(p_highest_revision, last_value) + 1) FROM fourfold.revision_seq;
    UPDATE fourfold.lanes SET epoch = epoch + 1, holder = NULL, expires_at = '-infinity',
        resync = true, resync_entity = NULL, resync_key = NULL, done = '1:1:', goal = NULL,
        cursor_xid = '0', cursor_position = 0, identity = fourfold.database_identity();
    UPDATE fourfold.parked SET xids = '{}';
    RETURN true;
END $$;

-- A lane that is not configured any more must not hold the outbox back. Claimed again later, it
-- starts with a resynchronisation.
CREATE FUNCTION fourfold.forget_lane(p_pack text, p_lane text) RETURNS boolean
LANGUAGE sql AS $$
    WITH gone AS (
        DELETE FROM fourfold.lanes
        WHERE pack = p_pack AND lane = p_lane AND expires_at <= clock_timestamp() RETURNING 1),
    parked AS (
        DELETE FROM fourfold.parked
        WHERE pack = p_pack AND lane = p_lane AND EXISTS (SELECT FROM gone))
    SELECT EXISTS (SELECT FROM gone)
$$;
