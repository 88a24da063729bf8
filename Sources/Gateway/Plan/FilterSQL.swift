internal import Packs
internal import Postgres

extension SQLBuilder {
    /// The value that a reference means, and the type that values compared with it are cast to.
    mutating func expression(_ reference: ColumnReference) -> (sql: String, type: String) {
        let column = EntitySQL.reference(reference.column.name)
        guard !reference.isWholeColumn else { return (column, reference.column.castType) }
        var sql = reference.column.baseType == "jsonb" ? column : "to_jsonb(\(column))"
        for (index, step) in reference.path.enumerated() {
            let isLast = index == reference.path.count - 1
            sql += isLast && reference.isText ? "->>" : "->"
            switch step {
            case .key(let key): sql += bind(key, as: "text")
            case .index(let index): sql += bind(.int(Int64(index)), as: "integer")
            }
        }
        return ("(\(sql))", reference.isText ? "text" : "jsonb")
    }

    /// The condition as SQL; every value is a parameter.
    mutating func condition(_ filter: Filter) throws(Problem) -> String {
        switch filter {
        case .all(let members): return try joined(members, by: " AND ")
        case .any(let members): return try joined(members, by: " OR ")
        case .not(let inner): return "NOT (\(try condition(inner)))"
        case .comparison(let reference, let comparison):
            return try condition(reference, comparison)
        }
    }

    private mutating func joined(
        _ members: [Filter],
        by word: String
    ) throws(Problem) -> String {
        var parts: [String] = []
        for member in members { parts.append(try condition(member)) }
        return "(\(parts.joined(separator: word)))"
    }

    private mutating func condition(
        _ reference: ColumnReference,
        _ comparison: Comparison
    ) throws(Problem) -> String {
        let (value, type) = expression(reference)
        let isText = type == "text" || (reference.isWholeColumn && reference.column.isText)
        func readAsText() -> String { isText ? value : "\(value)::text" }
        switch comparison {
        case .compare(let found, let text):
            if found.isPattern || found == .match || found == .imatch {
                return "\(readAsText()) \(found.sql) \(bind(text, as: "text"))"
            }
            return "\(value) \(found.sql) \(bind(text, as: type))"
        case .compareList(let found, let quantifier, let texts):
            let isPattern = found.isPattern || found == .match || found == .imatch
            let list = try list(texts, isPattern ? "text" : type, reference)
            return "\(isPattern ? readAsText() : value) \(found.sql) "
                + "\(quantifier == .any ? "ANY" : "ALL")(\(list))"
        case .among(let texts):
            return "\(value) = ANY(\(try list(texts, type, reference)))"
        case .isState(let state):
            return "\(value) \(state.sql)"
        case .isDistinctFrom(let text):
            return "\(value) IS DISTINCT FROM \(bind(text, as: type))"
        case .fullText(let found, let configuration, let text):
            let argument = configuration.map { bind($0, as: "regconfig") + ", " } ?? ""
            let query = "\(found.function)(\(argument)\(bind(text, as: "text")))"
            let isVector = reference.isWholeColumn && reference.column.baseType == "tsvector"
            return isVector
                ? "\(value) @@ \(query)" : "to_tsvector(\(argument)\(value)) @@ \(query)"
        case .relation(.ov, let text) where type == "jsonb":
            // jsonb has no &&: overlap means a shared element, or a shared key of objects.
            let list =
                text.hasPrefix("[")
                ? "ARRAY(SELECT jsonb_array_elements_text(\(bind(text, as: "jsonb"))))"
                : bind(text, as: "text[]")
            return "\(value) ?| \(list)"
        case .relation(let found, let text):
            return "\(value) \(found.sql) \(bind(text, as: type))"
        }
    }

    private mutating func list(
        _ texts: [String],
        _ type: String,
        _ reference: ColumnReference
    ) throws(Problem) -> String {
        if type.hasSuffix("[]") {
            let name = reference.column.name
            throw Problem(
                .invalidFilter,
                "\(name) is an array and cannot be compared with a list.",
                hint: "Use cs, cd or ov: \(name)=ov.{a,b}.",
                errors: [FieldError(name, "is an array")]
            )
        }
        return bind(sqlArrayLiteral(texts), as: "\(type)[]")
    }
}

extension EntitySQL {
    /// The conditions of a request on the whole: filters and the caller's owner.
    func condition(
        _ filters: [Filter],
        owner caller: String?,
        _ builder: inout SQLBuilder
    ) throws(Problem) -> [String] {
        var parts: [String] = []
        if let owner, let caller {
            parts.append("\(owner) = \(builder.bind(caller, as: ownerType))")
        }
        for filter in filters { parts.append(try builder.condition(filter)) }
        return parts
    }

    /// The selection as JSON text of the row `_t`.
    func rowJSON(_ selection: Selection?, _ builder: inout SQLBuilder) -> String {
        guard let selection else { return rowJSON }
        let items = selection.items.map { item -> String in
            let value = builder.expression(item.reference).sql
            let cast = item.cast.map { "::\($0)" } ?? ""
            return "\(value)\(cast) AS \(quoteSQLIdentifier(item.name))"
        }
        return jsonRow(items)
    }
}
