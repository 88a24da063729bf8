package import Projection

/// How one pack's graph and vectors are read on one loop.
package struct PackReaders: Sendable {
    /// Nil where the pack has no graph.
    package var graph: GraphReader?
    /// Nil where the pack has nothing to search.
    package var vectors: VectorReader?

    package init(graph: GraphReader?, vectors: VectorReader?) {
        self.graph = graph
        self.vectors = vectors
    }
}

extension Problem {
    /// Neither the graph store nor its fallback answered.
    init(_ error: GraphStoreError) {
        switch error {
        case .unavailable(let code): self = .ofStore(code)
        case .refused: self.init(.internalError)
        }
    }

    /// Neither the vector store nor its fallback answered.
    init(_ error: VectorStoreError) {
        switch error {
        case .unavailable(let code): self = .ofStore(code)
        case .refused: self.init(.internalError)
        }
    }

    private static func ofStore(_ code: String) -> Problem {
        code.hasSuffix("timed_out")
            ? Problem(.deadlineExceeded)
            : .unavailable(
                .storeUnavailable, "A store that this request needs does not answer (\(code)).",
                retryAfter: .seconds(1))
    }
}
