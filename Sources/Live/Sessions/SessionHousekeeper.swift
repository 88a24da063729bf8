package import Packs
package import Postgres
package import Redis
package import Runtime

/// Bounds and periods of a ``SessionHousekeeper``.
package struct SessionHousekeeperLimits: Sendable {
    /// Between looks for copies to make right.
    package var repairPeriod = Duration.seconds(1)
    /// Between removals of expired rows.
    package var cleaningPeriod = Duration.seconds(60)
    /// Sessions of one look, and rows of one removal.
    package var batchCount = 500
    /// Removals in a row before copies are looked at again.
    package var cleaningBatchCountMax = 20
    /// Longest work on one batch.
    package var timeout = Duration.seconds(5)
    /// Longest wait for Redis.
    package var redisTimeout = Duration.seconds(1)

    package init() {}
}

/// Removes the rows of expired sessions, and makes the copies in Redis what the rows are where they
/// missed something. Belongs to its loop. Several processes may run one: all it does can be done
/// twice.
package final class SessionHousekeeper: @unchecked Sendable {
    private struct Keeping {
        let pack: String
        let sql: SessionSQL
        let copies: SessionCopies
    }

    private let loop: EventLoop
    private let postgres: PostgresClient
    private let limits: SessionHousekeeperLimits
    private let keepings: [Keeping]
    private var task: Task<Void, Never>?
    private var cleanedAt: UInt64?

    /// - Parameter packs: Those without sessions are passed over.
    package init(
        loop: EventLoop, postgres: PostgresClient, redis: RedisClient, packs: [Pack],
        limits: SessionHousekeeperLimits = .init()
    ) {
        self.loop = loop
        self.postgres = postgres
        self.limits = limits
        keepings = packs.compactMap { pack in
            guard let rule = pack.live.sessions, let sql = SessionSQL(pack) else { return nil }
            return Keeping(
                pack: pack.name, sql: sql,
                copies: SessionCopies(redis: redis, rule: rule, timeout: limits.redisTimeout))
        }
    }

    /// On the loop, once.
    package func start() {
        loop.preconditionOnLoop()
        guard !keepings.isEmpty else { return }
        task = loop.spawn { [self] in
            while !Task.isCancelled {
                await pass()
                try? await loop.sleep(for: limits.repairPeriod)
            }
        }
    }

    /// On the loop. Does not wait for what is under way: another housekeeper does it again.
    package func stop() {
        loop.preconditionOnLoop()
        task?.cancel()
        task = nil
    }

    /// One round over all packs. A failure is only a delay: the next round does the same.
    private func pass() async {
        let now = monotonicNanoseconds()
        let isCleaningDue = cleanedAt.map {
            now &- $0 >= limits.cleaningPeriod.wholeNanoseconds
        } ?? true
        if isCleaningDue { cleanedAt = now }
        for keeping in keepings {
            if isCleaningDue { try? await clean(keeping) }
            while !Task.isCancelled {
                let hasMore = try? await repair(keeping)
                if hasMore != true { break }
            }
        }
    }

    private func clean(_ keeping: Keeping) async throws {
        for _ in 0..<limits.cleaningBatchCountMax where !Task.isCancelled {
            let removed = try await postgres.withConnection(deadline: .after(limits.timeout)) {
                try await $0.query(keeping.sql.clean, [.int(Int64(limits.batchCount))])
                    .affectedRowCount
            }
            if removed < limits.batchCount { return }
        }
    }

    /// - Returns: Whether there may be more.
    private func repair(_ keeping: Keeping) async throws -> Bool {
        let deadline = Deadline.after(limits.timeout)
        let noted = try await postgres.query(
            SessionHousekeeper.noted, [.text(keeping.pack), .int(Int64(limits.batchCount))],
            deadline: deadline)
        guard let list = noted.string(0, 0), noted.rowCount == 1 else { return false }
        let found = try await postgres.withConnection(deadline: deadline) {
            try await $0.query(keeping.sql.living, [.text(noted.string(0, 1) ?? "{}")])
        }
        var living: Set<String> = []
        for index in 0..<found.rowCount {
            guard let row = SessionRow(found, row: index) else { continue }
            living.insert(row.key)
            // One that cannot be put back, because Redis is full, is put back when it is read.
            let outcome = await keeping.copies.keep(
                row, seconds: row.secondsLeft, isChanged: true, deadline: deadline)
            if outcome == .unavailable { return false }
        }
        let ended = list.split(separator: "\n").compactMap { line -> (String, String)? in
            let parts = line.split(separator: "\t", omittingEmptySubsequences: false)
            guard parts.count == 2, !living.contains(String(parts[1])) else { return nil }
            return (String(parts[0]), String(parts[1]))
        }
        guard await keeping.copies.end(ended, deadline: deadline) else { return false }
        _ = try await postgres.query(
            SessionHousekeeper.done, [.text(keeping.pack), .text(noted.string(0, 2) ?? "{}")],
            deadline: deadline)
        return list.utf8.count(where: { $0 == UInt8(ascii: "\n") }) + 1 >= limits.batchCount
    }

    /// `$1` the pack, `$2` the greatest count: owners and keys as lines, keys and ids as arrays;
    /// nulls where there is nothing to do.
    private static let noted = Statement(
        "session_repairs.list",
        """
        SELECT string_agg(r.owner || E'\\t' || r.session, E'\\n'), array_agg(r.session)::text,
            array_agg(r.id)::text
        FROM (SELECT id, owner, session FROM fourfold.session_repairs
            WHERE pack = $1 ORDER BY id LIMIT $2::bigint) AS r
        """, isReadOnly: true)

    private static let done = Statement(
        "session_repairs.done",
        "DELETE FROM fourfold.session_repairs WHERE pack = $1 AND id = ANY($2::bigint[])")

    /// `$1` the pack, `$2` the owner, `$3` the key: its copy missed something.
    package static let note = Statement(
        "session_repairs.note",
        "INSERT INTO fourfold.session_repairs (pack, owner, session) VALUES ($1, $2, $3)")
}
