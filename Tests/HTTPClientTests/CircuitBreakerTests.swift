@testable import HTTPClient
import Testing

@Suite("CircuitBreaker")
struct CircuitBreakerTests {
    /// What happens at a point in time, in milliseconds.
    enum Event: Sendable {
        case call(Int)
        case succeed
        case fail(Int)
        case abandon(Int)
    }

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let events: [Event]
        let stateAt: Int
        let expected: CircuitBreaker.State
    }

    static let threeFailures: [Event] = [
        .call(0), .fail(0), .call(1), .fail(1), .call(2), .fail(2),
    ]

    static let cases: [Case] = [
        Case(testDescription: "new", events: [], stateAt: 0, expected: .closed),
        Case(
            testDescription: "one failure short", events: Array(threeFailures[..<4]), stateAt: 5,
            expected: .closed),
        Case(testDescription: "threshold", events: threeFailures, stateAt: 3, expected: .open),
        Case(
            testDescription: "a success in between starts anew",
            events: [.call(0), .fail(0), .call(1), .fail(1), .call(2), .succeed]
                + Array(threeFailures[..<4]), stateAt: 5, expected: .closed),
        Case(
            testDescription: "time makes it half-open", events: threeFailures, stateAt: 102,
            expected: .halfOpen),
        Case(
            testDescription: "a probe that succeeds closes",
            events: threeFailures + [.call(102), .succeed], stateAt: 103, expected: .closed),
        Case(
            testDescription: "a probe that fails opens for twice as long",
            events: threeFailures + [.call(102), .fail(103)], stateAt: 302, expected: .open),
        Case(
            testDescription: "and then half-open again",
            events: threeFailures + [.call(102), .fail(103)], stateAt: 303, expected: .halfOpen),
        Case(
            testDescription: "the open time is bounded",
            events: threeFailures + [.call(102), .fail(103), .call(303), .fail(304)],
            stateAt: 304 + 250, expected: .halfOpen),
        Case(
            testDescription: "an abandoned probe frees its place",
            events: threeFailures + [.call(102), .abandon(103), .call(103), .succeed], stateAt: 104,
            expected: .closed),
    ]

    private static func milliseconds(_ count: Int) -> UInt64 { UInt64(count) * 1_000_000 }

    private static func makeBreaker(jitter: Double = 0) -> CircuitBreaker {
        var configuration = CircuitBreaker.Configuration()
        configuration.failureCountMax = 3
        configuration.openDuration = .milliseconds(100)
        configuration.openDurationMax = .milliseconds(250)
        configuration.jitter = jitter
        return CircuitBreaker(configuration)
    }

    @Test("states", arguments: cases)
    func states(_ each: Case) throws {
        var breaker = Self.makeBreaker()
        var last: CircuitBreaker.Ticket?
        for event in each.events {
            switch event {
            case .call(let time):
                guard case .admitted(let ticket) = breaker.admit(now: Self.milliseconds(time))
                else {
                    Issue.record("refused at \(time) ms")
                    return
                }
                last = ticket
            case .succeed: breaker.recordSuccess(try #require(last))
            case .fail(let time):
                breaker.recordFailure(
                    try #require(last), now: Self.milliseconds(time), random: 0.5)
            case .abandon(let time):
                breaker.recordAbandoned(try #require(last), now: Self.milliseconds(time))
            }
        }
        #expect(breaker.state(now: Self.milliseconds(each.stateAt)) == each.expected)
    }

    @Test("one probe at a time, and a late failure of an earlier call changes nothing")
    func probes() throws {
        var breaker = Self.makeBreaker(jitter: 0.5)
        var tickets: [CircuitBreaker.Ticket] = []
        for _ in 0..<4 {
            guard case .admitted(let ticket) = breaker.admit(now: 0) else { return }
            tickets.append(ticket)
        }
        for ticket in tickets[..<3] { breaker.recordFailure(ticket, now: 0, random: 0) }
        #expect(breaker.admit(now: 0) == .refused(retryAfter: .milliseconds(100)))
        #expect(breaker.retryAfter(now: 0) == .milliseconds(100))
        let now = Self.milliseconds(100)
        guard case .admitted(let probe) = breaker.admit(now: now) else {
            Issue.record("the probe was refused")
            return
        }
        #expect(breaker.admit(now: now) == .refused(retryAfter: .milliseconds(100)))
        breaker.recordSuccess(probe)
        breaker.recordFailure(tickets[3], now: now, random: 0)
        #expect(breaker.state(now: now) == .closed)
    }
}
