internal import JSON
package import Packs
package import Postgres
package import Redis
package import Runtime

/// Bounds and periods of a ``HistoryDrain``.
package struct HistoryDrainLimits: Sendable {
    /// Between looks at a stream that was empty.
    package var pollPeriod = Duration.milliseconds(50)
    /// After a failure.
    package var retryPeriod = Duration.milliseconds(500)
    /// Writes of one transaction.
    package var batchCount = 1_000
    /// Bytes of one batch, but for a single write that is larger.
    package var batchByteCount = 1 << 20
    /// Marks of states that are looked at with each batch, whether their history is gone, as it is
    /// after their user was deleted.
    package var sweptPerBatch = 16
    /// The same for each delete: of nobody's state it leaves a mark. More than one, so that such
    /// marks go faster than they come.
    package var sweptPerDelete = 2
    /// Longest work on one batch.
    package var timeout = Duration.seconds(30)

    package init() {}
}

/// Takes the writes of states that have a history from Redis into PostgreSQL, each once.
///
/// The cursor moves in the transaction that inserts, from where this process believes it is: of
/// several processes one succeeds, the others read the cursor again. Belongs to its loop.
package final class HistoryDrain: @unchecked Sendable {
    private struct Keeping: Sendable {
        let pack: String
        let rule: StateRule
        let sql: HistorySQL
        let stream: String
    }

    /// Where one stream stands.
    private struct Position {
        var identity = ""
        var lastID = ""
        /// Everything before this id can go.
        var trimID = ""
        var deletes: [(mark: String, id: String)] = []
        /// The last state whose mark was looked at; nil before the first.
        var sweptRow: String?
        var isFailing = false

        mutating func advance(to id: String) {
            lastID = id
            trimID = HistoryEntry.following(id) ?? ""
        }
    }

    private let loop: EventLoop
    private let postgres: PostgresClient
    private let redis: RedisClient
    private let limits: HistoryDrainLimits
    private let keepings: [Keeping]
    private var tasks: [Task<Void, Never>] = []

    /// - Parameter packs: Those without histories are passed over.
    package init(
        loop: EventLoop, postgres: PostgresClient, redis: RedisClient, packs: [Pack],
        limits: HistoryDrainLimits = .init()
    ) {
        self.loop = loop
        self.postgres = postgres
        self.redis = redis
        self.limits = limits
        keepings = packs.flatMap { pack in
            pack.live.states.compactMap { rule in
                HistorySQL(rule, pack).map { sql in
                    Keeping(
                        pack: pack.name, rule: rule, sql: sql,
                        stream: StateHistoryKeys.stream(pack: pack.name, state: rule.name))
                }
            }
        }
    }

    /// On the loop, once.
    package func start() {
        loop.preconditionOnLoop()
        tasks = keepings.map { keeping in loop.spawn { [self] in await run(keeping) } }
    }

    /// On the loop. A batch under way ends first.
    package func stop() async {
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        tasks = []
    }

    private func run(_ keeping: Keeping) async {
        var position = Position()
        while !Task.isCancelled {
            var pause = limits.pollPeriod
            do {
                let step = try await drain(keeping, &position)
                if step == .moved || step == .looked { pause = .zero }
                // The cursor can be read also where nothing can be inserted.
                if position.isFailing, step == .moved || step == .idle {
                    Log.info("history is kept again", ("state", keeping.stream))
                    position.isFailing = false
                }
            } catch {
                pause = limits.retryPeriod
                if !position.isFailing && !Task.isCancelled {
                    Log.warning(
                        "history cannot be kept and waits in Redis", ("state", keeping.stream),
                        ("error", errorCode(error)))
                }
                // What was committed is not known: the cursor says it.
                position = Position()
                position.isFailing = true
            }
            if pause > .zero { try? await loop.sleep(for: pause) }
        }
    }

    private enum Step {
        /// One batch is in PostgreSQL; there may be more.
        case moved
        /// There is nothing to move.
        case idle
        /// The cursor was read, for Redis is another.
        case looked
        /// Another process moved this batch; the cursor was read.
        case overtaken
    }

    /// Moves one batch.
    private func drain(_ keeping: Keeping, _ position: inout Position) async throws -> Step {
        let deadline = Deadline.after(limits.timeout)
        let (identity, entries) = try await next(keeping, position, deadline)
        guard identity == position.identity else {
            position.identity = identity
            try await readCursor(keeping, &position, deadline)
            return .looked
        }
        (position.trimID, position.deletes) = ("", [])
        guard let last = entries.last else { return .idle }
        guard try await commit(keeping, position, entries, deadline) else {
            try await readCursor(keeping, &position, deadline)
            return .overtaken
        }
        position.advance(to: last.id)
        for entry in entries where entry.value == nil {
            let key = keeping.rule.key.filled([entry.row])
            position.deletes.append((StateHistoryKeys.deleted(key), entry.id))
        }
        await sweep(keeping, &position, last, deadline)
        return .moved
    }

    /// Goes round the marks of the state, a few at a time. What fails is looked at the next time
    /// round.
    private func sweep(
        _ keeping: Keeping, _ position: inout Position, _ last: HistoryEntry,
        _ deadline: Deadline
    ) async {
        let count = limits.sweptPerBatch + position.deletes.count * limits.sweptPerDelete
        let parameters: [Parameter] = [
            .text(keeping.pack), .text(keeping.rule.name), .text(position.sweptRow ?? last.row),
            .int(Int64(count)),
        ]
        let result = try? await postgres.withConnection(deadline: deadline) {
            try await $0.query(keeping.sql.sweep, parameters)
        }
        if let result { position.sweptRow = result.string(0, 0) ?? "" }
    }

    private func next(
        _ keeping: Keeping, _ position: Position, _ deadline: Deadline
    ) async throws(RedisError) -> (identity: String, entries: [HistoryEntry]) {
        var arguments: [RedisArgument] = [
            .text(newIdentity()), .text(position.identity), .text(position.lastID),
            .number(Int64(limits.batchCount)), .number(Int64(limits.batchByteCount)),
            .text(position.trimID),
        ]
        for (mark, id) in position.deletes { arguments += [.text(mark), .text(id)] }
        let reply = try await redis.run(
            HistoryScripts.next,
            keys: [.text(keeping.stream), .text(StateHistoryKeys.identity)],
            arguments: arguments, deadline: deadline)
        guard let parts = reply.array, let identity = parts.first?.string else {
            throw .rejected(code: "ERR")
        }
        let entries = parts.count > 1 ? parts[1].array ?? [] : []
        return (identity, entries.compactMap(HistoryEntry.init))
    }

    private func readCursor(
        _ keeping: Keeping, _ position: inout Position, _ deadline: Deadline
    ) async throws {
        let parameters: [Parameter] = [
            .text(keeping.pack), .text(keeping.rule.name), .text(position.identity),
        ]
        let result = try await postgres.withConnection(deadline: deadline) {
            try await $0.query(keeping.sql.cursor, parameters)
        }
        // Another process may just have made the row: then it is at its beginning.
        let lastID = result.rowCount > 0 ? result.string(0, 0) : nil
        position.deletes = []
        position.advance(to: lastID ?? HistoryEntry.firstID)
    }

    /// - Returns: False if another process has taken these entries over.
    private func commit(
        _ keeping: Keeping, _ position: Position, _ entries: [HistoryEntry], _ deadline: Deadline
    ) async throws -> Bool {
        guard let last = entries.last else { return true }
        var rows = JSONWriter(capacity: entries.count * 256)
        rows.beginArray()
        for entry in entries { entry.write(to: &rows) }
        rows.endArray()
        let parameters: [Parameter] = [
            .text(keeping.pack), .text(keeping.rule.name), .text(position.identity),
            .text(position.lastID), .text(last.id), .bytes(rows.bytes),
        ]
        let result = try await postgres.withConnection(deadline: deadline) {
            try await $0.query(keeping.sql.drain, parameters)
        }
        let refused = result.int(0, 0) ?? 0
        if refused > 0 {
            Log.warning(
                "writes were refused by PostgreSQL and are in fourfold.history_refused",
                ("state", keeping.stream), ("count", String(refused)))
        }
        return refused >= 0
    }

    private func newIdentity() -> String {
        let parts = (0..<2).map { _ in String(UInt64.random(in: 0...UInt64.max), radix: 16) }
        return parts.joined()
    }

    private func errorCode(_ error: any Error) -> String {
        switch error {
        case let error as RedisError: "redis \(error.code)"
        case let error as PostgresError: error.serverError?.sqlState ?? "postgres"
        default: "unknown"
        }
    }
}
