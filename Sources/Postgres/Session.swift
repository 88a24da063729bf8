internal import CPostgres
internal import Runtime

/// A connected libpq connection and the watcher of its socket.
final class Session {
    let raw: OpaquePointer
    let connectedAt = monotonicNanoseconds()
    private let loop: EventLoop
    private var watcher: FileDescriptorWatcher?
    private(set) var isClosed = false

    init(loop: EventLoop, raw: OpaquePointer) {
        self.loop = loop
        self.raw = raw
    }

    /// Calls `happened` on the loop when the socket can be read, and after ``flush()`` left
    /// something unsent, when it can be written.
    func watch(_ happened: @escaping (FileDescriptorWatcher.Events) -> Void) {
        watcher?.close()
        let next = FileDescriptorWatcher(
            loop: loop, fileDescriptor: PQsocket(raw), happened: happened)
        next.watch(.readable)
        watcher = next
    }

    /// Sends what libpq has buffered, as far as the socket takes it. False: the connection is lost.
    func flush() -> Bool {
        switch PQflush(raw) {
        case 0: watcher?.watch(.readable)
        case 1: watcher?.watch([.readable, .writable])
        default: return false
        }
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
