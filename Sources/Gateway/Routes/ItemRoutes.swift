internal import HTTPServer
internal import JSON
internal import Postgres

/// `/v1/{pack}/{entity}/{id}`: one row.
extension Gateway {
    func item(
        _ context: RequestContext, _ served: ServedEntity, id: String
    ) async throws(Problem) -> HTTPResponse {
        try served.requireOwnerType(context.caller.owner)
        if context.method != .put { try served.requireKeyType(id) }
        switch context.method {
        case .get, .head: return try await getItem(context, served, id: id)
        case .patch:
            try requireWritable(served, context.caller, isChange: true, isItem: true)
            try context.requireParameters()
            return try await patchItem(context, served, id: id)
        case .put:
            try requireWritable(served, context.caller, isChange: true, isItem: true)
            try context.requireParameters()
            return try await putItem(context, served, id: id)
        case .delete:
            try requireWritable(served, context.caller, isChange: true, isItem: true)
            try context.requireParameters()
            return try await deleteItem(context, served, id: id)
        case .post, .options, .other:
            throw .methodNotAllowed(allowed: itemMethods(served))
        }
    }

    private func getItem(
        _ context: RequestContext, _ served: ServedEntity, id: String
    ) async throws(Problem) -> HTTPResponse {
        let item = try ItemRead(context, served, id: id)
        return try item.response(try await read(item.query, context, served))
    }

    private func patchItem(
        _ context: RequestContext, _ served: ServedEntity, id: String
    ) async throws(Problem) -> HTTPResponse {
        let condition = try EntityTagCondition(context.request.headers)
        try condition.requireNoneMatchUnused()
        let document = try context.json()
        _ = try BodyCheck(
            entity: served.entity, purpose: .patch(key: id), owner: context.caller.owner
        ).check(document.root)
        let query = served.statements.patch(
            key: id, body: context.request.body, owner: context.caller.owner,
            etags: condition.matching)
        let result = try await write(query, context, served)
        return try answer(result, context, served)
    }

    private func putItem(
        _ context: RequestContext, _ served: ServedEntity, id: String
    ) async throws(Problem) -> HTTPResponse {
        let condition = try EntityTagCondition(context.request.headers)
        try condition.requireNoneMatchUnused(butAny: true)
        try condition.requireConsistent()
        if !served.canBeKey(id) {
            throw Problem(
                .invalidValue, "The id of the path is not a valid uuid.",
                errors: [FieldError(served.entity.keyColumn, "is not a valid uuid")])
        }
        let document = try context.json()
        _ = try BodyCheck(
            entity: served.entity, purpose: .replace(key: id), owner: context.caller.owner
        ).check(document.root)
        let query = served.statements.put(
            key: id, body: context.request.body, owner: context.caller.owner,
            etags: condition.matching, mustExist: condition.mustExist,
            isNew: condition.mustNotExist)
        let result = try await write(query, context, served)
        if condition.mustExist, result.outcome == .none { throw .preconditionFailed(etag: nil) }
        return try answer(result, context, served)
    }

    private func deleteItem(
        _ context: RequestContext, _ served: ServedEntity, id: String
    ) async throws(Problem) -> HTTPResponse {
        let condition = try EntityTagCondition(context.request.headers)
        try condition.requireNoneMatchUnused()
        let query = served.statements.delete(
            key: id, owner: context.caller.owner, etags: condition.matching)
        let result = try await write(query, context, served, isDelete: true)
        try requireDone(result, context)
        var headers: HTTPHeaders = [:]
        headers.appendToken(result, configuration)
        return HTTPResponse(status: 204, headers: headers)
    }

    /// The answer to a write of one row.
    func answer(
        _ result: WriteResult, _ context: RequestContext, _ served: ServedEntity
    ) throws(Problem) -> HTTPResponse {
        try requireDone(result, context)
        var headers = HTTPHeaders.json
        headers.append("ETag", "\"\(result.etag ?? "")\"")
        headers.appendToken(result, configuration)
        let isCreated = result.outcome == .created
        if isCreated { headers.append("Location", served.location(key: result.key ?? "")) }
        let returning = context.preferences.returning
        if returning == .minimal || returning == .headersOnly {
            return HTTPResponse(status: isCreated ? 201 : 204, headers: headers)
        }
        let body = result.result.bytes(0, WriteResult.Field.body)
        return HTTPResponse(
            status: isCreated ? 201 : 200, headers: headers,
            body: .foreign(owner: result.result, bytes: body))
    }

    func requireDone(_ result: WriteResult, _ context: RequestContext) throws(Problem) {
        switch result.outcome {
        case .created, .changed: return
        case .precondition: throw .preconditionFailed(etag: result.etag)
        case .owner:
            // The body's owner was compared with the caller's before, so the row is another's.
            if context.caller.owner != nil { throw Problem(.notFound) }
            throw Problem(.ownerImmutable)
        case .overtaken:
            throw .unavailable(
                .writeConflict, "Other writes to the same row were in the way, also on repetition.",
                hint: "Nothing was changed. Repeat the request.", retryAfter: .seconds(1))
        case .none: throw Problem(.notFound)
        }
    }

    /// Refuses writes to what is not written.
    ///
    /// - Parameter isItem: The path is one row's, for `Allow`.
    func requireWritable(
        _ served: ServedEntity, _ caller: Caller, isChange: Bool, isItem: Bool = false
    ) throws(Problem) {
        let allowed = isItem ? itemMethods(served) : collectionMethods(served)
        if served.entity.isReadOnly {
            throw .methodNotAllowed(.readOnlyEntity, allowed: allowed)
        }
        if isChange && served.entity.isAppendOnly {
            throw .methodNotAllowed(.appendOnly, allowed: allowed)
        }
        if served.entity.ownerColumn == nil, caller.owner != nil {
            throw Problem(
                .forbidden, "Rows of this entity belong to everybody.",
                hint: "A service may write them, without Fourfold-User.")
        }
    }

    private func itemMethods(_ served: ServedEntity) -> [String] {
        served.entity.isReadOnly || served.entity.isAppendOnly
            ? ["GET", "HEAD"] : ["GET", "HEAD", "PATCH", "PUT", "DELETE"]
    }

    func collectionMethods(_ served: ServedEntity) -> [String] {
        if served.entity.isReadOnly { return ["GET", "HEAD"] }
        if served.entity.isAppendOnly { return ["GET", "HEAD", "POST"] }
        return ["GET", "HEAD", "POST", "PATCH", "DELETE"]
    }
}
