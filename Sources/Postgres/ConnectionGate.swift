/// Whether the server is believed to be up, and when to try it again.
struct ConnectionGate {
    private let delayMin: UInt64
    private let delayMax: UInt64
    private(set) var failureCount = 0
    /// Nanoseconds on the monotonic clock before which no attempt starts.
    private var retryAt: UInt64 = 0

    init(delayMin: Duration, delayMax: Duration) {
        self.delayMin = max(1, delayMin.wholeNanoseconds)
        self.delayMax = max(self.delayMin, delayMax.wholeNanoseconds)
    }

    /// The last attempt failed and none has succeeded since: callers need not wait.
    var isFailing: Bool { failureCount > 0 }

    /// The time until an attempt may start.
    func delay(now: UInt64) -> Duration {
        retryAt > now ? .nanoseconds(Int64(retryAt - now)) : .zero
    }

    /// Notes a failed attempt. Attempts that were under way together count once.
    ///
    /// - Parameter jitter: 0 ..< 1; the delay is between half and the whole of its step.
    mutating func failed(now: UInt64, jitter: Double) {
        if isFailing && now < retryAt { return }
        failureCount += 1
        let step = min(delayMax, delayMin << UInt64(min(failureCount - 1, 20)))
        retryAt = now + step / 2 + UInt64(Double(step / 2) * jitter)
    }

    mutating func succeeded() {
        failureCount = 0
        retryAt = 0
    }
}
