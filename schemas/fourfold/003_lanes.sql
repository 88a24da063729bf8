-- Lanes: one leader each, a cursor that is a snapshot, and what stands beside it.
--
-- How the engine leads a lane (each step is one statement in an own transaction):
--   1. claim_lane(…) -> epoch, or null: another leads. renew_lane(…) at a third of the lease.
--   2. lane_cursor(…): resync, done, goal, cursor.
--   3. resync: begin_resync(…) stores the snapshot the resynchronisation started from, every
--      entity is projected page by page with advance_resync(…), finish_resync(…) ends it.
--   4. otherwise: SELECT nextval('fourfold.revision_seq'); then outbox_page(pack, done, goal,
--      cursor_xid, cursor_position, limit) with goal null where none is stored: each row names
--      the goal that was used. No row and no stored goal: idle, nothing is written.
--   5. The page is applied. A full page: advance_cursor(…) with the goal and the last row's
--      (xid, position). A page that is not full, or an empty one while a goal is stored:
--      finish_goal(…), done becomes the goal. Either answers false when another leads: stop.

CREATE TABLE fourfold.lanes (
    pack text NOT NULL,
    lane text NOT NULL CHECK (lane IN ('graph', 'vector', 'live')),
    store text NOT NULL,
    epoch bigint NOT NULL DEFAULT 1,
    holder text,
    expires_at timestamptz NOT NULL,
    resync boolean NOT NULL DEFAULT true,
    resync_entity text,
    resync_key text,
    done pg_snapshot NOT NULL DEFAULT '1:1:',
    goal pg_snapshot,
    cursor_xid xid8 NOT NULL DEFAULT '0',
    cursor_position bigint NOT NULL DEFAULT 0,
    caught_up_at timestamptz,
    last_applied_at timestamptz,
    applied bigint NOT NULL DEFAULT 0,
    last_error text,
    identity text NOT NULL,
    PRIMARY KEY (pack, lane)
) WITH (fillfactor = 50);

COMMENT ON COLUMN fourfold.lanes.store IS
    'What the lane writes to; another name here starts a resynchronisation';
COMMENT ON COLUMN fourfold.lanes.resync IS
    'Every entity has to be projected anew before the cursor means anything';
COMMENT ON COLUMN fourfold.lanes.done IS
    'What this snapshot sees is in the store';
COMMENT ON COLUMN fourfold.lanes.goal IS
    'What the lane works towards; the rows up to the cursor that it sees are in the store too';
COMMENT ON COLUMN fourfold.lanes.identity IS
    'database_identity() when the lane was claimed';

CREATE FUNCTION fourfold.database_changed() RETURNS boolean
LANGUAGE sql STABLE
RETURN (SELECT identity <> fourfold.database_identity() FROM fourfold.database);

-- Claims the lane: the new epoch, or null where another leads it, or where the database was
-- restored and adopt_database() has not been called. Expiry is in the database's time.
CREATE FUNCTION fourfold.claim_lane(
    p_pack text, p_lane text, p_store text, p_holder text, p_lease interval
) RETURNS bigint
LANGUAGE sql AS $$
    INSERT INTO fourfold.lanes AS l (pack, lane, store, holder, expires_at, identity)
    SELECT p_pack, p_lane, p_store, p_holder, clock_timestamp() + p_lease, d.identity
    FROM fourfold.database AS d
    WHERE d.identity = fourfold.database_identity()
    ON CONFLICT (pack, lane) DO UPDATE SET
        epoch = l.epoch + 1,
        holder = EXCLUDED.holder,
        expires_at = EXCLUDED.expires_at,
        resync = l.resync OR l.store <> EXCLUDED.store OR l.identity <> EXCLUDED.identity,
        resync_entity = CASE WHEN l.store = EXCLUDED.store AND l.identity = EXCLUDED.identity
                             THEN l.resync_entity END,
        resync_key = CASE WHEN l.store = EXCLUDED.store AND l.identity = EXCLUDED.identity
                          THEN l.resync_key END,
        goal = CASE WHEN l.store = EXCLUDED.store AND l.identity = EXCLUDED.identity
                    THEN l.goal END,
        store = EXCLUDED.store,
        identity = EXCLUDED.identity,
        last_error = NULL
    WHERE l.expires_at <= clock_timestamp() OR l.holder = EXCLUDED.holder
    RETURNING l.epoch
