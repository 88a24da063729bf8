internal import Packs

/// A total order of rows: what the request asks for, then the key.
struct Keyset {
    let terms: [OrderTerm]

    /// - Precondition: The entity has its key column.
    init(_ order: [OrderTerm], entity: Entity) {
        let hasKey = order.contains {
            $0.reference.isWholeColumn && $0.reference.column.name == entity.keyColumn
        }
        guard !hasKey, let key = entity.column(entity.keyColumn) else {
            terms = order
            return
        }
        // The key goes the way of the last term, so that one index can serve both backwards too.
        let descends = order.last?.isDescending ?? false
        let reference = ColumnReference(column: key, path: [], isText: false)
        terms =
            order + [
                OrderTerm(
                    reference: reference,
                    isDescending: descends,
                    areNullsFirst: descends
                )
            ]
    }

    func orderBy(_ builder: inout SQLBuilder) -> String {
        terms.map { term in
            let value = builder.expression(term.reference).sql
            let direction = term.isDescending ? "DESC" : "ASC"
            guard term.isNullable else { return "\(value) \(direction)" }
            return "\(value) \(direction) NULLS \(term.areNullsFirst ? "FIRST" : "LAST")"
        }.joined(separator: ", ")
    }

    /// The values of the row `_t` as a JSON array of texts.
    func values(_ builder: inout SQLBuilder) -> String {
        let texts = terms.map { "\(builder.expression($0.reference).sql)::text" }
        return "json_build_array(\(texts.joined(separator: ", ")))::text"
    }

    /// Rows after the one that has these values.
    func after(_ values: [String?], _ builder: inout SQLBuilder) -> String {
        let isUniform = terms.allSatisfy {
            !$0.isNullable && $0.isDescending == terms[0].isDescending
        }
        if isUniform && !values.contains(nil) {
            // A comparison of rows is one range of an index.
            var columns: [String] = []
            var bounds: [String] = []
            for (term, value) in zip(terms, values) {
                let (sql, type) = builder.expression(term.reference)
                columns.append(sql)
                bounds.append(builder.bind(value ?? "", as: type))
            }
            let sign = terms[0].isDescending ? "<" : ">"
            return
                "(\(columns.joined(separator: ", "))) \(sign) (\(bounds.joined(separator: ", ")))"
        }
        var alternatives: [String] = []
        var equal: [String] = []
        for (term, value) in zip(terms, values) {
            let (sql, type) = builder.expression(term.reference)
            let bound = value.map { builder.bind($0, as: type) }
            if let later = later(term, sql, bound) {
                alternatives.append("(\((equal + [later]).joined(separator: " AND ")))")
            }
            equal.append(bound.map { "\(sql) = \($0)" } ?? "\(sql) IS NULL")
        }
        return alternatives.isEmpty ? "false" : "(\(alternatives.joined(separator: " OR ")))"
    }

    /// Values of one term that come after `bound` (nil: after null); nil if none can.
    private func later(_ term: OrderTerm, _ sql: String, _ bound: String?) -> String? {
        guard let bound else { return term.areNullsFirst ? "\(sql) IS NOT NULL" : nil }
        let comparison = "\(sql) \(term.isDescending ? "<" : ">") \(bound)"
        return term.isNullable && !term.areNullsFirst
            ? "(\(comparison) OR \(sql) IS NULL)" : comparison
    }
}
