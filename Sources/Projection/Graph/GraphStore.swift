package import Runtime

/// A walk through the graph from some entities.
package struct ConnectionsQuery: Sendable {
    package enum Direction: String, Sendable, CaseIterable {
        case out, `in`, both
    }

    package static let depthMax = 5
    package static let nodeCountMax = 1_000
    package static let typeCountMax = 64
    /// Edges of an answer, as a multiple of its limit of nodes.
    package static let edgesPerNode = 10

    /// The keys of the entities it starts from.
    package var keys: [String]
    /// Nodes of other owners are not seen; nil for an entity that has none.
    package var owner: String?
    /// 1...``depthMax``.
    package var depth: Int
    /// Relationship types; empty means all.
    package var types: [String]
    package var direction: Direction
    /// Nodes, without those it starts from: 1...``nodeCountMax``.
    package var limit: Int

    package init(
        keys: [String], owner: String?, depth: Int = 1, types: [String] = [],
        direction: Direction = .both, limit: Int = 100
    ) {
        precondition((1...ConnectionsQuery.depthMax).contains(depth), "depth out of bounds")
        precondition((1...ConnectionsQuery.nodeCountMax).contains(limit), "limit out of bounds")
        precondition(types.count <= ConnectionsQuery.typeCountMax, "too many types")
        self.keys = keys
        self.owner = owner
        self.depth = depth
        self.types = types
        self.direction = direction
        self.limit = limit
    }

    var edgeCountMax: Int { limit * ConnectionsQuery.edgesPerNode }
}

package struct GraphNode: Sendable {
    /// The entity's path.
    package var entity: String
    package var key: String
    /// Edges from the start, at least 1.
    package var depth: Int
    /// A JSON object: the properties as the view gives them now.
    package var properties: [UInt8]
}

package struct GraphEdge: Sendable, Equatable {
    package var id: String
    package var type: String
    package var from: String
    package var to: String
    /// A JSON object.
    package var properties: [UInt8]
}

/// Steps through a graph. Keys come in byte order, so that what a limit leaves out is the same
/// whichever store answers.
package protocol GraphStore: Sendable {
    /// `neo4j` or `postgres`.
    var storeName: String { get }

    /// Keys next to `frontier` that are not in `seen`, at most `limit`, in order.
    func neighbours(
        of frontier: [String], seen: [String], _ query: ConnectionsQuery, limit: Int,
        deadline: Deadline
    ) async throws(GraphStoreError) -> [String]

    /// Edges that lead from `sources`, in the query's direction, to one of `keys`; by id.
    func edges(
        from sources: [String], within keys: [String], _ query: ConnectionsQuery, limit: Int,
        deadline: Deadline
    ) async throws(GraphStoreError) -> [GraphEdge]
}

/// Why a store gave no answer. Never carries keys or properties.
package enum GraphStoreError: Error, Sendable, Equatable {
    /// It is away, or its circuit breaker is open; the code says why.
    case unavailable(code: String)
    /// It refuses the question.
    case refused(code: String)

    package var code: String {
        switch self {
        case .unavailable(let code), .refused(let code): code
        }
    }
}

/// What a walk found, before the nodes are looked up in PostgreSQL.
struct GraphWalk: Sendable {
    var depths: [(key: String, depth: Int)] = []
    var edges: [GraphEdge] = []
    var isTruncated = false

    /// Goes out layer by layer: nodes by depth, then key; edges that start at a node nearer than
    /// the query's depth and end at one that was found.
    static func run(
        _ query: ConnectionsQuery, in store: any GraphStore, deadline: Deadline
    ) async throws(GraphStoreError) -> GraphWalk {
        var walk = GraphWalk()
        var frontier = query.keys
        var sources = query.keys
        var seen = query.keys
        for depth in 1...query.depth {
            let room = query.limit - walk.depths.count
            var layer = try await store.neighbours(
                of: frontier, seen: seen, query, limit: room + 1, deadline: deadline)
            if layer.count > room {
                walk.isTruncated = true
                layer.removeLast(layer.count - room)
            }
            walk.depths += layer.map { ($0, depth) }
            seen += layer
            if depth < query.depth { sources += layer }
            frontier = layer
            if layer.isEmpty || walk.isTruncated { break }
        }
        if walk.depths.isEmpty { return walk }
        walk.edges = try await store.edges(
            from: sources, within: seen, query, limit: query.edgeCountMax + 1, deadline: deadline)
        if walk.edges.count > query.edgeCountMax {
            walk.isTruncated = true
            walk.edges.removeLast()
        }
        return walk
    }
}
