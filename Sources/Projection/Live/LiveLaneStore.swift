package import HTTPClient
internal import Live
package import Packs
package import Postgres
package import Redis
package import Runtime

/// Tells the changes of a pack's rows on its channels, forgets its caches and keeps the copies of
/// its configuration, in Redis. Belongs to a loop.
///
/// The lane's cursor stands in Redis too and moves in the script that publishes: whatever fails
/// between the two stores, nothing is told twice and nothing is left out.
package final class LiveLaneStore: LaneStore, @unchecked Sendable {
    package let name = LaneName.live
    package let storeName = "redis"
    package let entities: Set<String>
    package let resyncSteps: [ResyncStep] = []
    package let mustRepeatAfterTakeover = false
    package let tellsChanges = true

    let pack: Pack
    let redis: RedisClient
    let limits: LiveLaneLimits
    let scripts: LiveScripts
    let laneKey: String
    let copies: ConfigurationCopies?
    private let postgres: PostgresClient
    private let told: [(change: ChangeMessage, statement: Statement)]
    private let configuration: Statement?

    /// The revision that this leader drew when it took over.
    var fence: Int64 = 0
    /// The life of the database, as it was when the lane connected.
    var identity = ""
    /// What Redis has, by what this leader knows.
    var stored: LiveCursor?
    /// What Redis had when the fence was raised.
    private var found: (identity: String, cursor: LiveCursor)?
    /// The highest revision that was seen there, of a fence or of a copy of configuration.
    private var highestRevision: Int64 = 0
    private var isReachable = true

    /// What was read of a page.
    package struct Work: Sendable {
        var steps: [LiveStep] = []
        /// Keys of caches, and of what guards their filling.
        var keys: [String] = []
        /// All values, where one of them may have changed.
        var configuration: [ConfigurationValue]?
    }

    package init(
        pack: Pack, postgres: PostgresClient, redis: RedisClient, limits: LiveLaneLimits = .init()
    ) {
        self.pack = pack
        self.postgres = postgres
        self.redis = redis
        self.limits = limits
        scripts = LiveScripts(limits)
        laneKey = "fourfold:lane:\(pack.name):\(LaneName.live.rawValue)"
        entities = pack.live.followedEntities
        told = pack.live.channels.flatMap { channel in
            channel.changes.map { rule in
                let change = ChangeMessage(
                    pattern: channel.pattern, rule: rule, ownerPlace: pack.live.ownerPlace,
                    byteCountMax: limits.channels.messageByteCountMax)
                return (change, LiveStatements.messages(pack.name, rule))
            }
        }
        copies = pack.live.configuration.map { ConfigurationCopies(pack: pack.name, rule: $0) }
        configuration = pack.live.configuration.map {
            ConfigurationSQL.values(pack.name, $0)
        }
    }

    package var breakerState: CircuitBreaker.State { isReachable ? .closed : .open }

    // MARK: Taking over

    /// Redis is not asked: the lane is claimed while it is away too, so that what is written from
    /// then on is told when it is back.
    package func identify(
        deadline: Deadline
    ) async throws(LaneError) -> (identity: String, revision: Int64) {
        (storeName, highestRevision)
    }

    package func raiseFence(
        _ permit: LanePermit, deadline: Deadline
    ) async throws(LaneError) {
        stored = nil
        let keys = [laneKey] + (copies.map { [$0.revisionsKey] } ?? [])
        let reply = try await run(
            scripts.open, keys.map { .text($0) }, [.number(permit.revision)], deadline)
        let words = reply.array ?? []
        if words.count == 1 {
            highestRevision = words[0].string.flatMap { Int64($0) } ?? 0
            throw .leaseLost
        }
        fence = permit.revision
        found = LiveCursor.stored(words)
    }

    package func resume(
        at cursor: LaneCursor, isNew: Bool, _ permit: LanePermit, deadline: Deadline
    ) async throws(LaneError) -> LaneCursor {
        let database = try await databaseState(deadline)
        identity = database.identity
        if !isNew, let found, found.identity == identity,
            // A copy from after the last transaction is of a database that was restored since.
            let end = found.cursor.end, end <= database.nextTransaction
        {
            switch found.cursor.compared(to: cursor) {
            case .ahead:
                stored = found.cursor
                return found.cursor.lane
            case .level where found.cursor.lane == cursor:
                stored = found.cursor
                return cursor
            case .level, .behind: break
            }
        }
        // Redis was emptied, is another one, or lost its last writes: caches may be old too.
        if !isNew { try await reconcile(nil, permit, deadline: deadline) }
        let copy = LiveCursor(cursor)
        try permit.check()
        let placed = try await run(
            scripts.place, [.text(laneKey)],
            [.number(fence), .text(identity)] + copy.arguments, deadline)
        if placed.int != 1 { throw .storeChanged }
        stored = copy
        return cursor
    }

    private func databaseState(
        _ deadline: Deadline
    ) async throws(LaneError) -> (identity: String, nextTransaction: UInt64) {
        do throws(PostgresError) {
            let row = try await postgres.query(LiveStatements.database, deadline: deadline)
            return (row.string(0, 0) ?? "", row.string(0, 1).flatMap { UInt64($0) } ?? 0)
        } catch {
            throw .postgres(error)
        }
    }

    // MARK: Reading

    package func read(
        _ chunk: LaneChunk, on connection: PostgresConnection
    ) async throws -> Work {
        try await read(chunk, connection, isCareful: false)
    }

    package func readCarefully(
        _ chunk: LaneChunk, on connection: PostgresConnection
    ) async throws -> Work {
        try await read(chunk, connection, isCareful: true)
    }

    private func read(
        _ chunk: LaneChunk, _ connection: PostgresConnection, isCareful: Bool
    ) async throws -> Work {
        var work = Work()
        work.keys = cacheKeys(chunk)
        if let rule = pack.live.configuration,
            chunk.entities.contains(where: { rule.sources.contains($0.path) })
        {
            work.configuration = try await configurationValues(connection)
        }
        work.steps = try await steps(chunk, connection, isCareful: isCareful)
        return work
    }

    func configurationValues(
        _ connection: PostgresConnection
    ) async throws(PostgresError) -> [ConfigurationValue] {
        guard let configuration else { return [] }
        return ConfigurationSQL.values(try await connection.query(configuration))
    }

    /// The same in a snapshot of its own.
    func configurationValues(
        _ deadline: Deadline
    ) async throws(LaneError) -> [ConfigurationValue] {
        do {
            return try await postgres.withConnection(deadline: deadline) { connection in
                try await configurationValues(connection)
            }
        } catch {
            throw LaneError(error)
        }
    }

    private func cacheKeys(_ chunk: LaneChunk) -> [String] {
        var keys: [String] = []
        for cache in pack.live.caches {
            for (path, dirty) in chunk.entities where path == cache.entityPath {
                for key in dirty.keys where KeyPattern.isValue(key) {
                    keys += LiveLaneStore.forgotten(cache.key.filled([key]))
                }
            }
        }
        return keys
    }

    /// What is deleted with a cache: itself, and the token of whoever fills it just now, who has
    /// read what is old by now.
    static func forgotten(_ key: String) -> [String] { [key, CacheScripts.token(of: key)] }

    /// The rows of the page in the order in which they changed, then what dirty rules named.
    private func steps(
        _ chunk: LaneChunk, _ connection: PostgresConnection, isCareful: Bool
    ) async throws(PostgresError) -> [LiveStep] {
        var changes: [(mark: String, change: RowChange)] = []
        for (place, change) in chunk.changes.enumerated() {
            changes.append((LiveStep.mark(place: place), change))
        }
        let named = Dictionary(grouping: chunk.changes, by: \.entity)
            .mapValues { Set($0.map(\.key)) }
        var derived: [(mark: String, change: RowChange)] = []
        for (path, dirty) in chunk.entities {
            for key in dirty.keys where named[path]?.contains(key) != true {
                let change = RowChange(entity: path, key: key, owner: nil, action: .updated)
                derived.append((LiveStep.mark(entity: path, key: key), change))
            }
        }
        changes += derived.sorted { LiveStep.precedes($0.mark, $1.mark) }
        var steps = changes.map { LiveStep(mark: $0.mark, messages: []) }
        for (rule, statement) in told {
            let mine = changes.indices.filter { index in
                let change = changes[index].change
                return change.entity == rule.rule.entityPath && rule.word(change.action) != nil
            }
            let alive = mine.filter { changes[$0].change.action != .deleted }
            let keys = alive.map { changes[$0].change.key }
            let shown =
                isCareful
                ? try await readable(keys, statement, connection)
                : try await shown(keys, statement, connection)
            for index in mine {
                let change = changes[index].change
                let row = shown[change.key]
                // The view shows no such row: it is none of those that are told, or its deletion
                // comes with a later page.
                if change.action != .deleted && row == nil { continue }
                if let message = rule.message(
                    change.action, key: change.key, owner: row?.owner ?? change.owner,
                    shown: change.action == .deleted ? nil : row?.message)
                {
                    steps[index].messages.append(message)
                }
            }
        }
        return steps.filter { !$0.messages.isEmpty }
    }

    /// What can be read, found by halving. The rest is not told: a message that waited for its
    /// row to be mended would come out of its order.
    private func readable(
        _ keys: [String], _ statement: Statement, _ connection: PostgresConnection
    ) async throws(PostgresError) -> [String: (owner: String?, message: [UInt8])] {
        var rows: [String: (owner: String?, message: [UInt8])] = [:]
        var bisector = BatchBisector(rowCount: keys.count)
        while let range = bisector.next() {
            try await connection.simple("SAVEPOINT readable")
            do throws(PostgresError) {
                let found = try await shown(Array(keys[range]), statement, connection)
                rows.merge(found) { first, _ in first }
                bisector.passed()
            } catch {
                guard LaneError.postgres(error).isRowFault else { throw error }
                try await connection.simple("ROLLBACK TO SAVEPOINT readable")
                if bisector.refused() {
                    Log.warning(
                        "a change is not told: its view cannot be read", ("pack", pack.name),
                        ("error", LaneError.postgres(error).code))
                }
            }
            try await connection.simple("RELEASE SAVEPOINT readable")
        }
        return rows
    }

    private func shown(
        _ keys: [String], _ statement: Statement, _ connection: PostgresConnection
    ) async throws(PostgresError) -> [String: (owner: String?, message: [UInt8])] {
        if keys.isEmpty { return [:] }
        let result = try await connection.query(statement, [.textArray(keys)])
        var rows: [String: (owner: String?, message: [UInt8])] = [:]
        for row in 0..<result.rowCount {
            guard let key = result.string(row, 0) else { continue }
            rows[key] = (result.string(row, 1), Array(result.bytes(row, 2)))
        }
        return rows
    }

    // MARK: Redis

    func run(
        _ script: RedisScript, _ keys: [RedisArgument], _ arguments: [RedisArgument],
        _ deadline: Deadline
    ) async throws(LaneError) -> RedisReply {
        do throws(RedisError) {
            let reply = try await redis.run(
                script, keys: keys, arguments: arguments, deadline: deadline)
            isReachable = true
            return reply
        } catch {
            isReachable = false
            throw LaneError(error)
        }
    }

    package func storeKeys(
        _ step: ResyncStep, after: String, limit: Int, deadline: Deadline
    ) async throws(LaneError) -> (keys: [String], last: String?) { ([], nil) }
}
