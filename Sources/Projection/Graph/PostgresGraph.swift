package import Packs
package import Postgres
package import Runtime

/// The graph as the edge views give it now. Belongs to the client's loop.
package final class PostgresGraph: GraphStore, @unchecked Sendable {
    package let storeName = "postgres"
    private let postgres: PostgresClient
    private let branches: [Branch]
    private var statements: [Shape: Statement] = [:]

    /// One edge view.
    private struct Branch {
        let view: String
        let types: Set<String>
    }

    /// What a statement's text depends on.
    private struct Shape: Hashable {
        let direction: ConnectionsQuery.Direction
        let hasOwner: Bool
        let isForEdges: Bool
    }

    package init(postgres: PostgresClient, pack: Pack, graph: GraphProjection) {
        self.postgres = postgres
        branches = graph.edges.map {
            Branch(view: qualified(pack.name, $0.view), types: Set($0.types))
        }
    }

    package func neighbours(
        of frontier: [String], seen: [String], _ query: ConnectionsQuery, limit: Int,
        deadline: Deadline
    ) async throws(GraphStoreError) -> [String] {
        let result = try await run(query, isForEdges: false, frontier, seen, limit, deadline)
        guard let result else { return [] }
        return (0..<result.rowCount).compactMap { result.string($0, 0) }
    }

    package func edges(
        from sources: [String], within keys: [String], _ query: ConnectionsQuery, limit: Int,
        deadline: Deadline
    ) async throws(GraphStoreError) -> [GraphEdge] {
        let result = try await run(query, isForEdges: true, sources, keys, limit, deadline)
        guard let result else { return [] }
        return (0..<result.rowCount).map { row in
            GraphEdge(
                id: result.string(row, 0) ?? "", type: result.string(row, 1) ?? "",
                from: result.string(row, 2) ?? "", to: result.string(row, 3) ?? "",
                properties: Array(result.bytes(row, 4)))
        }
    }

    // MARK: Statements

    private func run(
        _ query: ConnectionsQuery, isForEdges: Bool, _ from: [String], _ others: [String],
        _ limit: Int, _ deadline: Deadline
    ) async throws(GraphStoreError) -> PostgresResult? {
        if branches.isEmpty { return nil }
        let shape = Shape(
            direction: query.direction, hasOwner: query.owner != nil, isForEdges: isForEdges)
        let statement = statements[shape] ?? make(shape)
        statements[shape] = statement
        let types: Parameter = query.types.isEmpty ? .null : .textArray(query.types)
        var parameters: [Parameter] = [types, .textArray(others), .int(Int64(limit))]
        let keys = Parameter.textArray(from)
        for _ in branches {
            parameters.append(keys)
            if query.direction == .both { parameters.append(keys) }
            if let owner = query.owner { parameters.append(.text(owner)) }
        }
        do {
            return try await postgres.withConnection(deadline: deadline) { connection in
                try await connection.query(statement, parameters)
            }
        } catch {
            throw .unavailable(code: LaneError(error).code)
        }
    }

    /// Each branch has parameters of its own, so that each takes the types of its view's keys, and
    /// the lookups their indexes.
    private func make(_ shape: Shape) -> Statement {
        var next = 4
        func parameter() -> String {
            defer { next += 1 }
            return "$\(next)"
        }
        var parts: [String] = []
        for branch in branches {
            let outward = shape.direction == .in ? nil : parameter()
            let inward = shape.direction == .out ? nil : parameter()
            let owner = shape.hasOwner ? parameter() : nil
            let ownerCondition = owner.map { " AND (v.owner = \($0) OR v.owner IS NULL)" } ?? ""
            func part(_ key: String, _ near: String, _ far: String) -> String {
                let columns =
                    shape.isForEdges
                    ? """
                    v.key::text AS key, v.type, v.from_key::text AS from_key, \
                    v.to_key::text AS to_key, v.properties::text AS properties, \
                    v.\(far)::text AS far
                    """ : "v.\(far)::text AS key"
                return """
                    SELECT \(columns) FROM \(branch.view) AS v
                    WHERE v.\(near) = ANY (\(key))\(ownerCondition)
                        AND ($1::text[] IS NULL OR v.type = ANY ($1::text[]))
                    """
            }
            if let outward { parts.append(part(outward, "from_key", "to_key")) }
            if let inward { parts.append(part(inward, "to_key", "from_key")) }
        }
        let union = parts.joined(separator: "\nUNION ALL\n")
        let sql =
            shape.isForEdges
            ? """
            SELECT DISTINCT ON (e.key COLLATE "C") e.key, e.type, e.from_key, e.to_key, e.properties
            FROM (\(union)) AS e WHERE e.far = ANY ($2::text[])
            ORDER BY e.key COLLATE "C" LIMIT $3::bigint
            """
            : """
            SELECT DISTINCT n.key COLLATE "C" AS key FROM (\(union)) AS n
            WHERE n.key <> ALL ($2::text[]) ORDER BY key LIMIT $3::bigint
            """
        return Statement(
            shape.isForEdges ? "graph_walk_edges" : "graph_walk_nodes", sql, isReadOnly: true)
    }
}
