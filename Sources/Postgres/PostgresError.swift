internal import CPostgres

/// Why a statement has no result. Closed on purpose, so that the mapping to HTTP stays exhaustive.
package enum PostgresError: Error, Sendable {
    /// There is no connection, and the last attempt to make one failed; nothing was sent.
    case unreachable(retryAfter: Duration)
    /// The connection broke while the statement was on its way.
    case connectionLost(mayHaveBeenApplied: Bool)
    /// The deadline passed.
    case timedOut(mayHaveBeenApplied: Bool)
    /// The caller's task was cancelled.
    case cancelled(mayHaveBeenApplied: Bool)
    /// A queue is full; nothing was sent.
    case overloaded
    /// The server refused the statement; it has no effect.
    indirect case server(ServerError)

    /// Whether the statement may have taken effect although it was not confirmed.
    package var mayHaveBeenApplied: Bool {
        switch self {
        case .connectionLost(let may), .timedOut(let may), .cancelled(let may): may
        case .unreachable, .overloaded, .server: false
        }
    }

    /// The server rolled back because of concurrency: the same transaction may succeed if repeated.
    package var isRetryable: Bool { serverError?.isRetryable ?? false }

    /// A prepared statement no longer fits the schema; prepare it again.
    package var isStalePlan: Bool { serverError?.isStalePlan ?? false }

    /// When the next attempt to reach the server is due; nil if that is not the problem.
    package var retryAfter: Duration? {
        if case .unreachable(let delay) = self { delay } else { nil }
    }

    package var serverError: ServerError? {
        if case .server(let error) = self { error } else { nil }
    }
}

/// An error as PostgreSQL reported it.
package struct ServerError: Error, Sendable {
    /// Five characters, PostgreSQL documentation, appendix A.
    package var sqlState: String
    /// `ERROR`, `FATAL` or `PANIC`, not localised.
    package var severity: String
    /// For the operator's log only: may contain row values.
    package var message: String
    package var hint: String?
    package var constraint: String?
    package var schema: String?
    package var table: String?
    package var column: String?
    package var dataType: String?

    package init(sqlState: String, severity: String = "ERROR", message: String) {
        self.sqlState = sqlState
        self.severity = severity
        self.message = message
    }

    init(result: OpaquePointer?) {
        // The codes are PG_DIAG_…, character macros that Swift does not import.
        func field(_ code: Unicode.Scalar) -> String? {
            PQresultErrorField(result, CInt(code.value)).map { String(cString: $0) }
        }
        // libpq's own errors carry no state: class 08, connection exception.
        sqlState = field("C") ?? "08000"
        severity = field("V") ?? "ERROR"
        message =
            field("M")
            ?? PQresultErrorMessage(result).map { String(cString: $0) } ?? ""
        hint = field("H")
        constraint = field("n")
        schema = field("s")
        table = field("t")
        column = field("c")
        dataType = field("d")
    }

    /// What the server says to a NUL in text; libpq's C strings would cut the value off instead.
    static let nulInParameter = ServerError(
        sqlState: "22021", message: "a parameter contains the character NUL")

    /// 40001 serialization_failure and 40P01 deadlock_detected.
    package var isRetryable: Bool { sqlState == "40001" || sqlState == "40P01" }

    /// 0A000 "cached plan must not change result type" and 26000 invalid_sql_statement_name.
    package var isStalePlan: Bool {
        sqlState == "26000" || (sqlState == "0A000" && message.contains(bytesOf: "cached plan"))
    }

    /// A value of a row is at fault, not the statement or the server, by the class of SQLSTATE:
    /// cardinality, data, feature not supported (for this value), errors of functions, limits.
    package var isRowFault: Bool {
        ["0A", "21", "22", "2F", "38", "39", "54", "P0"].contains(sqlState.prefix(2))
            && !isStalePlan
    }

    /// The server hangs up after this error; what ran may or may not have been committed.
    var endsSession: Bool { severity == "FATAL" || severity == "PANIC" }

    /// 55P03 lock_not_available: `lock_timeout` passed.
    var isLockTimeout: Bool { sqlState == "55P03" }

    /// 57014 query_canceled: by `statement_timeout` or by a cancel request.
    var isQueryCanceled: Bool { sqlState == "57014" }
}
