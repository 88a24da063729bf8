package import Neo4j
package import Packs
package import Postgres
package import Runtime

/// What is connected to an entity.
package struct Connections: Sendable {
    package var nodes: [GraphNode]
    package var edges: [GraphEdge]
    /// More would have been found without the limit.
    package var isTruncated: Bool
    /// `neo4j` or `postgres`.
    package var source: String
    /// Why the embedded graph answered in Neo4j's place; nil if it did not.
    package var degradedReason: String?

    package init(
        nodes: [GraphNode], edges: [GraphEdge], isTruncated: Bool, source: String,
        degradedReason: String? = nil
    ) {
        self.nodes = nodes
        self.edges = edges
        self.isTruncated = isTruncated
        self.source = source
        self.degradedReason = degradedReason
    }
}

/// Walks a pack's graph: Neo4j where there is one and it answers, else PostgreSQL. Node content and
/// ownership are always PostgreSQL's. One for each loop that serves requests.
package final class GraphReader: @unchecked Sendable {
    /// Neo4j gets this share of the time that is left, so that the embedded graph still has some.
    private static let storeShare = 0.6

    private let pack: Pack
    private let graph: GraphProjection
    private let postgres: PostgresClient
    private let store: (any GraphStore)?
    private let embedded: PostgresGraph
    private let nodes: [(entity: String, owned: Statement, any: Statement)]

    /// - Throws: ``GraphStoreError/refused(code:)`` for a label that Cypher cannot hold.
    package init(
        pack: Pack, graph: GraphProjection, postgres: PostgresClient, neo4j: Neo4jClient?
    ) throws(GraphStoreError) {
        self.pack = pack
        self.graph = graph
        self.postgres = postgres
        if let neo4j {
            do throws(CypherIdentifierError) {
                store = try Neo4jGraph(neo4j: neo4j, graph: graph)
            } catch {
                throw .refused(code: "invalid_label")
            }
        } else {
            store = nil
        }
        embedded = PostgresGraph(postgres: postgres, pack: pack, graph: graph)
        nodes = graph.nodes.map { node in
            let select = """
                SELECT v.key::text, v.properties::text
                FROM \(qualified(pack.name, node.view)) AS v WHERE v.key = ANY ($1)
                """
            return (
                node.entityPath,
                Statement(
                    "graph_read_owned", select + " AND (v.owner = $2 OR v.owner IS NULL)",
                    isReadOnly: true),
                Statement("graph_read_any", select, isReadOnly: true)
            )
        }
    }

    package func connections(
        _ query: ConnectionsQuery, deadline: Deadline
    ) async throws(GraphStoreError) -> Connections {
        guard let store else {
            return try await connections(query, in: embedded, deadline, reason: nil)
        }
        let readiness = await StoreReadiness.graph(pack: pack, postgres, deadline: deadline)
        if readiness.isReconciling {
            return try await connections(
                query, in: embedded, deadline, reason: StoreReadiness.reconciling)
        }
        do throws(GraphStoreError) {
            let share = Deadline.after(deadline.remaining * GraphReader.storeShare)
            let walk = try await GraphWalk.run(query, in: store, deadline: share)
            return try await complete(walk, query, store.storeName, deadline, reason: nil)
        } catch {
            guard case .unavailable(let code) = error, !deadline.hasPassed else { throw error }
            return try await connections(query, in: embedded, deadline, reason: code)
        }
    }

    private func connections(
        _ query: ConnectionsQuery, in store: any GraphStore, _ deadline: Deadline, reason: String?
    ) async throws(GraphStoreError) -> Connections {
        let walk = try await GraphWalk.run(query, in: store, deadline: deadline)
        return try await complete(walk, query, store.storeName, deadline, reason: reason)
    }

    /// Looks the nodes up; those that PostgreSQL does not have (any more), and their edges, go.
    private func complete(
        _ walk: GraphWalk, _ query: ConnectionsQuery, _ source: String, _ deadline: Deadline,
        reason: String?
    ) async throws(GraphStoreError) -> Connections {
        var found: [String: (entity: String, properties: [UInt8])] = [:]
        var left = walk.depths.map(\.key)
        for (entity, owned, any) in nodes where !left.isEmpty {
            var parameters: [Parameter] = [.textArray(left)]
            if let owner = query.owner { parameters.append(.text(owner)) }
            let statement = query.owner == nil ? any : owned
            do throws(PostgresError) {
                let result = try await postgres.query(statement, parameters, deadline: deadline)
                for row in 0..<result.rowCount {
                    guard let key = result.string(row, 0) else { continue }
                    found[key] = (entity, Array(result.bytes(row, 1)))
                }
            } catch {
                // Keys of another type than this label's.
                guard error.serverError?.sqlState == "22P02" else {
                    throw .unavailable(code: LaneError.postgres(error).code)
                }
            }
            left.removeAll { found[$0] != nil }
        }
        let nodes = walk.depths.compactMap { key, depth in
            found[key].map {
                GraphNode(entity: $0.entity, key: key, depth: depth, properties: $0.properties)
            }
        }
        let edges = walk.edges.filter { edge in
            (query.keys.contains(edge.from) || found[edge.from] != nil)
                && (query.keys.contains(edge.to) || found[edge.to] != nil)
        }
        return Connections(
            nodes: nodes, edges: edges, isTruncated: walk.isTruncated, source: source,
            degradedReason: reason)
    }
}
