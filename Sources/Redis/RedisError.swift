/// Why a command gave no reply. Closed on purpose; never carries keys or values.
package enum RedisError: Error, Equatable, Sendable {
    /// No connection, or none yet: nothing was sent.
    case unreachable
    /// The login was refused: nothing was sent.
    case unauthorized
    case timedOut(mayHaveBeenApplied: Bool)
    /// The connection broke. Nothing is ever sent again.
    case connectionLost(mayHaveBeenApplied: Bool)
    /// An error reply; `code` is its first word, e.g. `WRONGTYPE`.
    case rejected(code: String)
    /// The queue of this client is full: nothing was sent.
    case overloaded
    /// The encoded command passes the byte bound: nothing was sent.
    case commandTooLarge
    /// A command that changes or blocks the shared connection: nothing was sent.
    case commandRefused
    case cancelled(mayHaveBeenApplied: Bool)

    /// Whether the server may have acted although no reply came.
    package var mayHaveBeenApplied: Bool {
        switch self {
        case .timedOut(let may), .connectionLost(let may), .cancelled(let may): may
        case .unreachable, .unauthorized, .rejected, .overloaded, .commandTooLarge,
            .commandRefused:
            false
        }
    }

    /// Whether the same command may succeed later.
    package var isRetryable: Bool {
        switch self {
        case .unreachable, .timedOut, .connectionLost, .overloaded: true
        case .rejected(let code): RedisError.transientCodes.contains(code)
        case .unauthorized, .commandTooLarge, .commandRefused, .cancelled: false
        }
    }

    private static let transientCodes: Set<String> = [
        "BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM",
        "READONLY", "TRYAGAIN",
    ]

    /// Stable, safe as a metric label.
    package var code: String {
        switch self {
        case .unreachable: "unreachable"
        case .unauthorized: "unauthorized"
        case .timedOut: "timed_out"
        case .connectionLost: "connection_lost"
        case .rejected(let code): code
        case .overloaded: "overloaded"
        case .commandTooLarge: "command_too_large"
        case .commandRefused: "command_refused"
        case .cancelled: "cancelled"
        }
    }
}
