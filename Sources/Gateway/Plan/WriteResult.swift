package import Postgres

/// What a write of one row did.
package enum WriteOutcome: String, Sendable {
    case created
    case changed
    /// The row is not in the state that the precondition asks for; its entity tag is given.
    case precondition
    /// The row belongs to another owner than the body names.
    case owner
    /// Another write got in between and nothing was done; the same statement sees it when it runs
    /// again.
    case overtaken
    /// No row, or none that the caller may touch.
    case none
}

/// Reads the answer of the write statements of ``EntityStatements``.
package struct WriteResult: Sendable {
    /// The columns of the answer.
    package enum Field {
        package static let outcome = 0
        /// The row as JSON text; null for a deletion and for refusals.
        package static let body = 1
        /// Without quotes.
        package static let etag = 2
        /// The transaction's id, for the token.
        package static let transaction = 3
        package static let key = 4
    }

    /// Runs of a statement that is overtaken each time.
    package static let attemptCountMax = 5

    package let outcome: WriteOutcome
    package let result: PostgresResult

    /// The entity tag without quotes.
    package var etag: String? { text(Field.etag) }
    package var transaction: String? { text(Field.transaction) }
    package var key: String? { text(Field.key) }

    package init(_ result: PostgresResult) {
        self.result = result
        let word = result.rowCount > 0 ? result.string(0, Field.outcome) : nil
        outcome = word.flatMap { WriteOutcome(rawValue: $0) } ?? .none
    }

    private func text(_ field: Int) -> String? {
        result.rowCount > 0 ? result.string(0, field) : nil
    }
}
