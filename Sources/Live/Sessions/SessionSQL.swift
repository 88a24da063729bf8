package import Packs
package import Postgres

/// The statements over the sessions of one pack. Made once, shared by all loops.
///
/// A session lives while its row says so. Those that take an owner take null for everybody's.
package struct SessionSQL: Sendable {
    /// How far behind the row may be: reads write it no more often.
    package static let slideSeconds = 60

    /// What the statements that answer a session give; see ``SessionRow``.
    enum Field {
        static let body = 0
        static let owner = 1
        static let key = 2
        static let secondsLeft = 3
        static let isDue = 4
    }

    /// `$1` the body (jsonb), `$2` the caller's owner, `$3` the client's address.
    package let create: Statement
    /// `$1` the key, `$2` the owner.
    package let get: Statement
    /// `$1` the key, `$2` the owner: begins the session's time anew, unless that was done just now.
    package let slide: Statement
    /// `$1` the key, `$2` the owner: answers the owner and the key.
    package let revoke: Statement
    /// `$1` the owner, `$2` the greatest count: whether there is such an owner; an array of the
    /// sessions, last used first.
    package let list: Statement
    /// `$1` the owner, `$2` a key to spare or null: whether there is such an owner; the keys.
    package let revokeAll: Statement
    /// `$1` an array of keys: those that live.
    let living: Statement
    /// `$1` the greatest count: removes expired rows that nobody holds.
    let clean: Statement

    /// - Returns: nil for a pack without sessions.
    package init?(_ pack: Pack) {
        guard let rule = pack.live.sessions, let entity = pack.sessionEntity,
            let owner = pack.ownerPath.flatMap(pack.entity)
        else { return nil }
        self.init(pack: pack.name, rule: rule, entity: entity, owner: owner)
    }

    /// - Parameters:
    ///   - entity: The session's; with an owner column, which the compiler has checked.
    ///   - owner: The owner's entity.
    init(pack: String, rule: SessionRule, entity: Entity, owner: Entity) {
        let pieces = Pieces(rule, entity)
        let name = "\(pack).\(entity.path)"
        let theOne = "\(pieces.key) = $1::\(pieces.keyType) AND \(pieces.lives) "
            + "AND ($2::\(pieces.ownerType) IS NULL OR \(pieces.owner) = $2::\(pieces.ownerType))"
        create = Statement("\(name).open", pieces.insert)
        get = Statement(
            "\(name).read", "SELECT \(pieces.row) FROM \(pieces.table) AS _t WHERE \(theOne)",
            isReadOnly: true)
        slide = Statement(
            "\(name).slide",
            """
            UPDATE \(pieces.table) AS _t SET \(quoteSQLIdentifier(rule.expiresColumn)) = \
            \(pieces.end), \(quoteSQLIdentifier(rule.activeColumn)) = now() \
            WHERE \(theOne) AND \(pieces.isDue) RETURNING \(pieces.row)
            """)
        revoke = Statement(
            "\(name).revoke",
            """
            DELETE FROM \(pieces.table) AS _t WHERE \(theOne) \
            RETURNING \(pieces.owner)::text, \(pieces.key)::text
            """)
        let ownerKey = quoteSQLIdentifier(owner.keyColumn)
        let hasOwner = "EXISTS (SELECT FROM \(owner.qualifiedName) AS _o "
            + "WHERE _o.\(ownerKey) = $1::\(pieces.ownerType))"
        let ofOwner = "\(pieces.owner) = $1::\(pieces.ownerType) AND \(pieces.lives)"
        list = Statement(
            "\(name).list",
            """
            SELECT \(hasOwner), (SELECT '[' || coalesce(string_agg(_r.body, ',' \
            ORDER BY _r.active DESC, _r.key DESC), '') || ']' FROM ( \
            SELECT \(pieces.json) AS body, \(pieces.active) AS active, \(pieces.key) AS key \
            FROM \(pieces.table) AS _t WHERE \(ofOwner) \
            ORDER BY \(pieces.active) DESC, \(pieces.key) DESC LIMIT $2::bigint) AS _r)
            """, isReadOnly: true)
        revokeAll = Statement(
            "\(name).revoke_all",
            """
            WITH ended AS (DELETE FROM \(pieces.table) AS _t WHERE \(ofOwner) \
            AND \(pieces.key) IS DISTINCT FROM $2::\(pieces.keyType) \
            RETURNING \(pieces.key)::text AS key) \
            SELECT \(hasOwner), (SELECT string_agg(key, ' ') FROM ended)
            """)
        living = Statement(
            "\(name).living",
            """
            SELECT \(pieces.row) FROM \(pieces.table) AS _t \
            WHERE \(pieces.key) = ANY($1::\(pieces.keyType)[]) AND \(pieces.lives)
            """, isReadOnly: true)
        clean = Statement(
            "\(name).clean",
            """
            DELETE FROM \(pieces.table) AS _t WHERE \(pieces.key) IN ( \
            SELECT \(pieces.key) FROM \(pieces.table) AS _t WHERE NOT \(pieces.lives) \
            ORDER BY \(pieces.expires) LIMIT $1::bigint FOR UPDATE SKIP LOCKED)
            """)
    }
}

