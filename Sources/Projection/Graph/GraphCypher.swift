internal import JSON
internal import Neo4j
internal import Packs

/// The statements of one pack, made once, and their parameters.
struct GraphCypher: Sendable {
    let schema: [String]
    let upsertNodes: [String: String]
    let deleteNodes: [String: String]
    let nodeKeys: [String: String]
    let upsertEdges: [EdgeKind: String]
    let deleteStaleEdges: [String: String]
    let edgeAnchors: [EdgeKind: String]
    let missingEnds: String
    let anyNode: String
    let nodeState: String
    /// What stands in `edge_set` for a set: with the pack, as two packs may share a graph.
    let setNames: [String: String]
    /// The fence's id.
    let lane: String

    struct EdgeKind: Hashable, Sendable {
        let set: String
        let type: String
    }

    init(pack: String, graph: GraphProjection) throws(LaneError) {
        lane = "\(pack)/\(LaneName.graph.rawValue)"
        var upsertNodes: [String: String] = [:]
        var deleteNodes: [String: String] = [:]
        var nodeKeys: [String: String] = [:]
        var upsertEdges: [EdgeKind: String] = [:]
        var deleteStaleEdges: [String: String] = [:]
        var edgeAnchors: [EdgeKind: String] = [:]
        var setNames: [String: String] = [:]
        do throws(CypherIdentifierError) {
            let cypher = try CypherStatements(keyLabel: graph.keyLabel)
            var schema = cypher.constraints
            let labels = graph.nodes.map(\.label)
            for node in graph.nodes {
                upsertNodes[node.label] = try cypher.upsertNodes(node, of: labels)
                deleteNodes[node.label] = try cypher.deleteNodes(label: node.label)
                nodeKeys[node.label] = try cypher.nodeKeys(label: node.label)
            }
            for set in graph.edges {
                setNames[set.name] = "\(pack)/\(set.name)"
                deleteStaleEdges[set.name] = try cypher.deleteStaleEdges(set)
                for type in set.types {
                    let kind = EdgeKind(set: set.name, type: type)
                    upsertEdges[kind] = try cypher.upsertEdges(set, type: type)
                    edgeAnchors[kind] = try cypher.edgeAnchors(type: type)
                    schema.append(try cypher.anchorIndex(type: type))
                }
            }
            self.schema = schema
            missingEnds = cypher.missingEnds
            anyNode = cypher.anyNode
            nodeState = cypher.nodeState
        } catch {
            throw .invalidPlan("a label, relationship type or property of \(pack)")
        }
        self.upsertNodes = upsertNodes
        self.deleteNodes = deleteNodes
        self.nodeKeys = nodeKeys
        self.upsertEdges = upsertEdges
        self.deleteStaleEdges = deleteStaleEdges
        self.edgeAnchors = edgeAnchors
        self.setNames = setNames
    }

    /// Every statement that writes, the most common last.
    var writes: [String] {
        Array(deleteNodes.values) + Array(deleteStaleEdges.values) + Array(upsertEdges.values)
            + Array(upsertNodes.values)
    }

    /// Revision and time of an edge whose row is an entity of its own.
    func edgeState(anchor entity: String, _ graph: GraphProjection) -> String {
        let branches = graph.edges.filter { $0.anchorPath == entity }.flatMap { set in
            set.types.compactMap { type -> String? in
                guard let quoted = try? CypherIdentifier.quoted(type) else { return nil }
                return """
                    MATCH ()-[r:\(quoted) {anchor: $p.key}]->()
                    RETURN r.revision AS revision, toString(r.applied_at) AS applied_at
                    """
            }
        }
        return branches.joined(separator: "\nUNION\n")
    }

    /// The listing of a sweep; its name ends in the type where it lists edges.
    func storeKeys(_ step: ResyncStep) -> String {
        switch step.parts {
        case .nodes(let label): return nodeKeys[label] ?? ""
        case .edges(let set):
            let type = String(step.name.split(separator: ":").last ?? "")
            return edgeAnchors[EdgeKind(set: set, type: type)] ?? ""
        case .all: return ""
        }
    }

    /// `{lane, revision, set, separator, rows}`
    func parameters(
        _ revision: Int64? = nil, set: String? = nil, rows: RowBatch? = nil
    ) -> [UInt8] {
        var json = JSONWriter(capacity: (rows?.json.count ?? 0) + 256)
        json.beginObject()
        json.field("lane", lane)
        if let revision { json.field("revision", revision) }
        if let set {
            json.field("set", setNames[set] ?? set)
            json.field("separator", CypherStatements.separator)
        }
        if let rows {
            json.key("rows")
            json.raw(rows.json)
        }
        json.endObject()
        return json.bytes
    }
}
