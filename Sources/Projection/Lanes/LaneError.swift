internal import Neo4j
package import Postgres
internal import Redis
internal import Weaviate

/// Why a lane does not get on. Codes are stable and never hold row values.
package enum LaneError: Error, Sendable {
    /// Another process leads the lane: its epoch is gone, its lease has passed, or the store's
    /// fence refused us. Nothing may be written any more.
    case leaseLost
    /// The store failed or refused as a whole; its rows are not at fault.
    case store(code: String, mayHaveBeenApplied: Bool)
    /// The store has another identity than when the lane connected: it must connect again.
    case storeChanged
    /// Stored vectors were made by another model; the lane waits for the operator.
    case modelChanged(stored: String, configured: String)
    /// The graph is another one than the lane has filled, or is being reconciled.
    case graphIncomplete
    case embedder(EmbedderError)
    case postgres(PostgresError)
    /// The pack names something that cannot be written into a statement.
    case invalidPlan(String)
    case stopped

    /// Wraps what a transaction's body threw.
    init(_ error: any Error) {
        switch error {
        case let error as LaneError: self = error
        case let error as PostgresError: self = .postgres(error)
        case let error as EmbedderError: self = .embedder(error)
        case let error as Neo4jError: self = LaneError(error)
        case let error as WeaviateError: self = LaneError(error)
        case let error as RedisError: self = LaneError(error)
        default: self = .stopped
        }
    }

    init(_ error: Neo4jError) {
        self = .store(code: error.code, mayHaveBeenApplied: error.mayHaveBeenApplied)
    }

    init(_ error: WeaviateError) {
        self = .store(code: error.code, mayHaveBeenApplied: error.mayHaveBeenApplied)
    }

    init(_ error: RedisError) {
        self = .store(code: error.code, mayHaveBeenApplied: error.mayHaveBeenApplied)
    }

    /// Stable, safe as a metric label and in `last_error`.
    package var code: String {
        switch self {
        case .leaseLost: "lease_lost"
        case .store(let code, _): code
        case .storeChanged: "store_changed"
        case .modelChanged: "embedding_model_changed"
        case .graphIncomplete: "graph_incomplete"
        case .embedder(let error): error.code
        case .postgres(let error):
            if let state = error.serverError?.sqlState { "postgres_\(state)" } else { "postgres" }
        case .invalidPlan: "invalid_plan"
        case .stopped: "stopped"
        }
    }

    /// A view cannot be read for the sake of some row.
    var isRowFault: Bool {
        if case .postgres(let error) = self { error.serverError?.isRowFault == true } else { false }
    }

    /// A request to the store may still run there.
    package var mayHaveBeenApplied: Bool {
        if case .store(_, let may) = self { may } else { false }
    }
}