/// The pieces that the statements are made of. Names come from the catalog and are quoted.
private struct Pieces {
    let rule: SessionRule
    let entity: Entity

    init(_ rule: SessionRule, _ entity: Entity) {
        self.rule = rule
        self.entity = entity
    }

    var table: String { entity.qualifiedName }
    var key: String { reference(entity.keyColumn) }
    var keyType: String { type(entity.keyColumn) }
    var owner: String { reference(ownerColumn) }
    var ownerType: String { type(ownerColumn) }
    var expires: String { reference(rule.expiresColumn) }
    var active: String { reference(rule.activeColumn) }
    var lives: String { "\(expires) > now()" }
    var end: String { "now() + interval '\(rule.ttlSeconds) seconds'" }
    var isDue: String { "\(active) < now() - interval '\(SessionSQL.slideSeconds) seconds'" }

    /// The row as JSON text with the columns that may be seen.
    var json: String {
        let columns = entity.visibleColumns.map { reference($0.name) }.joined(separator: ", ")
        return "row_to_json((SELECT _r FROM (SELECT \(columns)) AS _r))::text"
    }

    /// In the order of ``SessionSQL/Field``.
    var row: String {
        "\(json), \(owner)::text, \(key)::text, "
            + "ceil(extract(epoch FROM \(expires) - now()))::bigint, \(isDue)"
    }

    var insert: String {
        let columns = entity.columns.filter { !$0.isGenerated }
        let names = columns.map { quoteSQLIdentifier($0.name) }.joined(separator: ", ")
        let values = columns.map(value).joined(separator: ", ")
        let base = entity.columns.map { column in
            column.isGenerated ? "NULL" : column.defaultExpression ?? "NULL"
        }
        return """
            INSERT INTO \(table) AS _t (\(names)) SELECT \(values) \
            FROM jsonb_populate_record(ROW(\(base.joined(separator: ", ")))::\(table), $1::jsonb) \
            AS _n WHERE $3::text IS NULL OR true RETURNING \(row)
            """
    }

    private var ownerColumn: String { entity.ownerColumn ?? entity.keyColumn }

    private func value(_ column: Column) -> String {
        let given = "_n.\(quoteSQLIdentifier(column.name))"
        switch column.name {
        case rule.expiresColumn: return end
        case rule.activeColumn: return "now()"
        case rule.addressColumn: return "$3::text::\(column.type)"
        case ownerColumn: return "coalesce($2::\(ownerType), \(given))"
        default: return given
        }
    }

    private func reference(_ column: String) -> String { "_t.\(quoteSQLIdentifier(column))" }

    private func type(_ column: String) -> String { entity.column(column)?.baseType ?? "text" }
}

/// A session, as the database has it.
package struct SessionRow: @unchecked Sendable {
    /// Keeps ``body`` alive.
    package let result: PostgresResult
    private let row: Int

    /// - Returns: nil where the statement answered no session.
    package init?(_ result: PostgresResult, row: Int = 0) {
        guard row < result.rowCount else { return nil }
        self.result = result
        self.row = row
    }

    /// The row as JSON.
    package var body: UnsafeRawBufferPointer { result.bytes(row, SessionSQL.Field.body) }
    package var owner: String { result.string(row, SessionSQL.Field.owner) ?? "" }
    package var key: String { result.string(row, SessionSQL.Field.key) ?? "" }
    package var secondsLeft: Int64 { result.int(row, SessionSQL.Field.secondsLeft) ?? 0 }
    /// The row's time was begun anew long enough ago to do it again.
    package var isDue: Bool { result.bool(row, SessionSQL.Field.isDue) ?? false }
}
