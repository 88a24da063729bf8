/// Which transactions made the keys of a page dirty. Kept as the rows come, and searched only when
/// a store refuses a key: its parked row carries them, so that their tokens are not applied.
///
/// A page has at most ``LaneConfiguration/pageRowCountMax`` rows, so no key has more transactions.
package struct PageOrigins: Sendable {
    private struct Row {
        let xid: String
        let entity: String
        /// Nil for the whole entity.
        let key: String?
    }

    /// What a dirty rule answered for the rows of `source`: keys of `target`.
    private struct Derivation {
        let source: String
        let target: String
        /// Nil where there were too many to name.
        let keys: Set<String>?
    }

    private var rows: [Row] = []
    private var derivations: [Derivation] = []

    package init() {}

    package mutating func add(_ row: OutboxRow) {
        rows.append(Row(xid: row.xid, entity: row.entity, key: row.key))
    }

    /// - Parameter keys: Nil for the whole entity `target`.
    package mutating func derive(_ keys: Set<String>?, of target: String, from source: String) {
        derivations.append(Derivation(source: source, target: target, keys: keys))
    }

    /// The transactions of all rows that may have made the key dirty. Which of the rows given to a
    /// rule named it, the rule does not say: then it was each of them.
    package func xids(entity: String, key: String) -> Set<String> {
        var reached: Set<String> = []
        var named: Set<String> = []
        for derivation in derivations where derivation.target == entity {
            reached.insert(derivation.source)
            if derivation.keys?.contains(key) ?? true { named.insert(derivation.source) }
        }
        var xids: Set<String> = []
        for row in rows {
            let isOrigin =
                named.contains(row.entity)
                || row.entity == entity && (row.key == nil || row.key == key)
                || row.key == nil && reached.contains(row.entity)
            if isOrigin { xids.insert(row.xid) }
        }
        return xids
    }
}
