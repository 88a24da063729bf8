import Testing

@testable import Postgres

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
