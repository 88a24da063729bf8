package import Packs
internal import Postgres

/// One cache and how PostgreSQL is asked for its values. Made once, shared by all loops.
package final class CacheSource: Sendable {
    package let rule: CacheRule
    /// The member of the values that holds the owner; nil where nobody owns rows.
    package let ownerMember: String?
    /// `$1` the key: value and owner.
    let statement: Statement

    package init(_ rule: CacheRule, schema: String, ownerMember: String?) {
        self.rule = rule
        self.ownerMember = ownerMember
        let view = "\(quoteSQLIdentifier(schema)).\(quoteSQLIdentifier(rule.view))"
        statement = Statement(
            "cache.\(rule.view)",
            "SELECT value::text, owner::text FROM \(view) WHERE key = $1 LIMIT 1", isReadOnly: true)
    }
}
