internal import CPostgres
internal import Runtime

/// Who sends through a pipelined connection.
protocol PipelineOwner: AnyObject {
    /// The connection can be used (again).
    func connectionBecameReady(_ connection: PipelinedConnection)
    /// An attempt to connect failed.
    func connectionFailed()
    /// The oldest `entryCount` entries of the queue are complete and must be taken.
    func segmentEnded(
        _ connection: PipelinedConnection, entryCount: Int, commitFailure: ServerError?)
    /// The connection broke; these requests have no answer.
    func connectionLost(_ connection: PipelinedConnection, unanswered: [Request])
}

/// A connection in libpq's pipeline mode that reconnects by itself.
///
/// Requests are written into libpq's buffer at once and sent by one flush in each turn of the loop.
final class PipelinedConnection: Flushable {
    typealias Queue = PipelineQueue<Request, PostgresResult>

    private let factory: ConnectionFactory
    private let role: ConnectionRole
    private let parameters: ParameterBuffer
    private let owner: any PipelineOwner
    private var loop: EventLoop { factory.loop }

    private var queue = Queue()
    private var session: Session?
    private var isConnecting = false
    private var attempt: ConnectAttempt?
    private var retryTimer: LoopTimer?
    private var prepared = PreparedStatements()
    private var isDirty = false
    /// libpq refused to buffer a message: the next flush gives the connection up.
    private var isBroken = false
    private var isClosed = false

    init(
        factory: ConnectionFactory, role: ConnectionRole, parameters: ParameterBuffer,
        owner: any PipelineOwner
    ) {
        self.factory = factory
        self.role = role
        self.parameters = parameters
        self.owner = owner
    }

    var isReady: Bool { session != nil }
    var inFlightCount: Int { queue.count }
    /// Requests sent since the last end of a segment.
    var openEntryCount: Int { queue.openEntryCount }

    // MARK: Connecting

    func connect() {
        guard !isClosed, session == nil, !isConnecting, retryTimer == nil else { return }
        let delay = factory.retryAfter
        if delay > .zero { return connect(after: delay) }
        isConnecting = true
        let started = factory.open(role) { [self] outcome in
            isConnecting = false
            attempt = nil
            switch outcome {
            case .success(let session): adopt(session)
            case .failure:
                connect(after: factory.retryAfter)
                owner.connectionFailed()
            }
        }
        // It may have failed on the spot.
        if isConnecting { attempt = started }
    }

    private func connect(after delay: Duration) {
        guard !isClosed, retryTimer == nil else { return }
        retryTimer = loop.schedule(after: delay) { [self] in
            retryTimer = nil
            connect()
        }
    }

    private func adopt(_ session: Session) {
        guard !isClosed, PQenterPipelineMode(session.raw) == 1 else { return session.close() }
        self.session = session
        prepared.removeAll()
        isBroken = false
        session.watch { [self] event in socketIsReady(event) }
        owner.connectionBecameReady(self)
    }

    /// Fails nothing: call it when nothing is in flight or the process ends.
    func close() {
        isClosed = true
        attempt?.abandon()
        attempt = nil
        retryTimer?.cancel()
        retryTimer = nil
        lose()
    }

    private func lose() {
        guard let lost = session.take() else { return }
        lost.close()
        let unanswered = queue.removeAll().map(\.request)
        if !isClosed {
            // A server that accepts and hangs up at once must not be tried in a tight loop.
            let age = monotonicNanoseconds() - lost.connectedAt
            if age < 1_000_000_000 {
                connect(after: factory.configuration.limits.backoffMin)
            } else {
                connect()
            }
        }
        owner.connectionLost(self, unanswered: unanswered)
    }

    // MARK: Sending

