internal import Runtime

/// Stops calls to a store that keeps failing, and lets one probe through now and then.
///
/// Pure: time and randomness are passed in. Results of calls admitted before the last change of
/// state are ignored, so that a late failure cannot reopen a breaker which a probe just closed.
package struct CircuitBreaker: Sendable {
    package struct Configuration: Sendable {
        /// Failures in a row that open the breaker; at least 1.
        package var failureCountMax = 5
        /// How long it stays open the first time; doubles with each failed probe.
        package var openDuration: Duration = .milliseconds(500)
        package var openDurationMax: Duration = .seconds(30)
        /// Share of the open duration that is random, 0...1.
        package var jitter = 0.2

        package init() {}
    }

    package enum State: String, Sendable {
        case closed
        case open
        case halfOpen = "half-open"
    }

    /// Names the period in which a call was admitted.
    package struct Ticket: Equatable, Sendable {
        fileprivate let period: Int
    }

    package enum Admission: Equatable, Sendable {
        case admitted(Ticket)
        case refused(retryAfter: Duration)
    }

    private enum Phase {
        case closed(failureCount: Int)
        case open(untilNanoseconds: UInt64)
        case probing
    }

    private let configuration: Configuration
    private var phase = Phase.closed(failureCount: 0)
    private var period = 0
    private var openCount = 0

    package init(_ configuration: Configuration = .init()) { self.configuration = configuration }

    /// Asks to make a call at `now` (monotonic nanoseconds).
    package mutating func admit(now: UInt64) -> Admission {
        switch phase {
        case .closed:
            return .admitted(Ticket(period: period))
        case .open(let until) where now < until:
            return .refused(retryAfter: .nanoseconds(Int64(until - now)))
        case .open:
            period += 1
            phase = .probing
            return .admitted(Ticket(period: period))
        case .probing:
            return .refused(retryAfter: configuration.openDuration)
        }
    }

    /// The store answered, be it with an error of the request.
    package mutating func recordSuccess(_ ticket: Ticket) {
        guard ticket.period == period else { return }
        if case .probing = phase { period += 1 }
        phase = .closed(failureCount: 0)
        openCount = 0
    }

    /// The store did not answer, or said that it cannot serve. `random` is in 0..<1.
    package mutating func recordFailure(_ ticket: Ticket, now: UInt64, random: Double) {
        guard ticket.period == period else { return }
        switch phase {
        case .closed(let failureCount) where failureCount + 1 < configuration.failureCountMax:
            phase = .closed(failureCount: failureCount + 1)
        case .closed, .probing:
            open(now: now, random: random)
        case .open:
            break
        }
    }

    /// The call ended without telling anything about the store (cancelled): a probe may be tried
    /// again at once.
    package mutating func recordAbandoned(_ ticket: Ticket, now: UInt64) {
        guard ticket.period == period, case .probing = phase else { return }
        period += 1
        phase = .open(untilNanoseconds: now)
    }

    package func state(now: UInt64) -> State {
        switch phase {
        case .closed: .closed
        case .open(let until): now < until ? .open : .halfOpen
        case .probing: .halfOpen
        }
    }

    /// When the next call may be tried; nil when calls pass or a probe is running.
    package func retryAfter(now: UInt64) -> Duration? {
        guard case .open(let until) = phase, now < until else { return nil }
        return .nanoseconds(Int64(until - now))
    }

    private mutating func open(now: UInt64, random: Double) {
        let longest = configuration.openDurationMax.wholeNanoseconds
        let first = configuration.openDuration.wholeNanoseconds
        let doubled = openCount < 32 ? min(longest, first << UInt64(openCount)) : longest
        let varied = Double(doubled) * (1 - configuration.jitter * random)
        openCount += 1
        period += 1
        phase = .open(untilNanoseconds: now + UInt64(varied))
    }
}
