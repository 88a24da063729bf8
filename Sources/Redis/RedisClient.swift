package import Runtime

/// A pipelined client with one connection, which it keeps open and opens again.
///
/// Belongs to its loop. Commands of all callers share the connection and are answered in order. A
/// command is sent at most once: when the connection breaks, what was in flight fails and says that
/// it may have been applied. While there is no connection after a failure, commands fail at once.
package final class RedisClient: @unchecked Sendable {
    package let loop: EventLoop
    let configuration: RedisConfiguration

    private var link: RedisLink
    private var connection: RedisConnection?
    /// Numeric addresses of the host still to try in this attempt.
    private var addressesLeft: [String] = []
    private var attemptTimer: LoopTimer?
    /// Why the last attempt failed.
    private var failure = RedisError.unreachable
    private var isLoggingIn = false

    private var queue = RedisCallQueue()
    private var inFlight = RedisCallQueue()
    private var inFlightCommandCount = 0
    private var wakeTimer: LoopTimer?
    private var wakeAt = UInt64.max

    package init(loop: EventLoop, configuration: RedisConfiguration) {
        self.loop = loop
        self.configuration = configuration
        link = RedisLink(configuration.backoff)
    }

    /// Sends one command and waits for its reply. On the loop.
    ///
    /// - Throws: ``RedisError/rejected(code:)`` for an error reply.
    package func command(
        _ command: RedisCommand, deadline: Deadline
    ) async throws(RedisError) -> RedisReply {
        let replies = try await pipeline([command], deadline: deadline)
        if case .error(let code) = replies[0] { throw .rejected(code: code) }
        return replies[0]
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
        let encoded = commands.map(\.encoded)
        if encoded.contains(where: { $0.count > configuration.commandByteCountMax }) {
            throw .commandTooLarge
        }
        if Task.isCancelled { throw .cancelled(mayHaveBeenApplied: false) }
        if deadline.hasPassed { throw .timedOut(mayHaveBeenApplied: false) }
        let call = RedisCall(encoded, deadline: deadline)
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { caller in
                call.wait(caller)
                submit(call)
            }
        } onCancel: {
            loop.submit {
                // A reply on its way still comes, in its place; nobody waits for it.
                call.answer(.failure(.cancelled(mayHaveBeenApplied: call.wasSent)))
            }
        }
        return try outcome.get()
    }

    /// Whether the server answers. On the loop.
    package func ping(deadline: Deadline) async throws(RedisError) {
        _ = try await command(["PING"], deadline: deadline)
    }

    /// Whether a connection is open and logged in.
    package var isConnected: Bool { link.state == .ready }

    /// Calls waiting and in flight.
    package var pendingCount: Int { queue.count + inFlight.count }

    /// Fails what is pending and closes the connection for good. On the loop.
    package func close() {
        loop.preconditionOnLoop()
        link.close()
        attemptTimer?.cancel()
        wakeTimer?.cancel()
        failQueue(.cancelled(mayHaveBeenApplied: false))
        let old = connection
        connection = nil
        old?.close()
        failInFlight { .cancelled(mayHaveBeenApplied: $0) }
    }

    // MARK: Calls

    private func submit(_ call: RedisCall) {
        switch link.state {
        case .closed: return call.answer(.failure(.cancelled(mayHaveBeenApplied: false)))
        case .waiting: return call.answer(.failure(failure))
        case .idle, .connecting, .ready: break
        }
        if queue.count >= configuration.queueMax {
            queue.removeAnswered()
            if queue.count >= configuration.queueMax { return call.answer(.failure(.overloaded)) }
        }
        queue.append(call)
        wake(at: call.deadline.nanoseconds)
        perform(link.want())
        sendQueued()
    }

    private func sendQueued() {
        guard link.state == .ready, let connection else { return }
        while inFlightCommandCount < configuration.inFlightMax, let call = queue.popFirst() {
            if !call.isAnswered { send(call, on: connection) }
        }
    }

    private func send(_ call: RedisCall, on connection: RedisConnection) {
        call.sentAt = monotonicNanoseconds()
        for command in call.commands {
            guard connection.send(command) else {
                return call.answer(.failure(.connectionLost(mayHaveBeenApplied: false)))
            }
            inFlight.append(call)
            inFlightCommandCount += 1
        }
        wake(at: call.sentAt &+ configuration.stallTimeout.wholeNanoseconds)
    }

    private func failQueue(_ error: RedisError) {
        while let call = queue.popFirst() { call.answer(.failure(error)) }
    }

    private func failInFlight(_ error: (_ mayHaveBeenApplied: Bool) -> RedisError) {
        inFlightCommandCount = 0
        while let call = inFlight.popFirst() { call.answer(.failure(error(true))) }
    }

    // MARK: Time

    private func wake(at nanoseconds: UInt64) {
        guard nanoseconds < wakeAt else { return }
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
        let visit = { (call: RedisCall) in
            if call.isAnswered { return }
            if call.deadline.nanoseconds <= now {
                call.answer(.failure(.timedOut(mayHaveBeenApplied: call.wasSent)))
            } else {
                next = min(next, call.deadline.nanoseconds)
            }
        }
        queue.forEach(visit)
        inFlight.forEach(visit)
        queue.removeAnswered()
        if let oldest = inFlight.first {
            let stalledAt = oldest.sentAt &+ configuration.stallTimeout.wholeNanoseconds
            if stalledAt <= now {
                connection?.close()
            } else {
                next = min(next, stalledAt)
            }
        }
        if next != .max { wake(at: next) }
    }

    // MARK: Connecting

    private func perform(_ action: RedisLink.Action) {
        switch action {
        case .none: break
        case .connect: beginAttempt()
        case .retry(let delay):
            failQueue(failure)
            attemptTimer = loop.schedule(after: delay) { [weak self] in
                guard let self else { return }
                perform(link.retry())
            }
        }
    }

    private func beginAttempt() {
        failure = .unreachable
        attemptTimer?.cancel()
        attemptTimer = loop.schedule(after: configuration.connectTimeout) { [weak self] in
            self?.endAttempt()
        }
        switch configuration.address.endpoint {
        case .unix(let path):
            addressesLeft = []
            connect(.unix(path: path))
        case .tcp(let host, _):
            HostResolver.resolve(host, on: loop) { [weak self] addresses in
                guard let self, link.state == .connecting, connection == nil else { return }
                addressesLeft = addresses
                connectNext()
            }
        }
    }

    private func connectNext() {
        guard case .tcp(_, let port) = configuration.address.endpoint, !addressesLeft.isEmpty else {
            return endAttempt()
        }
        connect(.tcp(address: addressesLeft.removeFirst(), port: port))
    }

    private func connect(_ target: RedisConnection.Target) {
        let connection = RedisConnection(loop: loop, owner: self)
        self.connection = connection
        if connection.start(target) { return }
        self.connection = nil
        connectNext()
    }

    /// The attempt as a whole failed or took too long.
    private func endAttempt() {
        guard link.state == .connecting else { return }
        attemptTimer?.cancel()
        addressesLeft = []
        let old = connection
        connection = nil
        isLoggingIn = false
        old?.close()
        failInFlight { .connectionLost(mayHaveBeenApplied: $0) }
        perform(link.lost(random: Double.random(in: 0..<1)))
    }
}

