/// Where a server listens.
package enum HTTPListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// A numeric IPv4 or IPv6 address; port 0 lets the kernel choose.
    case ip(host: String, port: UInt16)
    /// A socket in the file system.
    case unix(path: String)

    /// Reads `127.0.0.1:8080`, `[::]:8080`, `localhost:8080` or `unix:/path`; nil for all else.
    package init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst("unix:".count))
            guard path.hasPrefix("/"), path.utf8.count < 108 else { return nil }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...])
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty else { return nil }
        self = .ip(host: host == "localhost" ? "127.0.0.1" : host, port: port)
    }

    package var description: String {
        switch self {
        case .ip(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// Whether only this machine can connect.
    package var isLocal: Bool {
        switch self {
        case .ip(let host, _): host.hasPrefix("127.") || host == "::1"
        case .unix: true
        }
    }
}

/// Why a server could not listen.
package struct HTTPListenError: Error, Sendable, CustomStringConvertible {
    package let address: HTTPListenAddress
    /// What the system said, for example `address already in use`.
    package let reason: String

    package var description: String { "cannot listen on \(address): \(reason)" }
}
