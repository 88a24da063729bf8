internal import JSON
package import Postgres
package import Redis
package import Runtime

/// Bounds and periods of a ``CacheReader``.
package struct CacheLimits: Sendable {
    /// How long one filler has before another may take over.
    package var tokenMilliseconds = 3_000
    /// Between looks at what another fills.
    package var pollPeriod = Duration.milliseconds(10)
    /// Longest work on one value.
    package var timeout = Duration.seconds(10)
    /// Fillings of one value that may be overtaken by changes of its row, one after the other.
    package var attemptCountMax = 3

    package init() {}
}

/// Why a value cannot be read.
package enum CacheFailure: Error, Sendable {
    case postgres(PostgresError)
    /// Another process did not fill it in time, or this one's deadline passed.
    case timedOut
}

/// Reads values through Redis: who misses one asks PostgreSQL once for all who wait.
///
/// Belongs to its loop. Loops and processes keep apart by a token in Redis.
package final class CacheReader: @unchecked Sendable {
    /// Nil where the view has no such row.
    package typealias Answer = Result<CacheValue?, CacheFailure>

    private final class Waiter {
        private var completion: ((Answer) -> Void)?
        var timer: LoopTimer?

        init(_ completion: @escaping (Answer) -> Void) { self.completion = completion }

        func answer(_ answer: Answer) {
            timer?.cancel()
            timer = nil
            completion?(answer)
            completion = nil
        }
    }

    private let loop: EventLoop
    private let redis: RedisClient
    private let postgres: PostgresClient
    private let copies: CopyGuard
    private let limits: CacheLimits
    private var waiters: [String: [Waiter]] = [:]

    package init(
        loop: EventLoop, redis: RedisClient, postgres: PostgresClient, copies: CopyGuard,
        limits: CacheLimits = .init()
    ) {
        self.loop = loop
        self.redis = redis
        self.postgres = postgres
        self.copies = copies
        self.limits = limits
    }

    /// Reads a value. On the loop.
    ///
    /// - Parameters:
    ///   - id: The row's key as it stands in Redis.
    ///   - completion: Called once, on the loop, at the deadline at the latest.
    package func read(
        _ source: CacheSource, id: String, deadline: Deadline,
        completion: @escaping @Sendable (Answer) -> Void
    ) {
        let key = source.rule.key.filled([id])
        guard copies.mayRead() else {
            return wait(source, id: id, key: key, deadline: deadline, completion)
        }
        // Leaves time to ask PostgreSQL where Redis does not answer.
        let soon = Deadline.after(min(CopyGuard.patience, deadline.remaining / 2))
        // GET, but never more than a byte too much; what is not there is empty.
        let last = String(CacheScripts.valueByteCountMax)
        redis.command(["GETRANGE", key, "0", last], deadline: soon) { [self] reply in
            switch reply {
            case .success(.bytes(let bytes)):
                if copies.isBelieved, bytes.count <= CacheScripts.valueByteCountMax,
                    let value = source.value(stored: bytes)
                {
                    return completion(.success(value))
                }
            case .success: break
            case .failure(let error): copies.failed(error)
            }
            wait(source, id: id, key: key, deadline: deadline, completion)
        }
    }

    /// Joins those who wait for a key; the first begins to fill it.
    private func wait(
        _ source: CacheSource, id: String, key: String, deadline: Deadline,
        _ completion: @escaping @Sendable (Answer) -> Void
    ) {
        let waiter = Waiter(completion)
        waiter.timer = loop.schedule(after: deadline.remaining) {
            waiter.answer(.failure(.timedOut))
        }
        waiters[key, default: []].append(waiter)
        if waiters[key]?.count ?? 0 > 1 { return }
        loop.spawn { [self] in
            let answer = await fill(source, id: id, key: key)
            let waiting = waiters.removeValue(forKey: key) ?? []
            for waiter in waiting { waiter.answer(answer) }
        }
    }

    // MARK: Filling

    private func fill(_ source: CacheSource, id: String, key: String) async -> Answer {
        let deadline = Deadline.after(limits.timeout)
        guard copies.isBelieved else { return await query(source, id, deadline, isDegraded: true) }
        let token = String(UInt64.random(in: 0...UInt64.max), radix: 16)
        let keys: [RedisArgument] = [.text(key), .text(CacheScripts.token(of: key))]
        var attempt = 0
        do throws(RedisError) {
            while attempt < limits.attemptCountMax {
                if deadline.hasPassed { return .failure(.timedOut) }
                let reply = try await claim(keys, token, deadline)
                switch reply {
                case .bytes(let bytes):
                    if let value = source.value(stored: bytes) { return .success(value) }
                    // No gateway stored this.
                    _ = try await redis.command(["DEL", key], deadline: deadline)
                case .integer(1):
                    attempt += 1
                    if let answer = await fillClaimed(source, id, keys, token, deadline) {
                        return answer
                    }
                default: try? await loop.sleep(for: limits.pollPeriod)
                }
            }
            // The row changes faster than it can be kept: what was read last is true enough.
            return await query(source, id, deadline, isDegraded: false)
        } catch {
            copies.failed(error)
            return await query(source, id, deadline, isDegraded: true)
        }
    }

    private func claim(
        _ keys: [RedisArgument], _ token: String, _ deadline: Deadline
    ) async throws(RedisError) -> RedisReply {
        // Where Redis hangs, PostgreSQL is asked well before those who wait give up.
        let soon = min(deadline, .after(CopyGuard.patience))
        do throws(RedisError) {
            return try await redis.run(
                CacheScripts.claim, keys: keys,
                arguments: [.text(token), .number(Int64(limits.tokenMilliseconds))],
                deadline: soon)
        } catch {
            guard case .rejected(code: "WRONGTYPE") = error, case .text(let key) = keys[0] else {
                throw error
            }
            _ = try await redis.command(["DEL", key], deadline: soon)
            return .integer(0)
        }
    }

    /// - Returns: nil if the row changed meanwhile.
    private func fillClaimed(
        _ source: CacheSource, _ id: String, _ keys: [RedisArgument], _ token: String,
        _ deadline: Deadline
    ) async -> Answer? {
        let answer = await query(source, id, deadline, isDegraded: false)
        let soon = min(deadline, .after(CopyGuard.patience))
        guard case .success(var value?) = answer, isKept(value, source) else {
            // If it cannot be told, the token ends by itself.
            _ = try? await redis.run(
                CacheScripts.release, keys: keys, arguments: [.text(token)], deadline: soon)
            return answer
        }
        let milliseconds = Int64(source.rule.ttlSeconds) * 1_000
        do throws(RedisError) {
            let filled = try await redis.run(
                CacheScripts.fill, keys: keys,
                arguments: [.text(token), .bytes(value.json), .number(milliseconds)],
                deadline: soon)
            return filled.int == 1 ? answer : nil
        } catch {
            copies.failed(error)
            value.isDegraded = true
            return .success(value)
        }
    }

    /// A value that does not tell whose it is could be shown to others from Redis.
    private func isKept(_ value: CacheValue, _ source: CacheSource) -> Bool {
        let stored = source.value(stored: value.json)
        // One that is nobody's although it should be somebody's is told from PostgreSQL each time.
        guard source.ownerMember != nil, let owner = value.owner else { return stored != nil }
        if stored?.owner == owner { return true }
        Log.warning(
            "a cached value does not carry its owner, so it is not kept",
            ("view", source.rule.view), ("member", source.ownerMember ?? ""))
        return false
    }

    private func query(
        _ source: CacheSource, _ id: String, _ deadline: Deadline, isDegraded: Bool
    ) async -> Answer {
        do throws(PostgresError) {
            let result = try await postgres.query(
                source.statement, [.text(id)], deadline: deadline)
            guard result.rowCount > 0, !result.isNull(0, 0) else { return .success(nil) }
            guard let document = try? JSONDocument.parse(Array(result.bytes(0, 0))) else {
                return .success(nil)
            }
            return .success(
                CacheValue(
                    json: document.root.serialized(), owner: result.string(0, 1),
                    isDegraded: isDegraded))
        } catch {
            return .failure(.postgres(error))
        }
    }
}
