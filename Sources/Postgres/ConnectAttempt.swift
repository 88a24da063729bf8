internal import CPostgres
internal import Runtime

/// One attempt to connect, without blocking the loop.
final class ConnectAttempt {
    typealias Completion = (Result<Session, ConnectFailure>) -> Void

    private let loop: EventLoop
    private var options: ConnectionOptions
    private var completion: Completion?
    private var connection: OpaquePointer?
    private var watcher: FileDescriptorWatcher?
    private var timer: LoopTimer?

    /// - Parameter completion: Called on the loop, exactly once unless ``abandon()`` comes first.
    init(
        loop: EventLoop, options: ConnectionOptions, timeout: Duration,
        completion: @escaping Completion
    ) {
        self.loop = loop
        self.options = options
        self.completion = completion
        timer = loop.schedule(after: timeout) { [self] in
            fail("no connection within \(timeout.inSeconds) s")
        }
    }

    func start() {
        let names = options.hostNames
        if names.isEmpty { return connect() }
        HostLookups(loop: loop, names: names) { [self] addresses in
            guard completion != nil else { return }
            if addresses.allSatisfy(\.isEmpty), names.allSatisfy(ConnectionOptions.isName) {
                return fail("the host name \(names.joined(separator: ",")) has no address")
            }
            options.setAddresses(addresses)
            connect()
        }.start()
    }

    /// Gives up without calling the completion.
    func abandon() {
        completion = nil
        cleanUp()
    }

    private func connect() {
        let keywords = CStringArray(options.values.map(\.keyword))
        let values = CStringArray(options.values.map(\.value))
        guard let raw = PQconnectStartParams(keywords.pointers, values.pointers, 0) else {
            return fail("out of memory")
        }
        connection = raw
        PQsetNoticeReceiver(raw, ignoreNotice, nil)
        if PQstatus(raw) == CONNECTION_BAD { return fail(message(of: raw)) }
        watch(raw, .writable)
    }

    /// libpq may go on with another socket of the same number, so each step watches anew.
    private func watch(_ raw: OpaquePointer, _ events: FileDescriptorWatcher.Events) {
        let next = FileDescriptorWatcher(loop: loop, fileDescriptor: PQsocket(raw)) { [self] _ in
            advance()
        }
        watcher = next
        next.watch(events)
    }

    private func advance() {
        guard let raw = connection else { return }
        watcher?.close()
        watcher = nil
        switch PQconnectPoll(raw) {
        case PGRES_POLLING_READING: watch(raw, .readable)
        case PGRES_POLLING_WRITING: watch(raw, .writable)
        case PGRES_POLLING_OK: succeed(raw)
        default: fail(message(of: raw))
        }
    }

    private func succeed(_ raw: OpaquePointer) {
        guard PQsetnonblocking(raw, 1) == 0 else { return fail(message(of: raw)) }
        connection = nil
        let report = completion.take()
        cleanUp()
        report?(.success(Session(loop: loop, raw: raw)))
    }

    private func fail(_ message: String) {
        let report = completion.take()
        cleanUp()
        report?(.failure(ConnectFailure(message: message)))
    }

    private func cleanUp() {
        timer?.cancel()
        timer = nil
        watcher?.close()
        watcher = nil
        if let raw = connection.take() { PQfinish(raw) }
    }

    private func message(of raw: OpaquePointer) -> String {
        PQerrorMessage(raw).map { String(cString: $0) } ?? ""
    }
}

/// Notices belong neither on stderr nor in an answer.
private func ignoreNotice(_ context: UnsafeMutableRawPointer?, _ result: OpaquePointer?) {}
