internal import CHiredis
internal import Glibc
internal import Runtime

/// What a connection tells its owner, on the loop.
protocol RedisConnectionOwner: AnyObject {
    func connectionOpened(_ connection: RedisConnection)
    /// Replies come in the order of the commands.
    func connection(_ connection: RedisConnection, received reply: RedisReply)
    /// Told exactly once, also when it never opened. Nothing follows.
    func connectionClosed(_ connection: RedisConnection)
}

/// One hiredis context whose socket the loop watches. Nothing here blocks.
///
/// Knows commands and replies as they pass; who waits for which reply is the owner's business, so
/// that a subscriber can own one as well as a client. (hiredis' asynchronous layer ends the process
/// when a reply comes that nobody waits for.)
final class RedisConnection: Flushable, @unchecked Sendable {
    /// A numeric address or a path: names were resolved before.
    enum Target: Sendable {
        case tcp(address: String, port: Int)
        case unix(path: String)
    }

    /// TLS, and the name that the server must prove to have.
    struct Security: Sendable {
        let tls: RedisTLS
        let host: String
    }

    /// Each can also go to closed.
    private enum State {
        /// Can go to connecting.
        case idle
        /// Can go to handshaking, open.
        case connecting
        /// Can go to open.
        case handshaking
        case open
        case closed
    }

    /// What `redisBufferRead` reads at once.
    private static let readByteCount = 16 << 10
    /// Reads or writes in one turn before others get theirs.
    private static let roundsMax = 16

    private let loop: EventLoop
    private let limits: RedisReplyLimits
    private let security: Security?
    private weak var owner: (any RedisConnectionOwner)?
    private var state = State.idle
    private var context: UnsafeMutablePointer<redisContext>?
    private var budget: UnsafeMutablePointer<RedisReplyBudget>?
    private var watcher: FileDescriptorWatcher?
    private var tls: RedisTLSSession?
    private var isTCP = false
    private var isDirty = false
    /// Commands taken since the last write: no reply can be theirs yet.
    private(set) var unwrittenCommandCount = 0
    /// Why it closed before it had opened.
    private(set) var failure = RedisConnectFailure.noConnection

    init(
        loop: EventLoop, owner: any RedisConnectionOwner, limits: RedisReplyLimits = .init(),
        security: Security? = nil
    ) {
        self.loop = loop
        self.owner = owner
        self.limits = limits
        self.security = security
    }

    /// Begins to connect; called once.
    ///
    /// - Returns: False when that failed at once. The owner is told nothing then.
    func start(_ target: Target) -> Bool {
        loop.preconditionOnLoop()
        let made: UnsafeMutablePointer<redisContext>?
        switch target {
        case .tcp(let address, let port):
            isTCP = true
            made = redisConnectNonBlock(address, CInt(port))
        case .unix(let path):
            made = redisConnectUnixNonBlock(path)
        }
        guard let made else { return false }
        if made.pointee.err != 0 {
            redisFree(made)
            return false
        }
        context = made
        budget = RedisReplyBudget.attach(to: made.pointee.reader, limits)
        state = .connecting
        let watcher = FileDescriptorWatcher(loop: loop, fileDescriptor: made.pointee.fd) {
            [weak self] in self?.happened($0)
        }
        self.watcher = watcher
        watcher.watch(.writable)
        return true
    }

    /// Bytes taken and not written to the socket yet.
    var outputByteCount: Int { context.map { sdslen($0.pointee.obuf) } ?? 0 }

    /// Takes a command for sending at the end of the turn.
    ///
    /// - Returns: False when the connection is not open: nothing was taken.
    func send(_ command: RedisCommand) -> Bool {
        guard let context, state == .open, append(command.header, context),
            append(command.words, context)
        else { return false }
        unwrittenCommandCount += 1
        if !isDirty {
            isDirty = true
            loop.flushSoon(self)
        }
        return true
    }

