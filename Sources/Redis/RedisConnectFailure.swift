/// Why there is no connection, for the operator. Never carries keys, values or secrets.
package enum RedisConnectFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// The host name has no address.
    case unknownHost
    case noConnection
    /// The server's certificate is not trusted or is not for this host.
    case certificateRefused
    /// TLS failed for another reason, e.g. the server does not speak it.
    case handshakeFailed
    case loginRefused(code: String)
    /// The server closed the connection, or answered nonsense, before the login was done.
    case brokenOff
    case timedOut

    package var description: String {
        switch self {
        case .unknownHost: "the host name has no address"
        case .noConnection: "no connection"
        case .certificateRefused: "the certificate of the server is not trusted for this host"
        case .handshakeFailed: "the TLS handshake failed"
        case .loginRefused(let code): "the login was refused: \(code)"
        case .brokenOff: "the connection broke off during the login"
        case .timedOut: "no connection in time"
        }
    }
}
