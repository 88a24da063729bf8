package import Packs
package import Redis
package import Runtime

/// The copies of sessions in Redis, for other clients of Redis. Belongs to its loop.
///
/// PostgreSQL is the truth. A copy of a session that has ended is removed, and a mark stays for as
/// long as a request may take: what read the row before its end cannot put the copy back after it.
package final class SessionCopies: @unchecked Sendable {
    /// What became of the copy.
    package enum Outcome: Sendable, Equatable {
        /// It was there and lasts as long as it should.
        case kept
        /// It was missing and is there now.
        case restored
        /// It is another one than the row's, and nothing was done.
        case different
        /// The session has ended meanwhile; there is no copy.
        case ended
        /// Redis answers and does not take it: it is full, or a replica.
        case refused
        /// Redis does not answer.
        case unavailable
    }

    /// How long a mark stays: longer than the longest request.
    private static let markSeconds: Int64 = 600
    /// Sessions of one script.
    private static let batchCountMax = 500
    private static let markPrefix = "fourfold:session:ended:"

    private let redis: RedisClient
    private let rule: SessionRule
    private let timeout: Duration
    private var patience = StorePatience()

    /// - Parameter timeout: The longest that a request waits for Redis.
    package init(
        redis: RedisClient, rule: SessionRule, timeout: Duration = .milliseconds(250)
    ) {
        self.redis = redis
        self.rule = rule
        self.timeout = timeout
    }

    /// Lets the copy last from now on, and puts it back where it is missing.
    ///
    /// - Parameters:
    ///   - seconds: How long it lasts.
    ///   - isChanged: It is written anew in any case. Without, a copy that is not the row as it
    ///     was read is left: which of them is newer only the database can tell.
    package func keep(
        _ row: SessionRow, seconds: Int64? = nil, isChanged: Bool, deadline: Deadline
    ) async -> Outcome {
        guard let key = key(row.owner, row.key) else { return .kept }
        let reply = await ask(deadline) { deadline throws(RedisError) in
            try await redis.run(
                SessionCopies.keepScript, keys: [.text(key), .text(SessionCopies.mark(key))],
                arguments: [
                    .number(max(1, seconds ?? Int64(rule.ttlSeconds))), .number(isChanged ? 1 : 0),
                    .bytes(Array(row.body)),
                ], deadline: deadline)
        }
        switch reply {
        case .success(.integer(0)): return .ended
        case .success(.integer(1)): return .kept
        case .success(.integer(3)): return .different
        case .success: return .restored
        case .failure(.rejected): return .refused
        case .failure: return .unavailable
        }
    }

    /// Removes copies for good.
    ///
    /// - Returns: False if some may still be there.
    package func end(
        _ sessions: [(owner: String, key: String)], deadline: Deadline
    ) async -> Bool {
        var rest = sessions.compactMap { key($0.owner, $0.key) }[...]
        while !rest.isEmpty {
            let keys = rest.prefix(SessionCopies.batchCountMax).flatMap { key in
                [RedisArgument.text(key), .text(SessionCopies.mark(key))]
            }
            rest = rest.dropFirst(SessionCopies.batchCountMax)
            let reply = await ask(deadline) { deadline throws(RedisError) in
                try await redis.run(
                    SessionCopies.endScript, keys: keys,
                    arguments: [.number(SessionCopies.markSeconds)], deadline: deadline)
            }
            if case .failure = reply { return false }
        }
        return true
    }

    /// Removes the copy of what is no session, if there is one.
    package func forget(owner: String, key session: String, deadline: Deadline) async {
        guard let key = key(owner, session) else { return }
        _ = await ask(deadline) { deadline throws(RedisError) in
            try await redis.command(["UNLINK", key], deadline: deadline)
        }
    }

    private func key(_ owner: String, _ session: String) -> String? {
        guard KeyPattern.isValue(owner), KeyPattern.isValue(session) else { return nil }
        return rule.key.filled([owner, session])
    }

    private static func mark(_ key: String) -> String { markPrefix + key }

    private func ask(
        _ deadline: Deadline, _ body: (Deadline) async throws(RedisError) -> RedisReply
    ) async -> Result<RedisReply, RedisError> {
        guard patience.mayAsk(now: monotonicNanoseconds()) else { return .failure(.unreachable) }
        do throws(RedisError) {
            let reply = try await body(min(deadline, .after(timeout)))
            patience.succeeded()
            return .success(reply)
        } catch {
            if error.isRetryable { patience.failed(now: monotonicNanoseconds()) }
            return .failure(error)
        }
    }

    // MARK: Scripts

    /// Keys: the copy, its mark. Arguments: seconds, whether it changed, the value. Answers 0 where
    /// the session has ended, 1 where the copy was there, 2 where it was not, 3 where another was.
    private static let keepScript = RedisScript(
        name: "session_keep",
        source: """
            if redis.call('EXISTS', KEYS[2]) == 1 then
              redis.call('UNLINK', KEYS[1])
              return 0
            end
            local was = redis.call('EXISTS', KEYS[1]) == 1
            if was and ARGV[2] == '0' then
              if redis.pcall('GET', KEYS[1]) ~= ARGV[3] then return 3 end
              redis.call('EXPIRE', KEYS[1], ARGV[1])
            else
              redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[1])
            end
            return was and 1 or 2
            """)

    /// Keys: copies and their marks in turn. Argument: seconds of a mark. Copies go first: after
    /// that a Redis that is full takes the marks too.
    private static let endScript = RedisScript(
        name: "session_end",
        source: """
            for place = 1, #KEYS, 2 do
              redis.call('UNLINK', KEYS[place])
            end
            for place = 2, #KEYS, 2 do
              redis.call('SET', KEYS[place], '', 'EX', ARGV[1])
            end
            return #KEYS / 2
            """)
}
