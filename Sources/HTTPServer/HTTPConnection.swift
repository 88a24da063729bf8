internal import CUV
internal import Runtime

/// One client connection: what arrives, the request under way, what follows its answer.
///
/// `HTTPConnection+writing.swift` has the way out.
final class HTTPConnection: @unchecked Sendable {
    enum Phase {
        /// Between requests or in the middle of receiving one; the parser knows which.
        case receiving
        /// The handler has the request.
        case running
        /// The client has not taken the whole answer yet.
        case writing
        case streaming
        /// The last answer is on its way out, then our end of file.
        case finishing
        /// Our end of file is sent. What the client still sends is read and dropped: closing with
        /// unread bytes would reset the connection and could destroy the answer on its way.
        case lingering
        case closed
    }

    let server: HTTPServer
    let handle: UnsafeMutablePointer<uv_stream_t>
    /// Place in the server's list.
    var index: Int

    var phase = Phase.receiving
    var isInputEnded = false
    var isKeepAlive = true
    /// What is being written is the rest of a stream: its reader was slow already.
    var isStreamRest = false
    var bodyStream: HTTPBodyStream?
    /// On the loop's clock, in milliseconds; what happens then depends on the phase.
    var deadline = UInt64.max

    private var parser: HTTPRequestParser
    private var isReading = false
    /// Bytes that arrived while a request was under way, from `backlogStart`.
    private var backlog: [UInt8] = []
    private var backlogStart = 0
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []
    private var countedBodyByteCount = 0
    private var task: Task<Void, Never>?
    private var isStarting = false
    private var queuedByteCountSeen = 0
    private var writeDeadline = UInt64.max
    private var knownPeerAddress: String?

    init(server: HTTPServer, handle: UnsafeMutablePointer<uv_stream_t>, index: Int) {
        self.server = server
        self.handle = handle
        self.index = index
        parser = HTTPRequestParser(limits: server.limits, pool: server.headPool)
        // Released when libuv has closed the handle.
        handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
    }

    func preconditionOnLoop() { server.loop.preconditionOnLoop() }

    func start() {
        deadline = after(server.configuration.idleTimeout)
        resumeReading()
    }

    func after(_ duration: Duration) -> UInt64 {
        server.loop.nowMilliseconds + duration.wholeMilliseconds
    }

    var peerAddress: String? {
        if let knownPeerAddress { return knownPeerAddress }
        guard phase != .closed, handle.pointee.type == UV_TCP else { return nil }
        knownPeerAddress = UVStream.peerAddress(handle)
        return knownPeerAddress
    }

    // MARK: Reading

    func resumeReading() {
        guard !isReading, !isInputEnded, phase != .closed else { return }
        isReading = true
        if uv_read_start(handle, onAllocate, onRead) != 0 { close() }
    }

    private func pauseReading() {
        guard isReading else { return }
        isReading = false
        uv_read_stop(handle)
    }

    fileprivate func received(_ bytes: UnsafeRawBufferPointer) {
        switch phase {
        case .receiving:
            advance(parser.feed(bytes), bytes)
        case .running, .writing, .streaming:
            backlog.append(contentsOf: bytes)
            guard backlog.count > server.configuration.pipelinedByteCountMax else { return }
            // A stream has no end to wait for, so its client would never be noticed leaving.
            if phase == .streaming { close() } else { pauseReading() }
        case .finishing, .lingering, .closed: break
        }
    }

    fileprivate func inputEnded() {
        isReading = false
        isInputEnded = true
        switch phase {
        case .receiving:
            if parser.phase == .idle { close() } else { fail(.requestIncomplete) }
        case .running:
            deadline = after(server.configuration.halfCloseGrace)
            if server.configuration.halfCloseGrace == .zero { task?.cancel() }
        case .streaming, .lingering: close()
        case .writing, .finishing, .closed: break
        }
    }

    private func parseBacklog() {
        let outcome = backlog.withUnsafeBytes {
            parser.feed(UnsafeRawBufferPointer(rebasing: $0[backlogStart...]))
        }
        if case .request(let consumed) = outcome, backlogStart + consumed < backlog.count {
            backlogStart += consumed
        } else {
            backlog = []
            backlogStart = 0
        }
        advance(outcome, nil)
    }

