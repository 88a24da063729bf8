/// What happened to one row, as far as one page of the outbox knows.
package struct RowChange: Equatable, Sendable {
    package enum Action: Sendable {
        case created, updated, deleted
        /// The row came and went: there is nothing to tell.
        case vanished
    }

    package var entity: String
    package var key: String
    /// Whose the row is or was; nil where nobody owns it.
    package var owner: String?
    package var action: Action

    package init(entity: String, key: String, owner: String?, action: Action) {
        self.entity = entity
        self.key = key
        self.owner = owner
        self.action = action
    }
}

/// Turns a page of outbox rows into what happened to each key: once, and nothing for a row that
/// came and went. Pure.
package struct ChangeCoalescer: Sendable {
    private struct RowName: Hashable {
        var entity: String
        var key: String
    }

    private struct Fate {
        var action: RowChange.Action
        /// Counts the page's rows: where the row stands that gave the action its name.
        var place: Int
        var owner: String?
    }

    private var fates: [RowName: Fate] = [:]
    private var rowCount = 0

    package init(_ rows: some Sequence<OutboxRow> = []) {
        for row in rows { add(row) }
    }

    package mutating func add(_ row: OutboxRow) {
        rowCount += 1
        guard let key = row.key else { return }
        let name = RowName(entity: row.entity, key: key)
        let before = fates[name]
        guard let action = ChangeCoalescer.action(after: before?.action, row.operation) else {
            return
        }
        let owner = row.owner ?? before?.owner
        let place = action == before?.action && action == .created ? before?.place : nil
        fates[name] = Fate(action: action, place: place ?? rowCount, owner: owner)
    }

    /// In the order of the rows that gave the actions their names.
    package var changes: [RowChange] {
        fates.sorted { $0.value.place < $1.value.place }.map { name, fate in
            RowChange(entity: name.entity, key: name.key, owner: fate.owner, action: fate.action)
        }
    }

    /// - Returns: nil for what says nothing of a single row.
    private static func action(
        after before: RowChange.Action?, _ operation: OutboxRow.Operation
    ) -> RowChange.Action? {
        switch (operation, before) {
        case (.insert, nil), (.insert, .vanished), (.insert, .created), (.update, .created):
            .created
        case (.insert, .updated), (.insert, .deleted), (.update, _): .updated
        case (.delete, .created), (.delete, .vanished): .vanished
        case (.delete, _): .deleted
        case (.truncate, _), (.resync, _), (.rewrite, _): nil
        }
    }
}
