internal import JSON
internal import Packs
internal import Postgres

/// After a write failed with a state of class 22: which fields of the body do not fit their
/// columns. The database itself is asked, by `pg_input_error_info` (PostgreSQL 16 and newer).
struct InvalidFieldsPlan {
    let entity: Entity

    /// Rows: index of the object (null for a single one), column, type, SQLSTATE.
    ///
    /// - Parameter body: The object or array that was refused.
    func query(body: [UInt8]) -> PlannedQuery {
        var builder = SQLBuilder()
        let body = builder.bind(.bytes(body), as: "jsonb")
        // A JSON value always fits a JSON column.
        let columns = entity.columns.filter {
            !$0.isGenerated && !["json", "jsonb"].contains($0.elementCastType)
        }
        let fields = columns.map { column in
            let element = column.isArray ? quoteSQLLiteral(column.elementType) : "NULL"
            return "(\(quoteSQLLiteral(column.name)), \(quoteSQLLiteral(column.type)), \(element))"
        }
        let list =
            fields.isEmpty ? "(NULL::text, NULL::text, NULL::text)" : fields.joined(separator: ", ")
        let objects = """
            SELECT NULL::bigint AS n, \(body) AS o WHERE jsonb_typeof(\(body)) = 'object' \
            UNION ALL SELECT e.n - 1, e.o FROM jsonb_array_elements(CASE jsonb_typeof(\(body)) \
            WHEN 'array' THEN \(body) ELSE '[]' END) WITH ORDINALITY AS e(o, n)
            """
        return builder.query(
            """
            SELECT DISTINCT b.n, f.name, f.type, i.sql_error_code FROM (\(objects)) AS b \
            CROSS JOIN (VALUES \(list)) AS f(name, type, element) \
            CROSS JOIN LATERAL (SELECT b.o->>f.name AS value, f.type AS type \
            WHERE f.element IS NULL OR jsonb_typeof(b.o->f.name) = 'string' \
            UNION ALL SELECT v.value, f.element FROM jsonb_array_elements_text(\
            CASE WHEN f.element IS NOT NULL AND jsonb_typeof(b.o->f.name) = 'array' \
            THEN b.o->f.name ELSE '[]' END) AS v(value)) AS v \
            CROSS JOIN LATERAL pg_input_error_info(v.value, v.type) AS i \
            WHERE v.value IS NOT NULL AND i.sql_error_code IS NOT NULL \
            ORDER BY 1 NULLS FIRST, 2 LIMIT 100
            """,
            isReadOnly: true
        )
    }

    /// The exact problem; nil if no field was found to be at fault.
    func problem(_ result: PostgresResult) -> Problem? {
        let errors = (0..<result.rowCount).map { row -> FieldError in
            let place = result.string(row, 0).map { "\($0)." } ?? ""
            let type = result.string(row, 2) ?? ""
            return FieldError(
                place + (result.string(row, 1) ?? ""),
                message(result.string(row, 3) ?? "", type: type)
            )
        }
        guard let first = errors.first else { return nil }
        return Problem(
            .invalidValue,
            "\(first.field) \(first.message).",
            hint: errors.count > 1 ? "\(errors.count) fields are not valid." : nil,
            errors: errors
        )
    }

    private func message(_ state: String, type: String) -> String {
        switch state {
        case "22001": "is too long for \(type)"
        case "22003": "is out of range for \(type)"
        case "22008": "is out of range for \(type)"
        case "23514": "breaks a rule of \(type)"
        default: "is not a valid \(type)"
        }
    }
}

extension Column {
    /// The type of one element with its modifiers: `character varying(20)` of `…(20)[]`.
    fileprivate var elementType: String { type.hasSuffix("[]") ? String(type.dropLast(2)) : type }
}
