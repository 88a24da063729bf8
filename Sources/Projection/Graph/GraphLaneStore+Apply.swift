internal import JSON
internal import Neo4j
internal import Packs
internal import Postgres
package import Runtime

extension GraphLaneStore {
    /// A server fault that comes back this often may be the fault of a row.
    private static let faultCountMax = 3

    /// One statement and its rows.
    private struct Batch {
        let statement: String
        let set: String?
        var rows: RowBatch
        /// The member of a row that is the key to park.
        let keyMember: String
        let entity: String
        /// Fewer rows may be written than sent, because an end is missing.
        var mayMissEnds = false
    }

    /// Writes nodes, takes edges away that must not be there, writes edges, deletes nodes.
    package func apply(
        _ work: Work, _ permit: LanePermit, deadline: Deadline
    ) async throws(LaneError) -> [PoisonKey] {
        var poison: [PoisonKey] = []
        for (node, rows) in work.nodes {
            let batch = Batch(
                statement: cypher.upsertNodes[node.label] ?? "", set: nil, rows: rows,
                keyMember: "id", entity: node.entityPath)
            poison += try await write(batch, permit, deadline)
        }
        for (set, rows) in work.stale {
            let batch = Batch(
                statement: cypher.deleteStaleEdges[set.name] ?? "", set: set.name, rows: rows,
                keyMember: "anchor", entity: set.anchorPath)
            poison += try await write(batch, permit, deadline)
        }
        for (set, type, rows) in work.edges {
            let kind = GraphCypher.EdgeKind(set: set.name, type: type)
            let batch = Batch(
                statement: cypher.upsertEdges[kind] ?? "", set: set.name, rows: rows,
                keyMember: "anchor", entity: set.anchorPath, mayMissEnds: true)
            poison += try await write(batch, permit, deadline)
        }
        for (node, keys) in work.deletions {
            let batch = Batch(
                statement: cypher.deleteNodes[node.label] ?? "", set: nil, rows: keys,
                keyMember: "", entity: node.entityPath)
            poison += try await write(batch, permit, deadline)
        }
        return poison
    }

    // MARK: One batch

    /// - Returns: The keys of rows that the store refuses.
    private func write(
        _ batch: Batch, _ permit: LanePermit, _ deadline: Deadline
    ) async throws(LaneError) -> [PoisonKey] {
        if batch.rows.isEmpty { return [] }
        try permit.check()
        switch try await post(batch, batch.rows, permit, deadline) {
        case .written(let poison): return poison
        case .refused(let code, let isSyntaxError):
            // Without rows only the statement can be wrong, and then no row is at fault.
            if isSyntaxError { try await plan(batch.statement, deadline: deadline) }
            if batch.rows.count > 1 { return try await bisect(batch, permit, deadline) }
            return batch.rows.texts(batch.keyMember).map {
                PoisonKey(entity: batch.entity, key: $0, code: code)
            }
        }
    }

    private func bisect(
        _ batch: Batch, _ permit: LanePermit, _ deadline: Deadline
    ) async throws(LaneError) -> [PoisonKey] {
        let rows = batch.rows.rows()
        let keys = batch.rows.texts(batch.keyMember)
        var poison: [PoisonKey] = []
        var bisector = BatchBisector(rowCount: rows.count)
        while let range = bisector.next() {
            try permit.check()
            switch try await post(batch, RowBatch(rows: rows[range]), permit, deadline) {
            case .written(let missing):
                poison += missing
                bisector.passed()
            case .refused(let code, _):
                if bisector.refused() {
                    poison.append(
                        PoisonKey(entity: batch.entity, key: keys[range.lowerBound], code: code))
                }
            }
        }
        return poison
    }

    private enum Outcome {
        /// All rows but those of these keys, whose ends are missing for good.
        case written([PoisonKey])
        /// No row: some of them are at fault, or the statement is.
        case refused(code: String, isSyntaxError: Bool)
    }

    private func post(
        _ batch: Batch, _ rows: RowBatch, _ permit: LanePermit, _ deadline: Deadline
    ) async throws(LaneError) -> Outcome {
        let parameters = cypher.parameters(permit.revision, set: batch.set, rows: rows)
        do throws(Neo4jError) {
            let result = try await neo4j.run(
                batch.statement, parameters: parameters, access: .write, deadline: deadline)
            if result.firstInt == Int64(rows.count) { return .written([]) }
        } catch {
            guard let code = refusal(error, permit) else { throw LaneError(error) }
            return .refused(code: code, isSyntaxError: error.isSyntaxError)
        }
        try await checkFence(permit, deadline)
        guard batch.mayMissEnds else {
            throw .store(code: "incomplete_write", mayHaveBeenApplied: false)
        }
        return .written(try await bringEnds(batch, rows, permit, deadline))
    }

