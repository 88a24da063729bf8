internal import Glibc

extension HTTPListenAddress {
    /// Makes sure that no other program listens here.
    ///
    /// `SO_REUSEPORT`, by which every loop has a listener of its own, would also let a second
    /// gateway in and split the connections between both.
    ///
    /// - Throws: ``HTTPListenError`` with what the system says, e.g. `Address already in use`.
    package func requireFree() throws(HTTPListenError) {
        guard case .ip(let host, let port) = self, port != 0 else { return }
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0, let found else {
            throw HTTPListenError(address: self, reason: "it is no numeric address")
        }
        defer { freeaddrinfo(found) }
        let probe = socket(found.pointee.ai_family, found.pointee.ai_socktype, 0)
        guard probe >= 0 else { throw refusal }
        defer { close(probe) }
        // Else connections of a former process that are winding down would be in the way.
        var isOn: CInt = 1
        setsockopt(
            probe, SOL_SOCKET, SO_REUSEADDR, &isOn, socklen_t(MemoryLayout<CInt>.size))
        guard bind(probe, found.pointee.ai_addr, found.pointee.ai_addrlen) == 0 else {
            throw refusal
        }
    }

    private var refusal: HTTPListenError {
        HTTPListenError(address: self, reason: String(cString: strerror(errno)))
    }
}
