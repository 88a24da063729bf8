internal import Neo4j
internal import Packs

/// A part of the graph that is written from rows of one kind.
enum GraphWrite: Hashable, Sendable {
    case nodes(label: String)
    /// The edges of changed anchors that must not be there any longer.
    case staleEdges(set: String)
    case edges(set: String, type: String)
    case deletions(label: String)
}

/// A statement and the parts that it writes, in this order, in one transaction. Parts that have
/// nothing to write get no rows.
struct GraphWriteUnit: Sendable {
    let statement: String
    let parts: [GraphWrite]

    /// What a statement costs to be planned grows with its parts (with two sets: 0.5 s), so further
    /// sets, and sets of several types, are written by themselves.
    private static let jointSetCountMax = 2

    /// The statements that write a graph, one for each entity's nodes and edges. The most common
    /// come last.
    static func all(
        of graph: GraphProjection, _ cypher: CypherStatements
    ) throws(CypherIdentifierError) -> [GraphWriteUnit] {
        var alone = graph.nodes.map { GraphWrite.deletions(label: $0.label) }
        var joint: [[GraphWrite]] = []
        let paths = graph.nodes.map(\.entityPath) + graph.edges.map(\.anchorPath)
        for path in Set(paths).sorted() {
            let sets = graph.edges.filter { $0.anchorPath == path }
            let together = sets.filter { $0.types.count == 1 }.prefix(jointSetCountMax)
            let parts =
                graph.nodes.filter { $0.entityPath == path }.map { .nodes(label: $0.label) }
                + together.map(stale) + together.flatMap(edges)
            if !parts.isEmpty { joint.append(parts) }
            for set in sets where !together.contains(where: { $0.name == set.name }) {
                alone += [stale(set)] + edges(set)
            }
        }
        let texts = try texts(graph, cypher)
        return (alone.map { [$0] } + joint).map { parts in
            GraphWriteUnit(
                statement: CypherStatements.write(parts.compactMap { texts[$0] }), parts: parts)
        }
    }

    private static func stale(_ set: EdgeSet) -> GraphWrite { .staleEdges(set: set.name) }

    private static func edges(_ set: EdgeSet) -> [GraphWrite] {
        set.types.map { .edges(set: set.name, type: $0) }
    }

    private static func texts(
        _ graph: GraphProjection, _ cypher: CypherStatements
    ) throws(CypherIdentifierError) -> [GraphWrite: String] {
        var texts: [GraphWrite: String] = [:]
        let labels = graph.nodes.map(\.label)
        for node in graph.nodes {
            texts[.nodes(label: node.label)] = try cypher.upsertNodes(node, of: labels)
            texts[.deletions(label: node.label)] = try cypher.deleteNodes(label: node.label)
        }
        for set in graph.edges {
            texts[stale(set)] = try cypher.deleteStaleEdges(set)
            for type in set.types {
                let edges = GraphWrite.edges(set: set.name, type: type)
                texts[edges] = try cypher.upsertEdges(set, type: type)
            }
        }
        return texts
    }
}
