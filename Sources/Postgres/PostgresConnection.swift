internal import CPostgres
internal import Runtime

/// A connection that one caller has for itself; its statements can be cancelled.
///
/// Lives only inside ``PostgresClient/withConnection(deadline:_:)``. One statement at a time.
package final class PostgresConnection: @unchecked Sendable {
    let session: Session
    private let loop: EventLoop
    private let parameters: ParameterBuffer
    private let cancelGrace: Duration
    private var prepared = PreparedStatements()

    private(set) var deadline = Deadline(nanoseconds: .max)
    private var deadlineTimer: LoopTimer?
    private var operation: Operation?
    /// Resumed when the socket could be written, or there is no use in waiting for that.
    private var writer: UnsafeContinuation<Void, Never>?
    private var lastOperationID: UInt64 = 0
    /// Session state may have been changed by free SQL; it is reset before the next lease.
    private(set) var mustReset = false
    private(set) var isLost = false
    /// Called once when the server closes the connection while nobody uses it.
    var lostWhileIdle: (() -> Void)?

    /// A statement that is under way.
    private struct Operation {
        let id: UInt64
        var caller: UnsafeContinuation<Answer, Never>?
        let mayBeApplied: Bool
        let isInterruptible: Bool
        var latest: Answer?
        var isAnswered = false
        /// Why a cancel was sent.
        var interruption: PostgresError?
        var cancel: StatementCancel?
        var graceTimer: LoopTimer?
        var repeatTimer: LoopTimer?

        func stopTimers() {
            graceTimer?.cancel()
            repeatTimer?.cancel()
        }
    }

    init(session: Session, loop: EventLoop, parameters: ParameterBuffer, cancelGrace: Duration) {
        self.session = session
        self.loop = loop
        self.parameters = parameters
        self.cancelGrace = cancelGrace
        session.watch { [self] event in socketIsReady(event) }
    }

    // MARK: Statements

    /// Runs one statement. A stale plan is prepared again and retried once, outside a transaction.
    ///
    /// - Throws: ``PostgresError``.
    package func query(
        _ statement: Statement, _ parameters: [Parameter] = []
    ) async throws(PostgresError) -> PostgresResult {
        let wasInTransaction = isInTransaction
        do {
            return try await queryOnce(statement, parameters)
        } catch {
            guard error.isStalePlan, !wasInTransaction else { throw error }
            return try await queryOnce(statement, parameters)
        }
    }

    /// Runs any SQL, several statements too, and returns the result of the last one. The session is
    /// reset before another caller gets the connection.
    ///
    /// - Throws: ``PostgresError``.
    @discardableResult
    package func simple(_ sql: String) async throws(PostgresError) -> PostgresResult {
        mustReset = true
        return try await command(sql)
    }

    private func queryOnce(
        _ statement: Statement, _ values: [Parameter]
    ) async throws(PostgresError) -> PostgresResult {
        let storage = statement.storage
        let mayBeApplied = !statement.isReadOnly && !isInTransaction
        if storage.serverName != nil { try await prepare(storage) }
        do {
            return try await run(mayBeApplied: mayBeApplied) { [parameters] raw in
                parameters.withValues(values) { count, values in
                    guard let name = storage.serverName else {
                        return PQsendQueryParams(
                            raw, storage.sql, count, nil, values, nil, nil, 0)
                    }
                    return PQsendQueryPrepared(raw, name, count, values, nil, nil, 0)
                }
            }
        } catch {
            if error.isStalePlan && storage.serverName != nil { prepared[storage] = .stale }
            throw error
        }
    }

    private func prepare(_ storage: StatementStorage) async throws(PostgresError) {
        if prepared[storage] == .prepared { return }
        if prepared[storage] == .stale {
            _ = try await run(mayBeApplied: false) { raw in
                PQsendClosePrepared(raw, storage.serverName)
            }
        }
        _ = try await run(mayBeApplied: false) { raw in
            PQsendPrepare(raw, storage.serverName, storage.sql, 0, nil)
        }
        prepared[storage] = .prepared
    }

    /// SQL of our own that leaves no session state behind.
    func command(
        _ sql: String, mayBeApplied: Bool = true, hasGrace: Bool = false
    ) async throws(PostgresError) -> PostgresResult {
        try await run(mayBeApplied: mayBeApplied, hasGrace: hasGrace) { raw in
            PQsendQuery(raw, sql)
        }
    }

    var isInTransaction: Bool {
        guard !isLost else { return false }
        let status = PQtransactionStatus(session.raw)
        return status == PQTRANS_INTRANS || status == PQTRANS_INERROR
    }

    /// Whether another caller may have the connection.
    var isReusable: Bool {
        !isLost && operation == nil && PQtransactionStatus(session.raw) == PQTRANS_IDLE
    }

    // MARK: Lease

    /// Looks whether the server has closed the connection meanwhile.
    func checkIdle() -> Bool {
        if !isLost, !session.read() { lose() }
        return isReusable
    }

    func beginLease(deadline: Deadline) {
        self.deadline = deadline
        startDeadlineTimer()
    }

    private func startDeadlineTimer() {
        deadlineTimer = loop.schedule(after: deadline.boundedRemaining) { [self] in
            deadlineTimer = nil
            // The loop's clock stands still during a turn, so that a timer set late in a long one
            // fires early.
            guard deadline.hasPassed else { return startDeadlineTimer() }
            interrupt(.timedOut(mayHaveBeenApplied: false))
            writer.take()?.resume()
        }
    }

    func endLease() {
        deadlineTimer?.cancel()
        deadlineTimer = nil
        deadline = Deadline(nanoseconds: .max)
    }

    /// Undoes what free SQL may have set. Throws if the connection cannot be used again.
    func reset() async throws(PostgresError) {
        _ = try await command("DISCARD ALL", hasGrace: true)
        prepared.removeAll()
        mustReset = false
    }

    func close() {
        endLease()
        lose()
    }

    // MARK: Running

    /// Sends by `send` and waits for the answer.
    ///
    /// - Parameters:
    ///   - hasGrace: It ends a transaction or a lease: bound neither to the deadline nor to the
    ///     task, but to the grace of a cancel.
    ///   - send: Returns what libpq's send function returned; nil for a value that contains NUL.
    func run(
        mayBeApplied: Bool, hasGrace: Bool = false, _ send: (OpaquePointer) -> CInt?
    ) async throws(PostgresError) -> PostgresResult {
        loop.preconditionOnLoop()
        precondition(operation == nil, "two statements at a time on an exclusive connection")
        guard !isLost else { throw .connectionLost(mayHaveBeenApplied: false) }
        if !hasGrace {
            if deadline.hasPassed { throw .timedOut(mayHaveBeenApplied: false) }
            if Task.isCancelled { throw .cancelled(mayHaveBeenApplied: false) }
        }
        guard let sent = send(session.raw) else { throw .server(.nulInParameter) }
        lastOperationID += 1
        let id = lastOperationID
        operation = Operation(id: id, mayBeApplied: mayBeApplied, isInterruptible: !hasGrace)
        if sent != 1 || !session.flush() {
            operation = nil
            lose()
            throw .connectionLost(mayHaveBeenApplied: mayBeApplied)
        }
        return try await answer(of: id, hasGrace: hasGrace).get()
    }

    private func answer(of id: UInt64, hasGrace: Bool) async -> Answer {
        if hasGrace {
            startGraceTimer()
            return await withUnsafeContinuation { operation?.caller = $0 }
        }
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { operation?.caller = $0 }
        } onCancel: {
            loop.submit { [self] in
                if operation?.id == id { interrupt(.cancelled(mayHaveBeenApplied: false)) }
            }
        }
    }

    private func socketIsReady(_ event: Session.Event) {
        guard !isLost else { return }
        switch event {
        case .received:
            takeResults()
        case .flushed:
            writer.take()?.resume()
        case .lost:
            takeResults()
            lose()
        }
    }

    private func takeResults() {
        let raw = session.raw
        while operation != nil, operation?.isAnswered == false, PQisBusy(raw) == 0 {
            guard let result = PQgetResult(raw) else {
                operation?.isAnswered = true
                break
            }
            if note(result) { break }
        }
        finishIfAnswered()
    }

    /// True when libpq is in COPY: there will be no null until the copy has ended.
    private func note(_ result: OpaquePointer) -> Bool {
        switch PQresultStatus(result) {
        case PGRES_COPY_IN:
            operation?.latest = .success(PostgresResult(result))
            operation?.isAnswered = true
            return true
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
            let isFailed = if case .failure = operation?.latest { true } else { false }
            if isFailed { PQclear(result) } else {
                operation?.latest = .success(PostgresResult(result))
            }
        case PGRES_COPY_OUT, PGRES_COPY_BOTH:
            PQclear(result)
            lose()
            return true
        default:
            let error = ServerError(result: result)
            PQclear(result)
            if error.endsSession || PQstatus(session.raw) == CONNECTION_BAD {
                lose()
                return true
            }
            operation?.latest = .failure(.server(error))
        }
        return false
    }

    private func finishIfAnswered() {
        // A cancel under way could hit the next statement: its end is awaited too.
        guard let ended = operation, ended.isAnswered, ended.cancel == nil else { return }
        guard let latest = ended.latest else { return lose() }
        operation = nil
        ended.stopTimers()
        if let interruption = ended.interruption, case .failure(.server(let error)) = latest,
            error.isQueryCanceled
        {
            ended.caller?.resume(returning: .failure(interruption))
        } else {
            ended.caller?.resume(returning: latest)
        }
    }

    // MARK: Interrupting

    /// Cancels the statement under way on the server.
    private func interrupt(_ reason: PostgresError) {
        guard let current = operation, current.isInterruptible, current.interruption == nil,
            !current.isAnswered
        else { return }
        operation?.interruption = reason
        startGraceTimer()
        sendCancel(current.id)
    }

    private func sendCancel(_ id: UInt64) {
        let cancel = StatementCancel(loop: loop, session: session) { [self] in
            operation?.cancel = nil
            finishIfAnswered()
            if operation?.id == id { cancelAgain(id) }
        }
        operation?.cancel = cancel
        cancel.start()
    }

    /// A cancel that overtakes its statement is ignored by the server, so it is repeated.
    private func cancelAgain(_ id: UInt64) {
        operation?.repeatTimer = loop.schedule(after: cancelGrace / 8) { [self] in
            guard operation?.id == id, operation?.isAnswered == false else { return }
            sendCancel(id)
        }
    }

    private func startGraceTimer() {
        operation?.graceTimer?.cancel()
        operation?.graceTimer = loop.schedule(after: cancelGrace) { [self] in
            // On a busy machine the answer may have come in the same turn as the timer.
            if session.read() { takeResults() }
            if operation != nil { lose() }
        }
    }

    /// The connection is unusable: answers the statement under way.
    func lose() {
        guard !isLost else { return }
        isLost = true
        session.close()
        deadlineTimer?.cancel()
        deadlineTimer = nil
        if let ended = operation.take() {
            ended.cancel?.abandon()
            ended.stopTimers()
            ended.caller?.resume(returning: .failure(lossError(ended)))
        }
        writer.take()?.resume()
        lostWhileIdle.take()?()
    }

    private func lossError(_ operation: Operation) -> PostgresError {
        let may = operation.mayBeApplied
        switch operation.interruption {
        case .timedOut: return .timedOut(mayHaveBeenApplied: may)
        case .cancelled: return .cancelled(mayHaveBeenApplied: may)
        default: return .connectionLost(mayHaveBeenApplied: may)
        }
    }

    // MARK: For COPY

    /// Waits until libpq's buffer has gone out, or the deadline passed.
    func drain() async throws(PostgresError) {
        while !isLost && !deadline.hasPassed {
            if !session.flush() { lose() } else if !session.isWriteWatched { return } else {
                await withUnsafeContinuation { writer = $0 }
            }
        }
        if isLost { throw .connectionLost(mayHaveBeenApplied: false) }
    }
}
