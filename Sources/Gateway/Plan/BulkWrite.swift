internal import Packs
internal import Postgres

/// Writes to a collection: one statement each, all or nothing.
///
/// Every statement answers with one row; see ``Field``.
enum BulkWrite {
    enum Field {
        /// The rows as a JSON array, or as one object where one row was asked for; null with
        /// `return=minimal`.
        static let body = 0
        static let rowCount = 1
        /// The entity tag and the key of the row, where it is exactly one.
        static let etag = 2
        static let key = 3
        /// The transaction's id, for the token.
        static let transaction = 4
        /// Rows that an insert created; the others were merged into.
        static let createdCount = 5
    }

    /// What the answer must say, and what must not happen.
    struct Answer: Sendable {
        /// Nil where the request does not select.
        var selection: Selection?
        var hasBody = true
        /// The answer is one object; another count of rows undoes the write (406).
        var isSingular = false
        /// More rows undo the write (400).
        var maxAffected: Int?
    }

    /// Inserts the objects of an array, in its order.
    struct Insert: Sendable {
        var body: [UInt8]
        var checked: CheckedBody
        /// The caller's; wins over the body's.
        var owner: String?
        /// One for each object where ``EntityStatements/makesKey``; used where an object has none.
        var madeKeys: [String] = []
        /// `columns=`.
        var listed: [Column]?
        /// `missing=default`: what an object does not name gets its default, although `columns=`
        /// lists it.
        var isMissingDefault = false
        var resolution: Preferences.Resolution?
        /// `on_conflict=`; nil for the key.
        var conflictColumns: [String]?
    }

    static func insert(
        _ insert: Insert,
        entity: Entity,
        answer: Answer
    ) throws(Problem) -> PlannedQuery {
        let sql = EntitySQL(entity)
        var builder = SQLBuilder()
        let body = builder.bind(.bytes(insert.body), as: "jsonb")
        let array = insert.checked.isArray ? body : "jsonb_build_array(\(body))"
        var owner: String?
        if sql.owner != nil, let caller = insert.owner {
            owner = builder.bind(caller, as: sql.ownerType)
        }
        var madeKey: String?
        // A parameter that the statement does not name would be one too many.
        if sql.usesMadeKeys(insert) {
            let keys = builder.bind(sqlArrayLiteral(insert.madeKeys), as: "\(sql.keyType)[]")
            madeKey = "(\(keys))[_e.n]"
        }
        let written = sql.writtenColumns(insert)
        let base = sql.baseRecord(madeKey: madeKey) { column in
            guard let listed = insert.listed, !insert.isMissingDefault else { return true }
            return !listed.contains { $0.name == column.name }
        }
        let names = written.map { quoteSQLIdentifier($0.name) }.joined(separator: ", ")
        let values = written.map { column -> String in
            let value = "_n.\(quoteSQLIdentifier(column.name))"
            if column.name == entity.ownerColumn, let owner { return owner }
            if column.name == entity.keyColumn, let madeKey, sql.ignoresBodyKey(insert) {
                return "coalesce(\(madeKey), \(column.defaultExpression ?? "NULL"))"
            }
            return value
        }.joined(separator: ", ")
        let conflict = try sql.conflictClause(insert, written: written)
        let shown = sql.shown(answer, &builder)
        let isMerge = insert.resolution == .mergeDuplicates
        var refusals = refusals(answer)
        if isMerge && sql.owner != nil {
            // A row that the conflict clause left alone belongs to another owner.
            refusals.insert((.ownerMismatch, "count(*) <> \(insert.checked.rowCount)"), at: 0)
        }
        return builder.query(
            """
            WITH written AS (INSERT INTO \(sql.table) AS _t (\(names)) \
            SELECT \(values) FROM jsonb_array_elements(\(array)) WITH ORDINALITY AS _e(o, n), \
            LATERAL jsonb_populate_record(\(base), _e.o) AS _n ORDER BY _e.n\(conflict) \
            RETURNING \(shown), \(isMerge ? "_t.xmax = 0" : "true") AS c) \
            SELECT \(summary(answer, refusals)), count(*) FILTER (WHERE c) FROM written
            """,
            isReadOnly: false
        )
    }

