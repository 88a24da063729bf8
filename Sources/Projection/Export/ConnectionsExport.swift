internal import JSON
package import Neo4j
package import Packs
package import Postgres
package import Runtime

/// Counts the connections of every node that is really in the graph and brings them into the pack's
/// table, in one transaction. Belongs to a loop.
///
/// A failure leaves the old numbers. Two exports of one pack wait for each other.
package final class ConnectionsExport: @unchecked Sendable {
    let pack: Pack
    let graph: GraphProjection
    let rule: ConnectionsExportRule
    private let postgres: PostgresClient
    private let neo4j: Neo4jClient?
    private let pageNodeCount: Int64

    /// - Parameters:
    ///   - neo4j: Nil counts the embedded graph.
    ///   - pageNodeCount: Nodes in one page: bounds the memory.
    /// - Throws: ``LaneError/invalidPlan(_:)`` if the pack exports nothing.
    package init(
        pack: Pack, postgres: PostgresClient, neo4j: Neo4jClient?, pageNodeCount: Int64 = 10_000
    ) throws(LaneError) {
        guard let graph = pack.graph, let rule = pack.export else {
            throw .invalidPlan("\(pack.name) has no graph or no export")
        }
        self.pack = pack
        self.graph = graph
        self.rule = rule
        self.postgres = postgres
        self.neo4j = neo4j
        self.pageNodeCount = pageNodeCount
    }

    /// The time since the last export of the pack, whoever made it; nil if there was none.
    package static func age(
        pack: Pack, postgres: PostgresClient
    ) async throws(LaneError) -> Duration? {
        do throws(PostgresError) {
            let result = try await postgres.query(
                ExportSQL.age, [.text(pack.name)], deadline: .after(.seconds(10)))
            return result.int(0, 0).map { .milliseconds($0) }
        } catch {
            throw .postgres(error)
        }
    }

    /// - Parameter deadline: Of the whole export; the wait for another one counts too.
    package func run(deadline: Deadline) async throws(LaneError) -> ConnectionsExportSummary {
        let start = monotonicNanoseconds()
        do {
            return try await postgres.withConnection(deadline: deadline) { connection in
                // Given back with the session's other state, also after a failure.
                try await connection.simple(ExportSQL.lock(pack.name))
                try await connection.simple(ExportSQL.staging)
                let counted: Counted
                if let neo4j {
                    counted = try await countGraph(neo4j, into: connection, deadline)
                } else {
                    counted = try await countViews(connection)
                }
                return try await swap(counted, connection, start)
            }
        } catch {
            throw LaneError(error)
        }
    }

    /// What is in the staging table.
    private struct Counted {
        var watermark: Int64
        var nodes: Int64
        var edges: Int64
    }

    // MARK: Counting

    private func countGraph(
        _ neo4j: Neo4jClient, into connection: PostgresConnection, _ deadline: Deadline
    ) async throws -> Counted {
        let cypher = try ExportCypher(graph: graph)
        var counted = Counted(
            watermark: try await requireLevel(neo4j, connection, deadline), nodes: 0, edges: 0)
        var types: [String] = []
        for type in try await relationshipTypes(neo4j, deadline) {
            let count = try await neo4j.run(
                try cypher.countEdges(type: type), access: .read, deadline: deadline)
            guard let edges = count.firstCell?.int, edges > 0 else { continue }
            counted.edges += edges
            types.append(type)
        }
        let statement = try cypher.degrees(types: types)
        var after = ""
        while true {
            let page = try await neo4j.run(
                statement,
                parameters: ExportCypher.parameters(
                    after: after, limit: pageNodeCount),
                access: .read, deadline: deadline)
            guard let (lines, last) = ExportLines.make(page.rows, types) else { break }
            var chunk: [UInt8]? = lines
            _ = try await connection.copyIn(ExportSQL.copy) { chunk.take() }
            counted.nodes += Int64(page.rowCount)
            after = last
            if page.rowCount < pageNodeCount { break }
        }
        _ = try await requireLevel(neo4j, connection, deadline)
        return counted
    }

    /// A graph that came back empty, or that is being filled, has no degrees to show for what is
    /// not there yet.
    ///
    /// - Returns: The revision of the lane's fence; 0 where no lane has ever led.
    private func requireLevel(
        _ neo4j: Neo4jClient, _ connection: PostgresConnection, _ deadline: Deadline
    ) async throws -> Int64 {
        let lane = LaneName.graph.rawValue
        let found = try await neo4j.run(
            CypherStatements.readFence,
            parameters: ExportCypher.parameters(lane: "\(pack.name)/\(lane)"),
            access: .read, deadline: deadline)
        let fence = found.rows.elements.first { _ in true }.map { Array($0.elements) } ?? []
        let store = fence.last?.string.map(GraphLaneStore.identity)
        let isLevel = try await connection.query(
            Statement(unnamed: ExportSQL.isLevel, isReadOnly: true),
            [.text(pack.name), .text(lane), store.map { .text($0) } ?? .null])
        guard isLevel.bool(0, 0) ?? true else { throw LaneError.graphIncomplete }
        return fence.first?.int ?? 0
    }

    /// Every type there is now, but those the pack leaves out.
    private func relationshipTypes(
        _ neo4j: Neo4jClient, _ deadline: Deadline
    ) async throws(Neo4jError) -> [String] {
        let result = try await neo4j.run(
            ExportCypher.relationshipTypes, access: .read, deadline: deadline)
        return result.rows.elements
            .compactMap { $0.elements.first { _ in true }?.string }
            .filter { !rule.excludedTypes.contains($0) }.sorted()
    }

    private func countViews(_ connection: PostgresConnection) async throws -> Counted {
        let excluded = Parameter.textArray(rule.excludedTypes)
        let result = try await connection.query(
            Statement(unnamed: ExportSQL.countViews(pack, graph)), [excluded])
        return Counted(
            watermark: result.int(0, 0) ?? 0, nodes: result.int(0, 1) ?? 0,
            edges: result.int(0, 2) ?? 0)
    }

    // MARK: Replacing

    private func swap(
        _ counted: Counted, _ connection: PostgresConnection, _ start: UInt64
    ) async throws -> ConnectionsExportSummary {
        let table = qualified(pack.name, rule.table)
        let keyType = try await connection.query(
            Statement(unnamed: ExportSQL.keyType, isReadOnly: true),
            [.text(table), .text(rule.keyColumn)])
        guard keyType.rowCount > 0, let type = keyType.string(0, 0) else {
            throw LaneError.invalidPlan("\(rule.table) has no column \(rule.keyColumn)")
        }
        let sql = ExportSQL(table: table, key: quoteSQLIdentifier(rule.keyColumn), keyType: type)
        return try await connection.transaction {
            try await connection.simple("LOCK TABLE \(table) IN SHARE ROW EXCLUSIVE MODE")
            let removed = try await connection.query(Statement(unnamed: sql.remove))
            let written = try await connection.query(Statement(unnamed: sql.write))
            let known = written.int(0, 0) ?? 0
            let changed = Int64(removed.affectedRowCount) + (written.int(0, 1) ?? 0)
            let seconds = Double(monotonicNanoseconds() - start) / 1e9
            let unknown = counted.nodes - known
            let recorded = try await connection.query(
                Statement(unnamed: ExportSQL.record),
                [
                    .text(pack.name), .int(counted.watermark), .int(counted.nodes),
                    .int(counted.edges), .int(changed), .int(unknown), .double(seconds),
                ])
            return ConnectionsExportSummary(
                pack: pack.name, exportedAt: recorded.string(0, 0) ?? "",
                watermark: counted.watermark, nodes: counted.nodes, edges: counted.edges,
                changed: changed, unknown: unknown, seconds: seconds)
        }
    }
}

/// The line that the command prints.
package struct ConnectionsExportSummary: Sendable {
    package var pack: String
    /// RFC 3339.
    package var exportedAt: String
    /// The highest revision that was in the graph when the export began.
    package var watermark: Int64
    /// Nodes that were counted.
    package var nodes: Int64
    /// Edges of the types that count.
    package var edges: Int64
    /// Rows that are new, gone or have other numbers.
    package var changed: Int64
    /// Nodes that PostgreSQL does not know; not imported.
    package var unknown: Int64
    package var seconds: Double

    package var json: [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.field("pack", pack)
        json.field("exported_at", exportedAt)
        json.field("watermark", watermark)
        json.field("nodes", nodes)
        json.field("edges", edges)
        json.field("changed", changed)
        json.field("unknown", unknown)
        json.key("seconds")
        json.double((seconds * 1_000).rounded() / 1_000)
        json.endObject()
        return json.bytes
    }
}
