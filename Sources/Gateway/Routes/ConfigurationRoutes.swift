internal import HTTPServer
internal import JSON
internal import Live
internal import Postgres
internal import Redis
internal import Runtime

/// Configuration: Redis has the copy that is read, PostgreSQL the truth.
extension Gateway {
    /// How long a copy is waited for before PostgreSQL is asked.
    private static let redisTimeout = Duration.milliseconds(250)

    /// `GET /v1/{pack}/configuration`
    func configurationList(
        _ context: RequestContext, _ served: ServedConfiguration
    ) async throws(Problem) -> HTTPResponse {
        try requireMethod(context.method, [.get, .head])
        try context.requireParameters()
        let (values, isDegraded) = try await configurationValues(context, served)
        var json = JSONWriter()
        json.beginObject()
        json.key("items")
        json.beginArray()
        for value in values {
            json.beginObject()
            json.field("name", value.name)
            json.key("value")
            json.raw(value.value)
            json.endObject()
        }
        json.endArray()
        json.endObject()
        return try configurationResponse(context, json.bytes, isDegraded: isDegraded)
    }

    /// `GET /v1/{pack}/configuration/{name}`
    func configurationItem(
        _ context: RequestContext, _ served: ServedConfiguration, name: String
    ) async throws(Problem) -> HTTPResponse {
        try requireMethod(context.method, [.get, .head])
        try context.requireParameters()
        let (values, isDegraded) = try await configurationValues(context, served)
        guard let value = values.first(where: { $0.name == name }) else {
            throw Problem(
                .notFound, "There is no configuration of this name.",
                hint: "There are: \(values.map(\.name).joined(separator: ", ")).")
        }
        return try configurationResponse(context, value.value, isDegraded: isDegraded)
    }

    private func configurationResponse(
        _ context: RequestContext, _ body: [UInt8], isDegraded: Bool
    ) throws(Problem) -> HTTPResponse {
        let tag = Base64URL.encode(Array(SHA256.digest(body).prefix(16)))
        let condition = try EntityTagCondition(context.request.headers)
        let isKnown = condition.isForReading && condition.isNotModified(tag)
        var headers: HTTPHeaders = isKnown ? [:] : .json
        headers.append("ETag", "\"\(tag)\"")
        if isDegraded { headers.append("Fourfold-Degraded", "redis") }
        if isKnown { return HTTPResponse(status: 304, headers: headers) }
        return HTTPResponse(status: 200, headers: headers, body: .bytes(body))
    }

    /// What Redis has; without a whole copy there, what PostgreSQL has, which is put back.
    private func configurationValues(
        _ context: RequestContext, _ served: ServedConfiguration
    ) async throws(Problem) -> (values: [ConfigurationValue], isDegraded: Bool) {
        let wait = min(context.deadline, .after(Gateway.redisTimeout))
        var copied: [ConfigurationValue]?
        var isDegraded = !copies.mayRead()
        if !isDegraded {
            do throws(RedisError) {
                let reply = try await stores.redis.run(
                    ConfigurationCopies.readScript, keys: [.text(served.copies.revisionsKey)],
                    arguments: served.copies.readArguments, deadline: wait)
                copied = ConfigurationCopies.values(reply)
                isDegraded = !copies.isBelieved
            } catch {
                isDegraded = true
            }
        }
        if isDegraded { return (try await storedConfiguration(context, served), true) }
        if let copied { return (copied, false) }
        let revision = try? await postgres.query(
            ConfigurationSQL.drawRevision, deadline: context.deadline)
        let values = try await storedConfiguration(context, served)
        if let revision = revision?.int(0, 0) {
            // Without it the next request asks PostgreSQL as well.
            _ = try? await stores.redis.run(
                served.write, keys: [.text(served.copies.revisionsKey)],
                arguments: [.number(revision)] + served.copies.arguments(values), deadline: wait)
        }
        return (values, false)
    }

    private func storedConfiguration(
        _ context: RequestContext, _ served: ServedConfiguration
    ) async throws(Problem) -> [ConfigurationValue] {
        do throws(PostgresError) {
            return ConfigurationSQL.values(
                try await postgres.query(served.values, deadline: context.deadline))
        } catch {
            throw Problem(error)
        }
    }
}
