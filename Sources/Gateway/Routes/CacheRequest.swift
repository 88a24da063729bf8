internal import HTTPServer
internal import Live
internal import Runtime

/// `GET /v1/{pack}/{entity}/{id}/cache/{name}`: a value that is read through Redis.
struct CacheRequest: Sendable {
    let cache: ServedCache
    /// In the form of keys.
    let id: String
    let deadline: Deadline
    private let owner: String?
    private let condition: EntityTagCondition

    init(_ context: RequestContext, _ cache: ServedCache, id: String) throws(Problem) {
        guard context.method.isRead else { throw .methodNotAllowed(allowed: ["GET", "HEAD"]) }
        try context.requireParameters()
        try cache.entity.requireOwnerType(context.caller.owner)
        self.cache = cache
        self.id = try cache.canonical(id)
        deadline = context.deadline
        owner = context.caller.owner
        condition = try EntityTagCondition(context.request.headers)
    }

    /// Its path.
    var location: String {
        "\(cache.entity.location(key: id))/cache/\(cache.source.rule.name)"
    }

    func answer(_ answer: CacheReader.Answer) -> HTTPResponse {
        do throws(Problem) {
            switch answer {
            case .failure(.postgres(let error)): throw Problem(error)
            case .failure(.timedOut):
                throw .unavailable(
                    .storeUnavailable, "The value could not be read in time.",
                    retryAfter: .seconds(1))
            case .success(nil): throw Problem(.notFound)
            case .success(let value?): return try response(value)
            }
        } catch {
            return error.response(instance: location)
        }
    }

    private func response(_ value: CacheValue) throws(Problem) -> HTTPResponse {
        if let owner, let other = value.owner, owner.lowercased() != other.lowercased() {
            throw Problem(.notFound)
        }
        if owner != nil, value.owner == nil, cache.entity.entity.ownerColumn != nil {
            throw Problem(.notFound)
        }
        var headers = HTTPHeaders.json
        let tag = StateTag.make(value.json)
        tag.withUnsafeBytes { headers.append("ETag", quoted: $0) }
        if value.isDegraded { headers.append("Fourfold-Degraded", "redis") }
        let isKnown =
            condition.isForReading
            && condition.isNotModified(String(decoding: tag, as: UTF8.self))
        if isKnown { return HTTPResponse(status: 304, headers: headers) }
        return HTTPResponse(status: 200, headers: headers, body: .bytes(value.json))
    }
}
