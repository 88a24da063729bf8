/// One row of the outbox: a key of an entity became dirty. It never says what to write.
package struct OutboxRow: Equatable, Sendable {
    package enum Operation: Sendable {
        case insert, update, delete
        /// Everything of the entity may have changed (TRUNCATE, a marker).
        case resync

        /// - Parameter letter: As the outbox holds it.
        package init?(letter: String) {
            switch letter {
            case "i": self = .insert
            case "u": self = .update
            case "d": self = .delete
            case "t", "r": self = .resync
            default: return nil
            }
        }
    }

    /// The transaction that wrote it, as PostgreSQL writes an `xid8`.
    package var xid: String
    package var position: Int64
    package var entity: String
    /// Nil for ``Operation/resync``.
    package var key: String?
    package var operation: Operation
    /// Columns of the changed row as JSON, where a dirty rule needs more than the key.
    package var columns: String?

    package init(
        xid: String, position: Int64, entity: String, key: String?, operation: Operation,
        columns: String? = nil
    ) {
        self.xid = xid
        self.position = position
        self.entity = entity
        self.key = key
        self.operation = operation
        self.columns = columns
    }
}
