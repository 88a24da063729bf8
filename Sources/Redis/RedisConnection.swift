internal import CHiredis
internal import Runtime

/// What a connection tells its owner, on the loop.
protocol RedisConnectionOwner: AnyObject {
    func connectionOpened(_ connection: RedisConnection)
    /// Replies come in the order of the commands.
    func connection(_ connection: RedisConnection, received reply: RedisReply)
    /// Told exactly once, also when it never opened. Nothing follows.
    func connectionClosed(_ connection: RedisConnection)
}

/// One hiredis context whose socket the loop watches.
///
/// Knows commands and replies as they pass; who waits for which reply is the owner's business, so
/// that a subscriber can own one as well as a client.
final class RedisConnection: Flushable, @unchecked Sendable {
    /// A numeric address or a path: names were resolved before.
    enum Target: Sendable {
        case tcp(address: String, port: Int)
        case unix(path: String)
    }

    private let loop: EventLoop
    private weak var owner: (any RedisConnectionOwner)?
    private var context: UnsafeMutablePointer<redisAsyncContext>?
    private var watcher: FileDescriptorWatcher?
    private var wanted: FileDescriptorWatcher.Events = []
    private var isOpen = false
    private var isDirty = false
    private var isFlushing = false
    private var isClosing = false

    init(loop: EventLoop, owner: any RedisConnectionOwner) {
        self.loop = loop
        self.owner = owner
    }

    /// Begins to connect; called once.
    ///
    /// - Returns: False when that failed at once. The owner is told nothing then.
    func start(_ target: Target) -> Bool {
        loop.preconditionOnLoop()
        let made =
            switch target {
            case .tcp(let address, let port): redisAsyncConnect(address, CInt(port))
            case .unix(let path): redisAsyncConnectUnix(path)
            }
        guard let made else { return false }
        if made.pointee.err != 0 {
            redisAsyncFree(made)
            return false
        }
        context = made
        // Given back by the cleanup hook, hiredis' last word about a context.
        let myself = Unmanaged.passRetained(self).toOpaque()
        made.pointee.data = myself
        made.pointee.ev.data = myself
        made.pointee.ev.addRead = onAddRead
        made.pointee.ev.delRead = onDeleteRead
        made.pointee.ev.addWrite = onAddWrite
        made.pointee.ev.delWrite = onDeleteWrite
        made.pointee.ev.cleanup = onCleanup
        watcher = FileDescriptorWatcher(loop: loop, fileDescriptor: made.pointee.c.fd) {
            [weak self] in self?.happened($0)
        }
        redisAsyncSetConnectCallback(made, onConnect)
        return true
    }

    /// Takes a command for sending at the end of the turn.
    ///
    /// - Returns: False when the connection is closing: nothing was taken.
    func send(_ command: [UInt8]) -> Bool {
        guard let context, !isClosing else { return false }
        let status = command.withUnsafeBytes { bytes in
            redisAsyncFormattedCommand(
                context, onReply, nil, bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                bytes.count)
        }
        return status == REDIS_OK
    }

    /// Closes now; what was not answered never will be. Idempotent.
    func close() {
        guard let context, !isClosing else { return }
        isClosing = true
        redisAsyncFree(context)
    }

    func flush() {
        isDirty = false
        guard let context else { return }
        isFlushing = true
        redisAsyncHandleWrite(context)
        isFlushing = false
    }

    private func happened(_ events: FileDescriptorWatcher.Events) {
        if events.contains(.readable), let context { redisAsyncHandleRead(context) }
        if events.contains(.writable), let context { redisAsyncHandleWrite(context) }
    }

    // MARK: From hiredis

    fileprivate func want(_ events: FileDescriptorWatcher.Events) {
        // While it is open, writing waits for the end of the turn; the socket is only watched when
        // it did not take everything.
        if events == .writable && isOpen && !isFlushing {
            if !isDirty { loop.flushSoon(self) }
            isDirty = true
            return
        }
        wanted.formUnion(events)
        watcher?.watch(wanted)
    }

    fileprivate func unwant(_ events: FileDescriptorWatcher.Events) {
        wanted.subtract(events)
        watcher?.watch(wanted)
    }

    fileprivate func connected(_ status: CInt) {
        guard status == REDIS_OK, let context else { return }
        redisEnableKeepAlive(&context.pointee.c)
        isOpen = true
        owner?.connectionOpened(self)
    }

    fileprivate func received(_ reply: redisReply) {
        if !isClosing { owner?.connection(self, received: RedisReply(reply)) }
    }

    fileprivate func cleanUp() {
        isClosing = true
        watcher?.close()
        watcher = nil
        context = nil
        owner?.connectionClosed(self)
    }
}

private func connection(_ context: UnsafeMutableRawPointer?) -> RedisConnection? {
    context.map { Unmanaged<RedisConnection>.fromOpaque($0).takeUnretainedValue() }
}

private func onAddRead(_ context: UnsafeMutableRawPointer?) { connection(context)?.want(.readable) }

private func onDeleteRead(_ context: UnsafeMutableRawPointer?) {
    connection(context)?.unwant(.readable)
}

private func onAddWrite(_ context: UnsafeMutableRawPointer?) {
    connection(context)?.want(.writable)
}

private func onDeleteWrite(_ context: UnsafeMutableRawPointer?) {
    connection(context)?.unwant(.writable)
}

private func onCleanup(_ context: UnsafeMutableRawPointer?) {
    guard let context else { return }
    Unmanaged<RedisConnection>.fromOpaque(context).takeRetainedValue().cleanUp()
}

private func onConnect(_ context: UnsafePointer<redisAsyncContext>?, _ status: CInt) {
    connection(context?.pointee.data)?.connected(status)
}

/// No reply means that the context is going away; the cleanup hook follows.
private func onReply(
    _ context: UnsafeMutablePointer<redisAsyncContext>?, _ reply: UnsafeMutableRawPointer?,
    _ command: UnsafeMutableRawPointer?
) {
    guard let reply else { return }
    connection(context?.pointee.data)?
        .received(reply.assumingMemoryBound(to: redisReply.self).pointee)
}
