internal import Runtime

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
        let now = monotonicNanoseconds()
        // Deadlines of a little later are swept together.
        let delay = max(time > now ? time - now : 0, 2_000_000)
        timer = loop.schedule(after: .nanoseconds(Int64(clamping: delay))) { [self] in
            timer = nil
            dueAt = .max
            let next = sweep(monotonicNanoseconds())
            if next < dueAt { schedule(next) }
        }
    }
}
