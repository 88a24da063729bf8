internal import Glibc

/// A point on the monotonic clock after which an operation must have ended.
package struct Deadline: Sendable, Comparable {
    /// Nanoseconds on `CLOCK_MONOTONIC`.
    package let nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// The point `duration` from now.
    package static func after(_ duration: Duration) -> Deadline {
        Deadline(nanoseconds: monotonicNanoseconds() &+ duration.wholeNanoseconds)
    }

    /// The time left, zero once passed.
    package var remaining: Duration {
        let now = monotonicNanoseconds()
        return now >= nanoseconds ? .zero : .nanoseconds(Int64(clamping: nanoseconds - now))
    }

    package var hasPassed: Bool { monotonicNanoseconds() >= nanoseconds }

    package static func < (left: Deadline, right: Deadline) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}

/// Nanoseconds on `CLOCK_MONOTONIC`.
package func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
}

/// Milliseconds since the Unix epoch on `CLOCK_REALTIME`.
package func epochMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
}

extension Duration {
    /// Whole nanoseconds; zero when negative.
    package var wholeNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return UInt64(seconds) &* 1_000_000_000 &+ UInt64(attoseconds / 1_000_000_000)
    }

    /// Whole milliseconds, rounded up, so that a timer never fires early; zero when negative.
    package var wholeMilliseconds: UInt64 { (wholeNanoseconds + 999_999) / 1_000_000 }

    /// Seconds as a floating-point number, for metrics and messages.
    package var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
