internal import Packs
internal import Postgres

/// The SQL of one pack's live lane.
struct LiveStatements: Sendable {
    /// `$1` keys: key, owner, message. The parameter has no cast: it takes the type of the view's
    /// key, and the lookup its index.
    static func messages(_ pack: String, _ rule: ChangeRule) -> Statement {
        Statement(
            "live_messages",
            """
            SELECT v.key::text, v.owner::text, v.message::text
            FROM \(qualified(pack, rule.view)) AS v
            WHERE v.key = ANY ($1) AND jsonb_typeof(v.message) = 'object'
            """, isReadOnly: true)
    }

    /// The life of the database, and the transaction that comes next.
    static let database = Statement(
        "live_database",
        """
        SELECT fourfold.database_identity(), pg_snapshot_xmax(pg_current_snapshot())::text
        """, isReadOnly: true)
}
