package import Packs
package import Postgres
package import Runtime
package import Weaviate

/// Hits of a search and who gave them.
package struct VectorAnswer: Sendable {
    package var hits: [VectorHit]
    /// `weaviate` or `postgres`.
    package var source: String
    /// Why the answer is less than asked for: another store or only keywords; nil if it is not.
    package var degradedReason: String?
}

/// Searches a pack's objects: Weaviate where there is one and it answers, else PostgreSQL. One for
/// each loop that serves requests.
package final class VectorReader: @unchecked Sendable {
    /// Weaviate gets this share of the time that is left.
    private static let storeShare = 0.6
    /// So does the embedder before it: keywords alone must still have time to be searched.
    private static let embedderShare = 0.4

    private let pack: Pack
    private let postgres: PostgresClient
    private let store: WeaviateVectors?
    private let embedded: PostgresVectors
    private let embedder: any Embedder

    /// - Parameter embedder: The one of the lane, or another of the same model on this loop.
    package init(
        pack: Pack, postgres: PostgresClient, weaviate: WeaviateClient?, embedder: any Embedder
    ) {
        self.pack = pack
        self.postgres = postgres
        store = weaviate.map { WeaviateVectors(weaviate: $0) }
        embedded = PostgresVectors(postgres: postgres, pack: pack.name) { embedder.model }
        self.embedder = embedder
    }

    /// Embeds the text where that is needed and searches.
    ///
    /// - Throws: ``VectorStoreError/unavailable(code:)`` when no store answers, or when a search by
    ///   vector alone has no embedder.
    package func search(
        _ query: VectorQuery, deadline: Deadline
    ) async throws(VectorStoreError) -> VectorAnswer {
        var query = query
        var reason: String?
        let toEmbed = query.mode != .keyword && query.vector == nil ? query.text : nil
        var readiness = StoreReadiness()
        if store != nil || toEmbed != nil {
            readiness = await .vectors(
                pack: pack, model: embedder.model, postgres, deadline: deadline)
            if deadline.hasPassed { throw .unavailable(code: "timed_out") }
        }
        if let text = toEmbed {
            do throws(VectorStoreError) {
                query.vector = try await embed(text, readiness, deadline)
            } catch {
                if query.mode == .vector { throw error }
                query.mode = .keyword
                reason = error.code
            }
        }
        if store != nil, readiness.isReconciling, reason == nil {
            reason = StoreReadiness.reconciling
        }
        guard let store, !readiness.isReconciling else {
            let hits = try await embedded.search(query, deadline: deadline)
            return VectorAnswer(hits: hits, source: embedded.storeName, degradedReason: reason)
        }
        do throws(VectorStoreError) {
            let share = Deadline.after(deadline.remaining * VectorReader.storeShare)
            let hits = try await store.search(query, deadline: share)
            return VectorAnswer(hits: hits, source: store.storeName, degradedReason: reason)
        } catch {
            guard case .unavailable(let code) = error, !deadline.hasPassed else { throw error }
            let hits = try await embedded.search(query, deadline: deadline)
            return VectorAnswer(hits: hits, source: embedded.storeName, degradedReason: code)
        }
    }

    private func embed(
        _ text: String, _ readiness: StoreReadiness, _ deadline: Deadline
    ) async throws(VectorStoreError) -> [Float]? {
        if readiness.isOfOtherModel { throw .unavailable(code: "embedding_model_changed") }
        do throws(EmbedderError) {
            let share = Deadline.after(deadline.remaining * VectorReader.embedderShare)
            return try await embedder.embed([text], deadline: share).first
        } catch {
            throw .unavailable(code: error.code)
        }
    }

    /// The vector kept for an object, for "more like this".
    package func vector(
        of vectorClass: VectorClass, key: String, deadline: Deadline
    ) async throws(PostgresError) -> [Float]? {
        try await embedded.vector(className: vectorClass.name, key: key, deadline: deadline)
    }

    /// Numbers in the stored vectors of these classes; nil if there are none yet.
    package func width(
        of classes: [VectorClass], deadline: Deadline
    ) async throws(PostgresError) -> Int? {
        try await embedded.width(classNames: classes.map(\.name), deadline: deadline)
    }
}
