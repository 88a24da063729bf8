import Testing

@testable import Postgres

@Suite("GroupCommit")
struct GroupCommitTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let sqlState: String?
        var message = ""
        let wasAlone: Bool
        var isSecondAttempt = false
        let expected: GroupCommit.Disposition
        var testDescription: String { name }
    }

    static let cases = [
        Case(
            name: "rolled back by another", sqlState: nil, wasAlone: false,
            expected: .repeatAlone),
        Case(
            name: "violation in a batch", sqlState: "23505", wasAlone: false,
            expected: .repeatAlone),
        Case(name: "violation alone", sqlState: "23505", wasAlone: true, expected: .answer),
        Case(
            name: "lock in a batch", sqlState: "55P03", wasAlone: false,
            expected: .repeatExclusively),
        Case(name: "lock alone", sqlState: "55P03", wasAlone: true, expected: .repeatExclusively),
        Case(name: "slow", sqlState: "57014", wasAlone: false, expected: .repeatExclusively),
        Case(name: "deadlock", sqlState: "40P01", wasAlone: false, expected: .repeatExclusively),
        Case(
            name: "stale plan alone", sqlState: "0A000",
            message: "cached plan must not change result type", wasAlone: true,
            expected: .repeatAlone),
        Case(
            name: "stale plan again", sqlState: "26000", wasAlone: true, isSecondAttempt: true,
            expected: .answer),
        Case(name: "not supported", sqlState: "0A000", wasAlone: true, expected: .answer),
    ]

    @Test("what becomes of a request whose transaction failed", arguments: cases)
    func disposition(_ test: Case) {
        let error = test.sqlState.map { ServerError(sqlState: $0, message: test.message) }
        let disposition = GroupCommit.disposition(
            error: error, wasAlone: test.wasAlone, isSecondAttempt: test.isSecondAttempt)
        #expect(disposition == test.expected)
    }

    @Test("failures and slowness shrink batches, successes let them grow again")
    func size() {
        var limits = PostgresLimits()
        limits.batchCountMax = 8
        limits.batchDurationMax = .milliseconds(1)
        var policy = GroupCommit(limits)
        var sizes = [policy.batchCountMax]
        policy.batchFailed()
        sizes.append(policy.batchCountMax)
        policy.batchCommitted(nanoseconds: 2_000_000)
        sizes.append(policy.batchCountMax)
        for _ in 0..<3 { policy.batchFailed() }
        sizes.append(policy.batchCountMax)
        for _ in 0..<20 { policy.batchCommitted(nanoseconds: 1) }
        sizes.append(policy.batchCountMax)
        #expect(sizes == [8, 4, 2, 1, 8])
    }

    @Test("a client whose write failed is suspect for a while; the list of suspects is bounded")
    func suspects() {
        var limits = PostgresLimits()
        limits.suspectCountMax = 2
        limits.suspectDuration = .seconds(1)
        var policy = GroupCommit(limits)
        for client in ["a", "b", "c", nil] { policy.clientFailed(client, now: 0) }
        let isSuspect = ["a", "b", "c", nil].map { policy.isSuspect($0, now: 5) }
        #expect(isSuspect == [true, true, false, false])
        #expect(policy.isSuspect("a", now: 1_000_000_000) == false)
        policy.clientFailed("c", now: 2_000_000_000)
        #expect(policy.isSuspect("c", now: 2_000_000_001) == true)
    }
}
