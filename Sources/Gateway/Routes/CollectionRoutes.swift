internal import HTTPServer
internal import JSON
internal import Postgres

/// `/v1/{pack}/{entity}`: lists, creates, and writes to every row that a filter finds.
extension Gateway {
    func collection(
        _ context: RequestContext, _ served: ServedEntity
    ) async throws(Problem) -> HTTPResponse {
        try served.requireOwnerType(context.caller.owner)
        if ![.get, .head].contains(context.method) {
            try EntityTagCondition(context.request.headers).requireUnused()
            try context.preferences.requireMaxAffected()
        }
        switch context.method {
        case .get, .head: return try await list(context, served)
        case .post:
            try requireWritable(served, context.caller, isChange: false)
            return try await create(context, served)
        case .patch:
            try requireWritable(served, context.caller, isChange: true)
            return try await patchMany(context, served)
        case .delete:
            try requireWritable(served, context.caller, isChange: true)
            return try await deleteMany(context, served)
        case .put, .options, .other:
            throw .methodNotAllowed(allowed: collectionMethods(served))
        }
    }

    // MARK: Lists

    private func list(
        _ context: RequestContext, _ served: ServedEntity
    ) async throws(Problem) -> HTTPResponse {
        let isSingular = try Acceptance(context.request.headers) == .object
        let parsed = try CollectionQuery.parse(
            context.request.query, entity: served.entity, limits: limits)
        let plan = try ListPlan(
            parsed, entity: served.entity, owner: context.caller.owner,
            count: context.preferences.count, isSingular: isSingular, limits: limits)
        let (result, total) = try await exclusively(context, entity: served) { connection in
            let result = try await connection.query(plan.query.statement, plan.query.parameters)
            var total = result.int(0, ListPlan.Field.total).map { Int($0) }
            let isBound = plan.countMax.map { (total ?? 0) > $0 } ?? (total == nil)
            if let planned = plan.plannedCount, isBound {
                let estimate = try await connection.query(planned.statement, planned.parameters)
                total = estimate.string(0, 0).flatMap(ListPlan.plannedRowCount) ?? total
            }
            return (result, total)
        }
        let rowCount = Int(result.int(0, ListPlan.Field.rowCount) ?? 0)
        if isSingular && rowCount != 1 {
            throw .notSingular(rowCount: rowCount, isLowerBound: rowCount > 1)
        }
        let body = result.bytes(0, ListPlan.Field.body)
        let tag = BodyTag.make(body)
        if try EntityTagCondition(context.request.headers).isNotModified(tag) {
            return HTTPResponse(status: 304, headers: ["ETag": "W/\"\(tag)\""])
        }
        var headers = HTTPHeaders.json
        headers.append("ETag", "W/\"\(tag)\"")
        headers.append("Content-Range", plan.contentRange(rowCount: rowCount, total: total))
        let keyset = result.string(0, ListPlan.Field.keyset)
        if !isSingular, let cursor = plan.nextCursor(rowCount: rowCount, keyset: keyset) {
            headers.append("Link", "<\(nextTarget(context.request, cursor))>; rel=\"next\"")
        }
        return HTTPResponse(
            status: 200, headers: headers, body: .foreign(owner: result, bytes: body))
    }

    /// The same request with the cursor of the next page.
    private func nextTarget(_ request: HTTPRequest, _ cursor: String) -> String {
        let kept = (request.rawQuery ?? "").split(separator: "&").filter { pair in
            let name = pair.split(separator: "=").first
            return name != "cursor" && name != "offset"
        }
        let pairs = kept.map(String.init) + ["cursor=\(cursor)"]
        return request.path + "?" + pairs.joined(separator: "&")
    }

    // MARK: Creates

    private func create(
        _ context: RequestContext, _ served: ServedEntity
    ) async throws(Problem) -> HTTPResponse {
        let acceptance = try Acceptance(context.request.headers)
        let parsed = try CollectionQuery.parse(
            context.request.query, entity: served.entity, limits: limits)
        try parsed.requireNoList()
        let document = try context.json()
        let preferences = context.preferences
        let isListed = parsed.columns != nil && !preferences.isMissingDefault
        let check = BodyCheck(
            entity: served.entity, purpose: isListed ? .createListed : .create,
            owner: context.caller.owner, listed: parsed.columns, limits: limits)
        let checked = try check.check(document.root)
        let isPlain =
            !checked.isArray && parsed.columns == nil && parsed.selection == nil
            && preferences.resolution == nil && preferences.returning != .representation
            && preferences.maxAffected == nil
        guard isPlain else {
            return try await createMany(context, served, parsed, checked, acceptance)
        }
        let query = served.statements.create(
            body: context.request.body, owner: context.caller.owner,
            madeKey: served.statements.makesKey ? UUID7.make() : nil)
        let result = try await write(query, context, served)
        return try answer(result, context, served)
    }

