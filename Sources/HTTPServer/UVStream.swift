internal import CUV
internal import Glibc

/// Memory of a stream handle that is a TCP connection or a Unix socket.
enum UVStream {
    static func allocate() -> UnsafeMutablePointer<uv_stream_t> {
        let byteCount = max(MemoryLayout<uv_tcp_t>.size, MemoryLayout<uv_pipe_t>.size)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 16)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        return memory.assumingMemoryBound(to: uv_stream_t.self)
    }

    static func free(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
        UnsafeMutableRawPointer(handle)?.deallocate()
    }

    static func withTCP<Result>(
        _ handle: UnsafeMutablePointer<uv_stream_t>,
        _ body: (UnsafeMutablePointer<uv_tcp_t>) -> Result
    ) -> Result {
        body(UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_tcp_t.self))
    }

    static func withPipe<Result>(
        _ handle: UnsafeMutablePointer<uv_stream_t>,
        _ body: (UnsafeMutablePointer<uv_pipe_t>) -> Result
    ) -> Result {
        body(UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_pipe_t.self))
    }

    static func close(
        _ handle: UnsafeMutablePointer<uv_stream_t>, _ closed: uv_close_cb
    ) {
        uv_close(UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self), closed)
    }

    /// The numeric address of the other end of a TCP connection.
    static func peerAddress(_ handle: UnsafeMutablePointer<uv_stream_t>) -> String? {
        var storage = sockaddr_storage()
        return withUnsafeMutablePointer(to: &storage) { storage in
            let address = UnsafeMutableRawPointer(storage).assumingMemoryBound(to: sockaddr.self)
            var count = CInt(MemoryLayout<sockaddr_storage>.size)
            guard withTCP(handle, { uv_tcp_getpeername($0, address, &count) }) == 0 else {
                return nil
            }
            return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
                guard uv_ip_name(address, text.baseAddress, text.count) == 0,
                    let start = text.baseAddress
                else { return nil }
                return String(cString: start)
            }
        }
    }
}