    /// Writes one request into libpq's buffer. False, and nothing is written, if a parameter
    /// contains NUL.
    func send(_ request: Request) -> Bool {
        guard let session else { preconditionFailure("sent on a connection that is not ready") }
        let statement = request.statement.storage
        let raw = session.raw
        var preludeCount: UInt8 = 0
        let written = parameters.withValues(request.parameters) { count, values in
            guard let name = statement.serverName else {
                return PQsendQueryParams(raw, statement.sql, count, nil, values, nil, nil, 0)
            }
            let state = prepared[statement]
            if state == .stale {
                preludeCount += 1
                guard PQsendClosePrepared(raw, name) == 1 else { return 0 }
            }
            if state != .prepared {
                preludeCount += 1
                guard PQsendPrepare(raw, name, statement.sql, 0, nil) == 1 else { return 0 }
                prepared[statement] = .prepared
            }
            return PQsendQueryPrepared(raw, name, count, values, nil, nil, 0)
        }
        guard let written else { return false }
        if written != 1 { isBroken = true }
        queue.append(request, preludeCount: preludeCount)
        return true
    }

    /// Ends the implicit transaction of what was sent since the last end.
    func endSegment() {
        guard let session, queue.endSegment() else { return }
        if PQsendPipelineSync(session.raw) != 1 { isBroken = true }
    }

    /// Sends at the end of the turn, up to there with what was not ended yet.
    func flushSoon() {
        guard !isDirty else { return }
        isDirty = true
        loop.flushSoon(self)
    }

    func flush() {
        isDirty = false
        guard let session else { return }
        endSegment()
        if isBroken || !session.flush() { lose() }
    }

    /// The statement must be prepared again before its next use.
    func forget(_ statement: Statement) {
        if statement.storage.serverName != nil { prepared[statement.storage] = .stale }
    }

    // MARK: Receiving

    private func socketIsReady(_ event: Session.Event) {
        guard let session else { return }
        if case .flushed = event { return }
        receive(from: session)
        if case .lost = event, self.session === session { lose() }
    }

    private func receive(from session: Session) {
        let raw = session.raw
        var wasSeparator = false
        while !queue.isEmpty, !session.isClosed, PQisBusy(raw) == 0 {
            guard let result = PQgetResult(raw) else {
                // One null ends the results of a command; two mean that there are no more.
                if wasSeparator { return }
                wasSeparator = true
                continue
            }
            wasSeparator = false
            if !perform(queue.receive(reply(result))) { return lose() }
        }
    }

    private func reply(_ result: OpaquePointer) -> Queue.Reply {
        switch PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
            return .succeeded(PostgresResult(result))
        case PGRES_PIPELINE_SYNC:
            PQclear(result)
            return .synchronized
        case PGRES_PIPELINE_ABORTED:
            PQclear(result)
            return .skipped
        default:
            defer { PQclear(result) }
            return .failed(ServerError(result: result))
        }
    }

    private func perform(_ action: Queue.Action) -> Bool {
        switch action {
        case .none:
            break
        case .preparationFailed(let index):
            queue.update(index) { forget($0.statement) }
        case .segmentEnded(let count):
            owner.segmentEnded(self, entryCount: count, commitFailure: nil)
        case .commitFailed(let count, let error):
            owner.segmentEnded(self, entryCount: count, commitFailure: error)
        case .outOfStep:
            return false
        }
        return true
    }

    func takeFirst() -> Queue.Entry {
        guard let entry = queue.removeFirst() else {
            preconditionFailure("more answers were taken than there are")
        }
        return entry
    }

    // MARK: Deadlines

    /// Answers what is overdue and returns the next time to look (monotonic nanoseconds).
    func expire(now: UInt64) -> UInt64 {
        let grace = factory.configuration.limits.hungConnectionGrace.wholeNanoseconds
        var next = UInt64.max
        var isHung = false
        for index in 0..<queue.count {
            queue.update(index) { request in
                let deadline = request.deadline.nanoseconds
                if !request.isAnswered && deadline <= now {
                    request.fail(.timedOut(mayHaveBeenApplied: !request.statement.isReadOnly))
                }
                let lookAt = request.isAnswered ? deadline &+ grace : deadline
                if lookAt <= now { isHung = true }
                next = min(next, lookAt)
            }
        }
        if isHung {
            lose()
            return .max
        }
        return next
    }
}
