package import HTTPClient
internal import JSON
package import Runtime

/// What a statement may do.
package enum Neo4jAccess: String, Sendable {
    case read = "READ"
    case write = "WRITE"
}

/// Runs statements over Neo4j's HTTP Query API v2, one implicit transaction each.
///
/// Belongs to the loop of its HTTP client. A statement may arrive twice (see ``HTTPClient``) and a
/// timeout does not stop it in the server, so writes must be idempotent or fenced by themselves.
package final class Neo4jClient: @unchecked Sendable {
    private let http: GuardedHTTPClient
    private let configuration: Neo4jConfiguration
    private let baseURL: String
    private let headers: [(name: String, value: String)]
    private var isDiscovered = false

    package init(client: HTTPClient, configuration: Neo4jConfiguration) {
        http = GuardedHTTPClient(client: client, breaker: configuration.breaker)
        self.configuration = configuration
        var url = Substring(configuration.url)
        while url.hasSuffix("/") { url = url.dropLast() }
        baseURL = String(url)
        var headers = [
            (name: "Content-Type", value: "application/json"),
            (name: "Accept", value: "application/json"),
        ]
        if let user = configuration.user {
            let password = configuration.password
            headers.append(
                ("Authorization", basicAuthorization(user: user, password: password)))
        }
        self.headers = headers
    }

    package var loop: EventLoop { http.loop }
    package var breakerState: CircuitBreaker.State { http.breakerState }
    /// The time until the open breaker lets a probe through; nil when it is not open.
    package var breakerRetryAfter: Duration? { http.breakerRetryAfter }

    /// Runs one statement in a transaction of its own. On the loop.
    ///
    /// - Parameters:
    ///   - statement: Cypher. Keep it byte-identical across calls: the plan cache keys on the text.
    ///   - parameters: A JSON object, which is `$p` in the statement. A list or a text that is a
    ///     parameter by itself has the statement planned anew for each magnitude of its length
    ///     (0, 1, to 10, to 100 …); what is inside a map has not (measured, 5.26).
    ///   - deadline: Bounds the wait. The server is told too, in whole seconds; 5.26 ignores it.
    package func run(
        _ statement: String, parameters: [UInt8] = Array("{}".utf8), access: Neo4jAccess,
        deadline: Deadline
    ) async throws(Neo4jError) -> Neo4jResult {
        if !isDiscovered { try await discover(deadline: deadline) }
        var body = JSONWriter(capacity: statement.utf8.count + parameters.count + 256)
        body.beginObject()
        body.key("statement")
        body.string(statement)
        body.key("parameters")
        body.beginObject()
        body.key("p")
        body.raw(parameters)
        body.endObject()
        body.field("accessMode", access.rawValue)
        body.field("includeCounters", true)
        body.field("maxExecutionTime", max(1, deadline.remaining.components.seconds + 1))
        body.endObject()
        if body.bytes.count > configuration.requestByteCountMax { throw .requestTooLarge }
        let database = percentEncoded(configuration.database)
        let response = try await send(
            .post, "\(baseURL)/db/\(database)/query/v2", body.bytes, access, deadline)
        return try Neo4jResponse.parse(response, access: access)
    }

    /// Whether the server answers, offers the Query API and serves the database. On the loop.
    package func checkReadiness(deadline: Deadline) async throws(Neo4jError) {
        try await discover(deadline: deadline)
        let result = try await run("RETURN 1", access: .read, deadline: deadline)
        if result.rowCount != 1 { throw .invalidResponse }
    }

    /// Runs schema statements one by one, each in its own transaction, then waits until every index
    /// is online. All of them must say `IF NOT EXISTS`, or a second run fails. On the loop.
    package func applySchema(
        _ statements: [String], deadline: Deadline
    ) async throws(Neo4jError) {
        for statement in statements {
            _ = try await run(statement, access: .write, deadline: deadline)
        }
        var parameters = JSONWriter()
        parameters.beginObject()
        parameters.field("seconds", max(1, deadline.remaining.components.seconds))
        parameters.endObject()
        _ = try await run(
            "CALL db.awaitIndexes($p.seconds)", parameters: parameters.bytes, access: .read,
            deadline: deadline)
    }

    /// Reads the discovery document and refuses a server without the Query API. A server that
    /// shows no such document (Aura does not) is taken at its word by the first statement.
    private func discover(deadline: Deadline) async throws(Neo4jError) {
        let response = try await send(.get, "\(baseURL)/", [], .read, deadline)
        if response.status >= 500 { throw .unavailable }
        if response.status == 200, let document = try? JSONDocument.parse(response.body),
            let version = document.root["neo4j_version"]?.string,
            document.root["query"]?.string == nil
        {
            throw .unsupportedServer(version: version)
        }
        isDiscovered = true
    }

    private func send(
        _ method: HTTPClientRequest.Method, _ url: String, _ body: [UInt8], _ access: Neo4jAccess,
        _ deadline: Deadline
    ) async throws(Neo4jError) -> HTTPClientResponse {
        let request = HTTPClientRequest(
            method, url, headers: headers, body: body, deadline: deadline,
            responseByteCountMax: configuration.responseByteCountMax)
        do throws(GuardedHTTPClient.Failure) {
            return try await http.send(request)
        } catch {
            throw Neo4jError(error, access)
        }
    }
}

extension Neo4jError {
    init(_ failure: GuardedHTTPClient.Failure, _ access: Neo4jAccess) {
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
