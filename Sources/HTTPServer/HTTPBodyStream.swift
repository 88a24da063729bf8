/// The writing end of a response that is sent piece by piece. On the loop only.
///
/// It ends by ``close()`` or with the connection; a reader that falls behind by more than
/// ``HTTPServerConfiguration/writeQueueByteCountMax`` is dropped.
package final class HTTPBodyStream: @unchecked Sendable {
    package enum WriteOutcome: Sendable, Equatable {
        case sent
        /// The reader was too slow and has been disconnected just now.
        case dropped
        /// The stream had ended before.
        case closed
    }

    private var connection: HTTPConnection?
    private let isChunked: Bool
    private var closed: (@Sendable () -> Void)?
    private var waiting: UnsafeContinuation<Bool, Never>?

    init(connection: HTTPConnection, isChunked: Bool) {
        self.connection = connection
        self.isChunked = isChunked
    }

    package var isClosed: Bool { connection == nil }

    /// Bytes written and not yet taken by the kernel.
    package var queuedByteCount: Int { connection?.writeQueueByteCount ?? 0 }

    /// Sends `bytes` as far as the socket takes them, keeps the rest.
    @discardableResult
    package func write(_ bytes: [UInt8]) -> WriteOutcome {
        bytes.withUnsafeBytes { write($0) }
    }

    /// Sends `bytes` as far as the socket takes them, keeps a copy of the rest.
    @discardableResult
    package func write(_ bytes: UnsafeRawBufferPointer) -> WriteOutcome {
        guard let connection else { return .closed }
        connection.preconditionOnLoop()
        if !bytes.isEmpty { connection.writeStream(bytes, isChunked: isChunked) }
        return self.connection == nil ? .dropped : .sent
    }

    /// Waits until at most half of the allowed queue is left, for producers faster than the client.
    ///
    /// - Returns: False when the stream has ended. One waiter at a time.
    package func waitUntilWritable() async -> Bool {
        guard let connection else { return false }
        connection.preconditionOnLoop()
        if connection.isStreamWritable { return true }
        precondition(waiting == nil, "two tasks wait for one stream")
        return await withUnsafeContinuation { waiting = $0 }
    }

    /// Ends the body. The connection serves further requests if the client allows it.
    package func close() {
        guard let connection else { return }
        connection.preconditionOnLoop()
        let ended = connection
        end()
        ended.endStream(isChunked: isChunked)
    }

    /// Ends the connection at once; what the client has not taken is lost.
    package func abort() {
        guard let connection else { return }
        connection.preconditionOnLoop()
        connection.close()
    }

    /// Calls `body` once on the loop when the stream has ended, by whichever side; at once if it
    /// already has. Replaces an earlier one.
    package func onClosed(_ body: @escaping @Sendable () -> Void) {
        if connection == nil { body() } else { closed = body }
    }

    func end() {
        connection = nil
        resumeWaiting(false)
        let closed = closed
        self.closed = nil
        closed?()
    }

    func becameWritable() { resumeWaiting(true) }

    private func resumeWaiting(_ isWritable: Bool) {
        let continuation = waiting
        waiting = nil
        continuation?.resume(returning: isWritable)
    }
}