$$;

CREATE FUNCTION fourfold.renew_lane(
    p_pack text, p_lane text, p_epoch bigint, p_lease interval
) RETURNS boolean
LANGUAGE sql AS $$
    WITH moved AS (
        UPDATE fourfold.lanes SET expires_at = clock_timestamp() + p_lease
        WHERE pack = p_pack AND lane = p_lane AND epoch = p_epoch RETURNING 1)
    SELECT EXISTS (SELECT FROM moved)
$$;

CREATE FUNCTION fourfold.release_lane(p_pack text, p_lane text, p_epoch bigint) RETURNS boolean
LANGUAGE sql AS $$
    WITH moved AS (
        UPDATE fourfold.lanes SET expires_at = '-infinity', holder = NULL
        WHERE pack = p_pack AND lane = p_lane AND epoch = p_epoch RETURNING 1)
    SELECT EXISTS (SELECT FROM moved)
$$;

-- Says why a lane does not get on; null when it does again. Never a row's value.
CREATE FUNCTION fourfold.report_lane_error(
    p_pack text, p_lane text, p_epoch bigint, p_error text
) RETURNS boolean
LANGUAGE sql AS $$
    WITH moved AS (
        UPDATE fourfold.lanes SET last_error = p_error
        WHERE pack = p_pack AND lane = p_lane AND epoch = p_epoch
          AND last_error IS DISTINCT FROM p_error RETURNING 1)
    SELECT EXISTS (SELECT FROM moved)
$$;

CREATE FUNCTION fourfold.lane_cursor(
    p_pack text, p_lane text,
    OUT epoch bigint, OUT resync boolean, OUT resync_entity text, OUT resync_key text,
    OUT done pg_snapshot, OUT goal pg_snapshot, OUT cursor_xid xid8, OUT cursor_position bigint
) RETURNS SETOF record
LANGUAGE sql STABLE ROWS 1 AS $$
    SELECT l.epoch, l.resync, l.resync_entity, l.resync_key, l.done, l.goal, l.cursor_xid,
        l.cursor_position
    FROM fourfold.lanes AS l WHERE l.pack = p_pack AND l.lane = p_lane
$$;

-- One page of what is not done, in the order of the cursor. Call it outside any transaction that
-- has an xid, with the parameters of lane_cursor(); a null goal means now.
--
-- Not done is: xid >= xmax(done), or xid among those that were running when `done` was taken and
-- have ended when `goal` was. The three branches are one index range each: the rest of the
-- transaction the cursor stands in, later transactions out of done's list, and all that began
-- after done. Transactions still running at the goal are left out by xid, so a long writer's
-- rows are not even looked at. The settings keep a planner without statistics from reading and
-- sorting a whole branch for one page.
CREATE FUNCTION fourfold.outbox_page(
    p_pack text, p_done pg_snapshot, p_goal pg_snapshot, p_cursor_xid xid8,
    p_cursor_position bigint, p_limit int
) RETURNS TABLE (
    goal pg_snapshot, xid xid8, "position" bigint, entity text, key text, op "char",
    columns jsonb, owner text, trace text, captured_at timestamptz
)
LANGUAGE plpgsql STABLE ROWS 1000
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    goal_used constant pg_snapshot := coalesce(p_goal, pg_current_snapshot());
BEGIN
    RETURN QUERY
    SELECT goal_used, page.xid, page.position, page.entity,
        page.key, page.op, page.columns, page.owner, page.trace, page.captured_at
    FROM (
        (SELECT o.* FROM fourfold.outbox AS o
        WHERE o.pack = p_pack
            AND o.xid = CASE WHEN p_cursor_xid < pg_snapshot_xmax(p_done) THEN p_cursor_xid END
            AND o.position > p_cursor_position
            AND pg_visible_in_snapshot(o.xid, goal_used)
        ORDER BY o.xid, o.position LIMIT p_limit)
        UNION ALL
        (SELECT o.* FROM fourfold.outbox AS o
        WHERE o.pack = p_pack
            AND o.xid = ANY (ARRAY(
                SELECT x FROM pg_snapshot_xip(p_done) AS x WHERE x > p_cursor_xid
                EXCEPT
                SELECT pg_snapshot_xip(goal_used)))
        ORDER BY o.xid, o.position LIMIT p_limit)
        UNION ALL
        (SELECT o.* FROM fourfold.outbox AS o
        WHERE o.pack = p_pack
            AND (o.xid, o.position) > (
                greatest(pg_snapshot_xmax(p_done), p_cursor_xid),
                CASE WHEN p_cursor_xid >= pg_snapshot_xmax(p_done)
                     THEN p_cursor_position ELSE -1 END)
            AND o.xid < pg_snapshot_xmax(goal_used)
            AND pg_visible_in_snapshot(o.xid, goal_used)
        ORDER BY o.xid, o.position LIMIT p_limit)
    ) AS page
    ORDER BY page.xid, page.position
    LIMIT p_limit;