    /// - Parameter bytes: What was fed, if it is not in the backlog.
    private func advance(_ outcome: HTTPRequestParser.Outcome, _ bytes: UnsafeRawBufferPointer?) {
        switch outcome {
        case .needsMore:
            guard countBody() else { return fail(.overloaded) }
            if isInputEnded { return parser.phase == .idle ? finish() : fail(.requestIncomplete) }
            waitForMore()
        case .request(let consumed):
            if let bytes, consumed < bytes.count {
                backlog = Array(bytes[consumed...])
            }
            startRequest()
        case .failed(let error):
            fail(error)
        }
    }

    private func waitForMore() {
        let configuration = server.configuration
        switch parser.phase {
        case .idle: deadline = after(configuration.idleTimeout)
        case .header:
            if !isHeaderTimed { deadline = after(configuration.headerTimeout) }
        case .body:
            if !isBodyTimed { deadline = after(configuration.bodyTimeout) }
            if parser.takeExpectation() { write("HTTP/1.1 100 Continue\r\n\r\n") }
        }
        isHeaderTimed = parser.phase == .header
        isBodyTimed = parser.phase == .body
        resumeReading()
    }

    // Each deadline is set once for its part of a request, however slowly the bytes drip.
    private var isHeaderTimed = false
    private var isBodyTimed = false

    /// False if all bodies together are over their limit.
    private func countBody() -> Bool {
        let added = parser.bodyByteCount - countedBodyByteCount
        countedBodyByteCount += added
        server.bodyByteCountTotal += added
        return server.bodyByteCountTotal <= server.configuration.bodyByteCountTotalMax
    }

    private func uncountBody() {
        server.bodyByteCountTotal -= countedBodyByteCount
        countedBodyByteCount = 0
    }

    // MARK: The request under way

    private func startRequest() {
        guard countBody() else { return fail(.overloaded) }
        guard let parts = parser.takeParts() else { return fail(.malformedRequest) }
        head = parts.head
        body = parts.body
        isKeepAlive = parts.head.isKeepAlive
        isHeaderTimed = false
        isBodyTimed = false
        phase = .running
        deadline = isInputEnded ? after(server.configuration.halfCloseGrace) : .max
        server.requestCount += 1
        if let directHandler = server.directHandler, answersDirectly(directHandler) { return }
        task = server.loop.spawn { [self] in
            let request = makeRequest()
            body = []
            answer(await server.handler(request))
        }
    }

    private func answersDirectly(_ handler: HTTPServer.DirectHandler) -> Bool {
        isStarting = true
        defer { isStarting = false }
        guard handler(makeRequest(), HTTPReply(connection: self)) else { return false }
        body = []
        return true
    }

    /// Not from within the start of the request: a client that sends many requests ahead would
    /// make that a deep recursion.
    func reply(_ response: HTTPResponse) {
        if isStarting {
            task = server.loop.spawn { [self] in answer(response) }
        } else {
            answer(response)
        }
    }

    private func answer(_ response: HTTPResponse) {
        preconditionOnLoop()
        task = nil
        uncountBody()
        guard phase == .running else { return }
        deadline = .max
        send(response, isHead: head?.method == .head, isVersion11: head?.isVersion11 ?? true)
    }

    /// The request lives only as long as the call of the handler, so that its head can be reused.
    private func makeRequest() -> HTTPRequest {
        guard let head else { preconditionFailure("a request runs without its head") }
        return HTTPRequest(head: head, body: body, connection: self)
    }

    /// The answer is with the kernel, or with libuv, whole.
    func responseEnded(keepAlive: Bool) {
        guard phase != .closed else { return }
        guard keepAlive else { return finish() }
        if writeQueueByteCount > 0 {
            phase = .writing
        } else {
            nextRequest()
        }
    }

    /// Gives the memory of the answered request back; a stream may last for hours.
    func recycleHead() { server.headPool.recycle(&head) }

    func nextRequest() {
        recycleHead()
        isStreamRest = false
        if server.isDraining { return finish() }
        phase = .receiving
        if !backlog.isEmpty {
            parseBacklog()
        } else if isInputEnded {
            close()
        } else {
            waitForMore()
        }
    }

