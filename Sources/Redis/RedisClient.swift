package import Runtime

/// A pipelined client with one connection, which it keeps open and opens again.
///
/// Belongs to its loop. Commands of all callers share the connection and are answered in order. A
/// command is sent at most once: when the connection breaks, what was in flight fails and says that
/// it may have been applied. While there is no connection after a failure, commands fail at once.
package final class RedisClient: @unchecked Sendable {
    package let loop: EventLoop
    let configuration: RedisConfiguration

    private var session: RedisSession?
    private var isClosed = false

    private var queue = RedisCallQueue()
    private var queuedByteCount = 0
    private var inFlight = RedisCallQueue()
    private var wakeTimer: LoopTimer?
    private var wakeAt = UInt64.max

    /// Bytes handed to the connection before the rest waits in the queue.
    private static let outputByteCountMax = 1 << 20

    package init(loop: EventLoop, configuration: RedisConfiguration) {
        self.loop = loop
        self.configuration = configuration
        session = RedisSession(loop: loop, configuration: configuration, owner: self)
    }

    /// Sends one command and waits for its reply. On the loop.
    ///
    /// - Throws: ``RedisError/rejected(code:)`` for an error reply.
    package func command(
        _ command: RedisCommand, deadline: Deadline
    ) async throws(RedisError) -> RedisReply {
        let replies = try await pipeline([command], deadline: deadline)
        return try replies[0].result.get()
    }

    /// Sends one command of texts and waits for its reply. On the loop.
    package func command(
        _ words: [String], deadline: Deadline
    ) async throws(RedisError) -> RedisReply {
        try await command(RedisCommand(words), deadline: deadline)
    }

    /// Sends one command of bytes and waits for its reply. On the loop.
    package func command(
        _ words: [[UInt8]], deadline: Deadline
    ) async throws(RedisError) -> RedisReply {
        try await command(RedisCommand(words), deadline: deadline)
    }

    /// Sends one command without a task, for the most frequent ones.
    ///
    /// - Parameter completion: Called once, on the loop; before this returns if the command cannot
    ///   even be queued, at the latest by ``close()``.
    /// - Returns: What cancels it.
    @discardableResult
    package func command(
        _ command: RedisCommand, deadline: Deadline,
        completion: @escaping @Sendable (Result<RedisReply, RedisError>) -> Void
    ) -> RedisCall {
        loop.preconditionOnLoop()
        let call = RedisCall([command], deadline: deadline)
        call.wait(.one(completion))
        if command.isShareable {
            submit(call)
        } else {
            call.answer(.failure(.commandRefused))
        }
        return call
    }

    /// Sends commands in a row, with no other caller's between them, and waits for all replies. On
    /// the loop. With `MULTI` first and `EXEC` last they are one transaction.
    ///
    /// - Returns: One reply a command; error replies are values.
    package func pipeline(
        _ commands: [RedisCommand], deadline: Deadline
    ) async throws(RedisError) -> [RedisReply] {
        loop.preconditionOnLoop()
        guard RedisCommand.areShareable(commands) else { throw .commandRefused }
        if commands.isEmpty { return [] }
        return try await outcome(of: RedisCall(commands, deadline: deadline)).get()
    }

    /// ``pipeline(_:deadline:)`` without a task; see ``command(_:deadline:completion:)``.
    @discardableResult
    package func pipeline(
        _ commands: [RedisCommand], deadline: Deadline,
        completion: @escaping @Sendable (Result<[RedisReply], RedisError>) -> Void
    ) -> RedisCall {
        loop.preconditionOnLoop()
        let call = RedisCall(commands, deadline: deadline)
        call.wait(.all(completion))
        if !RedisCommand.areShareable(commands) {
            call.answer(.failure(.commandRefused))
        } else if commands.isEmpty {
            call.answer(.success([]))
        } else {
            submit(call)
        }
        return call
    }

    /// Whether the server answers. On the loop.
    package func ping(deadline: Deadline) async throws(RedisError) {
        _ = try await command(["PING"], deadline: deadline)
    }

    /// Whether a connection is open and logged in.
    package var isConnected: Bool { session?.state == .ready }

    /// Why the last attempt to connect failed; nil while connected.
    package var lastConnectFailure: RedisConnectFailure? { session?.lastFailure }

    /// Calls waiting and in flight.
    package var pendingCount: Int { queue.count + inFlight.count }

    /// Fails what is pending and closes the connection for good. On the loop.
    package func close() {
        loop.preconditionOnLoop()
        isClosed = true
        wakeTimer?.cancel()
        session?.close()
        failQueue(.cancelled(mayHaveBeenApplied: false))
        failInFlight(.cancelled(mayHaveBeenApplied: true))
    }

    // MARK: Calls

    /// Submits a call of a task and waits; cancelling the task cancels it.
    func outcome(of call: RedisCall) async -> RedisOutcome {
        if Task.isCancelled { return .failure(.cancelled(mayHaveBeenApplied: false)) }
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { caller in
                call.wait(.task(caller))
                submit(call)
            }
        } onCancel: {
            loop.submit { call.cancel() }
        }
    }

    func submit(_ call: RedisCall) {
        if let refusal = refusal(of: call) { return call.answer(.failure(refusal)) }
        queue.append(call)
        queuedByteCount += call.byteCount
        wake(at: call.deadline.nanoseconds)
        session?.want()
        sendQueued()
    }

    private func refusal(of call: RedisCall) -> RedisError? {
        guard let session, !isClosed else { return .cancelled(mayHaveBeenApplied: false) }
        for command in call.commands
        where command.words.count > configuration.commandByteCountMax { return .commandTooLarge }
        if call.deadline.hasPassed { return .timedOut(mayHaveBeenApplied: false) }
        if session.state == .waiting { return session.failure }
        if queue.count >= configuration.queueMax { removeAnswered() }
        if queue.count >= configuration.queueMax
            || queuedByteCount + call.byteCount > configuration.queueByteCountMax
        {
            return .overloaded
        }
        return nil
    }

    private func sendQueued() {
        guard let session, session.state == .ready else { return }
        while inFlight.count < configuration.inFlightMax,
            session.outputByteCount < RedisClient.outputByteCountMax, let call = queue.popFirst()
        {
            queuedByteCount -= call.byteCount
            if !call.isAnswered { send(call, session) }
        }
    }

    private func send(_ call: RedisCall, _ session: RedisSession) {
        let now = monotonicNanoseconds()
        for command in call.commands {
            guard session.send(command) else {
                return call.answer(.failure(.connectionLost(mayHaveBeenApplied: false)))
            }
            inFlight.append(call)
        }
        call.sent(at: now)
        wake(at: now &+ configuration.stallTimeout.wholeNanoseconds)
    }

    private func failQueue(_ error: RedisError) {
        queuedByteCount = 0
        var failing = RedisCallQueue()
        swap(&failing, &queue)
        while let call = failing.popFirst() { call.answer(.failure(error)) }
    }

    private func failInFlight(_ error: RedisError) {
        var failing = RedisCallQueue()
        swap(&failing, &inFlight)
        while let call = failing.popFirst() { call.answer(.failure(error)) }
    }

    private func removeAnswered() {
        queue.removeAnswered()
        queuedByteCount = 0
        queue.forEach { queuedByteCount += $0.byteCount }
    }

    // MARK: Time

    private func wake(at nanoseconds: UInt64) {
        guard nanoseconds < wakeAt, !isClosed else { return }
        wakeAt = nanoseconds
        wakeTimer?.cancel()
        let delay = Deadline(nanoseconds: nanoseconds).remaining
        wakeTimer = loop.schedule(after: delay) { [weak self] in self?.woke() }
    }

    /// Answers calls whose deadline has passed and closes a connection that owes replies too long.
    private func woke() {
        wakeTimer = nil
        wakeAt = .max
        let now = monotonicNanoseconds()
        var next = UInt64.max
        var late: [RedisCall] = []
        let visit = { (call: RedisCall) in
            if call.isAnswered { return }
            if call.deadline.nanoseconds <= now {
                late.append(call)
            } else {
                next = min(next, call.deadline.nanoseconds)
            }
        }
        queue.forEach(visit)
        inFlight.forEach(visit)
        for call in late { call.answer(.failure(.timedOut(mayHaveBeenApplied: call.wasSent))) }
        removeAnswered()
        if let oldest = inFlight.first {
            let stalledAt = oldest.sentAt &+ configuration.stallTimeout.wholeNanoseconds
            if stalledAt <= now {
                session?.disconnect()
            } else {
                next = min(next, stalledAt)
            }
        }
        if next != .max { wake(at: next) }
    }
}

extension RedisClient: RedisSessionOwner {
    func sessionOpened() { sendQueued() }

    func sessionReceived(_ reply: RedisReply) -> Bool {
        guard let session, inFlight.count > session.unwrittenCommandCount,
            let call = inFlight.popFirst()
        else { return false }
        if call.receive(reply) { submit(call) }
        if !queue.isEmpty { sendQueued() }
        return true
    }

    func sessionLost() { failInFlight(.connectionLost(mayHaveBeenApplied: true)) }

    func sessionFailed(_ error: RedisError) { failQueue(error) }
}
