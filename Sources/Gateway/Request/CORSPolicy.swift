package import HTTPServer

/// Which pages of other origins may call, in the browser of a user (the Fetch standard, CORS).
///
/// Cookies play no part here, so credentials in its sense are never allowed.
package struct CORSPolicy: Sendable {
    private let origins: Set<String>
    private let allowsAll: Bool

    /// Origins that may be listed.
    package static let originCountMax = 100
    /// How long a browser may keep what a preflight said, in seconds.
    private static let preflightAgeMax = "600"
    private static let methods = "GET, HEAD, POST, PUT, PATCH, DELETE"
    private static let requestHeaders = """
        Accept, Authorization, Content-Type, Fourfold-Token, Fourfold-User, If-Match, \
        If-None-Match, Last-Event-ID, Prefer, Range, Range-Unit, Request-Timeout, Traceparent, \
        X-Client-Info
        """
    private static let exposedHeaders = """
        Content-Location, Content-Range, ETag, Fourfold-Degraded, Fourfold-Token, \
        Link, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After
        """

    /// Reads `*`, or exact origins such as `https://app.example.org`, separated by commas.
    ///
    /// - Returns: nil if the text is anything else.
    package init?(_ text: String) {
        allowsAll = text == "*"
        let parts = allowsAll ? [] : text.split(separator: ",").map { String($0.trimmingSpaces) }
        guard parts.count <= CORSPolicy.originCountMax, allowsAll || !parts.isEmpty,
            parts.allSatisfy(CORSPolicy.isOrigin)
        else { return nil }
        origins = Set(parts)
    }

    /// Whether browsers would ever send this as `Origin`: scheme, host and port in lower case,
    /// without a path.
    private static func isOrigin(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[1].isEmpty, !parts[2].isEmpty,
            parts[0] == "http:" || parts[0] == "https:"
        else { return false }
        return parts[2].utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ":"),
                UInt8(ascii: "["), UInt8(ascii: "]"):
                true
            default: false
            }
        }
    }

    /// The answer to a preflight; nil for every other request.
    package func preflight(_ request: HTTPRequest) -> HTTPResponse? {
        guard request.method == .options, request.headers.contains("origin"),
            request.headers.contains("access-control-request-method")
        else { return nil }
        var response = HTTPResponse(status: 204)
        if let allowed = allowedOrigin(request) {
            response.headers.append("Access-Control-Allow-Origin", allowed)
            response.headers.append("Access-Control-Allow-Methods", CORSPolicy.methods)
            response.headers.append("Access-Control-Allow-Headers", CORSPolicy.requestHeaders)
            response.headers.append("Access-Control-Max-Age", CORSPolicy.preflightAgeMax)
        }
        appendVary(&response)
        return response
    }

    /// Lets the page read an answer, if it may.
    package func decorate(_ response: inout HTTPResponse, _ origin: String?) {
        if let allowed = allowedOrigin(origin) {
            response.headers.append("Access-Control-Allow-Origin", allowed)
            response.headers.append("Access-Control-Expose-Headers", CORSPolicy.exposedHeaders)
        }
        appendVary(&response)
    }

    private func allowedOrigin(_ request: HTTPRequest) -> String? {
        allowedOrigin(request.headers["origin"])
    }

    private func allowedOrigin(_ origin: String?) -> String? {
        guard let origin else { return nil }
        if allowsAll { return "*" }
        return origins.contains(origin) ? origin : nil
    }

    /// Caches must not give the answer for one origin to another.
    private func appendVary(_ response: inout HTTPResponse) {
        if !allowsAll { response.headers.append("Vary", "Origin") }
    }
}
