internal import Packs

extension EntitySQL {
    typealias Places = StatementTemplate.Places

    func get(_ name: String, isOwned: Bool) -> StatementTemplate {
        StatementTemplate(name, isReadOnly: true) { place in
            var condition = "\(key) = \(place(.key, keyType))"
            if isOwned, let owner { condition += " AND \(owner) = \(place(.owner, ownerType))" }
            return "SELECT \(rowJSON), \(etag) FROM \(table) AS _t WHERE \(condition)"
        }
    }

    func owner(_ name: String) -> StatementTemplate {
        StatementTemplate(name, isReadOnly: true) { place in
            let value = owner.map { "\($0)::text" } ?? "NULL::text"
            return "SELECT \(value) FROM \(table) AS _t WHERE \(isTheRow(&place))"
        }
    }

    func create(_ name: String) -> StatementTemplate {
        StatementTemplate(name) { place in
            let madeKey = entity.makesKey ? place(.madeKey, keyType) : nil
            let columns = writableColumns.map { quoteSQLIdentifier($0.name) }
            let values = writableColumns.map { newValue($0, &place) }
            let base = baseRecord(madeKey: madeKey)
            return """
                INSERT INTO \(table) AS _t (\(columns.joined(separator: ", "))) \
                SELECT \(values.joined(separator: ", ")) FROM \
                jsonb_populate_record(\(base), \(place(.body, "jsonb"))) AS _n \
                RETURNING 'created', \(written)
                """
        }
    }

    func patch(_ name: String) -> StatementTemplate {
        StatementTemplate(name) { place in
            let body = place(.body, "jsonb")
            let ownerStays = ownerStays(body)
            let conditions =
                [isTheRow(&place), hasTag(&place), ownerStays].joined(separator: " AND ")
            return """
                WITH changed AS (UPDATE \(table) AS _t SET \(patchedColumns(body)) \
                WHERE \(conditions) RETURNING \(written)) \
                SELECT 'changed' AS outcome, changed.* FROM changed UNION ALL \
                SELECT CASE WHEN \(ownerStays) THEN 'precondition' ELSE 'owner' END, \
                NULL, \(etag), NULL, NULL FROM (SELECT * FROM \(table) AS _t \
                WHERE \(isTheRow(&place)) FOR UPDATE) AS _t \
                WHERE NOT EXISTS (SELECT FROM changed)
                """
        }
    }

    func delete(_ name: String) -> StatementTemplate {
        StatementTemplate(name) { place in
            """
            WITH changed AS (DELETE FROM \(table) AS _t \
            WHERE \(isTheRow(&place)) AND \(hasTag(&place)) \
            RETURNING NULL::text, \(etag), pg_current_xact_id()::text, \(key)::text) \
            SELECT 'changed' AS outcome, changed.* FROM changed UNION ALL \
            SELECT 'precondition', NULL, \(etag), NULL, NULL FROM (SELECT * FROM \(table) AS _t \
            WHERE \(isTheRow(&place)) FOR UPDATE) AS _t \
            WHERE NOT EXISTS (SELECT FROM changed)
            """
        }
    }

    /// Replaces a row that is there. An insert with a conflict clause could make it anew where it
    /// is deleted meanwhile.
    func replace(_ name: String) -> StatementTemplate {
        StatementTemplate(name) { place in
            let body = place(.body, "jsonb")
            let ownerStays = ownerStays(body)
            let conditions =
                [isTheRow(&place), hasTag(&place), ownerStays].joined(separator: " AND ")
            return """
                WITH changed AS (UPDATE \(table) AS _t SET \(newColumns(body)) \
                WHERE \(conditions) RETURNING \(written)) \
                SELECT 'changed' AS outcome, changed.* FROM changed UNION ALL \
                SELECT CASE WHEN \(ownerStays) THEN 'precondition' ELSE 'owner' END, \
                NULL, \(etag), NULL, NULL FROM (SELECT * FROM \(table) AS _t \
                WHERE \(isTheRow(&place)) FOR UPDATE) AS _t \
                WHERE NOT EXISTS (SELECT FROM changed)
                """
        }
    }

    /// Creates a row or replaces it. What the statement's snapshot does not show may be in the way
    /// all the same: a row committed since then, which is not replaced. Then nothing is done, and
    /// only a statement that begins later can tell of that row.
    func put(_ name: String) -> StatementTemplate {
        StatementTemplate(name) { place in
            let body = place(.body, "jsonb")
            let keyValue = place(.key, keyType)
            let columns = writableColumns.map { quoteSQLIdentifier($0.name) }
            let values = writableColumns.map {
                $0.name == entity.keyColumn ? keyValue : keptOrNewValue($0, body, &place)
            }
            let isNew = place(.isNew, "boolean")
            let ownerName = entity.ownerColumn ?? ""
            let ownerStays = owner.map { owner in
                "\(owner) IS NOT DISTINCT FROM EXCLUDED.\(quoteSQLIdentifier(ownerName))"
            }
            let named = owner.map { owner in
                "\(owner) IS NOT DISTINCT FROM coalesce(\(place(.owner, ownerType)), "
                    + "(\(body)->>\(quoteSQLLiteral(ownerName)))::\(ownerType))"
            }
            return """
                WITH written AS (INSERT INTO \(table) AS _t (\(columns.joined(separator: ", "))) \
                SELECT \(values.joined(separator: ", ")) FROM \
                jsonb_populate_record(\(baseRecord(madeKey: nil)), \(body)) AS _n \
                ON CONFLICT (\(quoteSQLIdentifier(entity.keyColumn))) DO UPDATE \
                SET \(replacedColumns(body)) \
                WHERE NOT \(isNew) AND \(ownerStays ?? "true") \
                RETURNING CASE WHEN _t.xmax = 0 THEN 'created' ELSE 'changed' END AS outcome, \
                \(written)) \
                SELECT * FROM written UNION ALL \
                SELECT CASE WHEN \(named ?? "true") THEN 'precondition' ELSE 'owner' END, \
                NULL, CASE WHEN \(named ?? "true") THEN \(etag) END, NULL, NULL \
                FROM \(table) AS _t WHERE \(key) = \(keyValue) \
                AND NOT EXISTS (SELECT FROM written) UNION ALL \
                SELECT 'overtaken', NULL, NULL, NULL, NULL WHERE NOT EXISTS (SELECT FROM written) \
                AND NOT EXISTS (SELECT FROM \(table) AS _t WHERE \(key) = \(keyValue))
                """
        }
    }

