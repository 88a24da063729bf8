internal import JSON
internal import Packs
internal import Postgres

/// Reads a page of the outbox and, in the same snapshot, what its keys look like now.
///
/// Belongs to a loop.
final class LanePageReader<Store: LaneStore>: @unchecked Sendable {
    private let pack: String
    private let postgres: PostgresClient
    private let store: Store
    private let configuration: LaneConfiguration
    private let rules: [String: [(target: String, statement: Statement)]]
    private let searchPath: Statement

    init(
        pack: Pack, postgres: PostgresClient, store: Store, configuration: LaneConfiguration
    ) {
        self.pack = pack.name
        self.postgres = postgres
        self.store = store
        self.configuration = configuration
        var rules: [String: [(target: String, statement: Statement)]] = [:]
        for rule in pack.dirtyRules where store.entities.contains(rule.targetPath) {
            if let lanes = rule.lanes, !lanes.contains(store.name.rawValue) { continue }
            let statement = Statement(
                "lane_dirty_\(rule.sourcePath)",
                """
                WITH changed AS MATERIALIZED (SELECT * FROM fourfold.changed_rows($1::jsonb))
                SELECT DISTINCT dirty.key::text FROM (
                \(rule.sql)
                ) AS dirty(key) WHERE dirty.key IS NOT NULL LIMIT $2::bigint
                """, isReadOnly: true)
            rules[rule.sourcePath, default: []].append((rule.targetPath, statement))
        }
        self.rules = rules
        searchPath = Statement(
            "lane_search_path",
            """
            SELECT set_config('search_path', \(quoteSQLLiteral(quoteSQLIdentifier(pack.name)))
                || ', pg_catalog', true)
            """, isReadOnly: true)
    }

    /// Whether a row is visible that the lane has not done. Cheap.
    func hasWork(_ cursor: LaneCursor) async throws(LaneError) -> Bool {
        do throws(PostgresError) {
            let result = try await postgres.query(
                LaneStatements.hasWork, cursor.parameters(pack: pack),
                deadline: configuration.requestDeadline)
            return result.bool(0, 0) ?? false
        } catch {
            throw .postgres(error)
        }
    }

    /// The next page; nil when nothing is left.
    func read(
        _ cursor: LaneCursor, epoch: Int64
    ) async throws(LaneError) -> LanePage<Store.Work>? {
        do {
            // Drawn and committed before the snapshot of the page is taken.
            let revision = try await drawRevision(epoch: epoch)
            do {
                return try await read(cursor, revision, readsWork: true)
            } catch where LaneError(error).isRowFault {
                // Each chunk is read by itself, where the row at fault can be found.
                return try await read(cursor, revision, readsWork: false)
            }
        } catch {
            throw LaneError(error)
        }
    }

    private func read(
        _ cursor: LaneCursor, _ revision: Int64, readsWork: Bool
    ) async throws -> LanePage<Store.Work>? {
        try await postgres.withConnection(deadline: configuration.requestDeadline) { connection in
            try await connection.transaction(isolation: .repeatableRead, readOnly: true) {
                try await page(cursor, revision, connection, readsWork: readsWork)
            }
        }
    }

    /// Reads a chunk in a snapshot of its own.
    ///
    /// - Parameter isCareful: Rows whose views cannot be read are left out.
    func read(
        _ chunk: LaneChunk, isCareful: Bool = false
    ) async throws(LaneError) -> Store.Work {
        do {
            return try await postgres.withConnection(deadline: configuration.requestDeadline) {
                connection in
                try await connection.transaction(isolation: .repeatableRead, readOnly: true) {
                    isCareful
                        ? try await store.readCarefully(chunk, on: connection)
                        : try await store.read(chunk, on: connection)
                }
            }
        } catch {
            throw LaneError(error)
        }
    }

    /// - Throws: ``LaneError/leaseLost`` if the lane has another epoch by now.
    func drawRevision(epoch: Int64) async throws(LaneError) -> Int64 {
        let result: PostgresResult
        do throws(PostgresError) {
            result = try await postgres.query(
                LaneStatements.drawRevision,
                [.text(pack), .text(store.name.rawValue), .int(epoch)],
                deadline: configuration.requestDeadline)
        } catch {
            throw .postgres(error)
        }
        guard result.rowCount > 0, let revision = result.int(0, 0) else { throw .leaseLost }
        return revision
    }

    /// Entities that a whole entity dirties: those that carry projections of it and those that its
    /// rules name.
    func targets(of entity: String) -> Set<String> {
        var targets = Set((rules[entity] ?? []).map(\.target))
        if store.entities.contains(entity) { targets.insert(entity) }
        return targets
    }

    // MARK: The page

