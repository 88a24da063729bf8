package import JSON

/// An object to write.
package struct WeaviateObject: Sendable {
    /// A UUID in canonical form.
    package var id: String
    /// A JSON object.
    package var properties: [UInt8]
    /// Nil leaves the object without a vector.
    package var vector: [Float]?

    package init(id: String, properties: [UInt8], vector: [Float]? = nil) {
        self.id = id
        self.properties = properties
        self.vector = vector
    }
}

/// An object as the store holds it.
package struct WeaviateStoredObject: Sendable {
    package let id: String
    package let properties: JSONValue
    /// Only where it was asked for.
    package let vector: [Float]?

    init?(_ value: JSONValue) {
        guard let id = value["id"]?.string, let properties = value["properties"] else { return nil }
        self.id = id
        self.properties = properties
        vector = value["vector"]?.floats
    }
}

/// An object found by a search.
package struct WeaviateHit: Sendable {
    package let id: String
    /// Lower is nearer; only of a search by vector.
    package let distance: Double?
    /// Higher is better; only of a search with keywords.
    package let score: Double?
    /// An object with the properties that were asked for.
    package let properties: JSONValue

    init?(_ value: JSONValue) {
        guard let additional = value["_additional"], let id = additional["id"]?.string else {
            return nil
        }
        self.id = id
        distance = additional["distance"]?.double
        score = additional["score"]?.string.flatMap { Double($0) }
        properties = value
    }
}
