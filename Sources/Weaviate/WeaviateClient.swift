package import HTTPClient
package import JSON
package import Runtime

/// Speaks Weaviate's REST API: schema, objects in batches, listing, and searches over GraphQL.
///
/// Belongs to the loop of its HTTP client. All writes are idempotent, because a request may arrive
/// twice (see ``HTTPClient``).
package final class WeaviateClient: @unchecked Sendable {
    let http: GuardedHTTPClient
    let configuration: WeaviateConfiguration
    private let baseURL: String
    private let headers: [(name: String, value: String)]

    package init(client: HTTPClient, configuration: WeaviateConfiguration) {
        http = GuardedHTTPClient(client: client, breaker: configuration.breaker)
        self.configuration = configuration
        var url = Substring(configuration.url)
        while url.hasSuffix("/") { url = url.dropLast() }
        baseURL = String(url)
        var headers = [(name: "Content-Type", value: "application/json")]
        if let key = configuration.apiKey { headers.append(("Authorization", "Bearer \(key)")) }
        self.headers = headers
    }

    package var loop: EventLoop { http.loop }
    package var breakerState: CircuitBreaker.State { http.breakerState }
    /// The time until the open breaker lets a probe through; nil when it is not open.
    package var breakerRetryAfter: Duration? { http.breakerRetryAfter }

    /// Whether the server says that it can serve. On the loop.
    package func checkReadiness(deadline: Deadline) async throws(WeaviateError) {
        let response = try await send(
            .get, "/v1/.well-known/ready", access: .read, deadline: deadline)
        if !response.isSuccess { throw .unavailable }
    }

    /// The server's description of itself: `version`, `modules`, …. On the loop.
    package func meta(deadline: Deadline) async throws(WeaviateError) -> JSONValue {
        try await read("/v1/meta", deadline: deadline)
    }

    /// Runs a search; hits are in the order of the ranking. On the loop.
    package func search(
        _ search: WeaviateSearch, deadline: Deadline
    ) async throws(WeaviateError) -> [WeaviateHit] {
        var body = JSONWriter()
        body.beginObject()
        body.field("query", try search.graphQL())
        body.endObject()
        let root = try WeaviateClient.document(
            try await send(
                .post, "/v1/graphql", body: body.bytes, access: .read, deadline: deadline))
        // The status is 200 whatever happened.
        if let error = root["errors"]?.elements.first(where: { _ in true }) {
            throw .rejected(.classify(error["message"]?.string ?? ""))
        }
        guard let hits = root["data"]?["Get"]?[search.className], hits.kind == .array else {
            throw .invalidResponse
        }
        return hits.elements.compactMap { WeaviateHit($0) }
    }

    // MARK: Requests

    enum Access { case read, write }

    /// Reads a JSON document; any status but success throws.
    func read(
        _ path: String, numbers: JSONDocument.Numbers = .exact, deadline: Deadline
    ) async throws(WeaviateError) -> JSONValue {
        let response = try await send(.get, path, access: .read, deadline: deadline)
        return try WeaviateClient.document(response, numbers: numbers)
    }

    func send(
        _ method: HTTPClientRequest.Method, _ path: String, body: [UInt8] = [], access: Access,
        deadline: Deadline
    ) async throws(WeaviateError) -> HTTPClientResponse {
        if body.count > configuration.requestByteCountMax { throw .requestTooLarge }
        let request = HTTPClientRequest(
            method, baseURL + path, headers: headers, body: body, deadline: deadline,
            responseByteCountMax: configuration.responseByteCountMax)
        do throws(GuardedHTTPClient.Failure) {
            return try await http.send(request)
        } catch {
            throw WeaviateError(error, access)
        }
    }

    /// The body of a success, else the error that the answer means.
    static func document(
        _ response: HTTPClientResponse, numbers: JSONDocument.Numbers = .exact,
        access: Access = .read
    ) throws(WeaviateError) -> JSONValue {
        if !response.isSuccess { throw error(of: response) }
        guard let document = try? JSONDocument.parse(response.body, numbers: numbers) else {
            throw access == .write ? .outcomeUnknown : .invalidResponse
        }
        return document.root
    }

    /// What an answer without success means.
    static func error(of response: HTTPClientResponse) -> WeaviateError {
        switch response.status {
        case 401, 403: return .unauthorized
        case 502...504: return .unavailable
        default: break
        }
        let document = try? JSONDocument.parse(response.body)
        let first = document?.root["error"]?.elements.first { _ in true }
        let message = first?["message"]?.string ?? document?.root["message"]?.string ?? ""
        return .rejected(.classify(status: response.status, message))
    }
}

extension WeaviateError {
    init(_ failure: GuardedHTTPClient.Failure, _ access: WeaviateClient.Access) {
        let isWrite = access == .write
        switch failure {
        case .breakerOpen(let retryAfter): self = .breakerOpen(retryAfter: retryAfter)
        case .http(.invalidRequest): self = .invalidConfiguration
        case .http(.unreachable): self = .unreachable
        case .http(.timedOut(let may)): self = .timedOut(mayHaveBeenApplied: may && isWrite)
        case .http(.connectionLost(let may)): self = may && isWrite ? .outcomeUnknown : .unreachable
        case .http(.responseTooLarge): self = .responseTooLarge
        case .http(.overloaded): self = .overloaded
        case .http(.cancelled(let may)): self = .cancelled(mayHaveBeenApplied: may && isWrite)
        }
    }
}
