package import HTTPServer
internal import Live
package import Postgres
package import Runtime

/// Answers the requests of one loop: parse, plan, execute, respond. Only execute touches a store.
package final class Gateway: @unchecked Sendable {
    let loop: EventLoop
    let postgres: PostgresClient
    let packs: [String: ServedPack]
    let configuration: GatewayConfiguration
    let stores: StoreReaders
    let copies: CopyGuard
    let caches: CacheReader
    /// Nil where requests are not limited.
    let limiter: RateLimiter?
    /// By pack.
    let sessionCopies: [String: SessionCopies]

    /// - Parameters:
    ///   - packs: Made once, shared by all loops.
    ///   - stores: The other stores as this loop reaches them.
    package init(
        loop: EventLoop, postgres: PostgresClient, packs: [ServedPack],
        configuration: GatewayConfiguration, stores: StoreReaders
    ) {
        self.loop = loop
        self.postgres = postgres
        self.packs = Dictionary(packs.map { ($0.pack.name, $0) }) { first, _ in first }
        self.configuration = configuration
        self.stores = stores
        copies = CopyGuard(redis: stores.redis)
        caches = CacheReader(
            loop: loop, redis: stores.redis, postgres: postgres, copies: copies)
        limiter = configuration.rateLimits.map {
            RateLimiter(redis: stores.redis, notice: $0.notice)
        }
        sessionCopies = self.packs.compactMapValues { pack in
            pack.sessions.map { SessionCopies(redis: stores.redis, rule: $0.rule) }
        }
    }

    /// Never fails: every error becomes a problem (RFC 9457).
    package func respond(to request: HTTPRequest) async -> HTTPResponse {
        guard let limiter else { return await respondUncounted(to: request) }
        let verdict = await limiter.check(charges(request))
        if verdict.isRefused { return verdict.refusal(instance: request.path) }
        var response = await respondUncounted(to: request)
        response.headers.append(verdict)
        return response
    }

    private func respondUncounted(to request: HTTPRequest) async -> HTTPResponse {
        do throws(Problem) {
            return try await answer(request)
        } catch {
            return error.response(instance: request.path)
        }
    }

    /// Takes what needs no task; see ``HTTPServer/DirectHandler``.
    package func respondDirectly(to request: HTTPRequest, _ reply: HTTPReply) -> Bool {
        guard let direct = DirectRequest(request, self) else { return false }
        guard let limiter else {
            direct.perform(self) { reply.send($0) }
            return true
        }
        limiter.check(charges(request)) { [self] verdict in
            if verdict.isRefused { return reply.send(verdict.refusal(instance: direct.location)) }
            direct.perform(self) { answer in
                var response = answer
                response.headers.append(verdict)
                reply.send(response)
            }
        }
        return true
    }

    private func answer(_ request: HTTPRequest) async throws(Problem) -> HTTPResponse {
        guard let route = Route(request.pathSegments) else {
            throw Problem(
                .unknownRoute,
                hint: "Entities are at /v1/{pack}/{entity} and /v1/{pack}/{entity}/{id}.")
        }
        switch route {
        case .live: return try liveness(request)
        case .ready: return try await readiness(request)
        default: break
        }
        let context = try RequestContext(
            request, configuration, takesQueryCredentials: route.takesQueryCredentials)
        switch route {
        case .live, .ready: return HTTPResponse(status: 404)
        case .item(let pack, let entity, let id):
            let pack = try served(pack)
            if let sessions = pack.sessions(at: entity) {
                return try await session(context, sessions, id: id)
            }
            if let configuration = pack.configuration(at: entity) {
                return try await configurationItem(context, configuration, name: id)
            }
            return try await item(context, try pack.entity(entity), id: id)
        case .collection(let pack, let entity):
            let pack = try served(pack)
            if let sessions = pack.sessions(at: entity) {
                return try await openSession(context, sessions)
            }
            if let configuration = pack.configuration(at: entity) {
                return try await configurationList(context, configuration)
            }
            return try await collection(context, try pack.entity(entity))
        case .belongings(let pack, let entity, let id, let name):
            let pack = try served(pack)
            guard let sessions = pack.sessions(at: name), sessions.owner.entity.path == entity
            else { throw Problem(.unknownRoute) }
            return try await ownedSessions(context, sessions, owner: id)
        case .batch(let pack): return try await batch(context, try served(pack))
        case .search(let pack): return try await search(context, try served(pack))
        case .events(let pack): return try await events(context, try served(pack))
        case .channel(let pack, let name):
            return try await channel(context, try served(pack), name: name)
        case .connections(let pack, let entity, let id):
            let pack = try served(pack)
            return try await connections(context, pack, try pack.entity(entity), id: id)
        case .cache(let pack, let entity, let id, let name):
            return try await cache(context, try served(pack).cache(name, of: entity), id: id)
        case .state(let pack, let entity, let id, let name):
            return try await state(context, try served(pack).state(name, of: entity), id: id)
        case .entitySync(let pack, let entity, let id):
            let pack = try served(pack)
            return try await entitySync(context, pack, try pack.entity(entity), id: id)
        case .syncStatus: return try await syncStatus(context)
        case .parkedList: return try await parkedList(context)
        case .parkedItem(let id): return try await parkedItem(context, id: id)
        case .parkedRetry(let id): return try await parkedRetry(context, id: id)
        }
    }

    func served(_ name: String) throws(Problem) -> ServedPack {
        if let pack = packs[name] { return pack }
        throw Problem(
            .unknownPack, "No pack of this name is served.",
            hint: "There are: \(packs.keys.sorted().joined(separator: ", ")).")
    }

    /// What the server answers when it refuses a request before the gateway sees it.
    package static let serverErrorResponse: HTTPServer.ErrorResponse = { error, _ in
        Problem(error).response(instance: nil)
    }
}

/// Requires one of the methods that a path takes.
func requireMethod(_ method: HTTPMethod, _ allowed: [HTTPMethod]) throws(Problem) {
    if allowed.contains(method) { return }
    throw .methodNotAllowed(allowed: allowed.map(\.rawValue))
}
