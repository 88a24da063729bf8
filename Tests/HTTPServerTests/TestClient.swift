import Glibc

/// A blocking socket with a timeout, so that a test fails instead of hanging.
final class TestClient {
    private let descriptor: CInt
    private var received: [UInt8] = []
    private var isOpen = true

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    struct Response: Equatable {
        var status: Int
        var head: String
        var body: String

        func header(_ name: String) -> String? {
            for line in head.split(separator: "\r\n").dropFirst() {
                let parts = line.split(separator: ":", maxSplits: 1)
                if parts[0].lowercased() == name { return String(parts[1].dropFirst()) }
            }
            return nil
        }
    }

    init(port: UInt16, receiveBufferByteCount: CInt? = nil) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        if var byteCount = receiveBufferByteCount {
            setsockopt(
                descriptor, SOL_SOCKET, SO_RCVBUF, &byteCount, socklen_t(MemoryLayout<CInt>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        try connect(&address, MemoryLayout<sockaddr_in>.size)
    }

    init(path: String) throws {
        descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        try connect(&address, MemoryLayout<sockaddr_un>.size)
    }

    deinit { close() }

    private func connect(_ address: UnsafeRawPointer, _ byteCount: Int) throws {
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        let status = Glibc.connect(
            descriptor, address.assumingMemoryBound(to: sockaddr.self), socklen_t(byteCount))
        guard status == 0 else { throw Failure(description: "connect: \(errno)") }
    }

    /// Sends all of `text`; what the other side refuses is lost, as a test may expect.
    func send(_ text: String) {
        let bytes = Array(text.utf8)
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            offset += count
        }
    }

    func get(_ target: String) { send("GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n") }

    func shutdownWriting() { shutdown(descriptor, CInt(SHUT_WR)) }

    func close() {
        if isOpen { Glibc.close(descriptor) }
        isOpen = false
    }

    /// Closes with a reset instead of an end of file.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// False at the end of file.
    private func receiveMore() throws -> Bool {
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count >= 0 else { throw Failure(description: "recv: \(errno)") }
        received.append(contentsOf: buffer[..<count])
        return count > 0
    }

    /// Everything up to and including `end`.
    func read(until end: String) throws -> String {
        let wanted = Array(end.utf8)
        while true {
            if let range = firstRange(of: wanted) {
                let text = String(decoding: received[..<range], as: UTF8.self)
                received.removeFirst(range)
                return text
            }
            guard try receiveMore() else {
                let text = String(decoding: received, as: UTF8.self)
                throw Failure(description: "end of file after \(text.prefix(300))")
            }
        }
    }

    private func firstRange(of wanted: [UInt8]) -> Int? {
        guard received.count >= wanted.count else { return nil }
        for start in 0...(received.count - wanted.count)
        where received[start..<start + wanted.count].elementsEqual(wanted) {
            return start + wanted.count
        }
        return nil
    }

    /// One response with a Content-Length, or without a body.
    func response(isHead: Bool = false) throws -> Response {
        let head = try read(until: "\r\n\r\n")
        var response = Response(
            status: Int(head.dropFirst(9).prefix(3)) ?? 0, head: head, body: "")
        if isHead { return response }
        let count = response.header("content-length").flatMap { Int($0) } ?? 0
        while received.count < count {
            guard try receiveMore() else { throw Failure(description: "body cut short") }
        }
        response.body = String(decoding: received[..<count], as: UTF8.self)
        received.removeFirst(count)
        return response
    }

    /// All that is left until the end of file.
    func readToEnd() throws -> String { String(decoding: try bytesToEnd(), as: UTF8.self) }

    func bytesToEnd() throws -> [UInt8] {
        while try receiveMore() {}
        defer { received = [] }
        return received
    }
}
