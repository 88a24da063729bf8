internal import Runtime

/// Point statements of many callers on few pipelined connections.
///
/// The read-only ones of one turn share a sync: the server answers them by one write instead of one
/// each. If one of them fails, those that the server skipped run again, each with a sync of its
/// own, as every other statement does.
final class SharedLane: PipelineOwner {
    private let factory: ConnectionFactory
    private let limits: PostgresLimits
    private var connections: [PipelinedConnection] = []
    private var waiting = RingBuffer<Request>()
    private var sweep: DeadlineSweep?
    private var isClosed = false

    init(factory: ConnectionFactory, parameters: ParameterBuffer) {
        self.factory = factory
        limits = factory.configuration.limits
        for _ in 0..<max(1, limits.sharedConnectionCount) {
            connections.append(
                PipelinedConnection(
                    factory: factory, role: .shared, parameters: parameters, owner: self))
        }
        sweep = DeadlineSweep(loop: factory.loop) { [unowned self] now in expire(now: now) }
    }

    func connect() { for connection in connections { connection.connect() } }

    func close() {
        isClosed = true
        sweep?.stop()
        for connection in connections { connection.close() }
        connections.removeAll()
        failWaiting(.cancelled(mayHaveBeenApplied: false))
    }

    var isReady: Bool { connections.contains(where: \.isReady) }
    var inFlightCount: Int { connections.reduce(0) { $0 + $1.inFlightCount } }
    var waitingCount: Int { waiting.count }

    func submit(_ request: consuming Request) {
        if isClosed { return request.fail(.cancelled(mayHaveBeenApplied: false)) }
        sweep?.note(request.deadline)
        if waiting.isEmpty, let connection = freeConnection {
            return send(request, on: connection)
        }
        if !connections.contains(where: \.isReady), let error = factory.unreachable {
            return request.fail(error)
        }
        if waiting.count >= limits.queryQueueCountMax { return request.fail(.overloaded) }
        waiting.append(request)
    }

    /// The ready connection with the fewest statements in flight.
    private var freeConnection: PipelinedConnection? {
        var best: PipelinedConnection?
        var bestCount = limits.inFlightCountMax
        for connection in connections where connection.isReady {
            let count = connection.inFlightCount
            if count < bestCount {
                best = connection
                bestCount = count
            }
        }
        return best
    }

    private func send(_ request: consuming Request, on connection: PipelinedConnection) {
        let sharesSync = request.statement.isReadOnly && !request.isSecondAttempt
        let isFull = connection.openEntryCount >= limits.sharedSyncCountMax
        if !sharesSync || isFull { connection.endSegment() }
        if connection.send(request) {
            if !sharesSync { connection.endSegment() }
            connection.flushSoon()
        } else {
            request.fail(.server(.nulInParameter))
        }
    }

    private func sendWaiting() {
        while !waiting.isEmpty, let connection = freeConnection {
            guard let request = waiting.removeFirst() else { return }
            if !request.isAnswered { send(request, on: connection) }
        }
    }

    // MARK: PipelineOwner

    func connectionBecameReady(_ connection: PipelinedConnection) { sendWaiting() }

    func connectionFailed() {
        guard !connections.contains(where: \.isReady), let error = factory.unreachable else {
            return
        }
        failWaiting(error)
    }

    func segmentEnded(
        _ connection: PipelinedConnection, entryCount: Int, commitFailure: ServerError?
    ) {
        for _ in 0..<entryCount {
            let entry = connection.takeFirst()
            var request = entry.request
            switch entry.outcome {
            case .succeeded(let result):
                if let commitFailure {
                    request.fail(.server(commitFailure))
                } else {
                    request.answer(.success(result))
                }
            case .failed(let error):
                if error.isStalePlan && !request.isSecondAttempt && !request.isAnswered {
                    connection.forget(request.statement)
                    repeatAlone(request)
                } else {
                    request.fail(.server(error))
                }
            case .skipped, .none:
                if !request.isAnswered { repeatAlone(request) }
            }
        }
        if !waiting.isEmpty { sendWaiting() }
    }

    private func repeatAlone(_ request: consuming Request) {
        request.isSecondAttempt = true
        submit(request)
    }

    func connectionLost(_ connection: PipelinedConnection, unanswered: [Request]) {
        for var request in unanswered {
            request.fail(.connectionLost(mayHaveBeenApplied: !request.statement.isReadOnly))
        }
    }

    private func failWaiting(_ error: PostgresError) {
        for var request in waiting.removeAll() { request.fail(error) }
    }

    private func expire(now: UInt64) -> UInt64 {
        var next = UInt64.max
        for connection in connections { next = min(next, connection.expire(now: now)) }
        for var request in waiting.removeAll(where: { $0.deadline.nanoseconds <= now }) {
            request.fail(.timedOut(mayHaveBeenApplied: false))
        }
        for index in 0..<waiting.count {
            next = min(next, waiting.update(index) { $0.deadline.nanoseconds })
        }
        return next
    }
}
