/// So many requests at once, and the same number again over each period, evenly (GCRA).
package struct RateLimit: Sendable, Equatable {
    package static let requestCountMax = 1_000_000
    package static let periodSecondsMax = 86_400
    /// Above this rate the interval between two requests, in whole microseconds, is too coarse.
    package static let requestsPerSecondMax = 10_000

    /// 1 to ``requestCountMax``.
    package let requestCount: Int
    /// 1 to ``periodSecondsMax``.
    package let periodSeconds: Int

    /// - Returns: nil out of bounds.
    package init?(requestCount: Int, periodSeconds: Int) {
        guard (1...RateLimit.requestCountMax).contains(requestCount),
            (1...RateLimit.periodSecondsMax).contains(periodSeconds),
            requestCount <= periodSeconds * RateLimit.requestsPerSecondMax
        else { return nil }
        self.requestCount = requestCount
        self.periodSeconds = periodSeconds
    }

    /// Reads `600/60s`, `10/1m`, `5000/1h`; nil for all else and out of bounds.
    package init?(_ text: String) {
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let unit = parts[1].last.flatMap({ units[$0] }),
            let count = RateLimit.number(parts[0]),
            let periods = RateLimit.number(parts[1].dropLast())
        else { return nil }
        self.init(requestCount: count, periodSeconds: periods * unit)
    }

    /// The time after which one more request is allowed, rounded up, in microseconds.
    package var intervalMicroseconds: Int64 {
        Int64((periodSeconds * 1_000_000 + requestCount - 1) / requestCount)
    }

    private static func number(_ text: Substring) -> Int? {
        guard text.utf8.count <= 7, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text)
    }
}
