/// What of a pack is projected, and from which views. Compiled once from the pack's description.
package struct ProjectionPlan: Sendable {
    package var pack: String
    /// The label that every node of the pack carries, and whose `id` is unique.
    package var keyLabel: String
    package var nodes: [NodeProjection]
    package var edges: [EdgeProjection]
    package var vectors: [VectorProjection]
    /// Relationship types that the degree export does not count.
    package var uncountedTypes: [String]

    package init(
        pack: String, keyLabel: String, nodes: [NodeProjection] = [],
        edges: [EdgeProjection] = [], vectors: [VectorProjection] = [],
        uncountedTypes: [String] = []
    ) {
        self.pack = pack
        self.keyLabel = keyLabel
        self.nodes = nodes
        self.edges = edges
        self.vectors = vectors
        self.uncountedTypes = uncountedTypes
    }

    package func node(entity: String) -> NodeProjection? { nodes.first { $0.entity == entity } }
    package func node(label: String) -> NodeProjection? { nodes.first { $0.label == label } }
    package func vector(entity: String) -> VectorProjection? {
        vectors.first { $0.entity == entity }
    }
}

/// Nodes of one label, from a view `(key, owner, properties)`.
package struct NodeProjection: Sendable {
    /// The entity whose rows the nodes are.
    package var entity: String
    package var label: String
    /// The view, quoted for SQL.
    package var view: String
    /// Properties that hold ISO 8601 texts and become Cypher `datetime` values.
    package var temporalProperties: [String]

    package init(entity: String, label: String, view: String, temporalProperties: [String] = []) {
        self.entity = entity
        self.label = label
        self.view = view
        self.temporalProperties = temporalProperties
    }
}

/// One set of edges, from a view `(key, anchor, type, from_key, to_key, owner, properties)`.
///
/// The edges of an anchor are kept equal to the view as a whole.
package struct EdgeProjection: Sendable {
    /// Unique in the pack; stands on each edge as `edge_set`.
    package var name: String
    package var view: String
    package var temporalProperties: [String]

    package init(name: String, view: String, temporalProperties: [String] = []) {
        self.name = name
        self.view = view
        self.temporalProperties = temporalProperties
    }
}

/// Objects of one vector class, from a view `(key, owner, properties, text)`.
package struct VectorProjection: Sendable {
    package var entity: String
    package var className: String
    package var view: String

    package init(entity: String, className: String, view: String) {
        self.entity = entity
        self.className = className
        self.view = view
    }
}

/// A part of the projection that keys can be dirty in.
package enum ProjectionTarget: Hashable, Sendable, Comparable {
    case node(label: String)
    /// The key is an anchor.
    case edges(set: String)
    case vector(className: String)

    /// Nodes before the edges between them; by name within a kind.
    package static func < (left: ProjectionTarget, right: ProjectionTarget) -> Bool {
        left.order < right.order
    }

    private var order: (Int, String) {
        switch self {
        case .node(let label): (0, label)
        case .edges(let set): (1, set)
        case .vector(let className): (2, className)
        }
    }

    /// `node:Concept`, as the database stores it.
    package var name: String {
        switch self {
        case .node(let label): "node:\(label)"
        case .edges(let set): "edges:\(set)"
        case .vector(let className): "vector:\(className)"
        }
    }
}
