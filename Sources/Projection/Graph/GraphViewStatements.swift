internal import Packs
internal import Postgres

/// The SQL that reads the graph's views. PostgreSQL makes the rows of the Cypher statements as
/// JSON, so that they go to the store without being looked at.
///
/// The first parameter has no cast: it takes the type of the view's key, and the lookup its index.
struct GraphViewStatements: Sendable {
    /// `$1` keys, `$2` the same as text: number of rows, rows, absent keys.
    let nodes: [String: Statement]
    /// `$1` anchors: type, number of rows, rows.
    let edges: [String: Statement]
    /// `$1` anchors, `$2` the same as text: number of rows, rows `{anchor, keep}`.
    let kept: [String: Statement]
    /// Reconciliation, in order.
    let resyncSteps: [ResyncStep]

    init(pack: Pack, graph: GraphProjection) {
        var nodes: [String: Statement] = [:]
        var edges: [String: Statement] = [:]
        var kept: [String: Statement] = [:]
        var upserts: [ResyncStep] = []
        var sweeps: [ResyncStep] = []
        for node in graph.nodes {
            let view = qualified(pack.name, node.view)
            nodes[node.label] = Statement(
                "graph_nodes", GraphViewStatements.nodesSQL(view), isReadOnly: true)
            let parts = LaneChunk.Parts.nodes(label: node.label)
            upserts.append(
                ResyncStep(
                    name: "nodes:\(node.label)", entity: node.entityPath, parts: parts,
                    source: .view(first: firstKeys(view, "key"), next: nextKeys(view, "key"))))
            sweeps.append(
                ResyncStep(
                    name: "extra-nodes:\(node.label)", entity: node.entityPath, parts: parts,
                    source: .store(absent: absentKeys(view, "key"))))
        }
        for set in graph.edges {
            let view = qualified(pack.name, set.view)
            let types = set.types.map(quoteSQLLiteral).joined(separator: ", ")
            edges[set.name] = Statement(
                "graph_edges", GraphViewStatements.edgesSQL(view, types), isReadOnly: true)
            kept[set.name] = Statement(
                "graph_kept_edges", GraphViewStatements.keptSQL(view, types), isReadOnly: true)
            let parts = LaneChunk.Parts.edges(set: set.name)
            upserts.append(
                ResyncStep(
                    name: "edges:\(set.name)", entity: set.anchorPath, parts: parts,
                    source: .view(
                        first: firstKeys(view, "anchor"), next: nextKeys(view, "anchor"))))
            for type in set.types {
                sweeps.append(
                    ResyncStep(
                        name: "extra-edges:\(set.name):\(type)", entity: set.anchorPath,
                        parts: parts, source: .store(absent: absentKeys(view, "anchor"))))
            }
        }
        self.nodes = nodes
        self.edges = edges
        self.kept = kept
        resyncSteps = upserts + sweeps
    }

    private static func nodesSQL(_ view: String) -> String {
        """
        WITH found AS MATERIALIZED (
            SELECT v.key::text AS key, v.owner::text AS owner, v.properties
            FROM \(view) AS v WHERE v.key = ANY ($1))
        SELECT count(*),
            coalesce(json_agg(json_build_object(
                'id', key, 'owner', owner, 'properties', properties) ORDER BY key), '[]')::text,
            (SELECT coalesce(json_agg(k ORDER BY k), '[]')::text
             FROM unnest($2::text[]) AS k WHERE k NOT IN (SELECT key FROM found))
        FROM found
        """
    }

    private static func edgesSQL(_ view: String, _ types: String) -> String {
        """
        SELECT v.type, count(*), json_agg(json_build_object(
            'id', v.key, 'anchor', v.anchor, 'from', v.from_key, 'to', v.to_key,
            'owner', v.owner, 'properties', v.properties)
            ORDER BY least(v.from_key::text, v.to_key::text),
                greatest(v.from_key::text, v.to_key::text))::text
        FROM \(view) AS v WHERE v.anchor = ANY ($1) AND v.type IN (\(types))
        GROUP BY v.type ORDER BY v.type
        """
    }

    private static func keptSQL(_ view: String, _ types: String) -> String {
        """
        WITH kept AS MATERIALIZED (
            SELECT v.anchor::text AS anchor,
                json_agg(concat_ws(E'\\x1f', v.key, v.type, v.from_key, v.to_key)) AS keep
            FROM \(view) AS v WHERE v.anchor = ANY ($1) AND v.type IN (\(types)) GROUP BY 1)
        SELECT count(*), json_agg(json_build_object(
            'anchor', d.key, 'keep', coalesce(kept.keep, '[]')) ORDER BY d.key)::text
        FROM unnest($2::text[]) AS d(key) LEFT JOIN kept ON kept.anchor = d.key
        """
    }
}

/// The relation of a pack, quoted.
func qualified(_ pack: String, _ relation: String) -> String {
    "\(quoteSQLIdentifier(pack)).\(quoteSQLIdentifier(relation))"
}

/// `$1` a number: the first keys of a view.
func firstKeys(_ view: String, _ column: String) -> Statement {
    Statement(
        "view_first_keys",
        """
        SELECT v.\(column)::text FROM (
            SELECT DISTINCT \(column) FROM \(view) ORDER BY \(column) LIMIT $1::bigint) AS v
        """, isReadOnly: true)
}

/// `$1` a key, `$2` a number: the keys after it.
func nextKeys(_ view: String, _ column: String) -> Statement {
    Statement(
        "view_next_keys",
        """
        SELECT v.\(column)::text FROM (
            SELECT DISTINCT \(column) FROM \(view) WHERE \(column) > $1
            ORDER BY \(column) LIMIT $2::bigint) AS v
        """, isReadOnly: true)
}

/// `$1` keys, `$2` the same as text: those that the view lacks.
func absentKeys(_ view: String, _ column: String) -> Statement {
    Statement(
        "view_absent_keys",
        """
        SELECT k FROM unnest($2::text[]) AS k
        WHERE k NOT IN (SELECT v.\(column)::text FROM \(view) AS v WHERE v.\(column) = ANY ($1))
        """, isReadOnly: true)
}