    private func createMany(
        _ context: RequestContext, _ served: ServedEntity, _ parsed: CollectionQuery,
        _ checked: CheckedBody, _ acceptance: Acceptance
    ) async throws(Problem) -> HTTPResponse {
        let preferences = context.preferences
        let insert = BulkWrite.Insert(
            body: context.request.body, checked: checked, owner: context.caller.owner,
            madeKeys: served.statements.makesKey
                ? UUID7.make(count: checked.rowCount) : [],
            listed: parsed.columns, isMissingDefault: preferences.isMissingDefault,
            resolution: preferences.resolution, conflictColumns: parsed.conflictColumns)
        let answer = bulkAnswer(
            context, parsed, isSingular: acceptance == .object && !checked.isArray)
        let query = try BulkWrite.insert(insert, entity: served.entity, answer: answer)
        let result = try await bulkWrite(query, context, served)
        let createdCount = result.int(0, BulkWrite.Field.createdCount) ?? 0
        let isUpsert = preferences.resolution != nil
        return bulkResponse(
            result, context, served, answer, status: createdCount > 0 || !isUpsert ? 201 : 200,
            isCreated: true)
    }

    // MARK: Filtered writes

    private func patchMany(
        _ context: RequestContext, _ served: ServedEntity
    ) async throws(Problem) -> HTTPResponse {
        let isSingular = try Acceptance(context.request.headers) == .object
        let parsed = try CollectionQuery.parse(
            context.request.query, entity: served.entity, limits: limits)
        let document = try context.json()
        let checked = try BodyCheck(
            entity: served.entity, purpose: .patchMany, owner: context.caller.owner,
            listed: parsed.columns, limits: limits
        ).check(document.root)
        let answer = bulkAnswer(context, parsed, isSingular: isSingular)
        let query = try BulkWrite.update(
            parsed, body: context.request.body, checked: checked, entity: served.entity,
            owner: context.caller.owner, answer: answer)
        let result = try await bulkWrite(query, context, served)
        return bulkResponse(result, context, served, answer, status: 200, isCreated: false)
    }

    private func deleteMany(
        _ context: RequestContext, _ served: ServedEntity
    ) async throws(Problem) -> HTTPResponse {
        let isSingular = try Acceptance(context.request.headers) == .object
        let parsed = try CollectionQuery.parse(
            context.request.query, entity: served.entity, limits: limits)
        let answer = bulkAnswer(context, parsed, isSingular: isSingular)
        let query = try BulkWrite.delete(
            parsed, entity: served.entity, owner: context.caller.owner, answer: answer)
        let result = try await bulkWrite(query, context, served, isDelete: true)
        return bulkResponse(result, context, served, answer, status: 200, isCreated: false)
    }

    // MARK: Pieces

    var limits: QueryLimits {
        var limits = QueryLimits()
        limits.pageRowCountMax = configuration.rowCountMax
        limits.bodyRowCountMax = configuration.rowCountMax
        return limits
    }

    private func bulkAnswer(
        _ context: RequestContext, _ parsed: CollectionQuery, isSingular: Bool
    ) -> BulkWrite.Answer {
        let returning = context.preferences.returning
        let isCreate = context.method == .post
        // PostgREST answers a write with rows only on request; a plain POST here always does.
        let hasBody =
            returning == .representation
            || (isCreate && returning == nil)
        return BulkWrite.Answer(
            selection: parsed.selection, hasBody: hasBody, isSingular: isSingular && hasBody,
            maxAffected: context.preferences.maxAffected)
    }

    private func bulkResponse(
        _ result: PostgresResult, _ context: RequestContext, _ served: ServedEntity,
        _ answer: BulkWrite.Answer, status: Int, isCreated: Bool
    ) -> HTTPResponse {
        let rowCount = Int(result.int(0, BulkWrite.Field.rowCount) ?? 0)
        var headers = HTTPHeaders.json
        headers.appendToken(
            transaction: rowCount == 0 ? nil : result.string(0, BulkWrite.Field.transaction),
            configuration)
        if rowCount == 1, let tag = result.string(0, BulkWrite.Field.etag) {
            headers.append("ETag", "\"\(tag)\"")
            let key = result.string(0, BulkWrite.Field.key) ?? ""
            if isCreated && status == 201 {
                headers.append("Location", served.location(key: key))
            }
        }
        let range = rowCount == 0 || isCreated ? "*" : "0-\(rowCount - 1)"
        let total = context.preferences.count == nil ? "*" : String(rowCount)
        headers.append("Content-Range", "\(range)/\(total)")
        guard answer.hasBody else {
            return HTTPResponse(status: isCreated ? status : 204, headers: headers)
        }
        return HTTPResponse(
            status: status, headers: headers,
            body: .foreign(owner: result, bytes: result.bytes(0, BulkWrite.Field.body)))
    }
}

/// A hash of an answer's bytes as its weak entity tag: 64-bit FNV-1a over words of eight bytes.
enum BodyTag {
    static func make(_ bytes: UnsafeRawBufferPointer) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        var index = 0
        while index + 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            hash = (hash ^ UInt64(littleEndian: word)) &* 0x100_0000_01b3
            hash ^= hash >> 29
            index += 8
        }
        while index < bytes.count {
            hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01b3
            index += 1
        }
        hash ^= UInt64(bytes.count)
        return String(hash, radix: 16)
    }
}
