/// Turns a page of outbox rows into what is dirty: each key once, whatever happened to it.
package struct PageCoalescer: Sendable {
    /// A row as the dirty rules read it.
    package struct ChangedRow: Hashable, Sendable {
        package var key: String
        package var operation: OutboxRow.Operation
        package var columns: String?
    }

    /// What a page says of one entity.
    package struct Changes: Equatable, Sendable {
        /// Keys whose rows were all inserts: nothing of them can be in a store that has all that
        /// came before, so nothing of them can be stale there.
        package var created: Set<String> = []
        /// Keys that were changed or deleted.
        package var changed: Set<String> = []
        /// Each distinct row, for the dirty rules.
        package var rows: Set<ChangedRow> = []
        /// The whole entity must be reconciled.
        package var mustResync = false
    }

    package private(set) var changes: [String: Changes] = [:]
    package private(set) var origins = PageOrigins()
    package private(set) var rowCount = 0
    /// Where the next page begins; nil before the first row.
    package private(set) var last: (xid: String, position: Int64)?

    package init(_ rows: some Sequence<OutboxRow> = []) {
        for row in rows { add(row) }
    }

    /// Counts a row that dirties nothing.
    package mutating func pass(_ row: OutboxRow) {
        rowCount += 1
        last = (row.xid, row.position)
    }

    package mutating func add(_ row: OutboxRow) {
        pass(row)
        changes[row.entity, default: Changes()].add(row)
        origins.add(row)
    }
}

extension PageCoalescer.Changes {
    fileprivate mutating func add(_ row: OutboxRow) {
        guard let key = row.key else {
            mustResync = true
            return
        }
        rows.insert(
            PageCoalescer.ChangedRow(key: key, operation: row.operation, columns: row.columns))
        if row.operation == .insert {
            if !changed.contains(key) { created.insert(key) }
        } else {
            created.remove(key)
            changed.insert(key)
        }
    }
}
