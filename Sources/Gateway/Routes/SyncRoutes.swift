internal import HTTPClient
internal import HTTPServer
internal import JSON
internal import Packs
internal import Postgres
internal import Projection
internal import Runtime

/// How the stores keep up: `/v1/sync/…` and `/v1/{pack}/{entity}/{id}/sync`.
extension Gateway {
    func entitySync(
        _ context: RequestContext, _ pack: ServedPack, _ served: ServedEntity, id: String
    ) async throws(Problem) -> HTTPResponse {
        try requireMethod(context.method, [.get, .head])
        try context.requireParameters()
        try served.requireOwnerType(context.caller.owner)
        try served.requireKeyType(id)
        let found = try await read(
            served.statements.owner(key: id, owner: context.caller.owner), context, served)
        // A deleted row still has a state: its deletion may be pending. Not for another owner.
        if found.rowCount == 0 && context.caller.owner != nil { throw Problem(.notFound) }
        _ = try await lagging(context, pack, LaneName.projections)
        var writer = JSONWriter()
        writer.beginObject()
        for lane in LaneName.projections {
            let state: SyncReader.EntityState?
            do throws(PostgresError) {
                state = try await stores.sync.state(
                    pack: pack.pack, lane: lane, entity: served.entity.path,
                    key: served.canonicalKey(id),
                    deadline: context.deadline)
            } catch {
                throw Problem(error)
            }
            guard let state else { continue }
            writer.key(lane.rawValue)
            writer.beginObject()
            writer.field("state", state.state)
            writer.key("revision")
            if let revision = state.revision { writer.int(revision) } else { writer.null() }
            writer.field("applied_at", state.appliedAt)
            writer.field("error", state.error)
            writer.endObject()
        }
        writer.endObject()
        return HTTPResponse(status: 200, headers: .json, body: .bytes(writer.bytes))
    }

    func syncStatus(_ context: RequestContext) async throws(Problem) -> HTTPResponse {
        try requireMethod(context.method, [.get, .head])
        try context.requireParameters()
        let local = await stores.relay?.localLanes() ?? []
        let lanes: [SyncReader.LaneStatus]
        do throws(PostgresError) {
            lanes = try await stores.sync.status(
                packs: packs.values.map(\.pack).sorted { $0.name < $1.name }, local: local,
                deadline: context.deadline)
        } catch {
            throw Problem(error)
        }
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("lanes")
        writer.beginArray()
        for lane in lanes { writer.lane(lane) }
        writer.endArray()
        writer.endObject()
        return HTTPResponse(status: 200, headers: .json, body: .bytes(writer.bytes))
    }

    // MARK: Parked keys

    func parkedList(_ context: RequestContext) async throws(Problem) -> HTTPResponse {
        try requireMethod(context.method, [.get, .head])
        try requireService(context)
        try context.requireParameters()
        let result = try await exclusively(context) { connection in
            try await connection.query(Gateway.parkedListStatement)
        }
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("items")
        writer.raw(result.bytes(0, 0))
        writer.endObject()
        return HTTPResponse(status: 200, headers: .json, body: .bytes(writer.bytes))
    }

    func parkedItem(_ context: RequestContext, id: String) async throws(Problem) -> HTTPResponse {
        try requireMethod(context.method, [.delete])
        try requireService(context)
        try context.requireParameters()
        let reason = try context.json().root["reason"]?.string
        guard let reason, !reason.isEmpty, reason.utf8.count <= 1_000 else {
            throw Problem(
                .invalidBody, "Dropping a parked key needs a reason.",
                errors: [FieldError("reason", "must be a text of 1 to 1000 bytes")])
        }
        try await changeParked(context, id, Gateway.dropStatement)
        Log.warning("a parked key was dropped", ("id", id), ("reason", reason))
        return HTTPResponse(status: 204)
    }

    func parkedRetry(_ context: RequestContext, id: String) async throws(Problem) -> HTTPResponse {
        try requireMethod(context.method, [.post])
        try requireService(context)
        try context.requireParameters()
        try await changeParked(context, id, Gateway.retryStatement)
        stores.relay?.wake()
        return HTTPResponse(status: 204)
    }

    /// Parked keys are of all owners.
    private func requireService(_ context: RequestContext) throws(Problem) {
        guard context.caller.owner != nil else { return }
        throw Problem(
            .forbidden, "Parked keys are for the operator.",
            hint: "A service may see them, without Fourfold-User.")
    }

    private func changeParked(
        _ context: RequestContext, _ id: String, _ statement: Statement
    ) async throws(Problem) {
        guard let number = Int64(id) else { throw Problem(.notFound) }
        let result = try await exclusively(context) { connection in
            try await connection.query(statement, [.int(number)])
        }
        if result.affectedRowCount == 0 { throw Problem(.notFound) }
    }

    private static let parkedListStatement = Statement(
        "parked.list",
        """
        SELECT coalesce(json_agg(p), '[]') FROM (
            SELECT id, pack, lane, entity, key, error, attempts, first_failed_at, next_retry_at
            FROM fourfold.parked ORDER BY id LIMIT 1000) AS p
        """, isReadOnly: true)
    private static let dropStatement = Statement(
        "parked.drop", "DELETE FROM fourfold.parked WHERE id = $1")
    private static let retryStatement = Statement(
        "parked.retry", "UPDATE fourfold.parked SET next_retry_at = now() WHERE id = $1")
}

extension JSONWriter {
    fileprivate mutating func lane(_ lane: SyncReader.LaneStatus) {
        beginObject()
        field("pack", lane.pack)
        field("lane", lane.lane.rawValue)
        field("store", lane.store)
        field("state", lane.state)
        field("leader", lane.leader)
        field("pending", lane.pending)
        key("lag_seconds")
        double(lane.lagSeconds.isFinite ? lane.lagSeconds : 0)
        field("parked", lane.parked)
        field("breaker", lane.breaker.rawValue)
        field("applied", lane.applied)
        field("last_error", lane.lastError)
        endObject()
    }
}
