internal import HTTPServer
internal import Live
internal import Postgres
internal import Redis
internal import Runtime

/// `/v1/{pack}/{entity}/{id}/state/{name}`: a live value of one row.
extension Gateway {
    func state(
        _ context: RequestContext, _ state: ServedState, id: String
    ) async throws(Problem) -> HTTPResponse {
        let request = try StateRequest(context, state, id: id)
        try await requireOwner(context, state.entity, id: request.id, isRead: request.isRead)
        return await withUnsafeContinuation { continuation in
            perform(request) { continuation.resume(returning: $0) }
        }
    }

    func perform(
        _ request: StateRequest, completion: @escaping @Sendable (HTTPResponse) -> Void
    ) {
        guard request.isRead, request.state.history != nil else {
            request.send(to: stores.redis, deadline: request.deadline) { reply in
                completion(request.answer(reply))
            }
            return
        }
        // Leaves time to ask PostgreSQL where Redis does not answer.
        let soon = Deadline.after(min(CopyGuard.patience, request.deadline.remaining / 2))
        request.send(to: stores.redis, deadline: soon) { [self] reply in
            switch reply {
            case .failure(let error) where error.isAbsence:
                restore(request, isDegraded: true, completion)
            case .success(.null): restore(request, isDegraded: false, completion)
            case .success, .failure: completion(request.answer(reply))
            }
        }
    }

    private func restore(
        _ request: StateRequest, isDegraded: Bool,
        _ completion: @escaping @Sendable (HTTPResponse) -> Void
    ) {
        loop.spawn { [self] in
            do throws(Problem) {
                completion(try await restored(request, isDegraded: isDegraded))
            } catch {
                completion(error.response(instance: request.location))
            }
        }
    }

    // MARK: Owners

    /// What is known of a row's owner without asking for it.
    enum Ownership {
        case certain, unknown, foreign
    }

    func ownership(_ caller: Caller, _ served: ServedEntity, id: String) -> Ownership {
        guard let owner = caller.owner else { return .certain }
        guard served.entity.isOwnerEntity else { return .unknown }
        return owner == id || owner.lowercased() == id ? .certain : .foreign
    }

    /// - Throws: 404 where the row is another's, without telling whether there is one.
    func requireOwner(
        _ context: RequestContext, _ served: ServedEntity, id: String, isRead: Bool
    ) async throws(Problem) {
        try served.requireOwnerType(context.caller.owner)
        switch ownership(context.caller, served, id: id) {
        case .certain: return
        case .foreign: throw Problem(.notFound)
        case .unknown:
            if served.entity.ownerColumn == nil {
                if isRead { return }
                throw Problem(
                    .forbidden, "Rows of this entity belong to everybody.",
                    hint: "A service may write them, without Fourfold-User.")
            }
            let query = served.statements.get(key: id, owner: context.caller.owner)
            let result = try await read(query, context, served)
            if result.rowCount == 0 { throw Problem(.notFound) }
        }
    }
}

extension Problem {
    static let noState = Problem(.notFound, "Nothing is stored there.")
}
