internal import HTTPServer
internal import JSON
internal import Runtime

/// One request, parsed as far as all routes need it.
final class RequestContext: Sendable {
    let request: HTTPRequest
    let caller: Caller
    let preferences: Preferences
    let deadline: Deadline
    let depthMax: Int

    init(
        _ request: HTTPRequest, _ configuration: GatewayConfiguration,
        takesQueryCredentials: Bool = false
    ) throws(Problem) {
        self.request = request
        caller = try Caller(
            request.headers, query: takesQueryCredentials ? request.query : nil,
            keys: configuration.serviceKeys)
        preferences = Preferences(request.headers["prefer"])
        deadline = try RequestContext.deadline(
            request.headers["request-timeout"], atMost: configuration.requestTimeout)
        depthMax = configuration.bodyDepthMax
    }

    var method: HTTPMethod { request.method }

    /// Who a failed write is held against, so that others do not share a transaction with it.
    var clientName: String? { caller.owner ?? caller.service ?? request.peerAddress }

    /// The token that the client sent; nil without one.
    func token() throws(Problem) -> ConsistencyToken? {
        let text =
            request.headers["fourfold-token"]
            ?? request.query.first { $0.name == "token" }?.value
        guard let text else { return nil }
        guard let token = ConsistencyToken(text) else {
            throw Problem(
                .invalidHeader, "Fourfold-Token is not one that a write returned.",
                errors: [FieldError("Fourfold-Token", "malformed")])
        }
        return token
    }

    /// The body as JSON.
    ///
    /// - Throws: 415 for another media type, 400 for what is not JSON.
    func json() throws(Problem) -> JSONDocument {
        if let type = request.headers["content-type"], !RequestContext.isJSON(type) {
            throw Problem(
                .unsupportedMediaType, "The body must be JSON.",
                hint: "Send `Content-Type: application/json`.")
        }
        do throws(JSONError) {
            return try JSONDocument.parse(request.body, depthMax: depthMax)
        } catch {
            throw Problem(error)
        }
    }

    private static func isJSON(_ contentType: String) -> Bool {
        if contentType == "application/json" { return true }
        let type = (contentType.split(separator: ";").first ?? "").trimmingSpaces.lowercased()
        return type == "application/json" || type == "text/json"
            || (type.hasPrefix("application/") && type.hasSuffix("+json"))
    }

    /// `Request-Timeout: 2.5` (seconds) shortens the deadline.
    private static func deadline(
        _ header: String?, atMost longest: Duration
    ) throws(Problem) -> Deadline {
        guard let header else { return .after(longest) }
        guard let seconds = Double(header), seconds.isFinite, seconds > 0 else {
            throw Problem(
                .invalidHeader, "Request-Timeout must be a number of seconds above zero.",
                errors: [FieldError("Request-Timeout", "not a positive number")])
        }
        return .after(min(longest, .seconds(min(seconds, 1e6))))
    }
}
