package import Projection
package import Runtime

/// How one pack's graph and vectors are read on one loop.
package struct PackReaders: Sendable {
    /// Nil where no graph store is configured.
    package var graph: (any GraphStore)?
    package var embeddedGraph: any GraphStore
    /// Nil where no vector store is configured.
    package var vectors: (any VectorStore)?
    package var embeddedVectors: any VectorStore
    package var embedder: any Embedder

    package init(
        graph: (any GraphStore)?, embeddedGraph: any GraphStore, vectors: (any VectorStore)?,
        embeddedVectors: any VectorStore, embedder: any Embedder
    ) {
        self.graph = graph
        self.embeddedGraph = embeddedGraph
        self.vectors = vectors
        self.embeddedVectors = embeddedVectors
        self.embedder = embedder
    }

    /// Reads the graph; the embedded adapter answers while the store cannot.
    func neighbourhood(
        _ query: GraphQuery, deadline: Deadline
    ) async throws(Problem) -> Answered<Subgraph> {
        try await answered(graph, embeddedGraph, deadline) { store, deadline throws(StoreReadError) in
            Answered(
                value: try await store.neighbourhood(query, deadline: deadline),
                source: store.storeName)
        }
    }

    /// Searches; the embedded adapter answers while the store cannot.
    func search(
        _ query: VectorQuery, deadline: Deadline
    ) async throws(Problem) -> Answered<[VectorHit]> {
        try await answered(vectors, embeddedVectors, deadline) {
            store, deadline throws(StoreReadError) in
            Answered(
                value: try await store.search(query, deadline: deadline), source: store.storeName)
        }
    }
}

/// A value, which store it came from, and why that was not the one configured.
struct Answered<Value: Sendable>: Sendable {
    var value: Value
    var source: String
    /// Nil where the configured store answered.
    var degradation: String?
}

/// Asks the configured store, at most half of the time that is left, then the embedded adapter.
private func answered<Store, Value>(
    _ store: Store?, _ embedded: Store, _ deadline: Deadline,
    _ ask: (Store, Deadline) async throws(StoreReadError) -> Answered<Value>
) async throws(Problem) -> Answered<Value> {
    var degradation: String?
    if let store {
        do throws(StoreReadError) {
            return try await ask(store, .after(deadline.remaining / 2))
        } catch {
            if case .cancelled = error { throw Problem(error) }
            degradation = error.degradation
        }
    }
    do throws(StoreReadError) {
        var answer = try await ask(embedded, deadline)
        answer.degradation = degradation
        return answer
    } catch {
        throw Problem(error)
    }
}

extension StoreReadError {
    /// Why the embedded adapter answered, for `meta.reason`.
    var degradation: String {
        switch self {
        case .unavailable: "unavailable"
        case .timedOut: "timed_out"
        case .cancelled: "cancelled"
        case .overloaded: "overloaded"
        case .rejected: "rejected"
        }
    }
}

extension Problem {
    /// Neither the configured store nor its fallback answered.
    init(_ error: StoreReadError) {
        switch error {
        case .unavailable(let delay):
            self = .unavailable(.storeUnavailable, retryAfter: delay ?? .seconds(1))
        case .timedOut, .cancelled: self.init(.deadlineExceeded)
        case .overloaded: self = .unavailable(.overloaded, retryAfter: .seconds(1))
        case .rejected: self.init(.internalError)
        }
    }
}
