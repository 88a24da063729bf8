internal import CPostgres
internal import Runtime

/// A connected libpq connection and the watcher of its socket.
final class Session {
    /// Reads of a broken socket; each takes what fits into libpq's buffer.
    private static let lastReadCountMax = 64

    let raw: OpaquePointer
    let connectedAt = monotonicNanoseconds()
    private let loop: EventLoop
    private var watcher: FileDescriptorWatcher?
    /// Whether ``flush()`` left something, so that an event will tell when there is room.
    private(set) var isWriteWatched = false
    private(set) var isClosed = false

    init(loop: EventLoop, raw: OpaquePointer) {
        self.loop = loop
        self.raw = raw
    }

    enum Event {
        /// Something arrived, and was read into libpq's buffer.
        case received
        /// What ``flush()`` had left was sent on; there may be room for more.
        case flushed
        /// The connection is lost; what came before can be taken from libpq still.
        case lost
    }

    /// Calls `happened` on the loop for what happens on the socket. It may close the session.
    func watch(_ happened: @escaping (Event) -> Void) {
        watcher?.close()
        let next = FileDescriptorWatcher(loop: loop, fileDescriptor: PQsocket(raw)) {
            [self] events in
            socketIsReady(events, happened)
        }
        next.watch(.readable)
        watcher = next
    }

    private func socketIsReady(
        _ events: FileDescriptorWatcher.Events, _ happened: (Event) -> Void
    ) {
        if events.contains(.writable) {
            if !isWriteWatched { return drainBroken(happened) }
            guard flush() else { return happened(.lost) }
            happened(.flushed)
        }
        guard !isClosed, events.contains(.readable) else { return }
        happened(read() ? .received : .lost)
    }

    /// An event that was not asked for is an error of the socket, which libuv reports once and then
    /// stops watching, although the last words of the server may be waiting to be read.
    private func drainBroken(_ happened: (Event) -> Void) {
        for _ in 0..<Session.lastReadCountMax where !read() { break }
        happened(.lost)
    }

    /// Sends what libpq has buffered, as far as the socket takes it. False: the connection is lost.
    func flush() -> Bool {
        switch PQflush(raw) {
        case 0: isWriteWatched = false
        case 1: isWriteWatched = true
        default: return false
        }
        watcher?.watch(isWriteWatched ? [.readable, .writable] : .readable)
        return true
    }

    /// Reads what has arrived. False: the connection is lost; what came before can be taken still.
    func read() -> Bool { PQconsumeInput(raw) == 1 }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        watcher?.close()
        watcher = nil
        PQfinish(raw)
    }

    deinit { precondition(isClosed, "a session was dropped without being closed") }
}
