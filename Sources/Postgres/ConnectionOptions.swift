internal import CPostgres
internal import Glibc

/// The keywords of one connection, as libpq takes them.
struct ConnectionOptions {
    /// Keyword and value, in order, each keyword once.
    private(set) var values: [(keyword: String, value: String)]

    /// - Throws: libpq's explanation of what is wrong with the connection string.
    init(
        _ configuration: PostgresConfiguration, role: ConnectionRole
    ) throws(ConnectFailure) {
        var message: UnsafeMutablePointer<CChar>?
        guard let parsed = PQconninfoParse(configuration.connectionString, &message) else {
            defer { PQfreemem(message) }
            throw ConnectFailure(message: message.map { String(cString: $0) } ?? "out of memory")
        }
        defer { PQconninfoFree(parsed) }
        values = []
        var option = parsed
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                values.append((String(cString: keyword), String(cString: value)))
            }
            option += 1
        }
        set("client_encoding", "UTF8")
        setDefault("application_name", configuration.applicationName)
        // Looking for Kerberos tickets reads files and blocks.
        setDefault("gssencmode", "disable")
        setDefault("tcp_user_timeout", "10000")
        setDefault("keepalives_idle", "30")
        let settings = configuration.settings + role.timeouts(configuration.limits)
        let own = settings.map { "-c \($0.name)=\(ConnectionOptions.escaped($0.value))" }
        set("options", ([self["options"]].compactMap { $0 } + own).joined(separator: " "))
    }

    subscript(keyword: String) -> String? {
        values.first { $0.keyword == keyword }?.value
    }

    mutating func set(_ keyword: String, _ value: String) {
        values.removeAll { $0.keyword == keyword }
        values.append((keyword, value))
    }

    private mutating func setDefault(_ keyword: String, _ value: String) {
        if self[keyword] == nil { values.append((keyword, value)) }
    }

    /// Spaces and backslashes in start-up options are escaped by a backslash.
    static func escaped(_ value: String) -> String {
        var escaped = ""
        for character in value {
            if character == " " || character == "\\" { escaped.append("\\") }
            escaped.append(character)
        }
        return escaped
    }

    // MARK: Hosts

    /// The hosts that libpq would look up, which blocks; empty if there is nothing to look up.
    var hostNames: [String] {
        guard self["hostaddr"] == nil, getenv("PGHOSTADDR") == nil else { return [] }
        let hosts = hostList
        return hosts.allSatisfy { !ConnectionOptions.isName($0) } ? [] : hosts
    }

    private var hostList: [String] {
        guard let list = self["host"] ?? getenv("PGHOST").map({ String(cString: $0) }) else {
            return []
        }
        return list.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    /// Neither a socket's folder nor an address.
    static func isName(_ host: String) -> Bool {
        if host.isEmpty || host.hasPrefix("/") || host.hasPrefix("@") { return false }
        var address = in6_addr()
        return inet_pton(AF_INET, host, &address) != 1 && inet_pton(AF_INET6, host, &address) != 1
    }

    /// Puts every address of every host in `hostaddr`, with `host` and `port` of the same length.
    ///
    /// - Parameter addresses: The addresses of each of ``hostNames``; a host without any is left
    ///   out, unless it is not a name at all.
    mutating func setAddresses(_ addresses: [[String]]) {
        let ports = (self["port"] ?? getenv("PGPORT").map { String(cString: $0) } ?? "5432")
            .split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        var hosts: [String] = []
        var hostAddresses: [String] = []
        var hostPorts: [String] = []
        for (index, host) in hostList.enumerated() where index < addresses.count {
            let port = ports.count == 1 ? ports[0] : index < ports.count ? ports[index] : ""
            // An entry that is an address or a folder needs no address of its own.
            let found = ConnectionOptions.isName(host) ? addresses[index] : [""]
            for address in found {
                hosts.append(host)
                hostAddresses.append(address)
                hostPorts.append(port)
            }
        }
        set("host", hosts.joined(separator: ","))
        set("hostaddr", hostAddresses.joined(separator: ","))
        set("port", hostPorts.joined(separator: ","))
    }
}

/// Why no connection could be made; for the operator's log.
package struct ConnectFailure: Error, Sendable, CustomStringConvertible {
    /// libpq's, with a line feed at its end.
    package let message: String

    package var description: String {
        message.hasSuffix("\n") ? String(message.dropLast()) : message
    }
}
