/// Why the server answered a request itself, without its handler; closed on purpose.
///
/// The connection is closed after each of these answers.
package enum HTTPServerError: Error, Sendable, Hashable, CaseIterable {
    case malformedRequest
    /// The length of the body is stated twice, in contradiction, or not as a number (RFC 9112 §6).
    case ambiguousLength
    /// HTTP/1.1 demands exactly one Host line (RFC 9112 §3.2).
    case hostInvalid
    /// Bad percent-encoding, a NUL, bytes that are no UTF-8, or a fragment.
    case targetInvalid
    /// The client closed its side in the middle of a request.
    case requestIncomplete
    case headerTimedOut
    case bodyTimedOut
    case bodyTooLarge
    case targetTooLong
    case expectationUnknown
    case headerTooLarge
    case methodUnknown
    case transferEncodingUnknown
    case overloaded
    case versionUnsupported

    /// The HTTP status that goes with the error.
    package var status: Int {
        switch self {
        case .malformedRequest, .ambiguousLength, .hostInvalid, .targetInvalid, .requestIncomplete:
            400
        case .headerTimedOut, .bodyTimedOut: 408
        case .bodyTooLarge: 413
        case .targetTooLong: 414
        case .expectationUnknown: 417
        case .headerTooLarge: 431
        case .methodUnknown, .transferEncodingUnknown: 501
        case .overloaded: 503
        case .versionUnsupported: 505
        }
    }

    /// A stable name, safe as a metric label and as the `code` of a problem.
    package var code: String {
        switch self {
        case .malformedRequest: "malformed_request"
        case .ambiguousLength: "ambiguous_length"
        case .hostInvalid: "host_invalid"
        case .targetInvalid: "target_invalid"
        case .requestIncomplete: "request_incomplete"
        case .headerTimedOut: "header_timed_out"
        case .bodyTimedOut: "body_timed_out"
        case .bodyTooLarge: "body_too_large"
        case .targetTooLong: "target_too_long"
        case .expectationUnknown: "expectation_unknown"
        case .headerTooLarge: "header_too_large"
        case .methodUnknown: "method_unknown"
        case .transferEncodingUnknown: "transfer_encoding_unknown"
        case .overloaded: "overloaded"
        case .versionUnsupported: "version_unsupported"
        }
    }

    /// One sentence for the client, without anything from the request.
    package var detail: String {
        switch self {
        case .malformedRequest: "The request is not valid HTTP/1.1."
        case .ambiguousLength: "The length of the request body is ambiguous or not a number."
        case .hostInvalid: "An HTTP/1.1 request needs exactly one Host header."
        case .targetInvalid:
            "The request target must be a path in valid percent-encoded UTF-8, without NUL."
        case .requestIncomplete: "The connection ended before the request was complete."
        case .headerTimedOut: "The request header did not arrive in time."
        case .bodyTimedOut: "The request body did not arrive in time."
        case .bodyTooLarge: "The request body is larger than this server accepts."
        case .targetTooLong: "The request target is longer than this server accepts."
        case .expectationUnknown: "Only the expectation 100-continue is known."
        case .headerTooLarge: "The request header is larger than this server accepts."
        case .methodUnknown: "The request method is not known."
        case .transferEncodingUnknown: "The only transfer encoding accepted is chunked."
        case .overloaded: "The server has no capacity left for this request."
        case .versionUnsupported: "Only HTTP/1.1 and HTTP/1.0 are spoken here."
        }
    }
}