END $$;

-- Moves the cursor inside the goal. False: another leads the lane now, stop.
CREATE FUNCTION fourfold.advance_cursor(
    p_pack text, p_lane text, p_epoch bigint, p_goal pg_snapshot, p_xid xid8, p_position bigint,
    p_applied bigint
) RETURNS boolean
LANGUAGE sql AS $$
    WITH moved AS (
        UPDATE fourfold.lanes SET goal = p_goal, cursor_xid = p_xid, cursor_position = p_position,
            applied = applied + p_applied, last_applied_at = clock_timestamp(), last_error = NULL
        WHERE pack = p_pack AND lane = p_lane AND epoch = p_epoch AND NOT resync RETURNING 1)
    SELECT EXISTS (SELECT FROM moved)
$$;

-- The last page of a goal is in the store: done becomes the goal. False: stop.
CREATE FUNCTION fourfold.finish_goal(
    p_pack text, p_lane text, p_epoch bigint, p_goal pg_snapshot, p_applied bigint
) RETURNS boolean
LANGUAGE sql AS $$
    WITH moved AS (
        UPDATE fourfold.lanes SET done = p_goal, goal = NULL, cursor_xid = '0',
            cursor_position = 0, applied = applied + p_applied,
            last_applied_at = clock_timestamp(), caught_up_at = clock_timestamp(),
            last_error = NULL
        WHERE pack = p_pack AND lane = p_lane AND epoch = p_epoch AND NOT resync RETURNING 1)
    SELECT EXISTS (SELECT FROM moved)
$$;

-- Stores the snapshot that the resynchronisation starts from, unless one is stored already:
-- the entities are read after it. Answers the snapshot in force, or null: another leads.
CREATE FUNCTION fourfold.begin_resync(
    p_pack text, p_lane text, p_epoch bigint, p_goal pg_snapshot
) RETURNS pg_snapshot
LANGUAGE sql AS $$
    UPDATE fourfold.lanes SET
        goal = CASE WHEN resync AND goal IS NOT NULL THEN goal ELSE p_goal END,
        resync = true, cursor_xid = '0', cursor_position = 0
    WHERE pack = p_pack AND lane = p_lane AND epoch = p_epoch
    RETURNING goal
$$;

CREATE FUNCTION fourfold.advance_resync(
    p_pack text, p_lane text, p_epoch bigint, p_entity text, p_key text, p_applied bigint
) RETURNS boolean
LANGUAGE sql AS $$
    WITH moved AS (
        UPDATE fourfold.lanes SET resync_entity = p_entity, resync_key = p_key,
            applied = applied + p_applied, last_applied_at = clock_timestamp(), last_error = NULL
        WHERE pack = p_pack AND lane = p_lane AND epoch = p_epoch AND resync RETURNING 1)
    SELECT EXISTS (SELECT FROM moved)
$$;

CREATE FUNCTION fourfold.finish_resync(p_pack text, p_lane text, p_epoch bigint)
RETURNS boolean
LANGUAGE sql AS $$
    WITH moved AS (
        UPDATE fourfold.lanes SET done = goal, goal = NULL, resync = false,
            resync_entity = NULL, resync_key = NULL, cursor_xid = '0', cursor_position = 0,
            caught_up_at = clock_timestamp(), last_error = NULL
        WHERE pack = p_pack AND lane = p_lane AND epoch = p_epoch AND resync
          AND goal IS NOT NULL
        RETURNING 1)
    SELECT EXISTS (SELECT FROM moved)
$$;
