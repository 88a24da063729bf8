package import HTTPClient
internal import JSON
package import Neo4j
package import Packs
package import Postgres
package import Runtime

/// Writes the graph projection of a pack into Neo4j. Belongs to a loop.
package final class GraphLaneStore: LaneStore, @unchecked Sendable {
    package let name = LaneName.graph
    package let storeName = "neo4j"
    package let mustRepeatAfterTakeover = false
    package let entities: Set<String>
    package let resyncSteps: [ResyncStep]

    let pack: Pack
    let graph: GraphProjection
    let neo4j: Neo4jClient
    let postgres: PostgresClient
    let cypher: GraphCypher
    let views: GraphViewStatements
    /// The store whose schema was made.
    private var preparedStore: String?
    /// Statements that this store may not have planned yet.
    private var unplanned: [GraphWriteUnit] = []

    /// What was read of a chunk, in the order in which it is written.
    package struct Work: Sendable {
        var nodes: [(node: NodeProjection, rows: RowBatch)] = []
        var stale: [(set: EdgeSet, rows: RowBatch)] = []
        var edges: [(set: EdgeSet, type: String, rows: RowBatch)] = []
        var deletions: [(node: NodeProjection, keys: RowBatch)] = []
    }

    /// - Throws: ``LaneError/invalidPlan(_:)`` for a name that cannot be quoted.
    package init(
        pack: Pack, graph: GraphProjection, neo4j: Neo4jClient, postgres: PostgresClient
    ) throws(LaneError) {
        self.pack = pack
        self.graph = graph
        self.neo4j = neo4j
        self.postgres = postgres
        cypher = try GraphCypher(pack: pack.name, graph: graph)
        views = GraphViewStatements(pack: pack, graph: graph)
        entities = Set(graph.nodes.map(\.entityPath) + graph.edges.map(\.anchorPath))
        resyncSteps = views.resyncSteps
    }

    package var breakerState: CircuitBreaker.State { neo4j.breakerState }
    package var isPrepared: Bool { unplanned.isEmpty }

    // MARK: Identity and fence

    package func identify(
        deadline: Deadline
    ) async throws(LaneError) -> (identity: String, revision: Int64) {
        // The fence's constraint comes first: two processes may make the fence at the same time.
        if preparedStore == nil { try await makeSchema(deadline: deadline) }
        let result = try await run(
            CypherStatements.identifyStore, cypher.parameters(), .write, deadline)
        guard let row = result.rows.elements.first(where: { _ in true }) else {
            throw .store(code: "invalid_response", mayHaveBeenApplied: false)
        }
        let cells = Array(row.elements)
        guard cells.count == 2, let store = cells[0].string, let revision = cells[1].int else {
            throw .store(code: "invalid_response", mayHaveBeenApplied: false)
        }
        if let preparedStore, preparedStore != store { try await makeSchema(deadline: deadline) }
        preparedStore = store
        unplanned = cypher.units
        return (GraphLaneStore.identity(of: store), revision)
    }

    /// What `fourfold.lanes` remembers of a store, by the name that its fence carries.
    static func identity(of store: String) -> String { "neo4j:\(store)" }

    package func raiseFence(_ permit: LanePermit, deadline: Deadline) async throws(LaneError) {
        let result = try await run(
            CypherStatements.claimFence, cypher.parameters(permit.revision), .write, deadline)
        guard let row = result.rows.elements.first(where: { _ in true }) else {
            throw .storeChanged
        }
        if Array(row.elements).last?.int != permit.revision { throw .leaseLost }
    }

    /// Has the store plan one more statement: the first run of each costs it 50 to 1,000 ms, which
    /// the first writes after a start would wait for.
    package func prepareNext(deadline: Deadline) async {
        guard let unit = unplanned.popLast() else { return }
        do throws(LaneError) { try await plan(unit, deadline: deadline) } catch {
            // Only a store that answers is worth preparing.
            unplanned = []
        }
    }

    /// Runs a statement that writes on nothing: there are no rows, and the fence refuses the
    /// revision.
    func plan(_ unit: GraphWriteUnit, deadline: Deadline) async throws(LaneError) {
        _ = try await run(unit.statement, cypher.parameters(-2, unit, [:]), .write, deadline)
    }

    /// Constraints and indexes. Idempotent.
    private func makeSchema(deadline: Deadline) async throws(LaneError) {
        do throws(Neo4jError) {
            try await neo4j.applySchema(cypher.schema, deadline: deadline)
        } catch {
            throw LaneError(error)
        }
    }

    // MARK: Reading

    package func read(
        _ chunk: LaneChunk, on connection: PostgresConnection
    ) async throws -> Work {
        var work = Work()
        for (path, keys) in chunk.entities where !keys.isEmpty {
            let parameters: [Parameter] = [.textArray(keys.keys), .textArray(keys.keys)]
            for node in graph.nodes where node.entityPath == path && chunk.parts.has(node) {
                guard let statement = views.nodes[node.label] else { continue }
                let result = try await connection.query(statement, parameters)
                let rows = RowBatch(result, 0, count: 0, json: 1)
                if !rows.isEmpty { work.nodes.append((node, rows)) }
                let absentCount = keys.keys.count - rows.count
                if absentCount > 0 {
                    work.deletions.append(
                        (node, RowBatch(count: absentCount, json: result.json(0, 2))))
                }
            }
            for set in graph.edges where set.anchorPath == path && chunk.parts.has(set) {
                try await read(set, keys, connection, &work)
            }
        }
        return work
    }

    private func read(
        _ set: EdgeSet, _ anchors: DirtyKeys, _ connection: PostgresConnection, _ work: inout Work
    ) async throws(PostgresError) {
        guard let edges = views.edges[set.name], let kept = views.kept[set.name] else { return }
        let result = try await connection.query(edges, [.textArray(anchors.keys)])
        for row in 0..<result.rowCount {
            let rows = RowBatch(result, row, count: 1, json: 2)
            work.edges.append((set, result.string(row, 0) ?? "", rows))
        }
        let stale = anchors.staleKeys
        if stale.isEmpty { return }
        let keptRows = try await connection.query(kept, [.textArray(stale), .textArray(stale)])
        work.stale.append((set, RowBatch(keptRows, 0, count: 0, json: 1)))
    }

    // MARK: Reconciliation

    package func storeKeys(
        _ step: ResyncStep, after: String, limit: Int, deadline: Deadline
    ) async throws(LaneError) -> (keys: [String], last: String?) {
        let statement = cypher.storeKeys(step)
        var parameters = JSONWriter()
        parameters.beginObject()
        parameters.field("after", after)
        parameters.field("limit", limit)
        if case .edges(let set) = step.parts {
            parameters.field("set", cypher.setNames[set] ?? set)
        }
        parameters.endObject()
        let result = try await run(statement, parameters.bytes, .read, deadline)
        var keys: [String] = []
        var last: String?
        for row in result.rows.elements {
            let cells = Array(row.elements)
            guard let key = cells.first?.string else { continue }
            last = key
            if cells.count < 2 || cells[1].bool == true { keys.append(key) }
        }
        return (keys, last)
    }

    package func holdsNothing(deadline: Deadline) async throws(LaneError) -> Bool {
        try await run(cypher.anyNode, cypher.parameters(), .read, deadline).rowCount == 0
    }

    // MARK: Requests

    func run(
        _ statement: String, _ parameters: [UInt8], _ access: Neo4jAccess, _ deadline: Deadline
    ) async throws(LaneError) -> Neo4jResult {
        do throws(Neo4jError) {
            return try await neo4j.run(
                statement, parameters: parameters, access: access, deadline: deadline)
        } catch {
            throw LaneError(error)
        }
    }
}

extension LaneChunk.Parts {
    fileprivate func has(_ node: NodeProjection) -> Bool {
        switch self {
        case .all: true
        case .nodes(let label): label == node.label
        case .edges: false
        }
    }

    fileprivate func has(_ set: EdgeSet) -> Bool {
        switch self {
        case .all: true
        case .nodes: false
        case .edges(let name): name == set.name
        }
    }
}

extension RowBatch {
    /// A count and a JSON array out of a row.
    init(_ result: PostgresResult, _ row: Int, count: Int, json: Int) {
        self.init(count: Int(result.int(row, count) ?? 0), json: result.json(row, json))
    }
}

extension PostgresResult {
    /// The bytes of a JSON value; `[]` for NULL.
    func json(_ row: Int, _ column: Int) -> [UInt8] {
        isNull(row, column) ? Array("[]".utf8) : Array(bytes(row, column))
    }
}
