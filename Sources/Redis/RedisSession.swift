internal import Runtime

/// What a session tells its owner, on the loop.
protocol RedisSessionOwner: AnyObject {
    /// Logged in: commands can be sent.
    func sessionOpened()
    /// - Returns: False if nobody waits for such a reply: the connection is closed.
    func sessionReceived(_ reply: RedisReply) -> Bool
    /// The connection broke after it had opened. It is opened again without being asked.
    func sessionLost()
    /// An attempt to open it failed. The next one follows after a while.
    func sessionFailed(_ error: RedisError)
}

/// Keeps one connection open and logged in, and opens it again.
///
/// Belongs to its loop. The process ignores SIGPIPE: hiredis writes without `MSG_NOSIGNAL`.
final class RedisSession: @unchecked Sendable {
    private let loop: EventLoop
    private let configuration: RedisConfiguration
    private weak var owner: (any RedisSessionOwner)?

    private var link: RedisLink
    private var connection: RedisConnection?
    /// Numeric addresses of the host still to try in this attempt.
    private var addressesLeft: [String] = []
    private var attemptCount = 0
    private var attemptTimer: LoopTimer?
    private var loginRepliesLeft = 0
    /// Whether the connection has answered anything but the login.
    private var wasUseful = false
    /// Why the last attempt failed, for callers.
    private(set) var failure = RedisError.unreachable
    /// Why the last attempt failed, for the operator; nil while connected.
    private(set) var lastFailure: RedisConnectFailure?
    private let security: RedisConnection.Security?

    init(loop: EventLoop, configuration: RedisConfiguration, owner: any RedisSessionOwner) {
        ignorePipeSignals()
        self.loop = loop
        self.configuration = configuration
        self.owner = owner
        link = RedisLink(configuration.backoff)
        security = configuration.security
    }

    var state: RedisLink.State { link.state }

    /// Bytes taken and not written to the socket yet.
    var outputByteCount: Int { connection?.outputByteCount ?? 0 }

    /// Commands taken since the last write: no reply can be theirs yet.
    var unwrittenCommandCount: Int { connection?.unwrittenCommandCount ?? 0 }

    /// Opens a connection if there was never one.
    func want() { perform(link.want()) }

    /// Takes a command for sending at the end of the turn.
    ///
    /// - Returns: False when there is no open session: nothing was taken.
    func send(_ command: RedisCommand) -> Bool {
        guard link.state == .ready, let connection else { return false }
        return connection.send(command)
    }

    /// Gives the connection up, as if it had broken.
    func disconnect() { connection?.close() }

    /// Closes for good; the owner is told nothing more.
    func close() {
        link.close()
        attemptTimer?.cancel()
        let old = connection
        connection = nil
        old?.close()
    }

    // MARK: Attempts

    private func perform(_ action: RedisLink.Action) {
        switch action {
        case .none: break
        case .connect: beginAttempt()
        case .retry(let delay):
            attemptTimer?.cancel()
            attemptTimer = loop.schedule(after: delay) { [weak self] in
                guard let self else { return }
                perform(link.retry())
            }
            owner?.sessionFailed(failure)
        }
    }

    private func beginAttempt() {
        failure = .unreachable
        wasUseful = false
        attemptCount += 1
        attemptTimer?.cancel()
        attemptTimer = loop.schedule(after: configuration.connectTimeout) { [weak self] in
            self?.endAttempt(.timedOut)
        }
        switch configuration.address.endpoint {
        case .unix(let path):
            addressesLeft = []
            connect(.unix(path: path))
        case .tcp(let host, _):
            let attempt = attemptCount
            HostResolver.resolve(host, on: loop) { [weak self] addresses in
                guard let self, attempt == attemptCount, link.state == .connecting else { return }
                addressesLeft = addresses
                connectNext(after: .unknownHost)
            }
        }
    }

    /// Goes on with the next address; with none left the attempt has failed.
    private func connectNext(after failure: RedisConnectFailure) {
        guard case .tcp(_, let port) = configuration.address.endpoint, !addressesLeft.isEmpty else {
            return endAttempt(failure)
        }
        connect(.tcp(address: addressesLeft.removeFirst(), port: port))
    }

    private func connect(_ target: RedisConnection.Target) {
        // Never in the clear what was to be protected.
        if configuration.address.usesTLS && security == nil { return endAttempt(.handshakeFailed) }
        let connection = RedisConnection(
            loop: loop, owner: self, limits: configuration.replies, security: security)
        self.connection = connection
        if connection.start(target) { return }
        self.connection = nil
        connectNext(after: .noConnection)
    }

    /// The attempt as a whole failed or took too long.
    private func endAttempt(_ cause: RedisConnectFailure) {
        guard link.state == .connecting else { return }
        if cause != lastFailure { Log.warning("no connection to Redis", ("cause", "\(cause)")) }
        lastFailure = cause
        attemptTimer?.cancel()
        attemptCount += 1
        addressesLeft = []
        loginRepliesLeft = 0
        let old = connection
        connection = nil
        old?.close()
        perform(link.lost(random: Double.random(in: 0..<1), wasUseful: false))
    }

    /// Takes a reply to the login; all must be statuses.
    private func receiveLogin(_ reply: RedisReply) {
        loginRepliesLeft -= 1
        switch reply {
        case .status: break
        case .error(let code):
            if loginRefusals.contains(code) { failure = .unauthorized }
            return endAttempt(.loginRefused(code: code))
        default: return endAttempt(.brokenOff)
        }
        guard loginRepliesLeft == 0 else { return }
        attemptTimer?.cancel()
        lastFailure = nil
        link.opened()
        owner?.sessionOpened()
    }
}

extension RedisSession: RedisConnectionOwner {
    func connectionOpened(_ connection: RedisConnection) {
        guard connection === self.connection else { return }
        // The wait is bounded by the timer of the attempt.
        let commands = configuration.address.login
        loginRepliesLeft = commands.count
        for command in commands { _ = connection.send(command) }
    }

    func connection(_ connection: RedisConnection, received reply: RedisReply) {
        guard connection === self.connection else { return }
        guard link.state == .ready else { return receiveLogin(reply) }
        if owner?.sessionReceived(reply) == true {
            wasUseful = true
        } else {
            connection.close()
        }
    }

    func connectionClosed(_ connection: RedisConnection) {
        guard connection === self.connection else { return }
        self.connection = nil
        guard link.state == .ready else {
            // A login that broke off says that this address is the right one.
            if loginRepliesLeft > 0 { return endAttempt(.brokenOff) }
            return connectNext(after: connection.failure)
        }
        let action = link.lost(random: Double.random(in: 0..<1), wasUseful: wasUseful)
        owner?.sessionLost()
        perform(action)
    }
}

/// Error replies to a login that waiting does not cure.
private let loginRefusals: Set<String> = ["NOAUTH", "NOPERM", "WRONGPASS", "ERR"]

extension RedisConfiguration {
    fileprivate var security: RedisConnection.Security? {
        guard address.usesTLS, case .tcp(let host, _) = address.endpoint,
            let tls = tls ?? (try? RedisTLS())
        else { return nil }
        return RedisConnection.Security(tls: tls, host: host)
    }
}

extension RedisAddress {
    /// The commands that open a session; the last one shows that the server serves.
    fileprivate var login: [RedisCommand] {
        var commands: [RedisCommand] = []
        if let password {
            commands.append(RedisCommand(user.map { ["AUTH", $0, password] } ?? ["AUTH", password]))
        }
        if database != 0 { commands.append(["SELECT", database.description]) }
        commands.append(["PING"])
        return commands
    }
}
