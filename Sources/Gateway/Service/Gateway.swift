package import HTTPServer
package import Postgres
package import Runtime

/// Answers the requests of one loop: parse, plan, execute, respond. Only execute touches a store.
package final class Gateway: @unchecked Sendable {
    let loop: EventLoop
    let postgres: PostgresClient
    let packs: [String: ServedPack]
    let configuration: GatewayConfiguration
    let stores: StoreReaders

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
    }

    /// Never fails: every error becomes a problem (RFC 9457).
    package func respond(to request: HTTPRequest) async -> HTTPResponse {
        do throws(Problem) {
            return try await answer(request)
        } catch {
            return error.response(instance: request.path)
        }
    }

    /// Takes what needs no task: a read of one row, and states; see ``HTTPServer/DirectHandler``.
    package func respondDirectly(to request: HTTPRequest, _ reply: HTTPReply) -> Bool {
        guard let route = Route(request.pathSegments) else { return false }
        switch route {
        case .item(let pack, let entity, let id):
            return itemDirectly(request, reply, pack: pack, entity: entity, id: id)
        case .state(let pack, let entity, let id, let name):
            guard let context = try? RequestContext(request, configuration),
                let state = try? served(pack).state(name, of: entity)
            else { return false }
            return stateDirectly(context, state, id: id, reply)
        default: return false
        }
    }

    private func itemDirectly(
        _ request: HTTPRequest, _ reply: HTTPReply, pack: String, entity: String, id: String
    ) -> Bool {
        guard request.method.isRead, let context = try? RequestContext(request, configuration),
            let served = try? served(pack).entity(entity),
            let read = try? ItemRead(context, served, id: id)
        else { return false }
        postgres.query(
            read.query.statement, read.query.parameters, deadline: context.deadline
        ) { answer in
            reply.send(read.response(answer))
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
        let context = try RequestContext(request, configuration)
        switch route {
        case .live, .ready: return HTTPResponse(status: 404)
        case .item(let pack, let entity, let id):
            return try await item(context, try served(pack).entity(entity), id: id)
        case .collection(let pack, let entity):
            return try await collection(context, try served(pack).entity(entity))
        case .batch(let pack): return try await batch(context, try served(pack))
        case .search(let pack): return try await search(context, try served(pack))
        case .connections(let pack, let entity, let id):
            let pack = try served(pack)
            return try await connections(context, pack, try pack.entity(entity), id: id)
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

    private func served(_ name: String) throws(Problem) -> ServedPack {
        if let pack = packs[name] { return pack }
        throw Problem(
            .unknownPack, "No pack of this name is served.",
            hint: "There are: \(packs.keys.sorted().joined(separator: ", ")).")
    }

    /// What the server answers when it refuses a request before the gateway sees it.
    package static let serverErrorResponse: HTTPServer.ErrorResponse = { error in
        Problem(error).response(instance: nil)
    }
}

/// Requires one of the methods that a path takes.
func requireMethod(_ method: HTTPMethod, _ allowed: [HTTPMethod]) throws(Problem) {
    if allowed.contains(method) { return }
    throw .methodNotAllowed(allowed: allowed.map(\.rawValue))
}