    /// Answers `error`, then closes.
    func fail(_ error: HTTPServerError) {
        server.errorCount += 1
        isKeepAlive = false
        phase = .finishing
        uncountBody()
        let response = server.makeErrorResponse(
            error, parser.head.map { HTTPRequestHeaders(head: $0) })
        parser.dropRequest()
        sendLast(response)
    }

    // MARK: The end

    /// Sends our end of file after what is queued.
    func finish() {
        guard phase != .closed else { return }
        phase = .finishing
        deadline = .max
        backlog = []
        backlogStart = 0
        let request = UnsafeMutablePointer<uv_shutdown_t>.allocate(capacity: 1)
        guard uv_shutdown(request, handle, onShutdown) == 0 else {
            request.deallocate()
            return close()
        }
    }

    fileprivate func shutDown(_ status: CInt) {
        guard phase == .finishing else { return }
        if status != 0 || isInputEnded { return close() }
        phase = .lingering
        deadline = after(server.configuration.lingerTimeout)
        resumeReading()
    }

    func close() {
        guard phase != .closed else { return }
        phase = .closed
        task?.cancel()
        task = nil
        uncountBody()
        backlog = []
        if let stream = bodyStream {
            bodyStream = nil
            server.streamCount -= 1
            stream.end()
        }
        server.remove(self)
        UVStream.close(handle, onConnectionClosed)
    }

    /// Called once when the server begins to drain.
    func drain() {
        switch phase {
        case .receiving: if parser.phase == .idle { close() }
        case .streaming: bodyStream?.close()
        case .writing where isStreamRest, .finishing where isStreamRest: close()
        case .running, .writing, .finishing, .lingering, .closed: break
        }
    }

    func sweep(_ now: UInt64) {
        let queued = writeQueueByteCount
        if queued > 0, queued == queuedByteCountSeen, now >= writeDeadline { return close() }
        if queued != queuedByteCountSeen {
            queuedByteCountSeen = queued
            writeDeadline = now + server.configuration.writeTimeout.wholeMilliseconds
        }
        if now >= deadline { timedOut() }
    }

    private func timedOut() {
        deadline = .max
        switch phase {
        case .receiving:
            switch parser.phase {
            case .idle: close()
            case .header: fail(.headerTimedOut)
            case .body: fail(.bodyTimedOut)
            }
        case .running: task?.cancel()
        case .lingering: close()
        case .writing, .streaming, .finishing, .closed: break
        }
    }
}

/// The connection of a libuv callback.
func connection(of context: UnsafeMutableRawPointer?) -> HTTPConnection {
    guard let context else { preconditionFailure("a libuv handle lost its connection") }
    return Unmanaged<HTTPConnection>.fromOpaque(context).takeUnretainedValue()
}

private func onAllocate(
    _ handle: UnsafeMutablePointer<uv_handle_t>?, _ suggestedByteCount: Int,
    _ buffer: UnsafeMutablePointer<uv_buf_t>?
) {
    let memory = connection(of: handle?.pointee.data).server.readBuffer
    buffer?.pointee.base = memory.baseAddress?.assumingMemoryBound(to: CChar.self)
    buffer?.pointee.len = memory.count
}

private func onRead(
    _ handle: UnsafeMutablePointer<uv_stream_t>?, _ count: Int,
    _ buffer: UnsafePointer<uv_buf_t>?
) {
    let connection = connection(of: handle?.pointee.data)
    if count > 0 {
        connection.received(UnsafeRawBufferPointer(start: buffer?.pointee.base, count: count))
    } else if count == Int(UV_EOF.rawValue) {
        connection.inputEnded()
    } else if count < 0 {
        connection.close()
    }
}

private func onShutdown(_ request: UnsafeMutablePointer<uv_shutdown_t>?, _ status: CInt) {
    guard let request else { return }
    let connection = connection(of: request.pointee.handle.pointee.data)
    request.deallocate()
    connection.shutDown(status)
}

private func onConnectionClosed(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
    guard let handle, let context = handle.pointee.data else { return }
    Unmanaged<HTTPConnection>.fromOpaque(context).release()
    UVStream.free(handle)
}
