package import Packs
internal import Postgres

/// One cache and how PostgreSQL is asked for its values. Made once, shared by all loops.
package final class CacheSource: Sendable {
    package let rule: CacheRule
    /// The member of the values that holds the owner; nil where nobody owns rows.
    package let ownerMember: String?
    /// Each row has an owner, so each value names one.
    private let isOwned: Bool
    /// `$1` the key: value and owner.
    let statement: Statement

    package init(_ rule: CacheRule, schema: String, ownerMember: String?, isOwned: Bool) {
        self.rule = rule
        self.ownerMember = ownerMember
        self.isOwned = isOwned
        let view = "\(quoteSQLIdentifier(schema)).\(quoteSQLIdentifier(rule.view))"
        statement = Statement(
            "cache.\(rule.view)",
            "SELECT value::text, owner::text FROM \(view) WHERE key = $1 LIMIT 1", isReadOnly: true)
    }

    /// - Returns: nil for what no gateway stored under the key.
    func value(stored bytes: [UInt8]) -> CacheValue? {
        guard let value = CacheValue(stored: bytes, ownerMember: ownerMember),
            !isOwned || value.owner?.isEmpty == false
        else { return nil }
        return value
    }
}
