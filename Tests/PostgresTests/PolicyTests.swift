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
        Case(name: "rolled back by another", sqlState: nil, wasAlone: false, expected: .repeatAlone),
        Case(name: "violation in a batch", sqlState: "23505", wasAlone: false, expected: .repeatAlone),
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
        #expect(["a", "b", "c", nil].map { policy.isSuspect($0, now: 5) } == [true, true, false, false])
        #expect(policy.isSuspect("a", now: 1_000_000_000) == false)
        policy.clientFailed("c", now: 2_000_000_000)
        #expect(policy.isSuspect("c", now: 2_000_000_001) == true)
    }
}

@Suite("ConnectionGate")
struct ConnectionGateTests {
    @Test("delays double to their bound; attempts of one round count once; success resets")
    func delays() {
        var gate = ConnectionGate(delayMin: .milliseconds(100), delayMax: .milliseconds(400))
        var now: UInt64 = 1
        var delays: [Duration] = []
        for _ in 0..<4 {
            gate.failed(now: now, jitter: 1)
            gate.failed(now: now + 1, jitter: 1)
            delays.append(gate.delay(now: now))
            now += 1_000_000_000
        }
        #expect(delays == [100, 200, 400, 400].map { .milliseconds($0) })
        #expect(gate.isFailing)
        gate.succeeded()
        #expect(!gate.isFailing)
        #expect(gate.delay(now: 0) == .zero)
        gate.failed(now: now, jitter: 0)
        #expect(gate.delay(now: now) == .milliseconds(50))
    }
}

@Suite("PoolStateMachine")
struct PoolStateMachineTests {
    final class Fake {}

    @Test("connections are opened up to the bound, then callers wait in order")
    func waiting() {
        var pool = PoolStateMachine<Fake>(connectionCountMax: 2, waiterCountMax: 3)
        var opens: [Bool] = []
        for id in 1...3 {
            guard case .wait(let mustConnect) = pool.acquire(UInt64(id)) else { return }
            opens.append(mustConnect)
        }
        #expect(opens == [true, true, false])
        guard case .reject = pool.acquire(4) else {
            Issue.record("a full queue took another")
            return
        }
        let first = Fake()
        guard case .lease(let leased, to: 1) = pool.connected(first), leased === first,
            case .lease(_, to: 2) = pool.released(first)
        else {
            Issue.record("not in order")
            return
        }
        #expect(pool.waiterLeft(3) == true)
        #expect(pool.waiterLeft(3) == false)
        guard case .park = pool.connected(Fake()) else {
            Issue.record("nobody waits")
            return
        }
        #expect(pool.leasedCount == 1)
        #expect(pool.idleCount == 1)
        guard case .lease = pool.acquire(5) else {
            Issue.record("an idle connection is there")
            return
        }
        #expect(pool.leasedCount == 2)
    }

    @Test("a failed attempt tells all who wait; a closed connection is replaced for them")
    func failures() {
        var pool = PoolStateMachine<Fake>(connectionCountMax: 1, waiterCountMax: 9)
        _ = pool.acquire(1)
        _ = pool.acquire(2)
        #expect(pool.connectFailed() == [1, 2])
        _ = pool.acquire(3)
        let connection = Fake()
        _ = pool.connected(connection)
        #expect(pool.leasedClosed() == false)
        guard case .wait(mustConnect: true) = pool.acquire(4) else {
            Issue.record("room for a new connection")
            return
        }
        _ = pool.connected(connection)
        _ = pool.acquire(5)
        #expect(pool.leasedClosed() == true)
        _ = pool.waiterLeft(5)
        _ = pool.connected(connection)
        pool.idleClosed(connection)
        #expect(pool.idleCount == 0)
    }
}

@Suite("ConnectionOptions")
struct ConnectionOptionsTests {
    @Test(
        "which hosts are names",
        arguments: [
            ("localhost", true), ("db.example", true), ("127.0.0.1", false), ("::1", false),
            ("/run/postgresql", false), ("@abstract", false), ("", false),
        ])
    func names(_ host: String, _ isName: Bool) {
        #expect(ConnectionOptions.isName(host) == isName)
    }

    @Test("every address of every host is tried, with its port")
    func addresses() throws {
        let configuration = PostgresConfiguration(
            connectionString: "postgresql://u@a.example:1,10.0.0.1:2,b.example:3/db")
        var options = try ConnectionOptions(configuration, role: .shared)
        #expect(options.hostNames == ["a.example", "10.0.0.1", "b.example"])
        options.setAddresses([["1.1.1.1", "::2"], [], ["3.3.3.3"]])
        #expect(options["host"] == "a.example,a.example,10.0.0.1,b.example")
        #expect(options["hostaddr"] == "1.1.1.1,::2,,3.3.3.3")
        #expect(options["port"] == "1,1,2,3")
        #expect(options.hostNames.isEmpty)
    }

    @Test("settings are escaped and follow the caller's own options")
    func settings() throws {
        var configuration = PostgresConfiguration(
            connectionString: "dbname=x options='-c geqo=off' application_name=mine")
        configuration.settings = [("search_path", #""a b", c\d"#)]
        let options = try ConnectionOptions(configuration, role: .exclusive)
        #expect(options["options"] == #"-c geqo=off -c search_path="a\ b",\ c\\d"#)
        #expect(options["application_name"] == "mine")
    }
}
