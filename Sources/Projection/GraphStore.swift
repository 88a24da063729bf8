package import Runtime

/// Reads the graph around some nodes. Adapters: Neo4j, and PostgreSQL over the edge views.
package protocol GraphStore: Sendable {
    /// `neo4j` or `postgres`, for `meta.source`.
    var storeName: String { get }

    /// Nodes and edges within the query's depth of its starts, without the starts themselves.
    ///
    /// - Throws: ``StoreReadError``; the caller may then ask the embedded adapter.
    func neighbourhood(
        _ query: GraphQuery, deadline: Deadline
    ) async throws(StoreReadError) -> Subgraph
}

/// What to read of the graph.
package struct GraphQuery: Sendable {
    package enum Direction: String, Sendable, CaseIterable {
        case out, `in`, both
    }

    /// Keys of the nodes to start at.
    package var starts: [String]
    /// Only nodes of this owner; nil for a service that sees all.
    package var owner: String?
    /// Steps from a start, 1 to 5.
    package var depth: Int
    /// Relationship types to follow; nil for all.
    package var types: [String]?
    package var direction: Direction
    /// Greatest number of nodes; which ones is decided by depth, then key.
    package var limit: Int

    package init(
        starts: [String], owner: String?, depth: Int = 1, types: [String]? = nil,
        direction: Direction = .both, limit: Int = 100
    ) {
        self.starts = starts
        self.owner = owner
        self.depth = depth
        self.types = types
        self.direction = direction
        self.limit = limit
    }
}

/// A part of the graph: nodes by depth, then key; edges among them and the starts, by key.
package struct Subgraph: Sendable {
    package struct Node: Sendable {
        /// The entity's path in the pack.
        package var entityPath: String
        package var key: String
        /// Steps from the nearest start.
        package var depth: Int
        /// A JSON object, without the engine's own properties.
        package var properties: [UInt8]

        package init(entityPath: String, key: String, depth: Int, properties: [UInt8]) {
            self.entityPath = entityPath
            self.key = key
            self.depth = depth
            self.properties = properties
        }
    }

    package struct Edge: Sendable {
        package var key: String
        package var type: String
        package var from: String
        package var to: String
        /// A JSON object, without the engine's own properties.
        package var properties: [UInt8]

        package init(key: String, type: String, from: String, to: String, properties: [UInt8]) {
            self.key = key
            self.type = type
            self.from = from
            self.to = to
            self.properties = properties
        }
    }

    package var nodes: [Node]
    package var edges: [Edge]
    /// There are more nodes within the depth.
    package var isTruncated: Bool

    package init(nodes: [Node], edges: [Edge], isTruncated: Bool) {
        self.nodes = nodes
        self.edges = edges
        self.isTruncated = isTruncated
    }
}
