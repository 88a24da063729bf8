internal import Runtime

extension Deadline {
    /// The time left, at most a day: a timer for "never" would overflow.
    var boundedRemaining: Duration {
        let now = monotonicNanoseconds()
        let left = nanoseconds > now ? nanoseconds - now : 0
        return .nanoseconds(Int64(min(left, 86_400_000_000_000)))
    }
}

/// One timer for the deadlines of many requests: it runs at the earliest one.
///
/// An answered request is not taken out; the sweep that its deadline causes finds it gone. With
/// deadlines that are nearly in order there is about one sweep per deadline's length.
final class DeadlineSweep {
    private let loop: EventLoop
    private let sweep: (UInt64) -> UInt64
    private var dueAt = UInt64.max
    private var timer: LoopTimer?

    /// - Parameter sweep: Expires what is due at the given time (monotonic nanoseconds) and returns
    ///   the next time to look, `UInt64.max` for never.
    init(loop: EventLoop, sweep: @escaping (UInt64) -> UInt64) {
        self.loop = loop
        self.sweep = sweep
    }

    func note(_ deadline: Deadline) {
        if deadline.nanoseconds < dueAt { schedule(deadline.nanoseconds) }
    }

    func stop() {
        timer?.cancel()
        timer = nil
        dueAt = .max
    }

    private func schedule(_ time: UInt64) {
        timer?.cancel()
        timer = nil
        dueAt = time
        guard time != .max else { return }
        // Deadlines of a little later are swept together.
        let delay = max(Deadline(nanoseconds: time).boundedRemaining, .milliseconds(2))
        timer = loop.schedule(after: delay) { [self] in
            timer = nil
            dueAt = .max
            let next = sweep(monotonicNanoseconds())
            if next < dueAt { schedule(next) }
        }
    }
}
