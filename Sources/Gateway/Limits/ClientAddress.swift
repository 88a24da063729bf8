/// Finds out where a request came from.
enum ClientAddress {
    /// The other end of the connection.
    enum Peer: Equatable, Sendable {
        case address(IPAddress)
        case unixSocket
        /// It has left already.
        case unknown
    }

    /// Hops that are looked at; a longer chain of trusted proxies is a loop or an attack.
    static let hopCountMax = 32

    /// The address nearest to us that is no trusted proxy's.
    ///
    /// Without a trusted peer the headers are not read. `Forwarded` counts where both are there. If
    /// that hop is unknown, obfuscated or malformed, the peer's address is taken.
    ///
    /// - Returns: nil where there is none: a Unix socket without a usable header.
    static func find(
        peer: Peer, forwarded: String?, xForwardedFor: String?, trusting proxies: TrustedProxies
    ) -> IPAddress? {
        let own: IPAddress? = if case .address(let address) = peer { address } else { nil }
        guard proxies.contains(peer) else { return own }
        let nodes: ForwardedNodes
        if let forwarded {
            nodes = ForwardedNodes(forwarded, .forwarded)
        } else if let xForwardedFor {
            nodes = ForwardedNodes(xForwardedFor, .xForwardedFor)
        } else {
            return own
        }
        var furthest: IPAddress?
        for (index, node) in nodes.enumerated() {
            guard index < hopCountMax, case .address(let address) = node else { return own }
            if !proxies.contains(address) { return address }
            furthest = address
        }
        return furthest ?? own
    }
}
