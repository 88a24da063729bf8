/// A table or view of a pack that callers see under a path, with what PostgreSQL's catalog says
/// of it.
package struct Entity: Sendable {
    /// The path segment: `/v1/{pack}/{path}`.
    package var path: String
    /// PostgreSQL schema and relation, not quoted.
    package var schema: String
    package var relation: String
    /// The columns in the order of the table.
    package var columns: [Column]
    /// The column that `/v1/{pack}/{path}/{id}` means.
    package var keyColumn: String
    /// The column that holds the owner's id; nil where rows belong to everybody (templates).
    package var ownerColumn: String?
    /// Sets of columns that are unique together, the key's among them; for upserts.
    package var uniqueKeys: [[String]]
    /// The columns of each constraint and unique index, by its name, for errors.
    package var constraintColumns: [String: [String]]
    /// A view, or a table the pack does not let callers write.
    package var isReadOnly: Bool
    /// Rows are created and never changed.
    package var isAppendOnly: Bool
    /// The table's comment, for the OpenAPI description.
    package var comment: String?

    package init(
        path: String, schema: String, relation: String, columns: [Column], keyColumn: String,
        ownerColumn: String?, uniqueKeys: [[String]] = [],
        constraintColumns: [String: [String]] = [:], isReadOnly: Bool = false,
        isAppendOnly: Bool = false, comment: String? = nil
    ) {
        self.path = path
        self.schema = schema
        self.relation = relation
        self.columns = columns
        self.keyColumn = keyColumn
        self.ownerColumn = ownerColumn
        self.uniqueKeys = uniqueKeys
        self.constraintColumns = constraintColumns
        self.isReadOnly = isReadOnly
        self.isAppendOnly = isAppendOnly
        self.comment = comment
    }

    /// `"schema"."relation"`, quoted for SQL.
    package var qualifiedName: String {
        "\(quoteSQLIdentifier(schema)).\(quoteSQLIdentifier(relation))"
    }

    package func column(_ name: String) -> Column? { columns.first { $0.name == name } }

    /// The columns that answers, filters, projections and channels may show.
    package var visibleColumns: [Column] { columns.filter { !$0.isWriteOnly } }

    /// Whether rows are those of the owner entity itself (its key is the owner).
    package var isOwnerEntity: Bool { ownerColumn == keyColumn }
}

/// A column, as PostgreSQL's catalog has it.
package struct Column: Sendable {
    package var name: String
    /// The type as `format_type` writes it, e.g. `character varying(255)`, `jsonb[]`.
    package var type: String
    /// The type without modifiers, e.g. `character varying`, for casts of filter values.
    package var baseType: String
    /// The type is an array; `baseType` then ends in `[]`.
    package var isArray: Bool
    package var isNotNull: Bool
    /// The default as an SQL expression; nil where there is none.
    package var defaultExpression: String?
    /// A trigger sees the row before its constraints do, so that a new row may leave it out.
    package var isFilledByTrigger: Bool
    /// `GENERATED ALWAYS`: callers cannot write it.
    package var isGenerated: Bool
    /// The pack never shows it (`password_hash`).
    package var isWriteOnly: Bool
    /// It leads an index, so that it can be filtered and ordered by without an owner.
    package var isIndexed: Bool
    package var comment: String?

    /// A date or a time of day or both.
    package var isTime: Bool {
        baseType == "date" || baseType.hasPrefix("time ") || baseType.hasPrefix("timestamp ")
    }

    package init(
        name: String, type: String, baseType: String, isArray: Bool = false,
        isNotNull: Bool = false, defaultExpression: String? = nil, isFilledByTrigger: Bool = false,
        isGenerated: Bool = false, isWriteOnly: Bool = false,
        isIndexed: Bool = false, comment: String? = nil
    ) {
        self.name = name
        self.type = type
        self.baseType = baseType
        self.isArray = isArray
        self.isNotNull = isNotNull
        self.defaultExpression = defaultExpression
        self.isFilledByTrigger = isFilledByTrigger
        self.isGenerated = isGenerated
        self.isWriteOnly = isWriteOnly
        self.isIndexed = isIndexed
        self.comment = comment
    }

    package var isJSON: Bool { baseType == "jsonb" || baseType == "json" }
}

/// An identifier in double quotes, for SQL.
package func quoteSQLIdentifier(_ name: String) -> String {
    let parts = name.split(separator: "\"", omittingEmptySubsequences: false)
    return "\"" + parts.joined(separator: "\"\"") + "\""
}

/// A string literal in single quotes, for SQL with `standard_conforming_strings` on.
package func quoteSQLLiteral(_ text: String) -> String {
    "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
}
