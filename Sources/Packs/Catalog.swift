package import Postgres

/// What PostgreSQL knows about the tables and views of one schema.
package struct Catalog: Sendable {
    package struct Relation: Sendable {
        package var name: String
        package var isView: Bool
        package var comment: String?
        package var columns: [Column] = []
        package var primaryKey: [String] = []
        /// Columns of each unique index without expressions and conditions, the primary key's too.
        package var uniqueKeys: [[String]] = []

        /// The columns of each constraint and unique index, by its name.
        package var constraintColumns: [String: [String]] = [:]

        package func column(_ name: String) -> Column? { columns.first { $0.name == name } }
    }

    package let schema: String
    package let relations: [String: Relation]

    /// Reads the catalog; three statements, whatever the size of the schema.
    package static func read(
        schema: String, _ connection: PostgresConnection
    ) async throws(PostgresError) -> Catalog {
        var relations: [String: Relation] = [:]
        let columns = try await connection.query(columnsStatement, [.text(schema)])
        for row in 0..<columns.rowCount {
            let relation = columns.string(row, 0) ?? ""
            if relations[relation] == nil {
                relations[relation] = Relation(
                    name: relation, isView: columns.bool(row, 1) ?? false,
                    comment: columns.string(row, 2))
            }
            relations[relation]?.columns.append(column(columns, row))
        }
        let indexes = try await connection.query(indexesStatement, [.text(schema)])
        for row in 0..<indexes.rowCount {
            let relation = indexes.string(row, 0) ?? ""
            let names = (indexes.string(row, 1) ?? "").split(separator: "\u{1}").map(String.init)
            guard let first = names.first, relations[relation] != nil else { continue }
            if let index = relations[relation]?.columns.firstIndex(where: { $0.name == first }) {
                relations[relation]?.columns[index].isIndexed = true
            }
            if indexes.bool(row, 2) == true { relations[relation]?.uniqueKeys.append(names) }
            if indexes.bool(row, 3) == true { relations[relation]?.primaryKey = names }
        }
        let constraints = try await connection.query(constraintsStatement, [.text(schema)])
        for row in 0..<constraints.rowCount {
            let names = (constraints.string(row, 2) ?? "").split(separator: "\u{1}")
                .map(String.init)
            relations[constraints.string(row, 0) ?? ""]?
                .constraintColumns[constraints.string(row, 1) ?? ""] = names
        }
        return Catalog(schema: schema, relations: relations)
    }

    private static func column(_ result: PostgresResult, _ row: Int) -> Column {
        Column(
            name: result.string(row, 3) ?? "", type: result.string(row, 4) ?? "",
            baseType: result.string(row, 5) ?? "", isArray: result.bool(row, 6) ?? false,
            isNotNull: result.bool(row, 7) ?? false, defaultExpression: result.string(row, 8),
            isFilledByTrigger: result.bool(row, 11) ?? false,
            isGenerated: result.bool(row, 9) ?? false, comment: result.string(row, 10))
    }

    private static let columnsStatement = Statement(
        unnamed: """
            SELECT c.relname, c.relkind IN ('v', 'm'), obj_description(c.oid, 'pg_class'),
                a.attname, format_type(a.atttypid, a.atttypmod), format_type(a.atttypid, NULL),
                t.typcategory = 'A', a.attnotnull,
                CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
                a.attgenerated <> '' OR a.attidentity = 'a', col_description(c.oid, a.attnum),
                EXISTS (SELECT FROM pg_trigger AS g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal
                    AND g.tgtype & 7 = 7)
            FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            JOIN pg_type t ON t.oid = a.atttypid
            LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
            WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm')
            ORDER BY c.relname, a.attnum
            """, isReadOnly: true)

    private static let indexesStatement = Statement(
        unnamed: """
            SELECT c.relname, string_agg(a.attname, E'\\x01' ORDER BY k.place),
                i.indisunique AND i.indpred IS NULL, i.indisprimary
            FROM pg_index i
            JOIN pg_class c ON c.oid = i.indrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace
            CROSS JOIN LATERAL unnest(i.indkey[0:i.indnkeyatts - 1]::int2[])
                WITH ORDINALITY AS k(attnum, place)
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
            WHERE n.nspname = $1 AND i.indisvalid AND i.indexprs IS NULL
            GROUP BY c.relname, i.indexrelid, i.indisunique, i.indpred, i.indisprimary
            """, isReadOnly: true)

    private static let constraintsStatement = Statement(
        unnamed: """
            SELECT c.relname, k.name, string_agg(a.attname, E'\\x01' ORDER BY k.place)
            FROM (
                SELECT o.conrelid AS relation, o.conname AS name, u.attnum, u.place
                FROM pg_constraint AS o
                CROSS JOIN LATERAL unnest(o.conkey) WITH ORDINALITY AS u(attnum, place)
                UNION
                SELECT i.indrelid, x.relname, u.attnum, u.place
                FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
                CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS u(attnum, place)
                WHERE i.indisunique) AS k
            JOIN pg_class AS c ON c.oid = k.relation
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            JOIN pg_attribute AS a ON a.attrelid = k.relation AND a.attnum = k.attnum
            WHERE n.nspname = $1
            GROUP BY c.relname, k.name
            """, isReadOnly: true)
}
