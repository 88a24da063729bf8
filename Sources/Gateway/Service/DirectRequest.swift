internal import HTTPServer
internal import Packs
internal import Postgres
internal import Runtime

/// A request that is answered by one callback of a store, without a task.
enum DirectRequest: Sendable {
    case item(ItemRead, Deadline)
    case state(StateRequest)
    case cache(CacheRequest)

    /// - Returns: nil for what is left to the slower way, which also tells what is wrong.
    init?(_ request: HTTPRequest, _ gateway: Gateway) {
        switch Route(request.pathSegments) {
        case .item(let pack, let entity, let id):
            guard request.method.isRead,
                let context = try? RequestContext(request, gateway.configuration),
                let served = try? gateway.served(pack).entity(entity),
                let read = try? ItemRead(context, served, id: id)
            else { return nil }
            self = .item(read, context.deadline)
        case .state(let pack, let entity, let id, let name):
            guard let context = try? RequestContext(request, gateway.configuration),
                let state = try? gateway.served(pack).state(name, of: entity),
                let state = try? StateRequest(context, state, id: id),
                gateway.ownership(context.caller, state.state.entity, id: state.id) == .certain
            else { return nil }
            self = .state(state)
        case .cache(let pack, let entity, let id, let name):
            guard let context = try? RequestContext(request, gateway.configuration),
                let cache = try? gateway.served(pack).cache(name, of: entity),
                let read = try? CacheRequest(context, cache, id: id)
            else { return nil }
            self = .cache(read)
        default: return nil
        }
    }

    /// Its path.
    var location: String {
        switch self {
        case .item(let read, _): read.location
        case .state(let state): state.location
        case .cache(let cache): cache.location
        }
    }

    /// - Parameter completion: Called once, on the loop.
    func perform(_ gateway: Gateway, completion: @escaping @Sendable (HTTPResponse) -> Void) {
        switch self {
        case .item(let read, let deadline):
            gateway.postgres.query(
                read.query.statement, read.query.parameters, deadline: deadline
            ) { answer in
                completion(read.response(answer))
            }
        case .state(let state): gateway.perform(state, completion: completion)
        case .cache(let cache): gateway.perform(cache, completion: completion)
        }
    }
}
