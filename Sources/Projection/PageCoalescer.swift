/// Turns a page of outbox rows into what is dirty: each key once, whatever happened to it.
package struct PageCoalescer: Sendable {
    /// What a page says of one entity.
    package struct Changes: Equatable, Sendable {
        /// Keys whose rows were all inserts: nothing of them can be in a store that has all that
        /// came before, so nothing of them can be stale there.
        package var created: Set<String> = []
        /// Keys that were changed or deleted.
        package var changed: Set<String> = []
        /// Distinct columns of changed rows, as JSON, for the dirty rules.
        package var columns: Set<String> = []
        /// The whole entity must be reconciled; the keys need no work of their own.
        package var mustResync = false
        /// A transaction of the page for each key: the last one.
        package var xids: [String: String] = [:]
    }

    package private(set) var changes: [String: Changes] = [:]
    package private(set) var rowCount = 0
    /// Where the next page begins; nil before the first row.
    package private(set) var last: (xid: String, position: Int64)?

    package init() {}

    package init(_ rows: some Sequence<OutboxRow>) {
        for row in rows { add(row) }
    }

    package mutating func add(_ row: OutboxRow) {
        rowCount += 1
        last = (row.xid, row.position)
        var entity = changes[row.entity] ?? Changes()
        if let columns = row.columns { entity.columns.insert(columns) }
        if let key = row.key, row.operation != .resync {
            entity.xids[key] = row.xid
            if row.operation == .insert {
                if !entity.changed.contains(key) { entity.created.insert(key) }
            } else {
                entity.created.remove(key)
                entity.changed.insert(key)
            }
        } else {
            entity.mustResync = true
        }
        changes[row.entity] = entity
    }
}
