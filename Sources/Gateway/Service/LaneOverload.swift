internal import Runtime

/// Whether writes must wait because a lane is too far behind. One watcher sets it, all loops read.
package final class LaneOverload: Sendable {
    private let state = Lock<Duration?>(nil)

    package init() {}

    /// When a refused write may be tried again; nil while there is room.
    package var retryAfter: Duration? { state.withLock { $0 } }

    /// - Parameters:
    ///   - lag: Of the lane that is furthest behind.
    ///   - budget: The lag that is allowed.
    package func update(lag: Duration, budget: Duration) {
        // At the rate at which time passes the lag cannot shrink faster than by itself.
        let delay: Duration? =
            lag <= budget ? nil : min(max(lag - budget, .seconds(1)), .seconds(60))
        state.withLock { $0 = delay }
    }
}
