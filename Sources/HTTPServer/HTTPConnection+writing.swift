internal import CUV

/// The way out: answers, streams, and what the socket did not take at once.
extension HTTPConnection {
    /// Parts that one write gathers.
    static let writePartCountMax = 3

    /// A body up to this is copied behind its head.
    private static let copiedByteCountMax = 4_096

    private static var nothing: UnsafeRawBufferPointer { .init(start: nil, count: 0) }

    var writeQueueByteCount: Int {
        phase == .closed ? 0 : Int(uv_stream_get_write_queue_size(handle))
    }

    var isStreamWritable: Bool {
        writeQueueByteCount <= server.configuration.writeQueueByteCountMax / 2
    }

    // MARK: Responses

    func send(_ response: HTTPResponse, isHead: Bool, isVersion11: Bool) {
        var keepAlive = isKeepAlive && !server.isDraining
        if case .stream(let begin) = response.body {
            keepAlive = keepAlive && isVersion11
            writeHead(response, isVersion11 ? .chunked : .untilClose, keepAlive, isVersion11)
            if isHead { return responseEnded(keepAlive: keepAlive) }
            return beginStream(begin, keepAlive: keepAlive, isChunked: isVersion11)
        }
        writeWhole(response, isHead: isHead, keepAlive, isVersion11)
        responseEnded(keepAlive: keepAlive)
    }

    /// Sends an answer of the server's own and then closes.
    func sendLast(_ response: HTTPResponse) {
        writeWhole(response, isHead: false, false, true)
        finish()
    }

    private func writeWhole(
        _ response: HTTPResponse, isHead: Bool, _ keepAlive: Bool, _ isVersion11: Bool
    ) {
        let isBodyForbidden = HTTPStatus.isBodyForbidden(response.status)
        func writeParts(_ body: UnsafeRawBufferPointer) {
            let framing: HTTPResponseHeadWriter.Framing =
                isBodyForbidden ? .none : .length(body.count)
            let isBodySent = !isHead && !isBodyForbidden
            let sent = isBodySent ? body : HTTPConnection.nothing
            writeHead(response, framing, keepAlive, isVersion11, body: sent)
        }
        switch response.body {
        case .empty, .stream: writeParts(HTTPConnection.nothing)
        case .bytes(let bytes): bytes.withUnsafeBytes(writeParts)
        case .foreign(let memory): withExtendedLifetime(memory.owner) { writeParts(memory.bytes) }
        }
    }

    private func writeHead(
        _ response: HTTPResponse, _ framing: HTTPResponseHeadWriter.Framing, _ keepAlive: Bool,
        _ isVersion11: Bool, body: UnsafeRawBufferPointer = nothing
    ) {
        let writer = server.headWriter
        writer.write(
            status: response.status, headers: response.headers, framing: framing,
            persistence: keepAlive ? (isVersion11 ? .implied : .keepAlive) : .close,
            second: server.loop.nowMilliseconds / 1000)
        if body.count <= HTTPConnection.copiedByteCountMax {
            // One buffer is cheaper for the kernel than a vector of two.
            writer.append(body)
            writer.bytes.withUnsafeBytes { write($0) }
        } else {
            writer.bytes.withUnsafeBytes { write($0, body) }
        }
    }

    // MARK: Streams

    private func beginStream(
        _ begin: @Sendable (HTTPBodyStream) -> Void, keepAlive: Bool, isChunked: Bool
    ) {
        guard phase != .closed else { return }
        // Who ended its side before a stream began is taken for gone, as during a stream.
        if isInputEnded { return close() }
        isKeepAlive = keepAlive
        phase = .streaming
        recycleHead()
        server.streamCount += 1
        let stream = HTTPBodyStream(connection: self, isChunked: isChunked)
        bodyStream = stream
        begin(stream)
    }