    /// Replaces the columns that the body names in every row that the filters find.
    ///
    /// - Parameter query: Needs a filter; `columns=` chooses among the body's members.
    static func update(
        _ query: CollectionQuery,
        body: [UInt8],
        checked: CheckedBody,
        entity: Entity,
        owner: String?,
        answer: Answer
    ) throws(Problem) -> PlannedQuery {
        try checkFilters(query, entity, owner)
        let sql = EntitySQL(entity)
        var builder = SQLBuilder()
        let body = builder.bind(.bytes(body), as: "jsonb")
        let columns = sql.changeableColumns.filter { column in
            checked.names.contains(column.name)
                && query.columns?.contains { $0.name == column.name } != false
        }
        let assignments =
            columns.isEmpty
            ? ["\(quoteSQLIdentifier(entity.keyColumn)) = \(sql.key)"]
            : columns.map { column in
                let name = quoteSQLIdentifier(column.name)
                return "\(name) = _n.\(name)"
            }
        // Clients send whole rows back: the key and the owner may be there, if they do not change.
        var fixed: [(EngineState, String)] = []
        for (state, name) in [
            (EngineState.keyMismatch, entity.keyColumn), (.ownerMismatch, entity.ownerColumn ?? ""),
        ] where checked.names.contains(name) && name != "" {
            let column = quoteSQLIdentifier(name)
            fixed.append((state, "_t.\(column) IS DISTINCT FROM _n.\(column)"))
        }
        let conditions = try sql.condition(query.filters, owner: owner, &builder)
        let shown = sql.shown(answer, &builder)
        let flags = fixed.enumerated().map { ", \($1.1) AS f\($0)" }.joined()
        let refusals =
            fixed.enumerated().map { ($1.0, "bool_or(f\($0))") } + refusals(answer)
        return builder.query(
            """
            WITH written AS (UPDATE \(sql.table) AS _t SET \(assignments.joined(separator: ", ")) \
            FROM jsonb_populate_record(NULL::\(sql.table), \(body)) AS _n\
            \(ListPlan.whereClause(conditions)) RETURNING \(shown)\(flags)) \
            SELECT \(summary(answer, refusals)), 0 FROM written
            """,
            isReadOnly: false
        )
    }

    /// Deletes every row that the filters find.
    static func delete(
        _ query: CollectionQuery,
        entity: Entity,
        owner: String?,
        answer: Answer
    ) throws(Problem) -> PlannedQuery {
        try checkFilters(query, entity, owner)
        let sql = EntitySQL(entity)
        var builder = SQLBuilder()
        let conditions = try sql.condition(query.filters, owner: owner, &builder)
        let shown = sql.shown(answer, &builder)
        return builder.query(
            """
            WITH written AS (DELETE FROM \(sql.table) AS _t\(ListPlan.whereClause(conditions)) \
            RETURNING \(shown)) SELECT \(summary(answer, refusals(answer))), 0 FROM written
            """,
            isReadOnly: false
        )
    }

    // MARK: Pieces

    private static func checkFilters(
        _ query: CollectionQuery,
        _ entity: Entity,
        _ owner: String?
    ) throws(Problem) {
        if query.filters.isEmpty {
            throw Problem(
                .filterRequired,
                "A change of a collection needs a filter.",
                hint: "Add one, e.g. ?\(entity.keyColumn)=eq.…."
            )
        }
        let others: [(String, Bool)] = [
            ("limit", query.limit != nil), ("offset", query.offset != nil),
            ("cursor", query.cursor != nil), ("order", !query.order.isEmpty),
            ("on_conflict", query.conflictColumns != nil),
        ]
        if let (name, _) = others.first(where: { $0.1 }) {
            throw Problem(
                .invalidParameter,
                "\(name) does not go with a change of a collection.",
                hint: "Bound the change with Prefer: max-affected=n.",
                errors: [FieldError(name, "is for lists only")]
            )
        }
        try IndexRule(entity: entity).check(filters: query.filters, order: [], owner: owner)
    }

    private static func refusals(_ answer: Answer) -> [(EngineState, String)] {
        var refusals: [(EngineState, String)] = []
        if let maxAffected = answer.maxAffected {
            refusals.append((.maxAffectedExceeded, "count(*) > \(maxAffected)"))
        }
        if answer.isSingular { refusals.append((.notSingular, "count(*) <> 1")) }
        return refusals
    }

    /// The answer's row over `written(j, e, k)`, or an exception that undoes the statement.
    private static func summary(_ answer: Answer, _ refusals: [(EngineState, String)]) -> String {
        let rows = "string_agg(j, ',')"
        var body = answer.isSingular ? rows : "'[' || coalesce(\(rows), '') || ']'"
        if !answer.hasBody { body = "NULL::text" }
        if !refusals.isEmpty {
            let cases = refusals.map { state, condition in
                "WHEN \(condition) THEN fourfold.refuse("
                    + "'\(state.rawValue)', count(*)::text)::text"
            }
            body = "CASE \(cases.joined(separator: " ")) ELSE \(body) END"
        }
        return "\(body), count(*), CASE WHEN count(*) = 1 THEN min(e) END, "
            + "CASE WHEN count(*) = 1 THEN min(k) END, pg_current_xact_id()::text"
    }
}
