/// One row of the outbox: a key of an entity became dirty. It never says what to write.
package struct OutboxRow: Equatable, Sendable {
    /// The letter is the outbox's.
    package enum Operation: String, Sendable {
        case insert = "i"
        case update = "u"
        case delete = "d"
        case truncate = "t"
        /// Everything of the entity may have changed.
        case resync = "r"
        /// Nothing happened; a store may lack what was written before.
        case rewrite = "w"
    }

    /// The transaction that wrote it, as PostgreSQL writes an `xid8`.
    package var xid: String
    package var position: Int64
    package var entity: String
    /// Nil when everything of the entity may have changed.
    package var key: String?
    package var operation: Operation
    /// Columns of the changed row as JSON, where a dirty rule needs more than the key.
    package var columns: String?
    /// Whose the row is, for those who tell it.
    package var owner: String?

    package init(
        xid: String, position: Int64, entity: String, key: String?, operation: Operation,
        columns: String? = nil, owner: String? = nil
    ) {
        self.xid = xid
        self.position = position
        self.entity = entity
        self.key = key
        self.operation = operation
        self.columns = columns
        self.owner = owner
    }
}