    func writeStream(_ bytes: UnsafeRawBufferPointer, isChunked: Bool) {
        if isChunked {
            server.chunkHead.removeAll(keepingCapacity: true)
            server.chunkHead.appendDigits(bytes.count, radix: 16)
            server.chunkHead.append(contentsOf: HTTPConnection.lineEnd)
            server.chunkHead.withUnsafeBytes { head in
                HTTPConnection.lineEnd.withUnsafeBytes { write(head, bytes, $0) }
            }
        } else {
            write(bytes)
        }
        if writeQueueByteCount > server.configuration.writeQueueByteCountMax { close() }
    }

    func endStream(isChunked: Bool) {
        guard phase == .streaming else { return }
        bodyStream = nil
        server.streamCount -= 1
        isStreamRest = true
        if isChunked { write("0\r\n\r\n") }
        responseEnded(keepAlive: isKeepAlive)
    }

    private static let lineEnd: [UInt8] = [UInt8(ascii: "\r"), UInt8(ascii: "\n")]

    // MARK: Bytes

    func write(_ text: StaticString) {
        text.withUTF8Buffer { write(UnsafeRawBufferPointer($0)) }
    }

    /// Hands the parts to the kernel; what it does not take is copied and queued.
    private func write(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer = nothing,
        _ third: UnsafeRawBufferPointer = nothing
    ) {
        guard phase != .closed else { return }
        let vector = server.writeVector
        vector[0] = HTTPConnection.buffer(first)
        vector[1] = HTTPConnection.buffer(second)
        vector[2] = HTTPConnection.buffer(third)
        let partCount = third.isEmpty ? (second.isEmpty ? 1 : 2) : 3
        let byteCount = first.count + second.count + third.count
        let status = uv_try_write(handle, vector, CUnsignedInt(partCount))
        guard status >= 0 || status == UV_EAGAIN.rawValue else { return close() }
        let sentByteCount = max(0, Int(status))
        if sentByteCount < byteCount {
            queue(vector, partCount, skip: sentByteCount, byteCount: byteCount - sentByteCount)
        }
    }

    private static func buffer(_ part: UnsafeRawBufferPointer) -> uv_buf_t {
        let base = UnsafeMutableRawPointer(mutating: part.baseAddress)
        return uv_buf_t(base: base?.assumingMemoryBound(to: CChar.self), len: part.count)
    }

    private func queue(
        _ vector: UnsafeMutablePointer<uv_buf_t>, _ partCount: Int, skip: Int, byteCount: Int
    ) {
        let requestByteCount = MemoryLayout<uv_write_t>.stride
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: requestByteCount + byteCount, alignment: MemoryLayout<uv_write_t>.alignment)
        let copy = memory + requestByteCount
        var offset = 0
        var rest = skip
        for part in UnsafeBufferPointer(start: vector, count: partCount) where part.len > 0 {
            let skipped = min(rest, part.len)
            rest -= skipped
            copy.advanced(by: offset).copyMemory(
                from: part.base + skipped, byteCount: part.len - skipped)
            offset += part.len - skipped
        }
        var buffer = uv_buf_t(base: copy.assumingMemoryBound(to: CChar.self), len: byteCount)
        let request = memory.assumingMemoryBound(to: uv_write_t.self)
        if uv_write(request, handle, &buffer, 1, onWritten) != 0 {
            memory.deallocate()
            close()
        }
    }

    fileprivate func written(_ status: CInt) {
        guard phase != .closed else { return }
        guard status == 0 else { return close() }
        switch phase {
        case .writing where writeQueueByteCount == 0: nextRequest()
        case .streaming where isStreamWritable: bodyStream?.becameWritable()
        default: break
        }
    }
}

private func onWritten(_ request: UnsafeMutablePointer<uv_write_t>?, _ status: CInt) {
    guard let request else { return }
    let connection = connection(of: request.pointee.handle.pointee.data)
    UnsafeMutableRawPointer(request).deallocate()
    connection.written(status)
}
