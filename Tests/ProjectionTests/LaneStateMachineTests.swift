import Projection
import Testing

@Suite("LaneStateMachine")
struct LaneStateMachineTests {
    typealias Machine = LaneStateMachine

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let events: [Machine.Event]
        let state: Machine.State
        let action: Machine.Action

        init(
            _ name: String, _ events: [Machine.Event], _ state: Machine.State,
            _ action: Machine.Action
        ) {
            testDescription = name
            self.events = events
            self.state = state
            self.action = action
        }
    }

    static let toIdle: [Machine.Event] = [
        .started, .leaseWon, .storeConnected, .pageRead(isEmpty: true),
    ]

    static let cases: [Case] = [
        Case("starts with the lease", [.started], .claiming, .claimLease),
        Case("the fence comes before any page", [.started, .leaseWon], .connecting, .connectStore),
        Case("an empty page makes it idle", toIdle, .idle, .awaitWork),
        Case("a wake-up reads", toIdle + [.woken], .readingPage, .readPage),
        Case(
            "rows are applied", toIdle + [.woken, .pageRead(isEmpty: false)], .applying,
            .applyPage),
        Case(
            "after a page comes the next",
            toIdle + [.woken, .pageRead(isEmpty: false), .pageApplied], .readingPage, .readPage),
        Case(
            "another leads: ask again later", [.started, .leaseLost], .lost, .wait(.seconds(1))),
        Case(
            "a lost lease stops a page", toIdle + [.woken, .pageRead(isEmpty: false), .leaseLost],
            .lost, .wait(.seconds(1))),
        Case("after a loss it claims", [.started, .leaseLost, .waited], .claiming, .claimLease),
        Case(
            "a failure waits", toIdle + [.woken, .failed], .waiting(attempt: 1),
            .wait(.milliseconds(100))),
        Case(
            "failures in a row wait longer",
            [.started, .leaseWon, .failed, .waited, .leaseWon, .failed], .waiting(attempt: 2),
            .wait(.milliseconds(200))),
        Case(
            "a page applied forgets the failures",
            [.started, .failed, .waited, .leaseWon, .storeConnected, .pageRead(isEmpty: false)]
                + [.pageApplied, .failed], .waiting(attempt: 1), .wait(.milliseconds(100))),
        Case(
            "after a failure the store is connected again", toIdle + [.failed, .waited, .leaseWon],
            .connecting, .connectStore),
        Case("stop gives the lease back", toIdle + [.stopRequested], .stopped, .releaseLease),
        Case(
            "stop while it waits", [.started, .failed, .stopRequested], .stopped, .releaseLease),
    ]

    @Test("events", arguments: cases)
    func events(_ each: Case) {
        var machine = Machine(
            backoff: LaneBackoff(base: .milliseconds(100), ceiling: .seconds(10)),
            leasePollPeriod: .seconds(1))
        var action: Machine.Action?
        for event in each.events { action = machine.take(event) }
        #expect(machine.state == each.state)
        #expect(action == each.action)
    }

    @Test(
        "backoff doubles up to its ceiling",
        arguments: [(1, 100), (2, 200), (3, 400), (7, 6_400), (8, 10_000), (500, 10_000)])
    func backoff(_ attempt: Int, _ milliseconds: Int) {
        let backoff = LaneBackoff(base: .milliseconds(100), ceiling: .seconds(10), jitterShare: 0.2)
        #expect(backoff.delay(attempt: attempt, jitter: 0) == .milliseconds(milliseconds))
        #expect(backoff.delay(attempt: attempt, jitter: 0.5) > .milliseconds(milliseconds))
    }
}
