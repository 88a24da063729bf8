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
        guard pack.pack.vectors != nil else {
            throw Problem(.unknownRoute, "The pack has nothing to search.")
        }
        let query = try SearchQuery(try context.json().root, pack: pack.pack)
        let owner = try searchOwner(context, query)
        let readers = try stores.readers(pack.pack.name)
        let lanes: [LaneName] = query.expand == nil ? [.vector] : [.vector, .graph]
        let lagging = try await lagging(context, pack, lanes)
        let probe = try await vectorQuery(query, owner, readers, context, pack)
        let found = try await readers.search(probe.query, deadline: context.deadline)
        let checked = try await check(found.value, query, owner, context, pack)
        var graph: Answered<Subgraph>?
        if var expand = query.expand, !checked.hits.isEmpty {
            expand.starts = checked.hits.map(\.key)
            expand.owner = owner
            graph = try await readers.neighbourhood(expand, deadline: context.deadline)
        }
        var writer = JSONWriter(capacity: 8_192)
        writer.beginObject()
        writer.hits(checked.hits)
        if query.expand != nil {
            writer.key("graph")
            writer.beginObject()
            writer.subgraph(graph?.value ?? Subgraph(nodes: [], edges: [], isTruncated: false))
            writer.endObject()
        }
        writer.searchMeta(
            found: found, graph: graph, embedding: probe.degradation, lagging: lagging,
            droppedCount: checked.droppedCount)
        writer.endObject()
        return HTTPResponse(status: 200, headers: .json, body: .bytes(writer.bytes))
    }

    private func searchOwner(
        _ context: RequestContext, _ query: SearchQuery
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
        return owner.lowercased()
    }

    // MARK: What to search for

    private func vectorQuery(
        _ query: SearchQuery, _ owner: String, _ readers: PackReaders, _ context: RequestContext,
        _ pack: ServedPack
    ) async throws(Problem) -> (query: VectorQuery, degradation: String?) {
        var probe = VectorQuery(
            classes: query.classes, owner: owner, mode: .keyword, text: query.text,
            vector: query.vector, limit: query.candidateCount)
        if query.mode == .keyword { return (probe, nil) }
        if let like = query.like {
            probe.vector = try await storedVector(like, owner, readers, context, pack)
        } else if probe.vector == nil, let text = query.text {
            do throws(EmbedderError) {
                let vectors = try await readers.embedder.embed([text], deadline: context.deadline)
                probe.vector = vectors.first
            } catch {
                // Words still find something while the embedder is away.
                return (probe, error.code)
            }
        }
        if let width = readers.embedder.model.dimensionCount, probe.vector?.count != width {
            throw SearchQuery.invalid("vector", "must have \(width) numbers, like the stored ones")
        }
        probe.mode = query.mode == .vector ? .vector : .hybrid(alpha: query.alpha)
        return (probe, nil)
    }

    /// The vector of a row that the caller may see.
    private func storedVector(
        _ like: (entityPath: String, key: String), _ owner: String, _ readers: PackReaders,
        _ context: RequestContext, _ pack: ServedPack
    ) async throws(Problem) -> [Float] {
        let served = try pack.entity(like.entityPath)
        let classes = (pack.pack.vectors?.classes ?? []).filter { $0.entityPath == like.entityPath }
        let query = PlannedQuery(
            Gateway.storedVectorStatement,
            [
                .text(pack.pack.name), .text(sqlArrayLiteral(classes.map(\.name))), .text(like.key),
                .text(owner), .text(readers.embedder.model.name),
                .text(readers.embedder.model.version),
            ])
        let result = try await read(query, context, served)
        let document = result.string(0, 0).flatMap { try? JSONDocument.parse($0) }
        guard result.rowCount > 0, let vector = document?.root.floats else {
            throw Problem(.notFound, "The row that hits should be like has no vector (yet).")
        }
        return vector
    }

    private static let storedVectorStatement = Statement(
        "search.stored_vector",
        """
        SELECT to_json(embedding) FROM fourfold.entity_vectors
        WHERE pack = $1 AND class = ANY ($2::text[]) AND key = $3 AND owner = $4
            AND model = $5 AND version = $6 AND embedding IS NOT NULL LIMIT 1
        """, isReadOnly: true)

    // MARK: Checking hits

    /// Keeps the hits whose rows the caller may see and that meet the filter, in their order.
    private func check(
        _ found: [VectorHit], _ query: SearchQuery, _ owner: String, _ context: RequestContext,
        _ pack: ServedPack
    ) async throws(Problem) -> (hits: [CheckedHit], droppedCount: Int) {
        var rows: [String: PostgresRow] = [:]
        var present: Set<String> = []
        for path in Set(found.map(\.entityPath)) {
            let served = try pack.entity(path)
            let keys = found.filter { $0.entityPath == path }.map(\.key)
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
            let id = "\(hit.entityPath)/\(hit.key)"
            if let like = query.like, like.entityPath == hit.entityPath, like.key == hit.key {
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

    var key: String { hit.key }
}

extension JSONWriter {
    fileprivate mutating func hits(_ hits: [CheckedHit]) {
        key("hits")
        beginArray()
        for checked in hits {
            beginObject()
            field("entity", checked.hit.entityPath)
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
        found: Answered<[VectorHit]>, graph: Answered<Subgraph>?, embedding: String?,
        lagging: [String], droppedCount: Int
    ) {
        key("meta")
        beginObject()
        key("source")
        beginObject()
        field("vector", found.source)
        if let graph { field("graph", graph.source) }
        endObject()
        let reasons = [
            found.degradation.map { "vector_\($0)" }, graph?.degradation.map { "graph_\($0)" },
            embedding,
        ].compactMap { $0 }
        field("degraded", !reasons.isEmpty)
        if !reasons.isEmpty { names("reasons", reasons) }
        names("lagging", lagging)
        field("dropped", droppedCount)
        if let graph { field("truncated", graph.value.isTruncated) }
        endObject()
    }
}
