internal import CUV

/// Resolves a host name on libuv's thread pool: the look-ups of C libraries would block a loop.
package enum HostResolver {
    /// - Parameter done: Called on the loop with numeric addresses, none when the name is unknown.
    package static func resolve(
        _ host: String, on loop: EventLoop, done: @escaping ([String]) -> Void
    ) {
        let request = UnsafeMutablePointer<uv_getaddrinfo_t>.allocate(capacity: 1)
        request.pointee.data = Unmanaged.passRetained(Lookup(done)).toOpaque()
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        // SOCK_STREAM, which Glibc declares as an enumeration and CUV does not show.
        hints.ai_socktype = 1
        let status = uv_getaddrinfo(loop.uv, request, onResolved, host, nil, &hints)
        if status != 0 { onResolved(request, status, nil) }
    }
}

private final class Lookup {
    let done: ([String]) -> Void
    init(_ done: @escaping ([String]) -> Void) { self.done = done }
}

private func onResolved(
    _ request: UnsafeMutablePointer<uv_getaddrinfo_t>?, _ status: CInt,
    _ first: UnsafeMutablePointer<addrinfo>?
) {
    guard let request, let context = request.pointee.data else { return }
    let lookup = Unmanaged<Lookup>.fromOpaque(context).takeRetainedValue()
    request.deallocate()
    var addresses: [String] = []
    var next = first
    while let entry = next {
        var text = [CChar](repeating: 0, count: 64)
        if uv_ip_name(entry.pointee.ai_addr, &text, text.count) == 0 {
            let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            addresses.append(String(decoding: bytes, as: UTF8.self))
        }
        next = entry.pointee.ai_next
    }
    if let first { uv_freeaddrinfo(first) }
    lookup.done(addresses)
}
