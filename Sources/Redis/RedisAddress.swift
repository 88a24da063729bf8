/// Why a Redis URL is refused. Never carries any of it.
package enum RedisAddressError: Error, Equatable, Sendable {
    case malformed
    case unsupportedScheme
    case invalidPort
    case invalidDatabase
}

/// Where Redis is and how to log in.
///
/// `redis://[[user]:password@]host[:port][/database]`, `rediss://…` for TLS, or
/// `unix:/path[?db=n]`; user and password are percent-encoded.
package struct RedisAddress: Equatable, Sendable {
    package enum Endpoint: Equatable, Sendable {
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    package var endpoint: Endpoint
    /// Nil logs in as the default user.
    package var user: String?
    package var password: String?
    package var database: Int
    /// Over TCP only.
    package var usesTLS: Bool

    package static let defaultPort = 6_379
    /// `sun_path` of Linux, with its end.
    private static let pathByteCountMax = 107

    package init(
        endpoint: Endpoint, user: String? = nil, password: String? = nil, database: Int = 0,
        usesTLS: Bool = false
    ) {
        self.endpoint = endpoint
        self.user = user
        self.password = password
        self.database = database
        self.usesTLS = usesTLS
    }

    package static func parse(_ url: String) throws(RedisAddressError) -> RedisAddress {
        guard let colon = url.firstIndex(of: ":") else { throw .malformed }
        let rest = url[url.index(after: colon)...]
        switch url[..<colon].lowercased() {
        case "redis": return try parseTCP(rest, usesTLS: false)
        case "rediss": return try parseTCP(rest, usesTLS: true)
        case "unix": return try parseUnix(rest)
        default: throw .unsupportedScheme
        }
    }

    private static func parseTCP(
        _ text: Substring, usesTLS: Bool
    ) throws(RedisAddressError) -> RedisAddress {
        guard text.hasPrefix("//") else { throw .malformed }
        var (authority, path) = split(text.dropFirst(2), at: "/")
        if authority.contains("?") || path?.contains("?") == true { throw .malformed }
        var address = RedisAddress(
            endpoint: .tcp(host: "", port: defaultPort), usesTLS: usesTLS)
        if let at = authority.lastIndex(of: "@") {
            let (user, password) = split(authority[..<at], at: ":")
            authority = authority[authority.index(after: at)...]
            guard let password, let secret = decoded(password), let name = decoded(user) else {
                throw .malformed
            }
            address.password = secret
            address.user = name.isEmpty ? nil : name
        }
        let (host, port) = try parseHost(authority)
        address.endpoint = .tcp(host: host, port: port)
        address.database = try parseDatabase(path ?? "")
        path = nil
        return address
    }

    private static func parseHost(
        _ text: Substring
    ) throws(RedisAddressError) -> (host: String, port: Int) {
        var host = text
        var digits: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw .malformed }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            if !rest.isEmpty {
                guard rest.hasPrefix(":") else { throw .malformed }
                digits = rest.dropFirst()
            }
        } else {
            (host, digits) = split(text, at: ":")
        }
        if host.isEmpty || host.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F }) {
            throw .malformed
        }
        guard let digits else { return (String(host), defaultPort) }
        guard let port = Int(digits), (1...65_535).contains(port) else { throw .invalidPort }
        return (String(host), port)
    }

    private static func parseUnix(_ text: Substring) throws(RedisAddressError) -> RedisAddress {
        var (path, query) = split(text, at: "?")
        if path.hasPrefix("///") { path = path.dropFirst(2) }
        guard path.hasPrefix("/"), !path.hasPrefix("//"), path.utf8.count <= pathByteCountMax,
            !path.utf8.contains(0)
        else { throw .malformed }
        var address = RedisAddress(endpoint: .unix(path: String(path)))
        if let query {
            guard query.hasPrefix("db=") else { throw .malformed }
            address.database = try parseDatabase(query.dropFirst(3))
        }
        return address
    }

    private static func parseDatabase(_ text: Substring) throws(RedisAddressError) -> Int {
        if text.isEmpty { return 0 }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text),
            number <= Int(Int32.max)
        else { throw .invalidDatabase }
        return number
    }

    private static func split(
        _ text: Substring, at separator: Character
    ) -> (Substring, Substring?) {
        guard let index = text.firstIndex(of: separator) else { return (text, nil) }
        return (text[..<index], text[text.index(after: index)...])
    }

    /// Percent-decoded text; nil when an escape is broken or the bytes are no UTF-8.
    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
