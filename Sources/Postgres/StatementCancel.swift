internal import CPostgres
internal import Runtime

/// One cancel request, sent over a connection of its own without blocking.
final class StatementCancel {
    private let loop: EventLoop
    private var raw: OpaquePointer?
    private var watcher: FileDescriptorWatcher?
    private var finished: (() -> Void)?

    /// - Parameter finished: Called on the loop when the server has taken the request or it failed:
    ///   after that it cannot hit a later statement.
    init(loop: EventLoop, session: Session, finished: @escaping () -> Void) {
        self.loop = loop
        self.finished = finished
        raw = PQcancelCreate(session.raw)
    }

    func start() {
        guard let raw, PQcancelStart(raw) == 1 else { return finish() }
        watch(raw, .writable)
    }

    /// Gives up without calling `finished`; the connection must then be closed.
    func abandon() {
        finished = nil
        finish()
    }

    private func watch(_ raw: OpaquePointer, _ events: FileDescriptorWatcher.Events) {
        let next = FileDescriptorWatcher(loop: loop, fileDescriptor: PQcancelSocket(raw)) {
            [self] _ in
            advance()
        }
        watcher = next
        next.watch(events)
    }

    private func advance() {
        guard let raw else { return }
        watcher?.close()
        watcher = nil
        switch PQcancelPoll(raw) {
        case PGRES_POLLING_READING: watch(raw, .readable)
        case PGRES_POLLING_WRITING: watch(raw, .writable)
        default: finish()
        }
    }

    private func finish() {
        watcher?.close()
        watcher = nil
        if let raw = raw.take() { PQcancelFinish(raw) }
        finished.take()?()
    }
}
