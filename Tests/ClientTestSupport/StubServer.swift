internal import Glibc
internal import Runtime

/// A TCP server on a port of its own that answers as a test tells it, one thread a connection.
package final class StubServer: @unchecked Sendable {
    package let port: UInt16
    private let listener: CInt
    private let serve: @Sendable (StubConnection) -> Void
    private let accepted = Lock([CInt]())

    /// - Parameter serve: Called for each connection; the connection closes when it returns.
    package init(_ serve: @escaping @Sendable (StubConnection) -> Void) {
        self.serve = serve
        let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        port = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                let isBound = bind(listener, generic, length) == 0 && listen(listener, 64) == 0
                precondition(isBound, "the stub server found no port")
                getsockname(listener, generic, &length)
            }
            return UInt16(bigEndian: pointer.pointee.sin_port)
        }
        startThread { [self] in acceptConnections() }
    }

    package var url: String { "http://127.0.0.1:\(port)" }

    package var connectionCount: Int { accepted.withLock { $0.count } }

    /// Refuses new connections.
    package func stop() {
        shutdown(listener, CInt(SHUT_RDWR))
        close(listener)
    }

    private func acceptConnections() {
        while true {
            let descriptor = accept(listener, nil, nil)
            if descriptor < 0 { return }
            accepted.withLock { $0.append(descriptor) }
            let serve = self.serve
            startThread {
                let connection = StubConnection(descriptor: descriptor)
                serve(connection)
                close(descriptor)
            }
        }
    }
}

/// One accepted connection, read and written by blocking calls.
package struct StubConnection: Sendable {
    fileprivate let descriptor: CInt

    /// The next bytes, nil at the end.
    package func receive() -> String? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    /// One HTTP request with its body, nil at the end.
    package func receiveRequest() -> String? {
        var text = ""
        while true {
            guard let more = receive() else { return nil }
            text += more
            guard let end = text.range(of: "\r\n\r\n") else { continue }
            let head = text[..<end].lowercased()
            let marker = "content-length: "
            var expected = 0
            if let start = head.range(of: marker) {
                let digits = head[head.index(start, offsetBy: marker.count)...]
                    .prefix(while: \.isNumber)
                expected = Int(digits) ?? 0
            }
            let body = text.utf8[text.utf8.index(end, offsetBy: 4)...]
            if body.count >= expected { return text }
        }
    }

    package func send(_ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    descriptor, $0.baseAddress?.advanced(by: sent), bytes.count - sent,
                    CInt(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            sent += count
        }
    }

    /// Answers with a whole JSON body.
    package func respond(_ status: Int, _ body: String) {
        send(
            "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    /// Blocks until the other side closes.
    package func waitForClose() {
        while receive() != nil {}
    }

    /// Closes with a reset instead of a regular end.
    package func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }
}

extension String {
    /// Where `other` first stands.
    fileprivate func range(of other: String) -> String.Index? {
        let haystack = Array(utf8)
        let needle = Array(other.utf8)
        guard haystack.count >= needle.count else { return nil }
        for start in 0...(haystack.count - needle.count)
        where haystack[start..<(start + needle.count)].elementsEqual(needle) {
            return utf8.index(startIndex, offsetBy: start)
        }
        return nil
    }
}

private final class ThreadBody {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private func startThread(_ run: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let context = Unmanaged.passRetained(ThreadBody(run)).toOpaque()
    let status = pthread_create(&thread, nil, runThread, context)
    precondition(status == 0, "pthread_create failed")
    pthread_detach(thread)
}

private func runThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run()
    return nil
}
