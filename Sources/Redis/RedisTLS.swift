internal import CTLS

/// Files in PEM for TLS to Redis.
package struct RedisTLSFiles: Equatable, Sendable {
    /// Certificates to trust instead of the system's.
    package var authorities: String?
    /// The certificate that this side shows, with its chain, and its private key: both or none.
    package var certificate: String?
    package var key: String?

    package init(authorities: String? = nil, certificate: String? = nil, key: String? = nil) {
        self.authorities = authorities
        self.certificate = certificate
        self.key = key
    }
}

/// Why TLS cannot be used with the files given.
package enum RedisTLSError: Error, Equatable, Sendable {
    case authoritiesUnreadable
    case certificateUnreadable
    case keyUnreadable
    /// A certificate without its key, or a key without its certificate.
    case certificateOrKeyMissing
    /// OpenSSL itself failed.
    case unavailable
}

/// What every TLS connection to one Redis shares: trust, and this side's certificate.
///
/// Reads files when it is made, so make it once, at the start; any number of loops may use it.
/// TLS 1.2 or later; chain and host name of the server are always verified.
package final class RedisTLS: Sendable {
    /// An `SSL_CTX`, which OpenSSL locks by itself and which nobody changes after `init`.
    private nonisolated(unsafe) let context: OpaquePointer

    package init(_ files: RedisTLSFiles = RedisTLSFiles()) throws(RedisTLSError) {
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw .unavailable }
        self.context = context
        defer { ERR_clear_error() }
        fourfold_tls_set_modes(context)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        if let authorities = files.authorities {
            guard SSL_CTX_load_verify_file(context, authorities) == 1 else {
                throw .authoritiesUnreadable
            }
        } else if SSL_CTX_set_default_verify_paths(context) != 1 {
            throw .authoritiesUnreadable
        }
        guard (files.certificate == nil) == (files.key == nil) else {
            throw .certificateOrKeyMissing
        }
        guard let certificate = files.certificate, let key = files.key else { return }
        guard SSL_CTX_use_certificate_chain_file(context, certificate) == 1 else {
            throw .certificateUnreadable
        }
        guard SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1,
            SSL_CTX_check_private_key(context) == 1
        else { throw .keyUnreadable }
    }

    deinit { SSL_CTX_free(context) }

    /// A session that accepts only a server that proves to be `host`, a name or a numeric address.
    /// Nil if out of memory.
    func makeSession(host: String) -> RedisTLSSession? {
        guard let session = SSL_new(context) else { return nil }
        let parameters = SSL_get0_param(session)
        X509_VERIFY_PARAM_set_hostflags(
            parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        if X509_VERIFY_PARAM_set1_ip_asc(parameters, host) != 1 {
            ERR_clear_error()
            guard X509_VERIFY_PARAM_set1_host(parameters, host, 0) == 1,
                fourfold_tls_set_server_name(session, host) == 1
            else {
                SSL_free(session)
                return nil
            }
        }
        return RedisTLSSession(session)
    }
}

/// TLS on one connection: an `SSL`.
struct RedisTLSSession {
    enum Progress { case done, wantsRead, wantsWrite, failed }

    let session: OpaquePointer

    fileprivate init(_ session: OpaquePointer) { self.session = session }

    /// Frees a session that no context has taken.
    func free() { SSL_free(session) }

    /// Errors that others left on this thread would be taken for this session's.
    static func forgetErrors() { ERR_clear_error() }

    /// Goes on with the handshake.
    func shakeHands() -> Progress {
        ERR_clear_error()
        let status = SSL_do_handshake(session)
        if status == 1 { return .done }
        defer { ERR_clear_error() }
        switch SSL_get_error(session, status) {
        case SSL_ERROR_WANT_READ: return .wantsRead
        case SSL_ERROR_WANT_WRITE: return .wantsWrite
        default: return .failed
        }
    }

    /// Whether the server's certificate was the reason of a failed handshake.
    var isCertificateRefused: Bool { SSL_get_verify_result(session) != Int(X509_V_OK) }

    /// Whether there are decrypted bytes that the socket no longer tells of.
    var hasPendingBytes: Bool { SSL_pending(session) > 0 }
}
