internal import JSON
internal import Neo4j
internal import Packs
internal import Postgres
package import Runtime

extension GraphLaneStore {
    /// A server fault that comes back this often may be the fault of a row.
    private static let faultCountMax = 3

    /// The rows of one part.
    private struct Batch {
        let write: GraphWrite
        var rows: RowBatch
        /// The member of a row that is the key to park.
        let keyMember: String
        let entity: String
        /// Fewer rows may be written than sent, because an end is missing.
        var mayMissEnds = false

        init(_ node: NodeProjection, _ rows: RowBatch) {
            write = .nodes(label: node.label)
            self.rows = rows
            keyMember = "id"
            entity = node.entityPath
        }

        init(stale set: EdgeSet, _ rows: RowBatch) {
            write = .staleEdges(set: set.name)
            self.rows = rows
            keyMember = "anchor"
            entity = set.anchorPath
        }

        init(_ set: EdgeSet, type: String, _ rows: RowBatch) {
            write = .edges(set: set.name, type: type)
            self.rows = rows
            keyMember = "anchor"
            entity = set.anchorPath
            mayMissEnds = true
        }

        init(deleted node: NodeProjection, _ keys: RowBatch) {
            write = .deletions(label: node.label)
            rows = keys
            keyMember = ""
            entity = node.entityPath
        }
    }

    /// Writes nodes, takes edges away that must not be there, writes edges, deletes nodes.
    package func apply(
        _ work: Work, _ permit: LanePermit, deadline: Deadline
    ) async throws(LaneError) -> [PoisonKey] {
        var poison: [PoisonKey] = []
        for batches in requests(work) {
            poison += try await write(batches, permit, deadline)
        }
        return poison
    }

    /// Edges may end at any node of the chunk, so all nodes come first; where one unit has all of
    /// these, its edges come with them.
    private func requests(_ work: Work) -> [[Batch]] {
        var nodes = requests(work.nodes.map { Batch($0, $1) })
        var edges = requests(
            work.stale.map { Batch(stale: $0, $1) } + work.edges.map { Batch($0, type: $1, $2) })
        if nodes.count == 1 {
            let unit = cypher.place(of: nodes[0][0].write)
            if let place = edges.firstIndex(where: { cypher.place(of: $0[0].write) == unit }) {
                nodes[0] += edges.remove(at: place)
            }
        }
        return nodes + edges + requests(work.deletions.map { Batch(deleted: $0, $1) })
    }

    /// One for each unit, in the order of the batches.
    private func requests(_ batches: [Batch]) -> [[Batch]] {
        var requests: [[Batch]] = []
        for batch in batches where !batch.rows.isEmpty {
            let unit = cypher.place(of: batch.write)
            if let place = requests.firstIndex(where: { cypher.place(of: $0[0].write) == unit }) {
                requests[place].append(batch)
            } else {
                requests.append([batch])
            }
        }
        return requests
    }

    /// Writes batches of one unit in one transaction. If that is refused they are written one by
    /// one, and then by halves, until the rows at fault are alone.
    ///
    /// - Returns: The keys of rows that the store refuses.
    private func write(
        _ batches: [Batch], _ permit: LanePermit, _ deadline: Deadline
    ) async throws(LaneError) -> [PoisonKey] {
        try permit.check()
        switch try await post(batches, permit, deadline) {
        case .written(let counts): return try await complete(batches, counts, permit, deadline)
        case .refused where batches.count > 1:
            var poison: [PoisonKey] = []
            for batch in batches { poison += try await write([batch], permit, deadline) }
            return poison
        case .refused(let code, let isSyntaxError):
            let batch = batches[0]
            // Without rows only the statement can be wrong, and then no row is at fault.
            if isSyntaxError { try await plan(cypher.unit(of: batch.write), deadline: deadline) }
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
            var part = batch
            part.rows = RowBatch(rows: rows[range])
            switch try await post([part], permit, deadline) {
            case .written(let counts):
                poison += try await complete([part], counts, permit, deadline)
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
        /// How many rows of each batch were written.
        case written([Int])
        /// No row: some of them are at fault, or the statement is.
        case refused(code: String, isSyntaxError: Bool)
    }

    /// - Parameter batches: Of one unit.
    private func post(
        _ batches: [Batch], _ permit: LanePermit, _ deadline: Deadline
    ) async throws(LaneError) -> Outcome {
        let unit = cypher.unit(of: batches[0].write)
        let rows = Dictionary(uniqueKeysWithValues: batches.map { ($0.write, $0.rows) })
        do throws(Neo4jError) {
            let result = try await neo4j.run(
                unit.statement, parameters: cypher.parameters(permit.revision, unit, rows),
                access: .write, deadline: deadline)
            // No row is returned where the fence refused.
            let written = result.firstCell?.elements.map { $0.int ?? 0 } ?? []
            let counts = Dictionary(zip(unit.parts, written), uniquingKeysWith: { $1 })
            return .written(batches.map { Int(counts[$0.write] ?? 0) })
        } catch {
            guard let code = refusal(error, permit) else { throw LaneError(error) }
            return .refused(code: code, isSyntaxError: error.isSyntaxError)
        }
    }

    /// Goes on where fewer rows of a batch were written than sent.
    private func complete(
        _ batches: [Batch], _ counts: [Int], _ permit: LanePermit, _ deadline: Deadline
    ) async throws(LaneError) -> [PoisonKey] {
        var poison: [PoisonKey] = []
        for (batch, count) in zip(batches, counts) where count != batch.rows.count {
            try await checkFence(permit, deadline)
            guard batch.mayMissEnds else {
                throw .store(code: "incomplete_write", mayHaveBeenApplied: false)
            }
            poison += try await bringEnds(batch, permit, deadline)
        }
        return poison
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

    private func checkFence(_ permit: LanePermit, _ deadline: Deadline) async throws(LaneError) {
        let result = try await run(
            CypherStatements.readFence, cypher.parameters(), .read, deadline)
        guard let revision = result.firstCell?.int else { throw .storeChanged }
        if revision > permit.revision { throw .leaseLost }
    }

    // MARK: Missing ends

    /// Writes the nodes whose edges came first (their own rows are in a later page, or another tool
    /// deleted them), then the edges again.
    ///
    /// - Returns: The anchors of edges whose ends no view has.
    private func bringEnds(
        _ batch: Batch, _ permit: LanePermit, _ deadline: Deadline
    ) async throws(LaneError) -> [PoisonKey] {
        let before = try await missingEnds(batch.rows, deadline)
        for node in graph.nodes {
            let found = try await nodeRows(node, before)
            if found.isEmpty { continue }
            // What is refused here is parked when its own row comes.
            _ = try await write([Batch(node, found)], permit, deadline)
        }
        let missing = Set(try await missingEnds(batch.rows, deadline))
        var complete: [[UInt8]] = []
        var poison: [PoisonKey] = []
        for row in batch.rows.rows() {
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
            poison += try await write([again], permit, deadline)
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
    /// The first cell of the first row.
    var firstCell: JSONValue? {
        rows.elements.first { _ in true }?.elements.first { _ in true }
    }
}
