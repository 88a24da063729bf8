internal import JSON
internal import Packs
internal import Postgres

/// A page of rows: one statement, and how to read its answer.
struct ListPlan: Sendable {
    /// The columns of the answer, which is one row.
    enum Field {
        /// The JSON text: an array, or with `isSingular` one object (null if there is no row).
        static let body = 0
        static let rowCount = 1
        /// The order's values of the last row; null if there is none.
        static let keyset = 2
        /// Rows that meet the filters; null unless they were counted.
        static let total = 3
    }

    let query: PlannedQuery
    /// `EXPLAIN` of the list, for `count=planned`, and for `estimated` beyond ``countMax``: read
    /// it by ``plannedRowCount(_:)``.
    let plannedCount: PlannedQuery?
    /// A total above this is a lower bound: ask ``plannedCount``. Nil where it is exact.
    let countMax: Int?
    /// Rows of the page at most. A page of fewer is the last one.
    let limit: Int
    private let offset: Int
    private let hasCursor: Bool
    private let identity: String

    /// - Parameters:
    ///   - owner: The caller's; nil for a service that sees all.
    ///   - isSingular: The answer must be one row; at most two are read.
    init(
        _ query: CollectionQuery,
        entity: Entity,
        owner: String?,
        count: Preferences.Count? = nil,
        isSingular: Bool = false,
        limits: QueryLimits = QueryLimits()
    ) throws(Problem) {
        try IndexRule(entity: entity).check(
            filters: query.filters,
            order: query.order,
            owner: owner
        )
        let sql = EntitySQL(entity)
        let keyset = Keyset(query.order, entity: entity)
        let pageLimit = min(query.limit ?? limits.pageRowCountDefault, limits.pageRowCountMax)
        limit = isSingular ? min(pageLimit, 2) : pageLimit
        offset = query.offset ?? 0
        hasCursor = query.cursor != nil
        identity = "\(sql.table)\u{0}\(query.identity)"

        var builder = SQLBuilder()
        let row = sql.rowJSON(query.selection, &builder)
        let values = keyset.values(&builder)
        let conditions = try sql.condition(query.filters, owner: owner, &builder)
        var pageConditions = conditions
        if let text = query.cursor {
            let cursor = try Cursor.decode(
                text,
                identity: identity,
                valueCount: keyset.terms.count,
                byteCountMax: limits.cursorByteCountMax
            )
            pageConditions.append(keyset.after(cursor.values, &builder))
        }
        let from = "FROM \(sql.table) AS _t"
        let orderBy = keyset.orderBy(&builder)
        var page =
            "SELECT \(row) AS j, \(values) AS k \(from)\(ListPlan.whereClause(pageConditions)) "
            + "ORDER BY \(orderBy) LIMIT \(builder.bind(.int(Int64(limit)), as: "bigint"))"
        if offset > 0 { page += " OFFSET \(builder.bind(.int(Int64(offset)), as: "bigint"))" }

        var total = "NULL::bigint"
        countMax = count == .estimated ? limits.estimatedCountRowMax : nil
        if count == .exact {
            total = "(SELECT count(*) \(from)\(ListPlan.whereClause(conditions)))"
        } else if let countMax {
            total =
                "(SELECT count(*) FROM (SELECT 1 \(from)\(ListPlan.whereClause(conditions)) "
                + "LIMIT \(countMax + 1)) AS _c)"
        }
        let rows = "string_agg(_p.j, ',')"
        let body = isSingular ? rows : "'[' || coalesce(\(rows), '') || ']'"
        self.query = builder.query(
            "SELECT \(body), count(*), (array_agg(_p.k))[count(*)], \(total) FROM (\(page)) AS _p",
            isReadOnly: true
        )
        plannedCount =
            count == .planned || count == .estimated
            ? try ListPlan.plannedCount(sql, query.filters, owner: owner) : nil
    }

    // MARK: Reading the answer

    /// The cursor of the next page; nil on the last one.
    ///
    /// - Parameter keyset: ``Field/keyset`` of the answer.
    func nextCursor(rowCount: Int, keyset: String?) -> String? {
        guard rowCount == limit, limit > 0, let keyset, let cursor = Cursor(json: keyset) else {
            return nil
        }
        return cursor.encoded(identity: identity)
    }

    /// `Content-Range`, as PostgREST writes it: `0-19/57`, `*/0`.
    func contentRange(rowCount: Int, total: Int?) -> String {
        let size = total.map(String.init) ?? "*"
        // Where a page reached by its cursor begins is not known.
        guard rowCount > 0, !hasCursor else { return "*/\(size)" }
        return "\(offset)-\(offset + rowCount - 1)/\(size)"
    }

    /// The planner's estimate from the JSON text of ``plannedCount``.
    static func plannedRowCount(_ json: String) -> Int? {
        guard let document = try? JSONDocument.parse(json),
            let plan = document.root.elements.first(where: { _ in true })?["Plan"]
        else { return nil }
        return plan["Plan Rows"]?.int.map { Int($0) }
    }

    // MARK: Pieces

    static func whereClause(_ conditions: [String]) -> String {
        conditions.isEmpty ? "" : " WHERE \(conditions.joined(separator: " AND "))"
    }

    private static func plannedCount(
        _ sql: EntitySQL,
        _ filters: [Filter],
        owner: String?
    ) throws(Problem) -> PlannedQuery {
        var builder = SQLBuilder()
        let conditions = try sql.condition(filters, owner: owner, &builder)
        return builder.query(
            "EXPLAIN (FORMAT JSON) SELECT 1 FROM \(sql.table) AS _t\(whereClause(conditions))",
            isReadOnly: true
        )
    }
}
