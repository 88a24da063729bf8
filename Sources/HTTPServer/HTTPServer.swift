internal import CUV
internal import Glibc
package import Runtime

/// An HTTP/1.1 server on one loop. Several loops can listen on the same TCP port.
///
/// Requests of one connection are handled one at a time and answered in order. When a client sends
/// end of file while its request runs, the request's task is cancelled after
/// ``HTTPServerConfiguration/halfCloseGrace``, and whatever the handler answers is still sent, so a
/// client that only closed its sending side gets its answer; a reset cancels at once.
///
/// Must be created and used on the loop, and kept until ``stop()`` or the end of ``drain()``. The
/// process ignores SIGPIPE from then on.
package final class HTTPServer: @unchecked Sendable {
    package typealias Handler = @Sendable (HTTPRequest) async -> HTTPResponse
    /// Takes a request and answers it through the reply, or returns false at once to leave it to
    /// the ``Handler``. For the most frequent short requests: a task for each costs a third of the
    /// instructions of a request.
    package typealias DirectHandler = (HTTPRequest, HTTPReply) -> Bool
    /// Answers for an error that the server finds itself. The header is as far as it was read.
    package typealias ErrorResponse =
        @Sendable (HTTPServerError, HTTPRequestHeaders?) -> HTTPResponse

    private static let readBufferByteCount = 64 * 1024
    /// Connections over the limit that may be told so; more are closed without a word.
    private static let refusedConnectionCountMax = 256

    package let loop: EventLoop
    package let configuration: HTTPServerConfiguration
    package private(set) var isDraining = false
    /// Requests handed to the handler since the start.
    package internal(set) var requestCount = 0
    /// Requests the server answered itself, see ``HTTPServerError``.
    package internal(set) var errorCount = 0
    /// Open streams.
    package internal(set) var streamCount = 0

    let handler: Handler
    let directHandler: DirectHandler?
    let makeErrorResponse: ErrorResponse
    let limits: HTTPRequestLimits
    let headPool = HTTPRequestHeadPool()
    let headWriter = HTTPResponseHeadWriter()
    let readBuffer: UnsafeMutableRawBufferPointer
    let writeVector: UnsafeMutablePointer<uv_buf_t>
    var bodyByteCountTotal = 0
    /// Scratch for the length line of one chunk.
    var chunkHead: [UInt8] = []

    private var listeners: [HTTPListener] = []
    private var connections: [HTTPConnection] = []
    private var sweeper: LoopTimer?
    private var drainTimer: LoopTimer?
    private var drained: [UnsafeContinuation<Void, Never>] = []

    /// - Parameters:
    ///   - makeErrorResponse: Answers for errors the server finds itself; plain text by default.
    ///   - directHandler: Asked first; on the loop.
    ///   - handler: Runs on the loop, in a task of its own for each request.
    package init(
        loop: EventLoop, configuration: HTTPServerConfiguration = .init(),
        makeErrorResponse: @escaping ErrorResponse = HTTPServer.plainErrorResponse,
        directHandler: DirectHandler? = nil, handler: @escaping Handler
    ) {
        loop.preconditionOnLoop()
        signal(SIGPIPE, SIG_IGN)
        self.loop = loop
        self.configuration = configuration
        self.handler = handler
        self.directHandler = directHandler
        self.makeErrorResponse = makeErrorResponse
        limits = configuration.requestLimits
        readBuffer = .allocate(byteCount: HTTPServer.readBufferByteCount, alignment: 16)
        writeVector = .allocate(capacity: HTTPConnection.writePartCountMax)
        sweeper = loop.schedule(every: configuration.sweepInterval) { [unowned self] in sweep() }
    }

    deinit {
        readBuffer.deallocate()
        writeVector.deallocate()
    }

    /// Open connections, idle ones included.
    package var connectionCount: Int { connections.count }

    /// Starts to accept connections.
    ///
    /// - Returns: The address with the port the kernel chose, if it was 0.
    /// - Throws: ``HTTPListenError``.
    @discardableResult
    package func listen(
        on address: HTTPListenAddress
    ) throws(HTTPListenError) -> HTTPListenAddress {
        loop.preconditionOnLoop()
        let listener = try HTTPListener(
            server: self, address: address, backlogCount: configuration.listenBacklogCount)
        listeners.append(listener)
        return listener.address
    }

    /// Stops accepting, lets running requests end, closes the rest; returns when no connection is
    /// left, at the latest after ``HTTPServerConfiguration/drainTimeout``. Streams end at once.
    package func drain() async {
        loop.preconditionOnLoop()
        beginDrain()
        if !connections.isEmpty {
            await withUnsafeContinuation { drained.append($0) }
        }
        stop()
    }

    /// Closes everything at once; running tasks are cancelled. May be called more than once.
    package func stop() {
        loop.preconditionOnLoop()
        isDraining = true
        closeListeners()
        for connection in connections { connection.close() }
        sweeper?.cancel()
        sweeper = nil
        drainTimer?.cancel()
        drainTimer = nil
    }

    /// The default of `makeErrorResponse`.
    package static let plainErrorResponse: ErrorResponse = { error, _ in
        HTTPResponse(
            status: error.status, headers: ["Content-Type": "text/plain; charset=utf-8"],
            body: .bytes(Array("\(error.detail)\n".utf8)))
    }

    func accepted(_ handle: UnsafeMutablePointer<uv_stream_t>) {
        let connection = HTTPConnection(server: self, handle: handle, index: connections.count)
        connections.append(connection)
        let excess = connections.count - configuration.connectionCountMax
        if excess > HTTPServer.refusedConnectionCountMax {
            connection.close()
        } else if excess > 0 {
            connection.start()
            connection.fail(.overloaded)
        } else {
            connection.start()
        }
    }

    func remove(_ connection: HTTPConnection) {
        let last = connections.removeLast()
        if last !== connection {
            connections[connection.index] = last
            last.index = connection.index
        }
        if isDraining, connections.isEmpty {
            let waiting = drained
            drained = []
            for continuation in waiting { continuation.resume() }
        }
    }

    private func beginDrain() {
        guard !isDraining else { return }
        isDraining = true
        closeListeners()
        for connection in connections { connection.drain() }
        drainTimer = loop.schedule(after: configuration.drainTimeout) { [unowned self] in
            for connection in connections { connection.close() }
        }
    }

    private func closeListeners() {
        for listener in listeners { listener.close() }
        listeners = []
    }

    /// From the end, because a removed connection is replaced by the last.
    private func sweep() {
        let now = loop.nowMilliseconds
        for index in stride(from: connections.count - 1, through: 0, by: -1)
        where index < connections.count {
            connections[index].sweep(now)
        }
    }
}
