internal import Packs

/// The query of a request to a collection, read but not yet planned.
struct CollectionQuery: Sendable {
    /// Nil where the request does not select: every column.
    var selection: Selection?
    var filters: [Filter] = []
    var order: [OrderTerm] = []
    var limit: Int?
    var offset: Int?
    var cursor: String?
    /// `columns=`: the columns that a body writes.
    var columns: [Column]?
    /// `on_conflict=`: the unique key that makes an insert an update.
    var conflictColumns: [String]?
    /// The first filter's parameter; nil without filters.
    private var filterName: String?
    /// Filters and order as they were sent: a cursor is valid for these only.
    var identity = ""

    /// Nothing but `select` is asked for.
    var isSelectionOnly: Bool {
        filters.isEmpty && order.isEmpty && limit == nil && offset == nil && cursor == nil
            && columns == nil && conflictColumns == nil
    }

    /// Refuses what chooses rows that are there: a create has nothing to choose from.
    func requireNoList() throws(Problem) {
        let others: [(String, Bool)] = [
            ("limit", limit != nil), ("offset", offset != nil), ("cursor", cursor != nil),
            ("order", !order.isEmpty),
        ]
        let name = others.first { $0.1 }?.0 ?? filterName
        guard let name else { return }
        throw Problem(
            .invalidParameter, "A create takes no filter and no page.",
            hint: "Send select, columns and on_conflict only.",
            errors: [FieldError(String(name.prefix(60)), "is not taken here")])
    }

    /// Names of parameters that are never columns.
    static let reservedNames: Set<String> = [
        "select", "order", "limit", "offset", "cursor", "columns", "on_conflict", "and", "or",
        "not.and", "not.or", "token",
    ]

    private static let logicNames: Set<String> = ["and", "or", "not.and", "not.or"]

    /// Reads the decoded pairs of a query.
    ///
    /// - Throws: Status 400 with the parameter's name.
    static func parse(
        _ pairs: some Sequence<(name: String, value: String)>,
        entity: Entity,
        limits: QueryLimits = QueryLimits()
    ) throws(Problem) -> CollectionQuery {
        var query = CollectionQuery()
        var seen: Set<String> = []
        let resolver = ColumnResolver(entity: entity, limits: limits)
        var filters = FilterParser(resolver)
        for (name, value) in pairs {
            let isLogic = logicNames.contains(name)
            if reservedNames.contains(name), !isLogic, !seen.insert(name).inserted {
                throw invalid(name, "is there twice")
            }
            switch name {
            case "token": continue
            case "select": query.selection = try SelectParser(resolver: resolver).parse(value)
            case "order": query.order = try OrderParser(resolver: resolver).parse(value)
            case "limit": query.limit = try number(name, value, max: Int.max)
            case "offset": query.offset = try number(name, value, max: limits.offsetMax)
            case "cursor": query.cursor = value
            case "columns": query.columns = try writtenColumns(name, value, entity)
            case "on_conflict": query.conflictColumns = names(value)
            case "and", "or":
                query.filters.append(try filters.logic(name, isAny: name == "or", value))
            case "not.and", "not.or":
                query.filters.append(
                    .not(try filters.logic(name, isAny: name == "not.or", value))
                )
            default: query.filters.append(try filters.column(name, value))
            }
            let isFilter = !reservedNames.contains(name) || isLogic
            if isFilter, query.filterName == nil { query.filterName = name }
            if name == "order" || isFilter {
                query.identity += "\(name)=\(value)\u{0}"
            }
        }
        if query.cursor != nil && query.offset != nil {
            throw invalid("cursor", "does not go with offset")
        }
        return query
    }

    /// The filters of a search: `{"status":"eq.active"}`.
    static func parseFilters(
        _ pairs: some Sequence<(name: String, value: String)>,
        entity: Entity,
        limits: QueryLimits = QueryLimits()
    ) throws(Problem) -> [Filter] {
        let query = try parse(pairs, entity: entity, limits: limits)
        let others =
            query.selection != nil || !query.order.isEmpty || query.limit != nil
            || query.offset != nil || query.cursor != nil || query.columns != nil
        if others { throw invalid("filter", "takes conditions only") }
        return query.filters
    }

    private static func number(_ name: String, _ text: String, max: Int) throws(Problem) -> Int {
        let isDigits = !text.isEmpty && text.utf8.allSatisfy { (48...57).contains($0) }
        guard isDigits else { throw invalid(name, "must be a whole number, 0 or more") }
        guard let number = Int(text), number <= max else {
            if max == .max { return .max }
            throw invalid(
                name,
                "must be \(max) at most",
                hint: "Page with the cursor of the Link header instead."
            )
        }
        return number
    }

    /// Names with commas between them, quoted or not.
    private static func names(_ text: String) -> [String] {
        var scanner = GrammarScanner(text)
        var names: [String] = []
        repeat {
            names.append(scanner.quoted() ?? scanner.run(until: ","))
        } while scanner.skip(",")
        return names
    }

    private static func writtenColumns(
        _ name: String,
        _ text: String,
        _ entity: Entity
    ) throws(Problem) -> [Column] {
        var columns: [Column] = []
        for each in names(text) {
            // A write-only column may be written, so it is known here.
            guard let column = entity.column(each) else {
                throw Problem(
                    .unknownColumn,
                    "\(entity.path) has no column \(quoteForMessage(each)).",
                    hint: "Columns: \(entity.visibleColumns.map(\.name).joined(separator: ", ")).",
                    errors: [FieldError("columns", "names an unknown column")]
                )
            }
            if column.isGenerated {
                throw Problem(
                    .generatedColumn,
                    "\(column.name) is made by the database.",
                    hint: "Leave it out.",
                    errors: [FieldError("columns", "names a generated column")]
                )
            }
            if !columns.contains(where: { $0.name == column.name }) { columns.append(column) }
        }
        return columns
    }

    private static func invalid(_ name: String, _ message: String, hint: String? = nil) -> Problem {
        Problem(
            .invalidParameter,
            "\(name) \(message).",
            hint: hint,
            errors: [FieldError(name, message)]
        )
    }
}
