/// Why a call failed as a whole. Closed on purpose; never carries values of objects.
package enum WeaviateError: Error, Equatable, Sendable {
    /// No connection: nothing was sent.
    case unreachable
    /// The server or a proxy before it cannot serve now (502, 503, 504).
    case unavailable
    case timedOut(mayHaveBeenApplied: Bool)
    /// The connection or the answer broke off after a write was sent.
    case outcomeUnknown
    /// The server refused the call.
    case rejected(WeaviateRejection)
    /// No, wrong or insufficient credentials (401, 403).
    case unauthorized
    /// A class of this name exists with another vectorizer or another type of this property.
    case schemaMismatch(className: String, property: String?)
    /// An answer that is not what the REST API sends.
    case invalidResponse
    case responseTooLarge
    /// More objects or bytes than a request may have: nothing was sent.
    case requestTooLarge
    /// A name, an id or a number that cannot be written into a request: nothing was sent.
    case invalidRequest
    /// The URL is not `http:` or `https:`.
    case invalidConfiguration
    /// The circuit breaker is open: nothing was sent.
    case breakerOpen(retryAfter: Duration)
    /// The client's queue is full: nothing was sent.
    case overloaded
    case cancelled(mayHaveBeenApplied: Bool)

    /// Whether the same call may succeed later without a change.
    package var isRetryable: Bool {
        switch self {
        case .unreachable, .unavailable, .timedOut, .outcomeUnknown, .invalidResponse,
            .breakerOpen, .overloaded:
            true
        case .rejected(let rejection): rejection.isRetryable
        case .unauthorized, .schemaMismatch, .responseTooLarge, .requestTooLarge, .invalidRequest,
            .invalidConfiguration, .cancelled:
            false
        }
    }

    /// Whether a smaller batch may succeed where this one cannot.
    package var mustSplit: Bool {
        switch self {
        case .requestTooLarge, .responseTooLarge: true
        case .rejected(let rejection): rejection.kind == .tooLarge
        default: false
        }
    }

    /// Whether the server may have acted although no answer came.
    package var mayHaveBeenApplied: Bool {
        switch self {
        case .timedOut(let may), .cancelled(let may): may
        case .outcomeUnknown, .responseTooLarge: true
        default: false
        }
    }

    /// The least time to wait before a retry, where the breaker names one.
    package var retryAfter: Duration? {
        if case .breakerOpen(let duration) = self { return duration }
        return nil
    }

    /// Stable, safe as a metric label and in a parked row.
    package var code: String {
        switch self {
        case .unreachable: "unreachable"
        case .unavailable: "unavailable"
        case .timedOut: "timed_out"
        case .outcomeUnknown: "outcome_unknown"
        case .rejected(let rejection): rejection.code
        case .unauthorized: "unauthorized"
        case .schemaMismatch: "schema_mismatch"
        case .invalidResponse: "invalid_response"
        case .responseTooLarge: "response_too_large"
        case .requestTooLarge: "request_too_large"
        case .invalidRequest: "invalid_request"
        case .invalidConfiguration: "invalid_configuration"
        case .breakerOpen: "breaker_open"
        case .overloaded: "overloaded"
        case .cancelled: "cancelled"
        }
    }
}
