internal import Packs

/// Without an owner a list may only use indexes: one request must not read a whole table.
struct IndexRule {
    let entity: Entity

    /// - Throws: ``ProblemCode/columnNotIndexed``, naming the columns that work.
    func check(
        filters: [Filter],
        order: [OrderTerm],
        owner: String?
    ) throws(Problem) {
        if owner != nil && entity.ownerColumn != nil { return }
        if filters.contains(where: isIndexedEquality) { return }
        var used = order.map(\.reference)
        for filter in filters { collect(filter, &used) }
        var refused: [String] = []
        for reference in used where !isIndexed(reference) {
            if !refused.contains(reference.column.name) { refused.append(reference.column.name) }
        }
        if refused.isEmpty { return }
        let names = entity.visibleColumns.map(\.name).filter(isIndexed).joined(separator: ", ")
        throw Problem(
            .columnNotIndexed,
            "\(refused.joined(separator: ", ")) has no index that this request could use.",
            hint: "Name an owner (Fourfold-User), or add an equality on one of: \(names).",
            errors: refused.map { FieldError($0, "has no index; without an owner use: \(names)") }
        )
    }

    private func isIndexed(_ reference: ColumnReference) -> Bool {
        reference.isWholeColumn && isIndexed(reference.column.name)
    }

    private func isIndexed(_ name: String) -> Bool {
        name == entity.keyColumn || name == entity.ownerColumn
            || entity.column(name)?.isIndexed == true
    }

    /// An equality that every row of the answer meets.
    private func isIndexedEquality(_ filter: Filter) -> Bool {
        switch filter {
        case .all(let members): return members.contains(where: isIndexedEquality)
        case .any, .not: return false
        case .comparison(let reference, let comparison):
            guard isIndexed(reference) else { return false }
            switch comparison {
            case .compare(.eq, _), .compareList(.eq, _, _), .among: return true
            default: return false
            }
        }
    }

    private func collect(_ filter: Filter, _ used: inout [ColumnReference]) {
        switch filter {
        case .all(let members), .any(let members):
            for member in members { collect(member, &used) }
        case .not(let inner): collect(inner, &used)
        case .comparison(let reference, _): used.append(reference)
        }
    }
}
