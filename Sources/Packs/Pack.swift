/// A domain, loaded, checked against PostgreSQL's catalog, and ready to be served.
package struct Pack: Sendable {
    /// The folder's name, the path segment and the PostgreSQL schema.
    package var name: String
    /// One line for people.
    package var title: String
    /// In the order of the pack's file.
    package var entities: [Entity]
    /// The path of the entity whose key is the owner of the other rows; nil if nothing is owned.
    package var ownerPath: String?
    /// The column that holds the owner's id, by the same name in every table that has one.
    package var ownerColumn: String?
    package var graph: GraphProjection?
    package var vectors: VectorProjection?
    package var dirtyRules: [DirtyRule]
    package var export: ConnectionsExportRule?
    /// What lives in Redis.
    package var live: LiveRules
    /// The entity of ``LiveRules/sessions``, which may have no routes of its own.
    package var sessionEntity: Entity?
    /// Schema statements for the graph, one each, in order.
    package var cypher: [String]
    /// `pack.json` as it is: what the engine's SQL takes.
    package var document: [UInt8]

    package init(
        name: String, title: String, entities: [Entity], ownerPath: String?,
        ownerColumn: String? = nil,
        graph: GraphProjection?, vectors: VectorProjection?, dirtyRules: [DirtyRule],
        export: ConnectionsExportRule?, live: LiveRules = .init(),
        sessionEntity: Entity? = nil, cypher: [String], document: [UInt8]
    ) {
        self.name = name
        self.title = title
        self.entities = entities
        self.ownerPath = ownerPath
        self.ownerColumn = ownerColumn
        self.graph = graph
        self.vectors = vectors
        self.dirtyRules = dirtyRules
        self.export = export
        self.live = live
        self.sessionEntity = sessionEntity
        self.cypher = cypher
        self.document = document
    }

    package func entity(_ path: String) -> Entity? { entities.first { $0.path == path } }
}

/// What of a pack goes into the graph.
package struct GraphProjection: Sendable {
    /// The label that every node of the pack carries, with a unique `id`.
    package var keyLabel: String
    package var nodes: [NodeProjection]
    package var edges: [EdgeSet]

    package init(keyLabel: String, nodes: [NodeProjection], edges: [EdgeSet]) {
        self.keyLabel = keyLabel
        self.nodes = nodes
        self.edges = edges
    }
}

/// A label and the view that gives its nodes: `(key text, owner text, properties jsonb)`.
package struct NodeProjection: Sendable {
    package var label: String
    /// The view, not quoted, in the pack's schema.
    package var view: String
    /// The entity whose keys are the nodes' ids.
    package var entityPath: String
    /// Properties that hold ISO 8601 text in the view and a date-time in the graph.
    package var dateTimeProperties: [String]
    /// Points that the graph gets beside the properties they are made of.
    package var points: [PointProperty]

    package init(
        label: String, view: String, entityPath: String, dateTimeProperties: [String] = [],
        points: [PointProperty] = []
    ) {
        self.label = label
        self.view = view
        self.entityPath = entityPath
        self.dateTimeProperties = dateTimeProperties
        self.points = points
    }
}

/// A point (WGS 84) and the two properties of the view that it is made of.
package struct PointProperty: Sendable {
    package var name: String
    package var longitude: String
    package var latitude: String

    package init(name: String, longitude: String, latitude: String) {
        self.name = name
        self.longitude = longitude
        self.latitude = latitude
    }
}

/// Edges that are kept equal to a view, anchor by anchor:
/// `(key, anchor, type, from_key, to_key, owner text, properties jsonb)`.
package struct EdgeSet: Sendable {
    package var name: String
    package var view: String
    /// The entity whose keys are the anchors: a changed row makes its edges of this set dirty.
    package var anchorPath: String
    /// The relationship types that the view can give; no others reach the graph.
    package var types: [String]
    package var dateTimeProperties: [String]

    package init(
        name: String, view: String, anchorPath: String, types: [String],
        dateTimeProperties: [String] = []
    ) {
        self.name = name
        self.view = view
        self.anchorPath = anchorPath
        self.types = types
        self.dateTimeProperties = dateTimeProperties
    }
}

/// What of a pack goes into the vector store.
package struct VectorProjection: Sendable {
    package var classes: [VectorClass]

    package init(classes: [VectorClass]) { self.classes = classes }
}

/// A class and the view that gives its objects: `(key, owner text, properties jsonb, text text)`.
package struct VectorClass: Sendable {
    package var name: String
    package var view: String
    package var entityPath: String
    /// The property of the class that holds the owner, for filters.
    package var ownerProperty: String
    /// The class as Weaviate takes it, a JSON object.
    package var definition: String

    package init(
        name: String, view: String, entityPath: String, ownerProperty: String, definition: String
    ) {
        self.name = name
        self.view = view
        self.entityPath = entityPath
        self.ownerProperty = ownerProperty
        self.definition = definition
    }
}

/// Rows of one table that make projections of another entity dirty.
package struct DirtyRule: Sendable {
    /// The path of the entity whose changes it reads.
    package var sourcePath: String
    /// The entity whose keys become dirty.
    package var targetPath: String
    /// `graph`, `vector`, `live`: only these lanes need it; nil means all.
    package var lanes: [String]?
    /// A query over the relation `changed(key text, op text, columns jsonb)` that gives the dirty
    /// keys. Run when the relay reads, in a snapshot in which the change is visible.
    package var sql: String

    package init(sourcePath: String, targetPath: String, lanes: [String]? = nil, sql: String) {
        self.sourcePath = sourcePath
        self.targetPath = targetPath
        self.lanes = lanes
        self.sql = sql
    }
}

/// Where exported degrees go, and which relationship types do not count.
package struct ConnectionsExportRule: Sendable {
    /// A table `(entity_id, entity_type, degree, by_type jsonb, exported_at)` of the pack's schema.
    package var table: String
    package var keyColumn: String
    package var excludedTypes: [String]

    package init(table: String, keyColumn: String, excludedTypes: [String]) {
        self.table = table
        self.keyColumn = keyColumn
        self.excludedTypes = excludedTypes
    }
}
