/// A ranked search in one class.
package struct WeaviateSearch: Sendable {
    package enum Ranking: Sendable {
        /// By distance to a vector; farther than `distanceMax` is left out.
        case nearVector([Float], distanceMax: Double? = nil)
        /// By keywords. No properties means all that are searchable.
        case bm25(query: String, properties: [String] = [])
        /// Both: `alpha` 0 is keywords alone, 1 the vector alone.
        case hybrid(query: String, alpha: Double, vector: [Float], properties: [String] = [])
    }

    package var className: String
    package var ranking: Ranking
    /// Scalar properties to return.
    package var properties: [String]
    package var filter: WeaviateFilter?
    /// 1...``limitMax`` hits.
    package var limit: Int

    package static let limitMax = 10_000
    package static let queryByteCountMax = 16 << 10
    package static let vectorLengthMax = 65_535

    package init(
        className: String, ranking: Ranking, properties: [String] = [],
        filter: WeaviateFilter? = nil, limit: Int = 10
    ) {
        self.className = className
        self.ranking = ranking
        self.properties = properties
        self.filter = filter
        self.limit = limit
    }

    /// The text of the query. Values are literals, because the server ignores variables for vectors
    /// and handles them in part for filters; names come through a whitelist.
    ///
    /// - Throws: ``WeaviateError/invalidRequest`` for a name, a number or a length that cannot be
    ///   written.
    func graphQL() throws(WeaviateError) -> String {
        guard WeaviateName.isClass(className), (1...WeaviateSearch.limitMax).contains(limit),
            properties.allSatisfy(WeaviateName.isProperty)
        else { throw .invalidRequest }
        try filter?.validate()
        var arguments = "limit:\(limit),\(try rankingArgument())"
        if let filter { arguments += ",where:\(filter.graphQL)" }
        let fields = properties.joined(separator: " ")
        return "{Get{\(className)(\(arguments)){\(fields) _additional{id distance score}}}}"
    }

    private func rankingArgument() throws(WeaviateError) -> String {
        switch ranking {
        case .nearVector(let vector, let distanceMax):
            let list = try WeaviateSearch.literal(vector)
            guard let distanceMax else { return "nearVector:{vector:\(list)}" }
            guard distanceMax.isFinite else { throw .invalidRequest }
            return "nearVector:{vector:\(list),distance:\(distanceMax)}"
        case .bm25(let query, let properties):
            return "bm25:{\(try WeaviateSearch.words(query, properties))}"
        case .hybrid(let query, let alpha, let vector, let properties):
            guard (0...1).contains(alpha) else { throw .invalidRequest }
            let words = try WeaviateSearch.words(query, properties)
            let list = try WeaviateSearch.literal(vector)
            return "hybrid:{\(words),alpha:\(alpha),vector:\(list)}"
        }
    }

    private static func words(
        _ query: String, _ properties: [String]
    ) throws(WeaviateError) -> String {
        guard query.utf8.count <= queryByteCountMax, properties.allSatisfy(WeaviateName.isProperty)
        else { throw .invalidRequest }
        let text = "query:\(graphQLLiteral(query))"
        if properties.isEmpty { return text }
        return text + ",properties:[\(properties.map(graphQLLiteral).joined(separator: ","))]"
    }

    private static func literal(_ vector: [Float]) throws(WeaviateError) -> String {
        guard !vector.isEmpty, vector.count <= vectorLengthMax,
            vector.allSatisfy(\.isFinite)
        else { throw .invalidRequest }
        var text = "["
        text.reserveCapacity(vector.count * 14)
        for (index, number) in vector.enumerated() {
            if index > 0 { text += "," }
            text += number.description
        }
        return text + "]"
    }
}
