/// The proxies whose word about the client's address is taken (`FOURFOLD_TRUSTED_PROXIES`).
package struct TrustedProxies: Sendable, Equatable {
    /// Greatest number of networks.
    package static let countMax = 100

    private var networks: [IPNetwork] = []
    private var includesUnixSocket = false

    /// Trusts nobody.
    package init() {}

    /// Reads networks, addresses and the word `unix`, separated by commas; nil for all else.
    package init?(_ text: String) {
        for part in text.split(separator: ",") {
            let part = part.trimmingSpaces
            if part == "unix" {
                includesUnixSocket = true
            } else if let network = IPNetwork(part) {
                networks.append(network)
            } else {
                return nil
            }
        }
        guard networks.count <= TrustedProxies.countMax else { return nil }
    }

    func contains(_ peer: ClientAddress.Peer) -> Bool {
        switch peer {
        case .address(let address): contains(address)
        case .unixSocket: includesUnixSocket
        case .unknown: false
        }
    }

    func contains(_ address: IPAddress) -> Bool { networks.contains { $0.contains(address) } }
}