    private func append(
        _ bytes: [UInt8], _ context: UnsafeMutablePointer<redisContext>
    ) -> Bool {
        bytes.withUnsafeBytes {
            redisAppendFormattedCommand(
                context, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
        } == REDIS_OK
    }

    /// Closes now; what was not answered never will be. Idempotent.
    func close() {
        guard let context else { return }
        state = .closed
        self.context = nil
        // Before the descriptor goes: its number may be given to another socket at once.
        watcher?.close()
        watcher = nil
        // With what it holds, the session of TLS among it.
        redisFree(context)
        tls = nil
        budget?.deallocate()
        budget = nil
        owner?.connectionClosed(self)
    }

    func flush() {
        isDirty = false
        if state == .open { write() }
    }

    // MARK: Events

    private func happened(_ events: FileDescriptorWatcher.Events) {
        switch state {
        case .idle, .closed: break
        case .connecting: connected()
        case .handshaking: shakeHands()
        case .open:
            if events.contains(.readable) { read() }
            if events.contains(.writable), state == .open { write() }
        }
    }

    private func connected() {
        guard let context else { return }
        let descriptor = context.pointee.fd
        var failure: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        let status = getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &length)
        guard status == 0, failure == 0 else { return close() }
        if isTCP {
            var isOn: CInt = 1
            setsockopt(
                descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &isOn,
                socklen_t(MemoryLayout<CInt>.size))
            redisEnableKeepAlive(context)
        }
        if let security { secure(context, security) } else { opened() }
    }

    private func secure(
        _ context: UnsafeMutablePointer<redisContext>, _ security: Security
    ) {
        failure = .handshakeFailed
        state = .handshaking
        guard let session = security.tls.makeSession(host: security.host) else { return close() }
        // This takes the first steps, on a busy machine even the last.
        guard redisInitiateSSL(context, session.session) == REDIS_OK else {
            if session.isCertificateRefused { failure = .certificateRefused }
            session.free()
            return close()
        }
        tls = session
        shakeHands()
    }

    private func shakeHands() {
        guard let tls else { return close() }
        switch tls.shakeHands() {
        case .done: opened()
        case .wantsRead: watcher?.watch(.readable)
        case .wantsWrite: watcher?.watch(.writable)
        case .failed:
            if tls.isCertificateRefused { failure = .certificateRefused }
            close()
        }
    }

    private func opened() {
        state = .open
        watcher?.watch(.readable)
        owner?.connectionOpened(self)
    }

    private func write() {
        unwrittenCommandCount = 0
        var isDone: CInt = 0
        var rounds = 0
        while let context, isDone == 0, rounds < RedisConnection.roundsMax {
            let before = outputByteCount
            if tls != nil { RedisTLSSession.forgetErrors() }
            guard redisBufferWrite(context, &isDone) == REDIS_OK else { return close() }
            if isDone == 0 && outputByteCount == before { break }
            rounds += 1
        }
        watcher?.watch(isDone == 0 ? [.readable, .writable] : .readable)
    }

    private func read() {
        var rounds = 0
        while let context {
            let before = context.pointee.reader.pointee.len
            if tls != nil { RedisTLSSession.forgetErrors() }
            guard redisBufferRead(context) == REDIS_OK else { return close() }
            let byteCount = context.pointee.reader.pointee.len - before
            deliver()
            rounds += 1
            // What TLS has decrypted the socket does not tell of again; it is one record at most.
            if tls?.hasPendingBytes == true { continue }
            // A record may be shorter than the buffer while more are in the socket.
            let isFull = byteCount == RedisConnection.readByteCount || tls != nil && byteCount > 0
            if !isFull || rounds >= RedisConnection.roundsMax { return }
        }
    }

    /// Hands over every whole reply. The owner may close the connection meanwhile.
    private func deliver() {
        while let context {
            var object: UnsafeMutableRawPointer?
            guard redisGetReplyFromReader(context, &object) == REDIS_OK else { return close() }
            guard let object else {
                let reader = context.pointee.reader.pointee
                if reader.len - reader.pos > limits.byteCountMax { close() }
                return
            }
            budget?.pointee.byteCount = 0
            let reply = RedisReply(object.assumingMemoryBound(to: redisReply.self).pointee)
            freeReplyObject(object)
            owner?.connection(self, received: reply)
        }
    }
}