    private func page(
        _ cursor: LaneCursor, _ revision: Int64, _ connection: PostgresConnection, readsWork: Bool
    ) async throws -> LanePage<Store.Work>? {
        let limit = configuration.pageRowCountMax
        let statement = store.tellsChanges ? LaneStatements.ownedPage : LaneStatements.page
        let result = try await connection.query(
            statement, cursor.parameters(pack: pack) + [.int(Int64(limit))])
        guard result.rowCount > 0 || cursor.goal != nil else { return nil }
        var coalescer = PageCoalescer()
        var changes = ChangeCoalescer()
        for row in 0..<result.rowCount {
            guard let row = LanePageReader.outboxRow(result, row) else { continue }
            if store.tellsChanges {
                if row.operation == .rewrite {
                    coalescer.pass(row)
                    continue
                }
                if store.entities.contains(row.entity) { changes.add(row) }
            }
            coalescer.add(row)
        }
        var origins = coalescer.origins
        let (dirty, resyncs) = try await expand(coalescer.changes, &origins, connection)
        let chunks =
            store.tellsChanges
            ? [LanePageReader.chunk(dirty, changes)]
            : LanePageReader.chunks(dirty, of: configuration.chunkKeyCountMax)
        var firstWork: Store.Work?
        if readsWork, let first = chunks.first {
            firstWork = try await store.read(first, on: connection)
        }
        return LanePage(
            revision: revision, goal: result.string(0, 0) ?? cursor.goal ?? cursor.done,
            lastXID: coalescer.last?.xid ?? cursor.xid,
            lastPosition: coalescer.last?.position ?? cursor.position,
            rowCount: result.rowCount, isLast: result.rowCount < limit, resyncs: resyncs,
            chunks: chunks, firstWork: firstWork, origins: origins)
    }

    private static func outboxRow(_ result: PostgresResult, _ row: Int) -> OutboxRow? {
        guard let xid = result.string(row, 1), let position = result.int(row, 2),
            let entity = result.string(row, 3)
        else { return nil }
        // A letter of a later version dirties its key all the same.
        let operation = OutboxRow.Operation(rawValue: result.string(row, 5) ?? "") ?? .update
        return OutboxRow(
            xid: xid, position: position, entity: entity, key: result.string(row, 4),
            operation: operation, columns: result.string(row, 6),
            owner: result.columnCount > 7 ? result.string(row, 7) : nil)
    }

    /// Adds what the dirty rules say.
    private func expand(
        _ changes: [String: PageCoalescer.Changes], _ origins: inout PageOrigins,
        _ connection: PostgresConnection
    ) async throws -> (dirty: [String: DirtyKeys], resyncs: Set<String>) {
        var dirty: [String: DirtyKeys] = [:]
        var resyncs: Set<String> = []
        var isPathSet = false
        for (entity, change) in changes.sorted(by: { $0.key < $1.key }) {
            if change.mustResync {
                resyncs.formUnion(targets(of: entity))
                for target in targets(of: entity) { origins.derive([], of: target, from: entity) }
            }
            if store.entities.contains(entity) {
                let keys = DirtyKeys(created: change.created, changed: change.changed)
                dirty[entity] = dirty[entity].map { keys.union(changed: Set($0.keys)) } ?? keys
            }
            guard !change.rows.isEmpty, let rules = rules[entity] else { continue }
            if !isPathSet { _ = try await connection.query(searchPath) }
            isPathSet = true
            let changed = LanePageReader.json(change.rows)
            for rule in rules {
                let keys = try await keys(rule.statement, changed, connection)
                guard keys.count <= configuration.dirtyKeyCountMax else {
                    resyncs.insert(rule.target)
                    origins.derive(nil, of: rule.target, from: entity)
                    continue
                }
                if !keys.isEmpty { origins.derive(keys, of: rule.target, from: entity) }
                dirty[rule.target] =
                    dirty[rule.target]?.union(changed: keys) ?? DirtyKeys(changed: keys)
            }
        }
        for entity in resyncs { dirty[entity] = nil }
        return (dirty.filter { !$0.value.isEmpty }, resyncs)
    }

    private func keys(
        _ statement: Statement, _ changed: [UInt8], _ connection: PostgresConnection
    ) async throws(PostgresError) -> Set<String> {
        let limit = Int64(configuration.dirtyKeyCountMax) + 1
        let result = try await connection.query(statement, [.bytes(changed), .int(limit)])
        return Set((0..<result.rowCount).compactMap { result.string($0, 0) })
    }

    /// `[{"key":…,"op":…,"columns":…}]`. A row that is to be written again may have been anything:
    /// a rule that asks for an operation finds it, whichever that is.
    private static func json(_ rows: Set<PageCoalescer.ChangedRow>) -> [UInt8] {
        let changes: [OutboxRow.Operation] = [.insert, .update, .delete]
        var json = JSONWriter()
        json.beginArray()
        for row in rows {
            for operation in row.operation == .rewrite ? changes : [row.operation] {
                json.beginObject()
                json.field("key", row.key)
                json.field("op", operation.rawValue)
                json.key("columns")
                json.raw(row.columns ?? "null")
                json.endObject()
            }
        }
        json.endArray()
        return json.bytes
    }

    /// A page as a whole, for a store that moves its cursor with what it writes.
    private static func chunk(
        _ dirty: [String: DirtyKeys], _ changes: ChangeCoalescer
    ) -> LaneChunk {
        var chunk = LaneChunk(dirty.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        chunk.changes = changes.changes
        return chunk
    }

    static func chunks(_ dirty: [String: DirtyKeys], of count: Int) -> [LaneChunk] {
        var chunks: [LaneChunk] = []
        for (path, keys) in dirty.sorted(by: { $0.key < $1.key }) {
            for part in keys.chunks(of: count) {
                if let last = chunks.last, last.keyCount + part.keys.count <= count {
                    chunks[chunks.count - 1].entities.append((path, part))
                } else {
                    chunks.append(LaneChunk([(path, part)]))
                }
            }
        }
        return chunks
    }
}
