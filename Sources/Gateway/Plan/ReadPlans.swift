internal import Packs
internal import Postgres

/// Reads of one or some rows by key that depend on the request.
enum ReadPlans {
    /// One row or none with the selected columns: JSON text, entity tag without quotes.
    static func get(
        key: String,
        selection: Selection?,
        entity: Entity,
        owner: String?
    ) -> PlannedQuery {
        let sql = EntitySQL(entity)
        var builder = SQLBuilder()
        let row = sql.rowJSON(selection, &builder)
        var condition = "\(sql.key) = \(builder.bind(key, as: sql.keyType))"
        if let column = sql.owner, let owner {
            condition += " AND \(column) = \(builder.bind(owner, as: sql.ownerType))"
        }
        return builder.query(
            "SELECT \(row), \(sql.etag) FROM \(sql.table) AS _t WHERE \(condition)",
            isReadOnly: true
        )
    }

    /// Which hits of a search are rows that the caller may see: key as text, row as JSON text.
    ///
    /// - Parameters:
    ///   - keys: As the store gave them; those that are no key of this entity are just not found.
    ///   - filters: Of the request; hits that do not meet them are left out.
    static func hits(
        keys: [String],
        filters: [Filter],
        entity: Entity,
        owner: String?
    ) throws(Problem) -> PlannedQuery {
        let sql = EntitySQL(entity)
        var builder = SQLBuilder()
        let known = sql.keyType == "uuid" ? keys.filter(isUUID) : keys
        let among =
            "\(sql.key) = ANY(\(builder.bind(sqlArrayLiteral(known), as: "\(sql.keyType)[]")))"
        let conditions = [among] + (try sql.condition(filters, owner: owner, &builder))
        return builder.query(
            "SELECT \(sql.key)::text, \(sql.rowJSON) FROM \(sql.table) AS _t"
                + ListPlan.whereClause(conditions),
            isReadOnly: true
        )
    }
}

/// Whether a text is a UUID in its usual form: 36 characters, hexadecimal digits and hyphens.
func isUUID(_ text: String) -> Bool {
    guard text.utf8.count == 36 else { return false }
    var index = 0
    for byte in text.utf8 {
        switch index {
        case 8, 13, 18, 23: if byte != UInt8(ascii: "-") { return false }
        default:
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
                UInt8(ascii: "A")...UInt8(ascii: "F"):
                break
            default: return false
            }
        }
        index += 1
    }
    return true
}
