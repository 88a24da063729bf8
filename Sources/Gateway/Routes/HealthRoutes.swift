internal import HTTPServer
internal import JSON
internal import Runtime

/// `/health/live` and `/health/ready`. They ask for no credentials and tell no secrets.
extension Gateway {
    func liveness(_ request: HTTPRequest) throws(Problem) -> HTTPResponse {
        try requireMethod(request.method, [.get, .head])
        return HTTPResponse(
            status: 200, headers: .json, body: .bytes(Array("{\"status\":\"up\"}".utf8)))
    }

    /// Per store: up, down or degraded. 503 only without PostgreSQL: all else has a fallback.
    func readiness(_ request: HTTPRequest) async throws(Problem) -> HTTPResponse {
        try requireMethod(request.method, [.get, .head])
        let checks = await stores.health(
            postgres: postgres, deadline: .after(min(configuration.requestTimeout, .seconds(2))))
        let isReady = checks.allSatisfy { $0.store != .postgres || $0.state == .up }
        let isWhole = checks.allSatisfy { $0.state == .up }
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("status", isReady ? (isWhole ? "up" : "degraded") : "down")
        writer.key("stores")
        writer.beginObject()
        for check in checks {
            writer.key(check.store.rawValue)
            writer.beginObject()
            writer.field("state", check.state.rawValue)
            if let reason = check.reason { writer.field("reason", reason) }
            writer.endObject()
        }
        writer.endObject()
        writer.endObject()
        var headers = HTTPHeaders.json
        if !isReady { headers.append("Retry-After", "1") }
        return HTTPResponse(
            status: isReady ? 200 : 503, headers: headers, body: .bytes(writer.bytes))
    }
}
