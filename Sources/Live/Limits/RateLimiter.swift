package import Redis
internal import Runtime

/// One limit that a request counts against.
package struct RateLimitCharge: Sendable, Equatable {
    /// The policy's name in headers.
    package var name: String
    package var key: String
    package var limit: RateLimit

    package init(name: String, key: String, limit: RateLimit) {
        self.name = name
        self.key = key
        self.limit = limit
    }
}

/// Counts requests in Redis. Belongs to its loop.
///
/// Fails open: while Redis does not answer, nothing is counted and nobody refused.
package final class RateLimiter: @unchecked Sendable {
    private let redis: RedisClient
    private let timeout: Duration
    private let notice: RareNotice
    private var patience = StorePatience()

    /// - Parameters:
    ///   - timeout: The longest that a request waits for its verdict.
    ///   - notice: Shared by all loops.
    package init(redis: RedisClient, timeout: Duration = .milliseconds(50), notice: RareNotice) {
        self.redis = redis
        self.timeout = timeout
        self.notice = notice
    }

    /// Counts one request against every limit, or against none if one of them refuses.
    ///
    /// - Parameter completion: Called once, on the loop; before this returns where Redis is not
    ///   asked.
    package func check(
        _ charges: [RateLimitCharge], completion: @escaping @Sendable (RateLimitVerdict) -> Void
    ) {
        guard !charges.isEmpty, patience.mayAsk(now: monotonicNanoseconds()) else {
            return completion(.uncounted)
        }
        let arguments = charges.flatMap { charge in
            [
                RedisArgument.number(charge.limit.intervalMicroseconds),
                .number(Int64(charge.limit.requestCount)),
            ]
        }
        redis.run(
            RateLimitScript.script, keys: charges.map { .text($0.key) }, arguments: arguments,
            deadline: .after(timeout)
        ) { [self] outcome in
            completion(verdict(outcome, charges))
        }
    }

    /// ``check(_:completion:)`` for tasks.
    package func check(_ charges: [RateLimitCharge]) async -> RateLimitVerdict {
        await withUnsafeContinuation { caller in
            check(charges) { caller.resume(returning: $0) }
        }
    }

    private func verdict(
        _ outcome: Result<RedisReply, RedisError>, _ charges: [RateLimitCharge]
    ) -> RateLimitVerdict {
        switch outcome {
        case .success(let reply):
            patience.succeeded()
            if let verdict = RateLimitVerdict(reply, charges) { return verdict }
            tell("unexpected")
        case .failure(let error):
            // A key of another type is one client's, not the store's.
            if error.isRetryable { patience.failed(now: monotonicNanoseconds()) }
            tell(error.code)
        }
        return .uncounted
    }

    private func tell(_ code: String) {
        notice.tell { Log.warning("requests are not counted", ("store", "redis"), ("error", code)) }
    }
}

/// Something that is logged at most once a minute, by whichever loop comes first.
package final class RareNotice: Sendable {
    private static let period = Duration.seconds(60)
    private let quietUntil = Lock<UInt64>(0)

    package init() {}

    package func tell(_ log: () -> Void) {
        let now = monotonicNanoseconds()
        let isDue = quietUntil.withLock { quietUntil in
            guard now >= quietUntil else { return false }
            quietUntil = now &+ RareNotice.period.wholeNanoseconds
            return true
        }
        if isDue { log() }
    }
}
