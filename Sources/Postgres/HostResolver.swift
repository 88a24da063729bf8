internal import CUV
internal import Glibc
internal import Runtime

/// Looks host names up on libuv's thread pool, one after another.
final class HostResolver {
    private let loop: EventLoop
    private var names: [String]
    private var addresses: [[String]] = []
    private var finished: (([[String]]) -> Void)?

    /// - Parameter finished: Called on the loop with the addresses of each name, in order; empty
    ///   for a name that is unknown or needs no look-up.
    init(loop: EventLoop, names: [String], finished: @escaping ([[String]]) -> Void) {
        self.loop = loop
        self.names = names
        self.finished = finished
    }

    func start() {
        while addresses.count < names.count {
            let name = names[addresses.count]
            if ConnectionOptions.isName(name), lookUp(name) { return }
            addresses.append([])
        }
        finished?(addresses)
        finished = nil
    }

    private func lookUp(_ name: String) -> Bool {
        let request = UnsafeMutablePointer<uv_getaddrinfo_t>.allocate(capacity: 1)
        request.pointee.data = Unmanaged.passRetained(self).toOpaque()
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        let status = uv_getaddrinfo(loop.uv, request, onAddresses, name, nil, &hints)
        if status < 0 {
            Unmanaged.passUnretained(self).release()
            request.deallocate()
        }
        return status >= 0
    }

    fileprivate func found(_ list: UnsafeMutablePointer<addrinfo>?) {
        var texts: [String] = []
        var next = list
        while let entry = next {
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
                guard let buffer = text.baseAddress else { return }
                if uv_ip_name(entry.pointee.ai_addr, buffer, 64) == 0 {
                    texts.append(String(cString: buffer))
                }
            }
            next = entry.pointee.ai_next
        }
        addresses.append(texts)
        start()
    }
}

private func onAddresses(
    _ request: UnsafeMutablePointer<uv_getaddrinfo_t>?, _ status: CInt,
    _ list: UnsafeMutablePointer<addrinfo>?
) {
    guard let request, let context = request.pointee.data else { return }
    let resolver = Unmanaged<HostResolver>.fromOpaque(context).takeRetainedValue()
    request.deallocate()
    resolver.found(status < 0 ? nil : list)
    uv_freeaddrinfo(list)
}