    // MARK: Pieces

    /// What the statements of one row give besides the outcome; see ``WriteResult/Field``.
    private var written: String {
        "\(rowJSON) AS body, \(etag) AS etag, pg_current_xact_id()::text AS transaction, "
            + "\(key)::text AS key"
    }

    private func isTheRow(_ place: inout Places) -> String {
        let condition = "\(key) = \(place(.key, keyType))"
        guard let owner else { return condition }
        let caller = place(.owner, ownerType)
        return "\(condition) AND (\(caller) IS NULL OR \(owner) = \(caller))"
    }

    private func hasTag(_ place: inout Places) -> String {
        let etags = place(.etags, "text[]")
        return "(\(etags) IS NULL OR \(etag) = ANY(\(etags)))"
    }

    /// The body names no owner, or the one that the row has.
    private func ownerStays(_ body: String) -> String {
        guard let owner, let name = entity.ownerColumn else { return "true" }
        let literal = quoteSQLLiteral(name)
        return "(NOT \(body) ? \(literal) "
            + "OR \(owner) IS NOT DISTINCT FROM (\(body)->>\(literal))::\(ownerType))"
    }

    /// The value of a column of a new row; the caller's owner wins over the body's.
    private func newValue(_ column: Column, _ place: inout Places) -> String {
        let value = "_n.\(quoteSQLIdentifier(column.name))"
        guard column.name == entity.ownerColumn else { return value }
        return "coalesce(\(place(.owner, ownerType)), \(value))"
    }

    /// What a replacement writes: a write-only column that the body does not name stays, also where
    /// it must not be null, which is checked before the conflict is seen.
    private func keptOrNewValue(
        _ column: Column, _ body: String, _ place: inout Places
    ) -> String {
        let value = newValue(column, &place)
        guard column.isWriteOnly else { return value }
        return "CASE WHEN \(body) ? \(quoteSQLLiteral(column.name)) THEN \(value) "
            + "ELSE coalesce((SELECT \(EntitySQL.reference(column.name)) FROM \(table) AS _t "
            + "WHERE \(isTheRow(&place))), \(value)) END"
    }

    private func patchedColumns(_ body: String) -> String {
        let columns = changeableColumns
        guard !columns.isEmpty else { return "\(quoteSQLIdentifier(entity.keyColumn)) = \(key)" }
        let names = columns.map { quoteSQLIdentifier($0.name) }
        let values = columns.map { column -> String in
            let name = quoteSQLLiteral(column.name)
            guard column.baseType == "jsonb" else { return "_n.\(quoteSQLIdentifier(column.name))" }
            let current = EntitySQL.reference(column.name)
            return "CASE WHEN \(body) ? \(name) THEN nullif(fourfold.json_merge_patch("
                + "\(current), \(body)->\(name)), 'null'::jsonb) ELSE \(current) END"
        }
        return "(\(names.joined(separator: ", "))) = (SELECT \(values.joined(separator: ", ")) "
            + "FROM jsonb_populate_record(_t, \(body)) AS _n)"
    }

    /// What a replacement makes of the columns: a write-only one that is not named stays.
    private func newColumns(_ body: String) -> String {
        let columns = changeableColumns
        guard !columns.isEmpty else { return "\(quoteSQLIdentifier(entity.keyColumn)) = \(key)" }
        let names = columns.map { quoteSQLIdentifier($0.name) }
        let values = columns.map { column -> String in
            let value = "_n.\(quoteSQLIdentifier(column.name))"
            guard column.isWriteOnly else { return value }
            return "CASE WHEN \(body) ? \(quoteSQLLiteral(column.name)) THEN \(value) "
                + "ELSE \(EntitySQL.reference(column.name)) END"
        }
        return "(\(names.joined(separator: ", "))) = (SELECT \(values.joined(separator: ", ")) "
            + "FROM jsonb_populate_record(\(baseRecord(madeKey: nil)), \(body)) AS _n)"
    }

    private func replacedColumns(_ body: String) -> String {
        let assignments = changeableColumns.map { column -> String in
            let name = quoteSQLIdentifier(column.name)
            guard column.isWriteOnly else { return "\(name) = EXCLUDED.\(name)" }
            return "\(name) = CASE WHEN \(body) ? \(quoteSQLLiteral(column.name)) "
                + "THEN EXCLUDED.\(name) ELSE _t.\(name) END"
        }
        let key = quoteSQLIdentifier(entity.keyColumn)
        return assignments.isEmpty
            ? "\(key) = EXCLUDED.\(key)" : assignments.joined(separator: ", ")
    }
}
