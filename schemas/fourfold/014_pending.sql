-- A lane that is being reconciled owes what was written since that began: where its store stays
-- away, its lag grows like that of any other lane.

-- What is visible and not done, at most p_bound rows: the rest of the goal, and what the goal
-- does not see. A reconciliation takes its goal as a whole, so only the latter is left then.
CREATE OR REPLACE FUNCTION fourfold.outbox_pending(
    p_pack text, p_lane text, p_bound int DEFAULT 10000
) RETURNS TABLE (xid xid8, entity text, key text, captured_at timestamptz)
LANGUAGE sql STABLE ROWS 1000 AS $$
    SELECT page.xid, page.entity, page.key, page.captured_at
    FROM fourfold.lanes AS l
    CROSS JOIN LATERAL (
        SELECT * FROM fourfold.outbox_page(
            l.pack, l.done, l.goal, l.cursor_xid, l.cursor_position,
            CASE WHEN l.goal IS NULL OR l.resync THEN 0 ELSE p_bound END)
        UNION ALL
        SELECT * FROM fourfold.outbox_page(
            l.pack, coalesce(l.goal, l.done), NULL, '0', 0, p_bound)) AS page
    WHERE l.pack = p_pack AND l.lane = p_lane AND (l.goal IS NOT NULL OR NOT l.resync)
    LIMIT p_bound
$$;
