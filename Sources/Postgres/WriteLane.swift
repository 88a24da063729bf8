internal import Runtime

/// Writes of many callers in few transactions: optimistic group commit.
///
/// What waits when a write connection becomes free goes into one pipelined segment. Between two
/// syncs PostgreSQL runs an implicit transaction, committed by the sync: the same as BEGIN … COMMIT
/// with fewer messages, and nothing stays open after an error. Only the answer to the sync
/// acknowledges. If one statement fails, all are rolled back and run again, each alone.
final class WriteLane: PipelineOwner, Flushable {
    typealias ExclusiveWrite = (Request) -> Void

    private let factory: ConnectionFactory
    private let limits: PostgresLimits
    private let runExclusively: ExclusiveWrite
    private var connections: [PipelinedConnection] = []
    private var startedAt: [UInt64]
    private var groupCommit: GroupCommit
    private var waiting = RingBuffer<Request>()
    /// Rolled back because of others; they run before what is waiting, each alone.
    private var repeating = RingBuffer<Request>()
    private var sweep: DeadlineSweep?
    private var isDirty = false
    private var isClosed = false

    private(set) var committedBatchCount = 0
    private(set) var failedBatchCount = 0

    /// - Parameter runExclusively: Takes over a request that needs a connection without the time
    ///   limits of a batch.
    init(
        factory: ConnectionFactory, parameters: ParameterBuffer,
        runExclusively: @escaping ExclusiveWrite
    ) {
        self.factory = factory
        self.runExclusively = runExclusively
        limits = factory.configuration.limits
        groupCommit = GroupCommit(limits)
        startedAt = []
        for _ in 0..<max(1, limits.writeConnectionCount) {
            connections.append(
                PipelinedConnection(
                    factory: factory, role: .write, parameters: parameters, owner: self))
            startedAt.append(0)
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

    var inFlightCount: Int { connections.reduce(0) { $0 + $1.inFlightCount } }
    var waitingCount: Int { waiting.count + repeating.count }

    func submit(_ request: consuming Request) {
        if isClosed { return request.fail(.cancelled(mayHaveBeenApplied: false)) }
        if !connections.contains(where: \.isReady), let error = factory.unreachable {
            return request.fail(error)
        }
        if waiting.count >= limits.writeQueueCountMax { return request.fail(.overloaded) }
        sweep?.note(request.deadline)
        waiting.append(request)
        sendSoon()
    }

    /// At the end of the turn, so that writes of one turn meet in one transaction.
    private func sendSoon() {
        guard !isDirty else { return }
        isDirty = true
        factory.loop.flushSoon(self)
    }

    func flush() {
        isDirty = false
        for index in connections.indices {
            guard waitingCount > 0 else { return }
            let connection = connections[index]
            guard connection.isReady, connection.inFlightCount == 0 else { continue }
            startedAt[index] = monotonicNanoseconds()
            sendNext(on: connection, now: startedAt[index])
            connection.flush()
        }
    }

    private func sendNext(on connection: PipelinedConnection, now: UInt64) {
        var room = groupCommit.batchCountMax
        if !repeating.isEmpty {
            // Each has its own commit, but they share the way there and back.
            room = limits.batchCountMax
            while room > 0, let request = repeating.removeFirst() {
                room -= send(request, on: connection)
                connection.endSegment()
            }
            if connection.inFlightCount > 0 { return }
        }
        var alone: [Request] = []
        while room > 0, let request = waiting.removeFirst() {
            if groupCommit.isSuspect(request.client, now: now) {
                alone.append(request)
                room -= 1
            } else {
                room -= send(request, on: connection)
            }
        }
        connection.endSegment()
        for request in alone where send(request, on: connection) == 1 { connection.endSegment() }
    }

    /// Returns how many were sent: none if its caller is gone or it is refused.
    private func send(_ request: consuming Request, on connection: PipelinedConnection) -> Int {
        if request.isAnswered { return 0 }
        if connection.send(request) { return 1 }
        request.fail(.server(.nulInParameter))
        return 0
    }

    // MARK: PipelineOwner

    func connectionBecameReady(_ connection: PipelinedConnection) {
        if waitingCount > 0 { sendSoon() }
    }

    func connectionFailed() {
        guard !connections.contains(where: \.isReady), let error = factory.unreachable else {
            return
        }
        failWaiting(error)
    }

    func segmentEnded(
        _ connection: PipelinedConnection, entryCount: Int, commitFailure: ServerError?
    ) {
        var entries: [PipelinedConnection.Queue.Entry] = []
        entries.reserveCapacity(entryCount)
        for _ in 0..<entryCount { entries.append(connection.takeFirst()) }
        let isCommitted =
            commitFailure == nil
            && entries.allSatisfy { if case .succeeded = $0.outcome { true } else { false } }
        if isCommitted {
            acknowledge(&entries, on: connection)
        } else {
            failedBatchCount += 1
            if entryCount > 1 { groupCommit.batchFailed() }
            for entry in entries {
                settle(entry, commitFailure, wasAlone: entryCount == 1, connection)
            }
        }
        if connection.inFlightCount == 0, waitingCount > 0 { sendSoon() }
    }

    private func acknowledge(
        _ entries: inout [PipelinedConnection.Queue.Entry], on connection: PipelinedConnection
    ) {
        committedBatchCount += 1
        if let index = connections.firstIndex(where: { $0 === connection }) {
            let duration = monotonicNanoseconds() - startedAt[index]
            groupCommit.batchCommitted(nanoseconds: duration)
        }
        for index in entries.indices {
            guard case .succeeded(let result) = entries[index].outcome else { continue }
            entries[index].request.answer(.success(result))
        }
    }

    private func settle(
        _ entry: PipelinedConnection.Queue.Entry, _ commitFailure: ServerError?, wasAlone: Bool,
        _ connection: PipelinedConnection
    ) {
        var request = entry.request
        // Its caller has been told that it timed out: it must not run after all.
        if request.isAnswered { return }
        var error: ServerError?
        if case .failed(let own) = entry.outcome { error = own }
        // A deferred constraint does not say whose row it was.
        if wasAlone, error == nil { error = commitFailure }
        if error?.isStalePlan == true { connection.forget(request.statement) }
        let disposition = GroupCommit.disposition(
            error: error, wasAlone: wasAlone, isSecondAttempt: request.isSecondAttempt)
        switch disposition {
        case .repeatAlone:
            if wasAlone { request.isSecondAttempt = true }
            repeating.append(request)
        case .repeatExclusively:
            runExclusively(request)
        case .answer:
            groupCommit.clientFailed(request.client, now: monotonicNanoseconds())
            request.fail(error.map { .server($0) } ?? .connectionLost(mayHaveBeenApplied: false))
        }
    }

    func connectionLost(_ connection: PipelinedConnection, unanswered: [Request]) {
        for var request in unanswered {
            request.fail(.connectionLost(mayHaveBeenApplied: !request.statement.isReadOnly))
        }
    }

    private func failWaiting(_ error: PostgresError) {
        for var request in repeating.removeAll() + waiting.removeAll() { request.fail(error) }
    }

    private func expire(now: UInt64) -> UInt64 {
        var next = UInt64.max
        for connection in connections { next = min(next, connection.expire(now: now)) }
        next = min(next, WriteLane.expire(&waiting, now: now))
        return min(next, WriteLane.expire(&repeating, now: now))
    }

    private static func expire(_ queue: inout RingBuffer<Request>, now: UInt64) -> UInt64 {
        for var request in queue.removeAll(where: { $0.deadline.nanoseconds <= now }) {
            request.fail(.timedOut(mayHaveBeenApplied: false))
        }
        var next = UInt64.max
        for index in 0..<queue.count {
            next = min(next, queue.update(index) { $0.deadline.nanoseconds })
        }
        return next
    }
}
