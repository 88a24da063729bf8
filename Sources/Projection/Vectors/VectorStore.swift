package import Packs
package import Runtime

/// A ranked search over vector classes of one pack, within one owner's objects.
package struct VectorQuery: Sendable {
    package enum Mode: String, Sendable, CaseIterable {
        case vector, keyword, hybrid
    }

    package static let limitMax = 1_000

    package var classes: [VectorClass]
    /// Nil searches the objects of everybody; only for packs without owners.
    package var owner: String?
    package var mode: Mode
    /// Of the model that made the stored ones. Needed but for ``Mode/keyword``.
    package var vector: [Float]?
    /// Needed but for ``Mode/vector``.
    package var text: String?
    /// Weight of the vector in ``Mode/hybrid``, 0...1.
    package var alpha: Double
    /// 1...``limitMax``.
    package var limit: Int

    package init(
        classes: [VectorClass], owner: String?, mode: Mode, vector: [Float]? = nil,
        text: String? = nil, alpha: Double = 0.5, limit: Int = 10
    ) {
        precondition((1...VectorQuery.limitMax).contains(limit), "limit out of bounds")
        precondition((0...1).contains(alpha), "alpha out of bounds")
        self.classes = classes
        self.owner = owner
        self.mode = mode
        self.vector = vector
        self.text = text
        self.alpha = alpha
        self.limit = limit
    }

    /// The vector, if it has a direction.
    var direction: [Float]? {
        guard let vector, vector.contains(where: { $0 != 0 }) else { return nil }
        return vector
    }
}

package struct VectorHit: Sendable, Equatable {
    package var entity: String
    package var className: String
    package var key: String
    /// Higher is better. Vector: cosine; hybrid: 0...1; keyword: the store's own measure.
    package var score: Double

    package init(entity: String, className: String, key: String, score: Double) {
        self.entity = entity
        self.className = className
        self.key = key
        self.score = score
    }
}

/// Finds objects by vector, keyword or both.
package protocol VectorStore: Sendable {
    /// `weaviate` or `postgres`.
    var storeName: String { get }

    /// Hits, best first, then by key.
    func search(
        _ query: VectorQuery, deadline: Deadline
    ) async throws(VectorStoreError) -> [VectorHit]
}

/// Why a store gave no answer. Never carries texts or keys.
package enum VectorStoreError: Error, Sendable, Equatable {
    case unavailable(code: String)
    case refused(code: String)

    package var code: String {
        switch self {
        case .unavailable(let code), .refused(let code): code
        }
    }
}

/// Weaviate's relative score fusion: each list's scores are stretched to 0...1, then weighted.
package enum RelativeScoreFusion {
    /// - Parameter alpha: Weight of `vector`; the rest is `keyword`'s.
    package static func fuse(
        vector: [VectorHit], keyword: [VectorHit], alpha: Double
    ) -> [VectorHit] {
        var fused: [String: VectorHit] = [:]
        for (hits, weight) in [(vector, alpha), (keyword, 1 - alpha)] where weight > 0 {
            let scores = hits.map(\.score)
            guard let low = scores.min(), let high = scores.max() else { continue }
            for hit in hits {
                let relative = high > low ? (hit.score - low) / (high - low) : 1
                var sum = fused["\(hit.className)/\(hit.key)"] ?? hit
                let before = fused["\(hit.className)/\(hit.key)"]?.score ?? 0
                sum.score = before + weight * relative
                fused["\(hit.className)/\(hit.key)"] = sum
            }
        }
        return ranked(Array(fused.values))
    }

    /// Best first, then by key, so that equal scores have one order.
    package static func ranked(_ hits: [VectorHit]) -> [VectorHit] {
        hits.sorted { ($1.score, $0.key) < ($0.score, $1.key) }
    }
}
