package import Runtime

/// Which model made a vector. Vectors of different models cannot be compared.
package struct EmbeddingModel: Hashable, Sendable {
    package var name: String
    package var version: String
    /// Numbers in a vector; nil until the first answer of an endpoint told it.
    package var dimensionCount: Int?

    package init(name: String, version: String, dimensionCount: Int?) {
        self.name = name
        self.version = version
        self.dimensionCount = dimensionCount
    }
}

/// Turns texts into vectors of one width.
package protocol Embedder: Sendable {
    var model: EmbeddingModel { get }
    /// Texts that ``embed(_:deadline:)`` takes at once.
    var batchSizeMax: Int { get }

    /// One vector for each text, in order.
    func embed(_ texts: [String], deadline: Deadline) async throws(EmbedderError) -> [[Float]]
}

/// Why there is no vector. Never carries any of the text.
package enum EmbedderError: Error, Equatable, Sendable {
    /// No answer, or one that asks to come again (429, 5xx).
    case unavailable
    /// The endpoint refuses these texts or the key (4xx).
    case refused(status: Int)
    /// The answer has another shape, count or width than it must.
    case malformedAnswer
    case widthChanged(expected: Int, actual: Int)

    /// Stable, safe as a metric label.
    package var code: String {
        switch self {
        case .unavailable: "embedder_unavailable"
        case .refused: "embedder_refused"
        case .malformedAnswer: "embedder_malformed_answer"
        case .widthChanged: "embedder_width_changed"
        }
    }

    /// Whether the same texts may succeed later without anybody changing anything.
    package var isTransient: Bool { self == .unavailable }
}
