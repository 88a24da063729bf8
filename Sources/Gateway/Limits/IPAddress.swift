internal import Glibc

/// A numeric address. An IPv4 address mapped into IPv6 is the IPv4 address.
package struct IPAddress: Hashable, Sendable {
    /// Network order: 4 bytes of IPv4, 16 of IPv6.
    let bytes: [UInt8]

    var isIPv6: Bool { bytes.count == 16 }

    private init(bytes: [UInt8]) {
        let isMapped = bytes.count == 16 && bytes[..<12] == IPAddress.mappedPrefix[...]
        self.bytes = isMapped ? Array(bytes[12...]) : bytes
    }

    private static let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]

    /// - Returns: nil for all but a numeric address; zones (`%eth0`) and octal forms too.
    package init?(_ text: some StringProtocol) {
        guard text.utf8.count <= 45, text.utf8.allSatisfy(IPAddress.isWritable) else { return nil }
        let isIPv6 = text.utf8.contains(UInt8(ascii: ":"))
        var bytes = [UInt8](repeating: 0, count: isIPv6 ? 16 : 4)
        let status = inet_pton(isIPv6 ? AF_INET6 : AF_INET, String(text), &bytes)
        guard status == 1 else { return nil }
        self.init(bytes: bytes)
    }

    /// The shortest form (RFC 5952).
    package var text: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            let family = isIPv6 ? AF_INET6 : AF_INET
            guard let start = buffer.baseAddress,
                inet_ntop(family, bytes, start, socklen_t(buffer.count)) != nil
            else { return "" }
            return String(cString: start)
        }
    }

    /// Whom a limit counts: the address; of IPv6 its /64, because a subscriber has all of that.
    package var limitedName: String {
        guard isIPv6 else { return text }
        let network = bytes[..<8] + [UInt8](repeating: 0, count: 8)
        return IPAddress(bytes: Array(network)).text + "/64"
    }

    private static func isWritable(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: "."), UInt8(ascii: ":"):
            true
        default: false
        }
    }
}

/// A range of addresses in CIDR notation.
struct IPNetwork: Hashable, Sendable {
    private let address: IPAddress
    private let prefixBitCount: Int

    /// Reads `10.0.0.0/8`, `2001:db8::/32` or one address; nil for all else, and where bits are set
    /// behind the prefix: that is more often a slip than meant.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let address = IPAddress(parts[0]) else { return nil }
        let bitCount = address.bytes.count * 8
        var prefix = bitCount
        if parts.count == 2 {
            let digits = parts[1]
            guard digits.utf8.count <= 3, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let number = Int(digits), number <= bitCount
            else { return nil }
            prefix = number
        }
        self.address = address
        prefixBitCount = prefix
        let isClean = (prefix..<bitCount).allSatisfy { bit in
            address.bytes[bit / 8] & (0x80 >> UInt8(bit % 8)) == 0
        }
        if !isClean { return nil }
    }

    func contains(_ other: IPAddress) -> Bool {
        guard other.bytes.count == address.bytes.count else { return false }
        return (0..<prefixBitCount).allSatisfy { bit in
            (address.bytes[bit / 8] ^ other.bytes[bit / 8]) & (0x80 >> UInt8(bit % 8)) == 0
        }
    }
}
