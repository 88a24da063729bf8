internal import JSON
internal import Neo4j
internal import Packs

/// The statements of one pack, made once, and their parameters.
struct GraphCypher: Sendable {
    let schema: [String]
    let nodeKeys: [String: String]
    /// By edges of a set and type.
    let edgeAnchors: [GraphWrite: String]
    /// Every statement that writes, the most common last.
    let units: [GraphWriteUnit]
    /// Places in ``units``.
    private let unitPlaces: [GraphWrite: Int]
    let missingEnds: String
    let anyNode: String
    let nodeState: String
    /// What stands in `edge_set` for a set: with the pack, as two packs may share a graph.
    let setNames: [String: String]
    /// The fence's id.
    let lane: String

    init(pack: String, graph: GraphProjection) throws(LaneError) {
        lane = "\(pack)/\(LaneName.graph.rawValue)"
        var nodeKeys: [String: String] = [:]
        var edgeAnchors: [GraphWrite: String] = [:]
        do throws(CypherIdentifierError) {
            let cypher = try CypherStatements(keyLabel: graph.keyLabel)
            var schema = cypher.constraints
            for node in graph.nodes {
                nodeKeys[node.label] = try cypher.nodeKeys(label: node.label)
            }
            for set in graph.edges {
                for type in set.types {
                    let edges = GraphWrite.edges(set: set.name, type: type)
                    edgeAnchors[edges] = try cypher.edgeAnchors(type: type)
                    schema.append(try cypher.anchorIndex(type: type))
                }
            }
            self.schema = schema
            units = try GraphWriteUnit.all(of: graph, cypher)
            missingEnds = cypher.missingEnds
            anyNode = cypher.anyNode
            nodeState = cypher.nodeState
        } catch {
            throw .invalidPlan("a label, relationship type or property of \(pack)")
        }
        self.nodeKeys = nodeKeys
        self.edgeAnchors = edgeAnchors
        setNames = Dictionary(
            graph.edges.map { ($0.name, "\(pack)/\($0.name)") }, uniquingKeysWith: { $1 })
        unitPlaces = Dictionary(
            units.enumerated().flatMap { place, unit in unit.parts.map { ($0, place) } },
            uniquingKeysWith: { $1 })
    }

    /// The place in ``units`` of the statement that writes a part of this graph.
    func place(of write: GraphWrite) -> Int {
        guard let place = unitPlaces[write] else { preconditionFailure("a part of another graph") }
        return place
    }

    func unit(of write: GraphWrite) -> GraphWriteUnit { units[place(of: write)] }

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
            return edgeAnchors[.edges(set: set, type: type)] ?? ""
        case .all: return ""
        }
    }

    /// `{lane, revision, rows}`
    func parameters(_ revision: Int64? = nil, rows: RowBatch? = nil) -> [UInt8] {
        var json = JSONWriter(capacity: (rows?.json.count ?? 0) + 128)
        json.beginObject()
        json.field("lane", lane)
        if let revision { json.field("revision", revision) }
        if let rows {
            json.key("rows")
            json.raw(rows.json)
        }
        json.endObject()
        return json.bytes
    }

    /// `{lane, revision, separator, parts: [{rows, set}]}`
    func parameters(
        _ revision: Int64, _ unit: GraphWriteUnit, _ rows: [GraphWrite: RowBatch]
    ) -> [UInt8] {
        var json = JSONWriter(capacity: rows.values.reduce(512) { $0 + $1.json.count })
        json.beginObject()
        json.field("lane", lane)
        json.field("revision", revision)
        json.field("separator", CypherStatements.separator)
        json.key("parts")
        json.beginArray()
        for part in unit.parts {
            json.beginObject()
            switch part {
            case .staleEdges(let set), .edges(let set, _): json.field("set", setNames[set] ?? set)
            case .nodes, .deletions: break
            }
            json.key("rows")
            json.raw((rows[part] ?? .empty).json)
            json.endObject()
        }
        json.endArray()
        json.endObject()
        return json.bytes
    }
}
