internal import Redis

/// What the limits say to one request.
package struct RateLimitVerdict: Sendable, Equatable {
    /// How one limit stands after the request.
    package struct Standing: Sendable, Equatable {
        /// The policy's name in headers.
        package var name: String
        package var limit: RateLimit
        package var remaining: Int64
        /// Until the allowance is full again.
        package var microsecondsUntilFull: Int64
        /// Until one request is allowed; 0 where one is now.
        package var microsecondsUntilAllowed: Int64
    }

    /// Empty where nothing was counted.
    package var standings: [Standing]
    package var isRefused: Bool

    /// Nothing is counted.
    package static let uncounted = RateLimitVerdict(standings: [], isRefused: false)

    private init(standings: [Standing], isRefused: Bool) {
        self.standings = standings
        self.isRefused = isRefused
    }

    /// Reads the answer of ``RateLimitScript``.
    ///
    /// - Returns: nil if it is not one.
    init?(_ reply: RedisReply, _ charges: [RateLimitCharge]) {
        let numbers = (reply.array ?? []).compactMap(\.int)
        guard numbers.count == 1 + 3 * charges.count else { return nil }
        isRefused = numbers[0] != 0
        standings = charges.enumerated().map { index, charge in
            let start = 1 + 3 * index
            return Standing(
                name: charge.name, limit: charge.limit, remaining: max(0, numbers[start]),
                microsecondsUntilFull: numbers[start + 1],
                microsecondsUntilAllowed: numbers[start + 2])
        }
    }

    // MARK: Headers (draft-ietf-httpapi-ratelimit-headers)

    /// `"client";r=599;t=1`: what is left, and the seconds until it is full.
    package var rateLimit: String {
        standings.map { standing in
            let seconds = RateLimitVerdict.seconds(standing.microsecondsUntilFull)
            return "\"\(standing.name)\";r=\(standing.remaining);t=\(seconds)"
        }.joined(separator: ", ")
    }

    /// `"client";q=600;w=60`: the quota, and the seconds of its window.
    package var policy: String {
        standings.map { standing in
            let limit = standing.limit
            return "\"\(standing.name)\";q=\(limit.requestCount);w=\(limit.periodSeconds)"
        }.joined(separator: ", ")
    }

    /// Whole seconds after which the same request is allowed, if no other comes first.
    package var retryAfterSeconds: Int64 {
        max(1, RateLimitVerdict.seconds(standings.map(\.microsecondsUntilAllowed).max() ?? 0))
    }

    private static func seconds(_ microseconds: Int64) -> Int64 {
        (microseconds + 999_999) / 1_000_000
    }
}
