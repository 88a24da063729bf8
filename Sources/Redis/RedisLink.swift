/// Whether there is a connection and when to try for one: a pure state machine.
struct RedisLink: Sendable {
    enum State: Equatable, Sendable {
        /// Not wanted yet. Can go to connecting, closed.
        case idle
        /// Resolving, connecting or logging in. Can go to ready, waiting, closed.
        case connecting
        /// Can go to connecting, closed.
        case ready
        /// After a failure. Can go to connecting, closed.
        case waiting
        case closed
    }

    enum Action: Equatable, Sendable {
        case none
        case connect
        /// Fail what waits, and ask again with ``RedisLink/retry()`` after this time.
        case retry(after: Duration)
    }

    private let backoff: RedisBackoff
    private(set) var state = State.idle
    private var failureCount = 0

    init(_ backoff: RedisBackoff) { self.backoff = backoff }

    /// A command wants to be sent.
    mutating func want() -> Action {
        guard state == .idle else { return .none }
        state = .connecting
        return .connect
    }

    mutating func opened() {
        precondition(state == .connecting, "a connection opened in state \(state)")
        state = .ready
    }

    /// The attempt failed, or the connection broke. A connection that had opened is tried again at
    /// once, but not time after time while it answers nothing (`wasUseful`). `random` is in 0..<1.
    mutating func lost(random: Double, wasUseful: Bool) -> Action {
        switch state {
        case .ready where wasUseful || failureCount == 0:
            failureCount = wasUseful ? 0 : 1
            state = .connecting
            return .connect
        case .ready, .connecting:
            state = .waiting
            failureCount += 1
            return .retry(after: backoff.delay(failureCount: failureCount, random: random))
        case .idle, .waiting, .closed:
            return .none
        }
    }

    /// The waiting time is over.
    mutating func retry() -> Action {
        guard state == .waiting else { return .none }
        state = .connecting
        return .connect
    }

    mutating func close() { state = .closed }
}
