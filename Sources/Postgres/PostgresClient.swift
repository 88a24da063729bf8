package import Runtime

/// Every way to reach PostgreSQL from one loop.
///
/// - ``query(_:_:deadline:)``: bounded point statements on shared, pipelined connections.
/// - ``write(_:_:deadline:client:)``: durable writes that share transactions.
/// - ``withConnection(deadline:_:)``: anything else, alone on a connection and cancellable.
package final class PostgresClient: @unchecked Sendable {
    private let loop: EventLoop
    private let factory: ConnectionFactory
    private let shared: SharedLane
    private let writes: WriteLane
    private let pool: ConnectionPool

    /// Starts to connect at once. On the loop; ended by ``close()``.
    package init(loop: EventLoop, configuration: PostgresConfiguration) {
        loop.preconditionOnLoop()
        self.loop = loop
        let factory = ConnectionFactory(loop: loop, configuration: configuration)
        let parameters = ParameterBuffer()
        let pool = ConnectionPool(factory: factory, parameters: parameters)
        self.factory = factory
        self.pool = pool
        shared = SharedLane(factory: factory, parameters: parameters)
        writes = WriteLane(factory: factory, parameters: parameters) { request in
            loop.spawn { await runExclusively(request, pool) }
        }
        shared.connect()
        writes.connect()
    }

    /// Runs one bounded statement as a transaction of its own, pipelined with those of others.
    ///
    /// A passed deadline fails the caller, and the late answer is dropped: on a shared connection
    /// nothing is cancelled, `statement_timeout` bounds it. Cancelling the task has no effect.
    package func query(
        _ statement: Statement, _ parameters: [Parameter] = [], deadline: Deadline
    ) async throws(PostgresError) -> PostgresResult {
        loop.preconditionOnLoop()
        return try await withUnsafeContinuation { caller in
            shared.submit(Request(statement, parameters, deadline, caller: .task(caller)))
        }.get()
    }

    /// ``query(_:_:deadline:)`` without a task, for the most frequent statements.
    ///
    /// - Parameter answered: Called once, on the loop; before this returns if the statement cannot
    ///   even be queued.
    package func query(
        _ statement: Statement, _ parameters: [Parameter], deadline: Deadline,
        answered: @escaping @Sendable (Result<PostgresResult, PostgresError>) -> Void
    ) {
        loop.preconditionOnLoop()
        shared.submit(Request(statement, parameters, deadline, caller: .callback(answered)))
    }

    /// Runs one statement durably: it returns after the commit, which it may share with others.
    ///
    /// The statement has its effect exactly once if this returns, not at all if the error says so
    /// (``PostgresError/mayHaveBeenApplied``). It may be rolled back and run again before it
    /// answers. Cancelling the task has no effect.
    ///
    /// - Parameter client: Who writes: one whose writes fail commits alone for a while, so that it
    ///   does not make others wait.
    package func write(
        _ statement: Statement, _ parameters: [Parameter] = [], deadline: Deadline,
        client: String? = nil
    ) async throws(PostgresError) -> PostgresResult {
        loop.preconditionOnLoop()
        return try await withUnsafeContinuation { caller in
            writes.submit(
                Request(
                    statement, parameters, deadline, client: client, caller: .task(caller)))
        }.get()
    }

    /// Runs `body` with a connection of its own.
    ///
    /// At the deadline, or when the task is cancelled, the statement under way is cancelled in the
    /// server. An open transaction does not outlive `body`.
    ///
    /// - Throws: What `body` throws, or ``PostgresError`` if there is no connection in time.
    @discardableResult
    package func withConnection<R>(
        deadline: Deadline, _ body: (PostgresConnection) async throws -> R
    ) async throws -> R {
        let connection = try await pool.acquire(deadline: deadline)
        defer { pool.release(connection) }
        return try await body(connection)
    }

    /// Ends every connection; what waits or is under way fails. Idempotent.
    package func close() {
        loop.preconditionOnLoop()
        shared.close()
        writes.close()
        pool.close()
    }

    /// Whether a shared connection stands.
    package var isConnected: Bool { shared.isReady }

    /// The time until the next attempt to connect; zero when none is pending.
    package var retryAfter: Duration { factory.retryAfter }

    /// Why the last attempt to connect failed, for the operator; kept after a success.
    package var lastConnectFailure: ConnectFailure? { factory.lastFailure }

    package var statistics: PostgresStatistics {
        PostgresStatistics(
            queriesInFlight: shared.inFlightCount, queriesWaiting: shared.waitingCount,
            writesInFlight: writes.inFlightCount, writesWaiting: writes.waitingCount,
            committedBatches: writes.committedBatchCount, failedBatches: writes.failedBatchCount,
            exclusiveLeased: pool.leasedCount, exclusiveIdle: pool.idleCount,
            exclusiveWaiting: pool.waitingCount, connectionsOpened: factory.openedCount)
    }
}

/// Gauges and counters of one client.
package struct PostgresStatistics: Sendable {
    package let queriesInFlight: Int
    package let queriesWaiting: Int
    package let writesInFlight: Int
    package let writesWaiting: Int
    /// Transactions of group commit that committed, since the start.
    package let committedBatches: Int
    /// Transactions of group commit that were rolled back, since the start.
    package let failedBatches: Int
    package let exclusiveLeased: Int
    package let exclusiveIdle: Int
    package let exclusiveWaiting: Int
    /// Connections opened since the start.
    package let connectionsOpened: Int
}

/// A write that did not fit into a batch: alone, bounded only by its deadline.
private func runExclusively(_ request: Request, _ pool: ConnectionPool) async {
    var request = request
    do throws(PostgresError) {
        let connection = try await pool.acquire(deadline: request.deadline)
        defer { pool.release(connection) }
        let result = try await connection.query(request.statement, request.parameters)
        request.answer(.success(result))
    } catch {
        request.fail(error)
    }
}
