internal import HTTPServer
internal import JSON
internal import Postgres
internal import Projection

/// `POST /v1/{pack}/search`: by words, by meaning or both; every hit is checked against PostgreSQL.
extension Gateway {
    func search(
        _ context: RequestContext, _ pack: ServedPack
    ) async throws(Problem) -> HTTPResponse {
        try requireMethod(context.method, [.post])
        try context.requireParameters(isRead: true)
        let readers = try stores.readers(pack.pack.name)
        guard let reader = readers.vectors else {
            throw Problem(.unknownRoute, "The pack has nothing to search.")
        }
        let form = try SearchQuery(try context.json().root, pack: pack.pack)
        let owner = try searchOwner(context, form, pack)
        let lanes: [LaneName] = form.expand == nil ? [.vector] : [.vector, .graph]
        let lagging = try await lagging(context, pack, lanes)
        let found = try await find(form, owner, reader, context, pack)
        let checked = try await check(found.hits, form, owner, context, pack)
        var graph: Connections?
        if let expand = form.expand, let graphReader = readers.graph, !checked.hits.isEmpty {
            let query = expand.query(keys: checked.hits.map(\.hit.key), owner: owner)
            graph = try await neighbourhood(query, graphReader, context)
        }
        var writer = JSONWriter(capacity: 8_192)
        writer.beginObject()
        writer.hits(checked.hits)
        if form.expand != nil {
            writer.key("graph")
            writer.beginObject()
            writer.subgraph(
                graph ?? Connections(nodes: [], edges: [], isTruncated: false, source: ""))
            writer.endObject()
        }
        writer.searchMeta(
            found: found, graph: graph, lagging: lagging, droppedCount: checked.droppedCount)
        writer.endObject()
        return HTTPResponse(status: 200, headers: .json, body: .bytes(writer.bytes))
    }

    private func searchOwner(
        _ context: RequestContext, _ query: SearchQuery, _ pack: ServedPack
    ) throws(Problem) -> String {
        if let owner = context.caller.owner, let named = query.owner,
            owner.lowercased() != named.lowercased()
        {
            throw Problem(
                .ownerMismatch, "Header and body name different owners.",
                hint: "Name the owner once.")
        }
        guard let owner = context.caller.owner ?? query.owner else {
            throw Problem(
                .ownerRequired, "A search needs an owner.",
                hint: "Send Fourfold-User, or the owner's column in the body.")
        }
        for path in Set(query.classes.map(\.entityPath)) {
            let served = try pack.entity(path)
            try served.requireOwnerType(context.caller.owner)
            guard let name = served.entity.ownerColumn,
                served.entity.column(name)?.baseType != "uuid" || isUUID(owner)
            else { throw SearchQuery.invalid(pack.pack.ownerColumn ?? "owner", "must be a UUID") }
        }
        return owner.lowercased()
    }

    private func find(
        _ form: SearchQuery, _ owner: String, _ reader: VectorReader, _ context: RequestContext,
        _ pack: ServedPack
    ) async throws(Problem) -> VectorAnswer {
        var vector = form.vector
        if let given = vector {
            let width: Int?
            do throws(PostgresError) {
                width = try await reader.width(of: form.classes, deadline: context.deadline)
            } catch {
                throw Problem(error)
            }
            if let width, width != given.count {
                throw SearchQuery.invalid("vector", "must have \(width) numbers")
            }
        }
        if let like = form.like {
            vector = try await storedVector(like, owner, reader, context, pack)
        }
        let query = VectorQuery(
            classes: form.classes, owner: owner, mode: form.mode, vector: vector, text: form.text,
            alpha: form.alpha, limit: form.candidateCount)
        do throws(VectorStoreError) {
            return try await reader.search(query, deadline: context.deadline)
        } catch {
            throw Problem(error)
        }
    }