extension RedisClient: RedisConnectionOwner {
    func connectionOpened(_ connection: RedisConnection) {
        guard connection === self.connection else { return }
        isLoggingIn = true
        // The wait is bounded by the timer of the attempt.
        let login = RedisCall(configuration.address.login, deadline: .after(.seconds(3_600)))
        loop.spawn { [self] in
            let outcome = await withUnsafeContinuation { caller in
                login.wait(caller)
                if connection === self.connection {
                    send(login, on: connection)
                } else {
                    login.answer(.failure(.unreachable))
                }
            }
            if connection === self.connection { loggedIn(outcome) }
        }
    }

    private func loggedIn(_ outcome: RedisOutcome) {
        isLoggingIn = false
        let replies = (try? outcome.get()) ?? [.error(code: "LOST")]
        for case .error(let code) in replies {
            failure = loginRefusals.contains(code) ? .unauthorized : .unreachable
            return endAttempt()
        }
        attemptTimer?.cancel()
        link.opened()
        sendQueued()
    }

    func connection(_ connection: RedisConnection, received reply: RedisReply) {
        guard connection === self.connection else { return }
        guard let call = inFlight.popFirst() else { return }
        inFlightCommandCount -= 1
        call.receive(reply)
        if !queue.isEmpty { sendQueued() }
    }

    func connectionClosed(_ connection: RedisConnection) {
        guard connection === self.connection else { return }
        self.connection = nil
        let hadOpened = isLoggingIn || link.state == .ready
        isLoggingIn = false
        failInFlight { .connectionLost(mayHaveBeenApplied: $0) }
        if !hadOpened && link.state == .connecting { return connectNext() }
        attemptTimer?.cancel()
        perform(link.lost(random: Double.random(in: 0..<1)))
    }
}

/// Error replies to a login that waiting does not cure.
private let loginRefusals: Set<String> = ["NOAUTH", "NOPERM", "WRONGPASS", "ERR"]

extension RedisAddress {
    /// The commands that open a session; the last one shows that the server serves.
    fileprivate var login: [[UInt8]] {
        var commands: [RedisCommand] = []
        if let password {
            commands.append(RedisCommand(user.map { ["AUTH", $0, password] } ?? ["AUTH", password]))
        }
        if database != 0 { commands.append(["SELECT", database.description]) }
        commands.append(["PING"])
        return commands.map(\.encoded)
    }
}
