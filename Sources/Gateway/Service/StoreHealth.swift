/// The stores, by the names that answers use.
package enum StoreName: String, Sendable, CaseIterable {
    case postgres, redis, neo4j, weaviate, embedder
}

/// How one store is, for `/health/ready`.
package struct StoreHealth: Sendable {
    package enum State: String, Sendable {
        case up, down
        /// It answers, but not as it should, or a fallback answers in its place.
        case degraded
    }

    package let store: StoreName
    package let state: State
    /// A constant text, never a value of a row or a URL.
    package let reason: String?

    package init(_ store: StoreName, _ state: State, reason: String? = nil) {
        self.store = store
        self.state = state
        self.reason = reason
    }
}
