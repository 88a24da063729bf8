package import Packs
package import Runtime

/// Searches the vector classes of a pack. Adapters: Weaviate, and PostgreSQL over
/// `entity_vectors`.
package protocol VectorStore: Sendable {
    /// `weaviate` or `postgres`, for `meta.source`.
    var storeName: String { get }

    /// The best hits over all classes, best first.
    ///
    /// - Throws: ``StoreReadError``; the caller may then ask the embedded adapter.
    func search(
        _ query: VectorQuery, deadline: Deadline
    ) async throws(StoreReadError) -> [VectorHit]
}

/// What to search for.
package struct VectorQuery: Sendable {
    package enum Mode: Sendable, Equatable {
        case vector
        case keyword
        /// 0 counts keywords only, 1 the vector only.
        case hybrid(alpha: Double)
    }

    package var classes: [VectorClass]
    /// Only objects of this owner.
    package var owner: String
    package var mode: Mode
    /// The words; needed by `keyword` and `hybrid`.
    package var text: String?
    /// The vector of the text or the one given; needed by `vector` and `hybrid`.
    package var vector: [Float]?
    /// Greatest number of hits over all classes.
    package var limit: Int

    package init(
        classes: [VectorClass], owner: String, mode: Mode, text: String?, vector: [Float]?,
        limit: Int
    ) {
        self.classes = classes
        self.owner = owner
        self.mode = mode
        self.text = text
        self.vector = vector
        self.limit = limit
    }
}

/// An object that was found.
package struct VectorHit: Sendable {
    package var className: String
    package var entityPath: String
    package var key: String
    /// Higher is better; comparable within one answer only.
    package var score: Double

    package init(className: String, entityPath: String, key: String, score: Double) {
        self.className = className
        self.entityPath = entityPath
        self.key = key
        self.score = score
    }
}
