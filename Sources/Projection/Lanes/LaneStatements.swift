internal import Postgres

/// The engine's SQL functions, as prepared statements.
enum LaneStatements {
    static let claim = Statement(
        "lane_claim",
        "SELECT fourfold.claim_lane($1, $2, $3, $4, make_interval(secs => $5::float8))")
    static let renew = Statement(
        "lane_renew", "SELECT fourfold.renew_lane($1, $2, $3, make_interval(secs => $4::float8))")
    static let release = Statement("lane_release", "SELECT fourfold.release_lane($1, $2, $3)")
    static let reportError = Statement(
        "lane_report_error", "SELECT fourfold.report_lane_error($1, $2, $3, $4)")
    static let databaseChanged = Statement(
        "lane_database_changed", "SELECT fourfold.database_changed()", isReadOnly: true)
    static let adoptDatabase = Statement(
        "lane_adopt_database", "SELECT fourfold.adopt_database($1)")
    /// Not where the sequence is there already: it must never go back, and others draw meanwhile.
    static let raiseRevision = Statement(
        "lane_raise_revision",
        """
        SELECT setval('fourfold.revision_seq', $1::bigint + 1)
        FROM fourfold.revision_seq WHERE last_value < $1::bigint
        """)
    static let holder = Statement(
        "lane_holder",
        "SELECT holder FROM fourfold.lanes WHERE pack = $1 AND lane = $2", isReadOnly: true)
    static let cursor = Statement(
        "lane_cursor",
        """
        SELECT resync, resync_entity, resync_key, done, goal, cursor_xid, cursor_position
        FROM fourfold.lane_cursor($1, $2)
        """, isReadOnly: true)
    /// No row: another leads. So no revision of an earlier leader is above one of a later leader,
    /// whatever its clock says about its lease.
    static let drawRevision = Statement(
        "lane_revision",
        """
        SELECT nextval('fourfold.revision_seq') FROM fourfold.lanes
        WHERE pack = $1 AND lane = $2 AND epoch = $3
        """)
    static let hasWork = Statement(
        "lane_has_work",
        "SELECT EXISTS (SELECT FROM fourfold.outbox_page($1, $2, $3, $4, $5, 1))",
        isReadOnly: true)
    static let page = Statement(
        "lane_page",
        """
        SELECT goal, xid, position, entity, key, op, columns
        FROM fourfold.outbox_page($1, $2, $3, $4, $5, $6::int)
        """, isReadOnly: true)
    /// The same with the rows' owners.
    static let ownedPage = Statement(
        "lane_owned_page",
        """
        SELECT goal, xid, position, entity, key, op, columns, owner
        FROM fourfold.outbox_page($1, $2, $3, $4, $5, $6::int)
        """, isReadOnly: true)
    static let advance = Statement(
        "lane_advance", "SELECT fourfold.advance_cursor($1, $2, $3, $4, $5, $6, $7)")
    static let finishGoal = Statement(
        "lane_finish_goal", "SELECT fourfold.finish_goal($1, $2, $3, $4, $5)")
    static let beginResync = Statement(
        "lane_begin_resync",
        "SELECT fourfold.begin_resync($1, $2, $3, pg_current_snapshot())")
    static let advanceResync = Statement(
        "lane_advance_resync", "SELECT fourfold.advance_resync($1, $2, $3, $4, $5, $6)")
    static let finishResync = Statement(
        "lane_finish_resync", "SELECT fourfold.finish_resync($1, $2, $3)")
    static let planRepeat = Statement(
        "lane_plan_repeat",
        "SELECT fourfold.plan_repeat($1, $2, $3, make_interval(secs => $4::float8))")
    static let dropRepeat = Statement(
        "lane_drop_repeat", "SELECT fourfold.drop_repeat($1, $2, $3)")
    static let repeatDue = Statement(
        "lane_repeat_due", "SELECT fourfold.repeat_due($1, $2, $3, $4::int)")
    static let park = Statement(
        "lane_park",
        """
        SELECT fourfold.park($1, $2, $3, $4, $5, $6, make_interval(secs => $7::float8),
            $8::xid8[])
        """)
    static let parkedAttempts = Statement(
        "lane_parked_attempts",
        """
        SELECT attempts FROM fourfold.parked
        WHERE pack = $1 AND lane = $2 AND entity = $3 AND key = $4
        """, isReadOnly: true)
    static let parkedCount = Statement(
        "lane_parked_count",
        "SELECT count(*) FROM fourfold.parked WHERE pack = $1 AND lane = $2", isReadOnly: true)
    static let parkedDue = Statement(
        "lane_parked_due",
        """
        SELECT entity, key FROM fourfold.parked
        WHERE pack = $1 AND lane = $2 AND next_retry_at <= clock_timestamp()
        ORDER BY next_retry_at LIMIT $3
        """, isReadOnly: true)
    /// Takes away keys that were applied.
    static let unpark = Statement(
        "lane_unpark",
        """
        DELETE FROM fourfold.parked AS p USING fourfold.lanes AS l
        WHERE p.pack = $1 AND p.lane = $2 AND p.entity = $4 AND p.key = ANY ($5::text[])
            AND l.pack = p.pack AND l.lane = p.lane AND l.epoch = $3
        """)
}
