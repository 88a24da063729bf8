/// Exponential backoff with jitter, for lanes and for parked keys.
package struct LaneBackoff: Equatable, Sendable {
    /// The delay after the first failure.
    package var base: Duration
    /// No delay is longer, before jitter.
    package var ceiling: Duration
    /// Share of the delay that the jitter may add, 0...1.
    package var jitterShare: Double

    package init(
        base: Duration = .milliseconds(100), ceiling: Duration = .seconds(10),
        jitterShare: Double = 0.2
    ) {
        self.base = base
        self.ceiling = ceiling
        self.jitterShare = jitterShare
    }

    /// - Parameters:
    ///   - attempt: Failures in a row, from 1.
    ///   - jitter: 0..<1.
    package func delay(attempt: Int, jitter: Double) -> Duration {
        // 2^30 times any base is beyond every ceiling, and does not overflow.
        let doublings = min(max(attempt - 1, 0), 30)
        let delay = min(base * (1 << doublings), ceiling)
        return delay + delay * (jitterShare * jitter)
    }
}
