/// What a lane does next, given what just happened. Pure: ``LaneRunner`` performs the actions.
///
/// A lane takes its lease, connects to its store (identity, fence, resynchronisation), then reads
/// and applies pages until nothing is dirty. Any failure of a store or of PostgreSQL makes it wait
/// and connect again, because the store may have come back as another one.
package struct LaneStateMachine: Sendable {
    package enum State: Equatable, Sendable {
        /// Can go to: claiming.
        case stopped
        /// The lease is being asked for. Can go to: connecting, lost, waiting, stopped.
        case claiming
        /// The store's identity and fence are checked. Can go to: idle, waiting, lost, stopped.
        case connecting
        /// Nothing was dirty. Can go to: readingPage, waiting, lost, stopped.
        case idle
        /// Can go to: applying, idle, waiting, lost, stopped.
        case readingPage
        /// Can go to: readingPage, waiting, lost, stopped.
        case applying
        /// A failure, with the number of them in a row. Can go to: claiming, stopped.
        case waiting(attempt: Int)
        /// Another process leads. Can go to: claiming, stopped.
        case lost
    }

    package enum Event: Equatable, Sendable {
        case started
        case stopRequested
        case leaseWon
        /// Another process holds the lease, or took it from this one, or the fence refused us.
        case leaseLost
        case storeConnected
        /// A writer of this process, the poll, or a retry that is due.
        case woken
        case pageRead(isEmpty: Bool)
        case pageApplied
        case failed
        case waited
    }

    package enum Action: Equatable, Sendable {
        case claimLease
        case connectStore
        case readPage
        case applyPage
        case awaitWork
        case wait(Duration)
        case releaseLease
    }

    package private(set) var state = State.stopped
    /// Failures since the last page that was applied or the last connection that was idle.
    private var failureCount = 0
    private let backoff: LaneBackoff
    /// How long a lane that another process leads waits before it asks for the lease again.
    private let leasePollPeriod: Duration

    package init(backoff: LaneBackoff, leasePollPeriod: Duration) {
        self.backoff = backoff
        self.leasePollPeriod = leasePollPeriod
    }

    /// Takes one step.
    ///
    /// - Parameter jitter: 0..<1, spreads the retries of several processes.
    /// - Returns: What to perform; its outcome is the next event.
    package mutating func take(_ event: Event, jitter: Double = 0) -> Action {
        switch (state, event) {
        case (_, .stopRequested):
            state = .stopped
            return .releaseLease
        case (.stopped, .started), (.waiting, .waited), (.lost, .waited):
            state = .claiming
            return .claimLease
        case (.claiming, .leaseWon):
            state = .connecting
            return .connectStore
        case (.connecting, .storeConnected), (.applying, .pageApplied):
            if state == .applying { failureCount = 0 }
            state = .readingPage
            return .readPage
        case (.readingPage, .pageRead(isEmpty: false)):
            state = .applying
            return .applyPage
        case (.readingPage, .pageRead(isEmpty: true)):
            failureCount = 0
            state = .idle
            return .awaitWork
        case (.idle, .woken):
            state = .readingPage
            return .readPage
        case (.claiming, .leaseLost), (.connecting, .leaseLost), (.readingPage, .leaseLost),
            (.applying, .leaseLost), (.idle, .leaseLost):
            state = .lost
            return .wait(leasePollPeriod)
        case (.claiming, .failed), (.connecting, .failed), (.readingPage, .failed),
            (.applying, .failed), (.idle, .failed):
            failureCount += 1
            state = .waiting(attempt: failureCount)
            return .wait(backoff.delay(attempt: failureCount, jitter: jitter))
        default:
            preconditionFailure("a lane in state \(state) cannot take \(event)")
        }
    }
}