    /// The vector of a row that the caller may see.
    private func storedVector(
        _ like: (entityPath: String, key: String), _ owner: String, _ reader: VectorReader,
        _ context: RequestContext, _ pack: ServedPack
    ) async throws(Problem) -> [Float] {
        let served = try pack.entity(like.entityPath)
        let found = try await read(
            served.statements.owner(key: like.key, owner: owner), context, served)
        guard found.rowCount > 0 else {
            throw Problem(.notFound, "There is no row that hits could be like.")
        }
        for vectorClass in pack.pack.classes(of: like.entityPath) {
            do throws(PostgresError) {
                let vector = try await reader.vector(
                    of: vectorClass, key: served.canonicalKey(like.key),
                    deadline: context.deadline)
                if let vector { return vector }
            } catch {
                throw Problem(error)
            }
        }
        throw Problem(
            .notFound, "The row has no vector yet.", hint: "Repeat the request in a moment.")
    }

    // MARK: Checking hits

    /// Keeps the hits whose rows the caller may see and that meet the filter, in their order.
    private func check(
        _ found: [VectorHit], _ query: SearchQuery, _ owner: String, _ context: RequestContext,
        _ pack: ServedPack
    ) async throws(Problem) -> (hits: [CheckedHit], droppedCount: Int) {
        var rows: [String: PostgresRow] = [:]
        var present: Set<String> = []
        for path in Set(found.map(\.entity)) {
            let served = try pack.entity(path)
            let keys = found.filter { $0.entity == path }.map(\.key)
            let filters = try CollectionQuery.parseFilters(
                query.filter, entity: served.entity, limits: limits)
            let plan = try ReadPlans.hits(
                keys: keys, filters: filters, entity: served.entity, owner: owner)
            let existing = filters.isEmpty
                ? nil
                : try ReadPlans.hits(keys: keys, filters: [], entity: served.entity, owner: owner)
            let results = try await exclusively(context, entity: served) { connection in
                let kept = try await connection.query(plan.statement, plan.parameters)
                guard let existing else { return (kept, kept) }
                return (
                    kept, try await connection.query(existing.statement, existing.parameters)
                )
            }
            for row in 0..<results.0.rowCount {
                rows["\(path)/\(results.0.string(row, 0) ?? "")"] = PostgresRow(results.0, row)
            }
            for row in 0..<results.1.rowCount {
                present.insert("\(path)/\(results.1.string(row, 0) ?? "")")
            }
        }
        var hits: [CheckedHit] = []
        var droppedCount = 0
        for hit in found {
            let id = "\(hit.entity)/\(hit.key)"
            if let like = query.like, like.entityPath == hit.entity,
                try pack.entity(hit.entity).canonicalKey(like.key) == hit.key
            {
                continue
            }
            if let row = rows[id] {
                hits.append(CheckedHit(hit, row))
            } else if !present.contains(id) {
                droppedCount += 1
            }
        }
        return (Array(hits.prefix(query.limit)), droppedCount)
    }
}

/// One row of a result, its JSON text in column 1.
private struct PostgresRow: Sendable {
    private let result: PostgresResult
    private let row: Int

    init(_ result: PostgresResult, _ row: Int) {
        self.result = result
        self.row = row
    }

    var json: UnsafeRawBufferPointer { result.bytes(row, 1) }
}

/// A hit and its row as it is now.
private struct CheckedHit: Sendable {
    let hit: VectorHit
    let row: PostgresRow

    init(_ hit: VectorHit, _ row: PostgresRow) {
        self.hit = hit
        self.row = row
    }

}

extension JSONWriter {
    fileprivate mutating func hits(_ hits: [CheckedHit]) {
        key("hits")
        beginArray()
        for checked in hits {
            beginObject()
            field("entity", checked.hit.entity)
            field("id", checked.hit.key)
            key("score")
            double(checked.hit.score.isFinite ? checked.hit.score : 0)
            key("value")
            raw(checked.row.json)
            endObject()
        }
        endArray()
    }

    fileprivate mutating func searchMeta(
        found: VectorAnswer, graph: Connections?, lagging: [String], droppedCount: Int
    ) {
        key("meta")
        beginObject()
        key("source")
        beginObject()
        field("vector", found.source)
        if let graph { field("graph", graph.source) }
        endObject()
        let reasons = [found.degradedReason, graph?.degradedReason].compactMap { $0 }
        field("degraded", !reasons.isEmpty)
        if !reasons.isEmpty { names("reasons", reasons) }
        names("lagging", lagging)
        field("dropped", droppedCount)
        if let graph { field("truncated", graph.isTruncated) }
        endObject()
    }
}
