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
    package var graph: GraphProjection?
    package var vectors: VectorProjection?
    package var dirtyRules: [DirtyRule]
    package var export: ConnectionsExportRule?
    /// Where changes are recorded: one trigger set for each table.
    package var captures: [Capture]

    package init(
        name: String, title: String, entities: [Entity], ownerPath: String?,
        graph: GraphProjection?, vectors: VectorProjection?, dirtyRules: [DirtyRule],
        export: ConnectionsExportRule?, captures: [Capture]
    ) {
        self.name = name
        self.title = title
        self.entities = entities
        self.ownerPath = ownerPath
        self.graph = graph
        self.vectors = vectors
        self.dirtyRules = dirtyRules
        self.export = export
        self.captures = captures
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
    /// Properties that hold `{longitude, latitude}` in the view and a point in the graph.
    package var pointProperties: [String]

    package init(
        label: String, view: String, entityPath: String, dateTimeProperties: [String] = [],
        pointProperties: [String] = []
    ) {
        self.label = label
        self.view = view
        self.entityPath = entityPath
        self.dateTimeProperties = dateTimeProperties
        self.pointProperties = pointProperties
    }
}

/// Edges that are kept equal to a view, anchor by anchor:
/// `(key, anchor, type, from_key, to_key, owner text, properties jsonb)`.
package struct EdgeSet: Sendable {
    package var name: String
    package var view: String
    /// The entity whose keys are the anchors: a changed row of it makes its edges of this set dirty.
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
    /// The captured source (see ``Capture/entityPath``) whose changes it reads.
    package var sourcePath: String
    /// The entity whose keys become dirty.
    package var targetPath: String
    /// A query over the relation `changed(key text, columns jsonb)` that gives the dirty keys as
    /// text. Run when the relay reads, in a snapshot in which the change is visible.
    package var sql: String

    package init(sourcePath: String, targetPath: String, sql: String) {
        self.sourcePath = sourcePath
        self.targetPath = targetPath
        self.sql = sql
    }
}

/// A table whose changes go to the outbox.
package struct Capture: Sendable {
    /// The name its rows have in the outbox: the entity's path, or the table's name where it has
    /// no entity (a junction table).
    package var entityPath: String
    /// The table, not quoted, in the pack's schema.
    package var table: String
    package var keyColumn: String
    package var ownerColumn: String?
    /// Columns recorded beside the key, old and new, because a dirty rule reads them.
    package var columns: [String]
    package var isAppendOnly: Bool

    package init(
        entityPath: String, table: String, keyColumn: String, ownerColumn: String?,
        columns: [String], isAppendOnly: Bool
    ) {
        self.entityPath = entityPath
        self.table = table
        self.keyColumn = keyColumn
        self.ownerColumn = ownerColumn
        self.columns = columns
        self.isAppendOnly = isAppendOnly
    }
}

/// Where exported degrees go, and which relationship types do not count.
package struct ConnectionsExportRule: Sendable {
    /// A table `(entity_id, entity_type, degree, by_type jsonb, exported_at)` of the pack's schema.
    package var table: String
    package var excludedTypes: [String]
    /// The word in `entity_type` for each entity path; only these entities are exported.
    package var entityTypes: [(entityPath: String, word: String)]

    package init(
        table: String, excludedTypes: [String], entityTypes: [(entityPath: String, word: String)]
    ) {
        self.table = table
        self.excludedTypes = excludedTypes
        self.entityTypes = entityTypes
    }
}
