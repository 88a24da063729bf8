internal import Packs

extension EntitySQL {
    /// What a bulk statement returns of each row: JSON text `j`, entity tag `e`, key `k`.
    func shown(_ answer: BulkWrite.Answer, _ builder: inout SQLBuilder) -> String {
        let row = answer.hasBody ? rowJSON(answer.selection, &builder) : "NULL::text"
        return "\(row) AS j, \(etag) AS e, \(key)::text AS k"
    }

    /// The columns an insert writes. With `columns=` the others get their defaults from the table.
    func writtenColumns(_ insert: BulkWrite.Insert) -> [Column] {
        guard let listed = insert.listed else { return writableColumns }
        return writableColumns.filter { column in
            listed.contains { $0.name == column.name }
                || (column.name == entity.keyColumn && entity.makesKey)
                || (column.name == entity.ownerColumn && insert.owner != nil)
        }
    }

    /// Whether a key can be missing: `columns=` that lists it asks for one in every object.
    func usesMadeKeys(_ insert: BulkWrite.Insert) -> Bool {
        guard entity.makesKey else { return false }
        return insert.isMissingDefault || insert.listed == nil || ignoresBodyKey(insert)
    }

    /// `columns=` does not list the key, so that a key in the body does not count.
    func ignoresBodyKey(_ insert: BulkWrite.Insert) -> Bool {
        guard let listed = insert.listed else { return false }
        return !listed.contains { $0.name == entity.keyColumn }
    }

    func conflictClause(
        _ insert: BulkWrite.Insert,
        written: [Column]
    ) throws(Problem) -> String {
        guard let resolution = insert.resolution else {
            if insert.conflictColumns == nil { return "" }
            throw Problem(
                .invalidConflictTarget,
                "on_conflict needs a resolution.",
                hint: "Add Prefer: resolution=merge-duplicates or resolution=ignore-duplicates."
            )
        }
        let target = try conflictTarget(insert.conflictColumns)
        let columns = target.map { quoteSQLIdentifier($0) }.joined(separator: ", ")
        if resolution == .ignoreDuplicates { return " ON CONFLICT (\(columns)) DO NOTHING" }
        if insert.listed == nil && !insert.checked.hasUniformNames {
            throw Problem(
                .invalidBody,
                "The objects of the array name different columns.",
                hint: "Name the same columns in each, or list them with columns=."
            )
        }
        let named = written.filter { column in
            insert.listed == nil
                ? insert.checked.names.contains(column.name)
                : insert.listed?.contains { $0.name == column.name } == true
        }
        var assigned = named.map(\.name).filter { name in
            name != entity.keyColumn && name != entity.ownerColumn && !target.contains(name)
        }
        // Something must be assigned; a column of the key has the same value on both sides.
        if assigned.isEmpty { assigned = [target[0]] }
        let assignments = assigned.map { name -> String in
            let quoted = quoteSQLIdentifier(name)
            return "\(quoted) = EXCLUDED.\(quoted)"
        }
        var clause =
            " ON CONFLICT (\(columns)) DO UPDATE SET \(assignments.joined(separator: ", "))"
        if let owner, let name = entity.ownerColumn {
            clause += " WHERE \(owner) IS NOT DISTINCT FROM EXCLUDED.\(quoteSQLIdentifier(name))"
        }
        return clause
    }

    private func conflictTarget(_ names: [String]?) throws(Problem) -> [String] {
        guard let names else { return [entity.keyColumn] }
        let wanted = Set(names)
        let keys = entity.uniqueKeys + [[entity.keyColumn]]
        if let key = keys.first(where: { Set($0) == wanted }) { return key }
        let choices = keys.map { $0.joined(separator: ",") }.joined(separator: "; ")
        throw Problem(
            .invalidConflictTarget,
            "on_conflict names no unique key of \(entity.path).",
            hint: "Unique keys: \(choices).",
            errors: [FieldError("on_conflict", "must be one of: \(choices)")]
        )
    }
}
