internal import CCurl
package import Runtime

/// An HTTP/1.1 client on one loop: one libcurl multi handle whose sockets and timer the loop
/// watches.
///
/// Connections are kept alive and shared by all requests. Redirects are not followed, and proxies
/// and `.netrc` of the environment are not used. When a reused connection turns out to be closed
/// before a byte of the answer came, libcurl sends the request once more on a fresh one: send only
/// requests that may arrive twice.
package final class HTTPClient: Flushable, @unchecked Sendable {
    package let loop: EventLoop
    package let configuration: HTTPClientConfiguration

    /// Nil before the first request: libcurl starts OpenSSL, 3 MB of resident memory where nothing
    /// else does, and where PostgreSQL is all stores nothing is ever sent.
    private var multi: UnsafeMutableRawPointer?
    private var idleEasies: [UnsafeMutableRawPointer] = []
    private var active: [UnsafeMutableRawPointer: HTTPTransfer] = [:]
    private var queue: [HTTPTransfer] = []
    private var watchers: [curl_socket_t: FileDescriptorWatcher] = [:]
    private var timer: LoopTimer?
    private var isKickDue = false
    private var isClosed = false

    package init(loop: EventLoop, configuration: HTTPClientConfiguration = .init()) {
        self.loop = loop
        self.configuration = configuration
    }

    deinit { if !isClosed { releaseLibrary() } }

    /// Sends a request and waits for its whole answer, whatever its status. On the loop.
    ///
    /// - Throws: When no whole answer came before the deadline. Cancelling the task removes the
    ///   transfer and closes its connection.
    package func send(
        _ request: HTTPClientRequest
    ) async throws(HTTPClientError) -> HTTPClientResponse {
        loop.preconditionOnLoop()
        guard request.isWellFormed else { throw .invalidRequest }
        if isClosed || Task.isCancelled { throw .cancelled(mayHaveBeenApplied: false) }
        if request.deadline.hasPassed { throw .timedOut(mayHaveBeenApplied: false) }
        if queue.count >= configuration.queueMax { throw .overloaded }
        let transfer = HTTPTransfer(request, configuration)
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { caller in
                transfer.wait(caller)
                submit(transfer)
            }
        } onCancel: {
            loop.submit {
                self.abandon(transfer) { .cancelled(mayHaveBeenApplied: $0) }
            }
        }
        return try outcome.get()
    }

    /// Requests waiting and in flight.
    package var pendingCount: Int { queue.count + active.count }

    /// Fails what is pending and closes every connection; later requests are refused. On the loop.
    package func close() {
        loop.preconditionOnLoop()
        guard !isClosed else { return }
        isClosed = true
        for transfer in queue + Array(active.values) {
            abandon(transfer) { .cancelled(mayHaveBeenApplied: $0) }
        }
        releaseLibrary()
    }

    /// Drives libcurl for requests that were added during this turn.
    package func flush() {
        guard isKickDue else { return }
        isKickDue = false
        drive(socket: ccurlTimeoutSocket, events: 0)
    }

    // MARK: Transfers

    private func submit(_ transfer: HTTPTransfer) {
        transfer.timer = loop.schedule(after: transfer.request.deadline.remaining) { [weak self] in
            self?.abandon(transfer) { .timedOut(mayHaveBeenApplied: $0) }
        }
        if active.count < configuration.inFlightMax {
            start(transfer)
        } else {
            queue.append(transfer)
        }
    }

    private func startLibrary() -> UnsafeMutableRawPointer {
        precondition(curlIsReady, "curl_global_init failed")
        guard let multi = curl_multi_init() else { preconditionFailure("curl_multi_init failed") }
        self.multi = multi
        let context = Unmanaged.passUnretained(self).toOpaque()
        ccurl_multi_set_on_socket(multi, onSocket)
        ccurl_multi_set_pointer(multi, CURLMOPT_SOCKETDATA, context)
        ccurl_multi_set_on_timer(multi, onTimer)
        ccurl_multi_set_pointer(multi, CURLMOPT_TIMERDATA, context)
        ccurl_multi_set_long(
            multi, CURLMOPT_MAX_HOST_CONNECTIONS, configuration.connectionsPerHostMax)
        ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, configuration.connectionsIdleMax)
        ccurl_multi_set_long(multi, CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING))
        return multi
    }

    private func start(_ transfer: HTTPTransfer) {
        let multi = multi ?? startLibrary()
        guard let easy = idleEasies.popLast() ?? curl_easy_init() else {
            return transfer.answer(.failure(.overloaded))
        }
        transfer.easy = easy
        active[easy] = transfer
        guard configure(easy, for: transfer, configuration) else {
            release(transfer, easy)
            return transfer.answer(.failure(.invalidRequest))
        }
        let status = curl_multi_add_handle(multi, easy)
        precondition(status == CURLM_OK, "curl_multi_add_handle failed")
    }

    /// Ends a transfer before libcurl did. The flag says whether it may have been sent.
    private func abandon(
        _ transfer: HTTPTransfer, _ reason: (_ mayHaveBeenApplied: Bool) -> HTTPClientError
    ) {
        guard !transfer.isAnswered else { return }
        if let easy = transfer.easy {
            let wasSent = requestMayHaveBeenSent(easy)
            curl_multi_remove_handle(multi, easy)
            release(transfer, easy)
            transfer.answer(.failure(reason(wasSent)))
        } else {
            queue.removeAll { $0 === transfer }
            transfer.answer(.failure(reason(false)))
        }
        startQueued()
    }

    private func finishDoneTransfers() {
        var left: CInt = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle,
                let transfer = active[easy]
            else { continue }
            let outcome = self.outcome(of: transfer, easy, ccurl_message_result(message))
            curl_multi_remove_handle(multi, easy)
            release(transfer, easy)
            transfer.answer(outcome)
        }
        startQueued()
    }

    private func outcome(
        of transfer: HTTPTransfer, _ easy: UnsafeMutableRawPointer, _ code: CURLcode
    ) -> HTTPOutcome {
        if code == CURLE_OK {
            var status = 0
            ccurl_easy_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
            return .success(transfer.response(status: status))
        }
        if transfer.isTooLarge { return .failure(.responseTooLarge) }
        return .failure(makeError(code, wasSent: requestMayHaveBeenSent(easy)))
    }

    private func release(_ transfer: HTTPTransfer, _ easy: UnsafeMutableRawPointer) {
        active[easy] = nil
        transfer.easy = nil
        // Before the list is freed: the handle would keep a pointer to it.
        curl_easy_reset(easy)
        if let list = transfer.headerList { curl_slist_free_all(list) }
        transfer.headerList = nil
        idleEasies.append(easy)
    }

    private func startQueued() {
        guard !queue.isEmpty, !isClosed else { return }
        let count = min(queue.count, configuration.inFlightMax - active.count)
        guard count > 0 else { return }
        let next = queue[..<count]
        queue.removeFirst(count)
        for transfer in next { start(transfer) }
    }

    // MARK: The loop

    private func drive(socket: curl_socket_t, events: CInt) {
        guard !isClosed else { return }
        var running: CInt = 0
        curl_multi_socket_action(multi, socket, events, &running)
        finishDoneTransfers()
    }

    /// From libcurl: it wants to be told about `socket`.
    fileprivate func watch(_ socket: curl_socket_t, _ wanted: CInt) {
        if wanted == CURL_POLL_REMOVE {
            watchers.removeValue(forKey: socket)?.close()
            return
        }
        var events: FileDescriptorWatcher.Events = []
        if wanted & CURL_POLL_IN != 0 { events.insert(.readable) }
        if wanted & CURL_POLL_OUT != 0 { events.insert(.writable) }
        if let watcher = watchers[socket] { return watcher.watch(events) }
        let watcher = FileDescriptorWatcher(loop: loop, fileDescriptor: socket) { [weak self] in
            let readable = $0.contains(.readable) ? CURL_CSELECT_IN : 0
            let writable = $0.contains(.writable) ? CURL_CSELECT_OUT : 0
            self?.drive(socket: socket, events: readable | writable)
        }
        watchers[socket] = watcher
        watcher.watch(events)
    }

    /// From libcurl: it wants to be driven after that time. It must not be driven from here.
    fileprivate func setTimer(milliseconds: Int) {
        timer?.cancel()
        timer = nil
        if milliseconds == 0 {
            if !isKickDue { loop.flushSoon(self) }
            isKickDue = true
        } else if milliseconds > 0 {
            timer = loop.schedule(after: .milliseconds(milliseconds)) { [weak self] in
                self?.drive(socket: ccurlTimeoutSocket, events: 0)
            }
        }
    }

    private func releaseLibrary() {
        guard let multi else { return }
        ccurl_multi_set_on_socket(multi, nil)
        ccurl_multi_set_on_timer(multi, nil)
        timer?.cancel()
        timer = nil
        for easy in idleEasies { curl_easy_cleanup(easy) }
        for watcher in watchers.values { watcher.close() }
        curl_multi_cleanup(multi)
    }
}

private let ccurlTimeoutSocket: curl_socket_t = -1

/// `curl_global_init`, once for the process.
private let curlIsReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

private func onSocket(
    _ easy: UnsafeMutableRawPointer?, _ socket: curl_socket_t, _ wanted: CInt,
    _ context: UnsafeMutableRawPointer?, _ socketContext: UnsafeMutableRawPointer?
) -> CInt {
    guard let context else { return -1 }
    Unmanaged<HTTPClient>.fromOpaque(context).takeUnretainedValue().watch(socket, wanted)
    return 0
}

private func onTimer(
    _ multi: UnsafeMutableRawPointer?, _ milliseconds: Int, _ context: UnsafeMutableRawPointer?
) -> CInt {
    guard let context else { return -1 }
    Unmanaged<HTTPClient>.fromOpaque(context).takeUnretainedValue()
        .setTimer(milliseconds: milliseconds)
    return 0
}
