package import Runtime
package import Weaviate

/// Search in Weaviate. Belongs to the client's loop.
package struct WeaviateVectors: VectorStore {
    package let storeName = "weaviate"
    private let weaviate: WeaviateClient

    package init(weaviate: WeaviateClient) { self.weaviate = weaviate }

    package func search(
        _ query: VectorQuery, deadline: Deadline
    ) async throws(VectorStoreError) -> [VectorHit] {
        // Weaviate stretches the scores of a hybrid search to 0...1 in each class, so that the best
        // of every class would be equally good: over several classes the lists are fused here.
        if query.mode == .hybrid, query.classes.count > 1, query.direction != nil,
            query.text?.isEmpty == false
        {
            var part = query
            part.limit = max(query.limit, PostgresVectors.candidateCountMin)
            part.mode = .vector
            let nearest = try await search(part, deadline: deadline)
            part.mode = .keyword
            let fused = RelativeScoreFusion.fuse(
                vector: nearest, keyword: try await search(part, deadline: deadline),
                alpha: query.alpha)
            return Array(fused.prefix(query.limit))
        }
        guard let ranking = ranking(query) else { return [] }
        var hits: [VectorHit] = []
        for each in query.classes {
            let filter = query.owner.map {
                WeaviateFilter.compare(property: each.ownerProperty, .equal, .text($0))
            }
            let search = WeaviateSearch(
                className: each.name, ranking: ranking, filter: filter, limit: query.limit)
            do throws(WeaviateError) {
                hits += try await weaviate.search(search, deadline: deadline).map { hit in
                    VectorHit(
                        entity: each.entityPath, className: each.name, key: hit.id,
                        score: query.mode == .vector ? 1 - (hit.distance ?? 1) : hit.score ?? 0)
                }
            } catch {
                // A store that is being filled again may not have the class yet.
                if case .rejected(let rejection) = error, !rejection.isRetryable,
                    !rejection.code.hasPrefix("unknown_class")
                {
                    throw .refused(code: error.code)
                }
                throw error == .invalidRequest
                    ? .refused(code: error.code) : .unavailable(code: error.code)
            }
        }
        return Array(RelativeScoreFusion.ranked(hits).prefix(query.limit))
    }

    /// Nil if nothing can be found.
    private func ranking(_ query: VectorQuery) -> WeaviateSearch.Ranking? {
        let text = query.text ?? ""
        switch query.mode {
        case .vector: return query.direction.map { .nearVector($0) }
        case .keyword: return text.isEmpty ? nil : .bm25(query: text)
        case .hybrid:
            guard let vector = query.direction else {
                return text.isEmpty ? nil : .bm25(query: text)
            }
            return .hybrid(query: text, alpha: query.alpha, vector: vector)
        }
    }
}
