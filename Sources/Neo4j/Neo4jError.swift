/// Why a statement gave no result. Closed on purpose; never carries parameters or rows.
package enum Neo4jError: Error, Equatable, Sendable {
    /// No connection: nothing was sent.
    case unreachable
    /// The server answers but cannot serve now (starting, database offline, gateway errors).
    case unavailable
    /// The deadline passed.
    case timedOut(mayHaveBeenApplied: Bool)
    /// The connection or the answer broke off after a write was sent.
    case outcomeUnknown
    /// The server refused or failed; its transaction was rolled back, except for
    /// ``Neo4jRejection/Kind/databaseFault`` where that is unknown.
    case rejected(Neo4jRejection)
    /// Missing, wrong or expired credentials.
    case unauthorized(code: String)
    /// A read's answer broke off or is not what the Query API sends.
    case invalidResponse
    /// The answer passed the byte bound. A write was applied.
    case responseTooLarge
    /// The request passed the byte bound: nothing was sent.
    case requestTooLarge
    /// The server does not offer the Query API (it came with 5.19 and is on since 5.25).
    case unsupportedServer(version: String)
    /// The URL is not one of the HTTP API (`http:` or `https:`).
    case invalidConfiguration
    /// The circuit breaker is open: nothing was sent.
    case breakerOpen(retryAfter: Duration)
    /// The client's queue is full: nothing was sent.
    case overloaded
    case cancelled(mayHaveBeenApplied: Bool)

    /// Whether the same statement may succeed later without a change.
    package var isRetryable: Bool {
        switch self {
        case .unreachable, .unavailable, .timedOut, .outcomeUnknown, .invalidResponse,
            .breakerOpen, .overloaded:
            true
        case .rejected(let rejection): rejection.kind.isRetryable
        case .unauthorized, .responseTooLarge, .requestTooLarge, .unsupportedServer,
            .invalidConfiguration, .cancelled:
            false
        }
    }

    /// Whether a smaller batch may succeed where this one cannot.
    package var mustSplit: Bool {
        switch self {
        case .requestTooLarge, .responseTooLarge: true
        case .rejected(let rejection): rejection.kind.mustSplit
        default: false
        }
    }

    /// Whether the statement may have been committed although no result came.
    package var mayHaveBeenApplied: Bool {
        switch self {
        case .timedOut(let may), .cancelled(let may): may
        case .outcomeUnknown, .responseTooLarge: true
        case .rejected(let rejection): rejection.kind == .databaseFault
        default: false
        }
    }

    /// The least time to wait before a retry, where the server or the breaker names one.
    package var retryAfter: Duration? {
        switch self {
        case .breakerOpen(let duration): duration
        case .rejected(let rejection) where rejection.kind == .rateLimited: .seconds(5)
        default: nil
        }
    }

    /// Stable, safe as a metric label and in a parked row.
    package var code: String {
        switch self {
        case .unreachable: "unreachable"
        case .unavailable: "unavailable"
        case .timedOut: "timed_out"
        case .outcomeUnknown: "outcome_unknown"
        case .rejected(let rejection): rejection.code
        case .unauthorized(let code): code
        case .invalidResponse: "invalid_response"
        case .responseTooLarge: "response_too_large"
        case .requestTooLarge: "request_too_large"
        case .unsupportedServer: "unsupported_server"
        case .invalidConfiguration: "invalid_configuration"
        case .breakerOpen: "breaker_open"
        case .overloaded: "overloaded"
        case .cancelled: "cancelled"
        }
    }
}
