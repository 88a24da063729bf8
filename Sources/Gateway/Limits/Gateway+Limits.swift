internal import HTTPServer
internal import Live
internal import Packs

/// What a request counts against, and what the limits answer.
extension Gateway {
    /// Where requests to no pack, or to one without keys of its own, are counted.
    private static let clientKeyPrefix = "fourfold:limit:client:"
    private static let ownerKeyPrefix = "fourfold:limit:owner:"

    /// Empty for what is never limited: `/health`, and a client without an address.
    ///
    /// An owner is charged only where the credentials are good: nobody uses up what is another's.
    func charges(_ request: HTTPRequest) -> [RateLimitCharge] {
        guard let limits = configuration.rateLimits else { return [] }
        let segments = request.pathSegments
        if segments.first == "health" { return [] }
        let pack = segments.count > 1 && segments[0] == "v1" ? packs[segments[1]] : nil
        let keys = pack?.pack.live.limits
        var charges: [RateLimitCharge] = []
        if let limit = limits.client, let name = clientAddress(request)?.limitedName {
            let key = keys?.client.filled([name]) ?? Gateway.clientKeyPrefix + name
            charges.append(RateLimitCharge(name: "client", key: key, limit: limit))
        }
        if let limit = limits.owner, let owner = chargedOwner(request, Route(segments)) {
            let key = keys?.owner?.filled([owner]) ?? Gateway.ownerKeyPrefix + owner
            charges.append(RateLimitCharge(name: "owner", key: key, limit: limit))
        }
        return charges
    }

    /// Where the request came from; nil where that has no address.
    func clientAddress(_ request: HTTPRequest) -> IPAddress? {
        let peer: ClientAddress.Peer
        if configuration.listensOnUnixSocket {
            peer = .unixSocket
        } else if let address = request.peerAddress.flatMap({ IPAddress($0) }) {
            peer = .address(address)
        } else {
            peer = .unknown
        }
        return ClientAddress.find(
            peer: peer, forwarded: request.headers["forwarded"],
            xForwardedFor: request.headers["x-forwarded-for"],
            trusting: configuration.trustedProxies)
    }

    private func chargedOwner(_ request: HTTPRequest, _ route: Route?) -> String? {
        let query = route?.takesQueryCredentials == true ? request.query : nil
        guard query != nil || request.headers.contains("fourfold-user"),
            let caller = try? Caller(
                request.headers, query: query, keys: configuration.serviceKeys),
            let owner = caller.owner, KeyPattern.isValue(owner)
        else { return nil }
        return isUUID(owner) ? owner.lowercased() : owner
    }
}

extension RateLimitVerdict {
    /// 429, with the time after which the request is allowed.
    func refusal(instance: String?) -> HTTPResponse {
        let problem = Problem(
            .rateLimited, "The limit is \(policy).",
            hint: "Wait as long as Retry-After says.",
            headers: [.init("Retry-After", String(retryAfterSeconds))])
        var response = problem.response(instance: instance)
        response.headers.append(self)
        return response
    }
}

extension HTTPHeaders {
    /// How the limits stand; nothing where nothing was counted.
    mutating func append(_ verdict: RateLimitVerdict) {
        if verdict.standings.isEmpty { return }
        append("RateLimit", verdict.rateLimit)
        append("RateLimit-Policy", verdict.policy)
    }
}
