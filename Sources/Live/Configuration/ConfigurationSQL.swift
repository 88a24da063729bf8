package import Packs
package import Postgres

/// How configuration is read from PostgreSQL.
package enum ConfigurationSQL {
    /// Name and value, sorted.
    package static func values(_ pack: String, _ rule: ConfigurationRule) -> Statement {
        let view = "\(quoteSQLIdentifier(pack)).\(quoteSQLIdentifier(rule.view))"
        return Statement(
            "configuration_values",
            """
            SELECT v.name, v.value::text FROM \(view) AS v
            WHERE v.name IS NOT NULL AND v.value IS NOT NULL ORDER BY v.name
            """, isReadOnly: true)
    }

    /// Drawn before the values are read for ``ConfigurationCopies``.
    package static let drawRevision = Statement(
        "configuration_revision", "SELECT nextval('fourfold.revision_seq')")

    package static func values(_ result: PostgresResult) -> [ConfigurationValue] {
        (0..<result.rowCount).compactMap { row in
            result.string(row, 0).map {
                ConfigurationValue(name: $0, value: Array(result.bytes(row, 1)))
            }
        }
    }
}