    /// The code to park under if the rows are at fault; nil if the store is.
    private func refusal(_ error: Neo4jError, _ permit: LanePermit) -> String? {
        if error.mustSplit { return error.code }
        guard case .rejected(let rejection) = error else { return nil }
        switch rejection.kind {
        case .statement, .constraint, .terminated, .splitBatch: return rejection.code
        case .databaseFault:
            return permit.failureCount >= GraphLaneStore.faultCountMax ? rejection.code : nil
        case .transient, .rateLimited, .permanent: return nil
        }
    }

    /// Finds out why fewer rows were written than sent.
    private func checkFence(_ permit: LanePermit, _ deadline: Deadline) async throws(LaneError) {
        let result = try await run(
            CypherStatements.readFence, cypher.parameters(), .read, deadline)
        guard let revision = result.firstInt else { throw .storeChanged }
        if revision > permit.revision { throw .leaseLost }
    }

    // MARK: Missing ends

    /// Writes the nodes whose edges came first (their own rows are in a later page, or another tool
    /// deleted them), then the edges again.
    ///
    /// - Returns: The anchors of edges whose ends no view has.
    private func bringEnds(
        _ batch: Batch, _ rows: RowBatch, _ permit: LanePermit, _ deadline: Deadline
    ) async throws(LaneError) -> [PoisonKey] {
        let before = try await missingEnds(rows, deadline)
        for node in graph.nodes {
            let found = try await nodeRows(node, before)
            if found.isEmpty { continue }
            let ends = Batch(
                statement: cypher.upsertNodes[node.label] ?? "", set: nil, rows: found,
                keyMember: "id", entity: node.entityPath)
            // What is refused here is parked when its own row comes.
            _ = try await write(ends, permit, deadline)
        }
        let missing = Set(try await missingEnds(rows, deadline))
        var complete: [[UInt8]] = []
        var poison: [PoisonKey] = []
        for row in rows.rows() {
            guard let ends = EdgeEnds(row) else { continue }
            if missing.contains(ends.from) || missing.contains(ends.to) {
                poison.append(
                    PoisonKey(entity: batch.entity, key: ends.anchor, code: "edge_end_missing"))
            } else {
                complete.append(row)
            }
        }
        if !complete.isEmpty {
            var again = batch
            again.rows = RowBatch(rows: complete)
            again.mayMissEnds = false
            poison += try await write(again, permit, deadline)
        }
        return poison
    }

    private func missingEnds(
        _ rows: RowBatch, _ deadline: Deadline
    ) async throws(LaneError) -> [String] {
        let result = try await run(
            cypher.missingEnds, cypher.parameters(rows: rows), .read, deadline)
        return result.rows.elements.compactMap { row in
            row.elements.first { _ in true }?.string
        }
    }

    private func nodeRows(
        _ node: NodeProjection, _ keys: [String]
    ) async throws(LaneError) -> RowBatch {
        guard let statement = views.nodes[node.label], !keys.isEmpty else { return .empty }
        do throws(PostgresError) {
            let result = try await postgres.query(
                statement, [.textArray(keys), .textArray(keys)],
                deadline: .after(.seconds(10)))
            return RowBatch(result, 0, count: 0, json: 1)
        } catch {
            // Keys of another type than this label's.
            if error.serverError?.sqlState == "22P02" { return .empty }
            throw .postgres(error)
        }
    }
}

/// The keys of one edge row.
private struct EdgeEnds {
    let anchor: String
    let from: String
    let to: String

    init?(_ row: [UInt8]) {
        guard let root = (try? JSONDocument.parse(row))?.root,
            let anchor = root["anchor"]?.string, let from = root["from"]?.string,
            let to = root["to"]?.string
        else { return nil }
        self.anchor = anchor
        self.from = from
        self.to = to
    }
}

extension Neo4jError {
    fileprivate var isSyntaxError: Bool {
        if case .rejected(let rejection) = self { rejection.isSyntaxError } else { false }
    }
}

extension Neo4jResult {
    /// The first cell of the first row as an integer.
    var firstInt: Int64? {
        rows.elements.first { _ in true }?.elements.first { _ in true }?.int
    }
}
