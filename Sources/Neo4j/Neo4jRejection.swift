/// What a status code of the server means for the batch that got it.
///
/// Classified by code alone: the HTTP status is no guide (client and transient errors are both 400,
/// and errors after the first row come with 202), and message texts are not stable.
package struct Neo4jRejection: Equatable, Sendable {
    package enum Kind: Sendable, CaseIterable {
        /// The same batch may succeed: deadlock, lock timeout, leader switch, ….
        case transient
        /// The server asks to wait 5 s or more after wrong passwords.
        case rateLimited
        /// Someone or a timeout ended the transaction: a smaller batch once, then park.
        case terminated
        /// The transaction was too big or too long.
        case splitBatch
        /// A constraint was violated; may be a race of two merges of one new key: retry once.
        case constraint
        /// The statement or a value in it is wrong: bisect to find the row, then park it.
        case statement
        /// Anything else that stays wrong.
        case permanent
        /// A fault of the server; whether the commit happened is unknown. Few retries, then alert.
        case databaseFault

        package var isRetryable: Bool {
            switch self {
            case .transient, .rateLimited, .databaseFault: true
            case .terminated, .splitBatch, .constraint, .statement, .permanent: false
            }
        }

        package var mustSplit: Bool { self == .splitBatch || self == .terminated }
    }

    /// `Neo.{ClientError|TransientError|DatabaseError}.{Category}.{Title}`.
    package let code: String
    package let kind: Kind

    /// The message is left out: it can quote values, that of a syntax error too.
    package init(code: String) {
        self.code = code
        kind = Neo4jRejection.classify(code)
    }

    /// The statement itself may be wrong, or a value in it: a text that is no date and time is said
    /// to be a syntax error as well, and a body with an integer beyond 64 bits is not read at all.
    package var isSyntaxError: Bool {
        code == "Neo.ClientError.Statement.SyntaxError" || code == Neo4jRejection.unreadable
    }

    /// What the HTTP server says of a body that it cannot read; the driver never saw it.
    private static let unreadable = "N/A"

    /// The kind of a status code.
    package static func classify(_ code: String) -> Kind {
        let parts = code.split(separator: ".", omittingEmptySubsequences: false)
        if code == unreadable { return .statement }
        guard parts.count == 4, parts[0] == "Neo" else { return .permanent }
        if let kind = kindsByTitle["\(parts[2]).\(parts[3])"] { return kind }
        switch parts[1] {
        case "TransientError": return .transient
        case "DatabaseError": return .databaseFault
        default: return parts[2] == "Statement" ? .statement : .permanent
        }
    }

    /// Titles whose class prefix does not tell the kind. 4.4 sends some of them as transient errors
    /// and 5 as client errors, so the prefix is left out.
    private static let kindsByTitle: [String: Kind] = [
        "Cluster.NotALeader": .transient,
        "General.ForbiddenOnReadOnlyDatabase": .transient,
        "Security.AuthorizationExpired": .transient,
        "Transaction.TransactionAccessedConcurrently": .transient,
        "Security.AuthenticationRateLimit": .rateLimited,
        "Transaction.Terminated": .terminated,
        "Transaction.LockClientStopped": .terminated,
        "General.TransactionOutOfMemoryError": .splitBatch,
        "General.OutOfMemoryError": .splitBatch,
        "Transaction.TransactionTimedOut": .splitBatch,
        "Transaction.TransactionTimedOutClientConfiguration": .splitBatch,
        "Schema.ConstraintValidationFailed": .constraint,
    ]
}
