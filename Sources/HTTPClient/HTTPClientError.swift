/// Why no answer came. Closed on purpose; never carries a URL, a header or a body.
package enum HTTPClientError: Error, Equatable, Sendable {
    /// The URL, the method or a header is not one this client sends.
    case invalidRequest
    /// Name resolution, connect or TLS handshake failed: nothing was sent.
    case unreachable
    /// The deadline passed.
    case timedOut(mayHaveBeenApplied: Bool)
    /// The connection broke or the answer was no HTTP.
    case connectionLost(mayHaveBeenApplied: Bool)
    /// The answer passed the byte bound; the server did process the request.
    case responseTooLarge
    /// The queue of this client is full: nothing was sent.
    case overloaded
    /// The task was cancelled or the client was closed.
    case cancelled(mayHaveBeenApplied: Bool)

    /// Whether the server may have acted on the request.
    package var mayHaveBeenApplied: Bool {
        switch self {
        case .invalidRequest, .unreachable, .overloaded: false
        case .responseTooLarge: true
        case .timedOut(let may), .connectionLost(let may), .cancelled(let may): may
        }
    }
}
