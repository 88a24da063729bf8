internal import Runtime

/// Whether a store that may be away is asked at all: after some failures in a row it is left alone
/// for a while, so that not every request waits for it. A pure state machine.
package struct StorePatience: Sendable {
    /// Failures in a row before the first pause; each one after a pause begins another.
    package var failureCountMax = 3
    package var pause = Duration.seconds(1)

    private var failureCount = 0
    private var pausedUntil: UInt64 = 0

    package init() {}

    /// - Parameter now: Monotonic nanoseconds, here and below.
    package func mayAsk(now: UInt64) -> Bool { now >= pausedUntil }

    package mutating func succeeded() { failureCount = 0 }

    package mutating func failed(now: UInt64) {
        failureCount = min(failureCount + 1, failureCountMax)
        if failureCount == failureCountMax { pausedUntil = now &+ pause.wholeNanoseconds }
    }
}
