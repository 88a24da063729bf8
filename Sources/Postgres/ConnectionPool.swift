internal import Runtime

/// Exclusive connections and the callers that wait for one, in order.
final class ConnectionPool: @unchecked Sendable {
    private typealias Machine = PoolStateMachine<PostgresConnection>
    private typealias Lease = Result<PostgresConnection, PostgresError>

    private let factory: ConnectionFactory
    private let parameters: ParameterBuffer
    private var machine: Machine
    private var waiters: [UInt64: Waiter] = [:]
    private var lastWaiterID: UInt64 = 0
    private var isClosed = false
    private var loop: EventLoop { factory.loop }

    private struct Waiter {
        let caller: UnsafeContinuation<Lease, Never>
        let timer: LoopTimer
    }

    init(factory: ConnectionFactory, parameters: ParameterBuffer) {
        self.factory = factory
        self.parameters = parameters
        let limits = factory.configuration.limits
        machine = Machine(
            connectionCountMax: limits.exclusiveConnectionCountMax,
            waiterCountMax: limits.exclusiveQueueCountMax)
    }

    var leasedCount: Int { machine.leasedCount }
    var idleCount: Int { machine.idleCount }
    var waitingCount: Int { machine.waiterCount }

    /// Waits for a connection, no longer than to the deadline or the end of the task.
    func acquire(deadline: Deadline) async throws(PostgresError) -> PostgresConnection {
        loop.preconditionOnLoop()
        // Between two attempts there is nothing to wait for.
        if machine.idleCount == 0, factory.retryAfter > .zero, let error = factory.unreachable {
            throw error
        }
        lastWaiterID += 1
        let id = lastWaiterID
        let lease = await withTaskCancellationHandler {
            await withUnsafeContinuation { acquire(id, deadline, $0) }
        } onCancel: {
            loop.submit { [self] in leave(id, .cancelled(mayHaveBeenApplied: false)) }
        }
        let connection = try lease.get()
        connection.beginLease(deadline: deadline)
        return connection
    }

    private func acquire(
        _ id: UInt64, _ deadline: Deadline, _ caller: UnsafeContinuation<Lease, Never>
    ) {
        if isClosed {
            return caller.resume(returning: .failure(.cancelled(mayHaveBeenApplied: false)))
        }
        switch machine.acquire(id) {
        case .lease(let idle):
            idle.lostWhileIdle = nil
            // The server may have closed it in this very turn.
            if !idle.checkIdle() {
                discard(idle)
                return acquire(id, deadline, caller)
            }
            caller.resume(returning: .success(idle))
        case .reject:
            caller.resume(returning: .failure(.overloaded))
        case .wait(let mustConnect):
            let timer = loop.schedule(after: deadline.boundedRemaining) { [self] in
                leave(id, .timedOut(mayHaveBeenApplied: false))
            }
            waiters[id] = Waiter(caller: caller, timer: timer)
            if mustConnect { connect() }
        }
    }

    private func leave(_ id: UInt64, _ error: PostgresError) {
        if machine.waiterLeft(id) { tell(id, .failure(error)) }
    }

    private func tell(_ id: UInt64, _ lease: Lease) {
        guard let waiter = waiters.removeValue(forKey: id) else { return }
        waiter.timer.cancel()
        waiter.caller.resume(returning: lease)
    }

    private func connect() {
        _ = factory.open(.exclusive) { [self] outcome in
            switch outcome {
            case .success(let session) where isClosed:
                session.close()
            case .success(let session):
                let connection = PostgresConnection(
                    session: session, loop: loop, parameters: parameters,
                    cancelGrace: factory.configuration.limits.cancelGrace)
                perform(machine.connected(connection), with: connection)
            case .failure:
                let error = factory.unreachable ?? .unreachable(retryAfter: .zero)
                for id in machine.connectFailed() { tell(id, .failure(error)) }
            }
        }
    }

    // MARK: Returning

    /// Takes a leased connection back; resets it first if free SQL ran on it.
    func release(_ connection: PostgresConnection) {
        connection.endLease()
        guard connection.isReusable, !isClosed else { return discard(connection) }
        if !connection.mustReset { return park(connection) }
        loop.spawn { [self] in
            do {
                try await connection.reset()
                park(connection)
            } catch {
                discard(connection)
            }
        }
    }

    private func park(_ connection: PostgresConnection) {
        guard connection.isReusable, !isClosed else { return discard(connection) }
        perform(machine.released(connection), with: connection)
    }

    private func discard(_ connection: PostgresConnection) {
        connection.close()
        if machine.leasedClosed() { connect() }
    }

    private func perform(_ assignment: Machine.Assignment, with connection: PostgresConnection) {
        switch assignment {
        case .lease(let connection, let id):
            tell(id, .success(connection))
        case .park:
            connection.lostWhileIdle = { [unowned self, unowned connection] in
                machine.idleClosed(connection)
            }
        }
    }

    func close() {
        isClosed = true
        let (idle, waiting) = machine.removeAll()
        for connection in idle {
            connection.lostWhileIdle = nil
            connection.close()
        }
        for id in waiting { tell(id, .failure(.cancelled(mayHaveBeenApplied: false))) }
    }
}
