internal import CUV
internal import Glibc
internal import Runtime

/// One listening socket. Hands each waiting connection to its server.
final class HTTPListener {
    let address: HTTPListenAddress
    private let handle: UnsafeMutablePointer<uv_stream_t>
    private unowned let server: HTTPServer
    private var isClosed = false

    /// - Throws: ``HTTPListenError``.
    init(
        server: HTTPServer, address: HTTPListenAddress, backlogCount: Int
    ) throws(HTTPListenError) {
        self.server = server
        let opened =
            switch address {
            case .ip(let host, let port): HTTPListener.openTCP(server.loop, host, port)
            case .unix(let path): HTTPListener.openPipe(server.loop, path)
            }
        handle = opened.handle
        var status = opened.status
        if status == 0 { status = uv_listen(handle, CInt(clamping: backlogCount), onConnection) }
        guard status == 0 else {
            let reason = String(cString: uv_strerror(status))
            UVStream.close(handle, onListenerClosed)
            throw HTTPListenError(address: address, reason: reason)
        }
        self.address = HTTPListener.boundAddress(handle, address)
        handle.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        handle.pointee.data = nil
        UVStream.close(handle, onListenerClosed)
    }

    fileprivate func accept(_ status: CInt) {
        guard status == 0, !isClosed else { return }
        let client = UVStream.allocate()
        let isPipe = handle.pointee.type == UV_NAMED_PIPE
        _ = isPipe
            ? UVStream.withPipe(client) { uv_pipe_init(server.loop.uv, $0, 0) }
            : UVStream.withTCP(client) { uv_tcp_init(server.loop.uv, $0) }
        guard uv_accept(handle, client) == 0 else {
            return UVStream.close(client, onListenerClosed)
        }
        if !isPipe { UVStream.withTCP(client) { _ = uv_tcp_nodelay($0, 1) } }
        server.accepted(client)
    }

    private typealias Opened = (handle: UnsafeMutablePointer<uv_stream_t>, status: CInt)

    private static func openTCP(_ loop: EventLoop, _ host: String, _ port: UInt16) -> Opened {
        let handle = UVStream.allocate()
        var storage = sockaddr_storage()
        let status = withUnsafeMutablePointer(to: &storage) { storage in
            let raw = UnsafeMutableRawPointer(storage)
            var status = uv_ip4_addr(
                host, CInt(port), raw.assumingMemoryBound(to: sockaddr_in.self))
            if status != 0 {
                status = uv_ip6_addr(
                    host, CInt(port), raw.assumingMemoryBound(to: sockaddr_in6.self))
            }
            return UVStream.withTCP(handle) { tcp in
                uvCheck(uv_tcp_init(loop.uv, tcp), "uv_tcp_init")
                guard status == 0 else { return status }
                return uv_tcp_bind(
                    tcp, raw.assumingMemoryBound(to: sockaddr.self),
                    UInt32(UV_TCP_REUSEPORT.rawValue))
            }
        }
        return (handle, status)
    }

    private static func openPipe(_ loop: EventLoop, _ path: String) -> Opened {
        let handle = UVStream.allocate()
        removeStaleSocket(path)
        let status = UVStream.withPipe(handle) { pipe in
            uvCheck(uv_pipe_init(loop.uv, pipe, 0), "uv_pipe_init")
            return uv_pipe_bind(pipe, path)
        }
        return (handle, status)
    }

    /// Removes the socket of a process that was killed: the file is there and nobody listens.
    private static func removeStaleSocket(_ path: String) {
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard probe >= 0 else { return }
        defer { Glibc.close(probe) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        let status = withUnsafePointer(to: &address) {
            connect(
                probe, UnsafeRawPointer($0).assumingMemoryBound(to: sockaddr.self),
                socklen_t(MemoryLayout<sockaddr_un>.size))
        }
        if status != 0, errno == ECONNREFUSED { unlink(path) }
    }

    private static func boundAddress(
        _ handle: UnsafeMutablePointer<uv_stream_t>, _ asked: HTTPListenAddress
    ) -> HTTPListenAddress {
        guard case .ip(let host, 0) = asked else { return asked }
        var storage = sockaddr_storage()
        return withUnsafeMutablePointer(to: &storage) { storage in
            let raw = UnsafeMutableRawPointer(storage)
            var count = CInt(MemoryLayout<sockaddr_storage>.size)
            _ = UVStream.withTCP(handle) {
                uv_tcp_getsockname($0, raw.assumingMemoryBound(to: sockaddr.self), &count)
            }
            // The port stands at the same place for both families.
            let port = raw.assumingMemoryBound(to: sockaddr_in.self).pointee.sin_port
            return .ip(host: host, port: UInt16(bigEndian: port))
        }
    }
}

private func onConnection(_ handle: UnsafeMutablePointer<uv_stream_t>?, _ status: CInt) {
    guard let context = handle?.pointee.data else { return }
    Unmanaged<HTTPListener>.fromOpaque(context).takeUnretainedValue().accept(status)
}

private func onListenerClosed(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
    UVStream.free(handle)
}
