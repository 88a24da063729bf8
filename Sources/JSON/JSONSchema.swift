/// A compiled JSON Schema (draft 2020-12) of the keywords that bound values: `type`, `enum`,
/// `const`, `properties`, `required`, `additionalProperties`, `items` and the minima and maxima.
package final class JSONSchema: Sendable {
    enum Scalar: Equatable, Sendable {
        case null
        case bool(Bool)
        case number(Double)
        case string(String)
    }

    /// What members that `properties` does not name may be.
    enum Additional: Sendable {
        case any
        case none
        case matching(JSONSchema)
    }

    struct Property: Sendable {
        let name: String
        /// For comparing with the parsed text without making a string of it.
        let bytes: [UInt8]
        let schema: JSONSchema
        let isRequired: Bool
    }

    /// All types where the schema names none.
    let types: JSONTypes
    let allowed: [Scalar]?
    /// In the schema's order; required ones that it does not describe are last.
    let properties: [Property]
    let additional: Additional
    let items: JSONSchema?
    let itemCount: JSONBounds
    let memberCount: JSONBounds
    /// Unicode scalars.
    let length: JSONBounds
    let number: JSONBounds

    /// Members that a schema may nest, at most.
    static let depthMax = 16

    init(
        types: JSONTypes = .all, allowed: [Scalar]? = nil, properties: [Property] = [],
        additional: Additional = .any, items: JSONSchema? = nil, itemCount: JSONBounds = .init(),
        memberCount: JSONBounds = .init(), length: JSONBounds = .init(),
        number: JSONBounds = .init()
    ) {
        self.types = types
        self.allowed = allowed
        self.properties = properties
        self.additional = additional
        self.items = items
        self.itemCount = itemCount
        self.memberCount = memberCount
        self.length = length
        self.number = number
    }
}

/// Types of JSON Schema; an integer is a number without a fraction.
package struct JSONTypes: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    static let null = JSONTypes(rawValue: 1)
    static let boolean = JSONTypes(rawValue: 2)
    static let number = JSONTypes(rawValue: 4)
    static let integer = JSONTypes(rawValue: 8)
    static let string = JSONTypes(rawValue: 16)
    static let array = JSONTypes(rawValue: 32)
    static let object = JSONTypes(rawValue: 64)
    static let all = JSONTypes(rawValue: 0x7F)

    static let names: [(name: String, type: JSONTypes)] = [
        ("null", .null), ("boolean", .boolean), ("number", .number), ("integer", .integer),
        ("string", .string), ("array", .array), ("object", .object),
    ]

    /// `a string or null`, for people.
    var text: String {
        JSONTypes.names.filter { contains($0.type) }.map(\.name).joined(separator: " or ")
    }
}

/// An inclusive or exclusive range, open where nothing bounds it.
struct JSONBounds: Sendable {
    var minimum: Double?
    var maximum: Double?
    var isMinimumExclusive = false
    var isMaximumExclusive = false

    var isEmpty: Bool { minimum == nil && maximum == nil }

    func contains(_ value: Double) -> Bool {
        if let minimum, value < minimum || (isMinimumExclusive && value == minimum) { return false }
        if let maximum, value > maximum || (isMaximumExclusive && value == maximum) { return false }
        return true
    }

    /// `from 0 to 1`, for people.
    var text: String {
        let low = minimum.map { (isMinimumExclusive ? "above " : "at least ") + plain($0) }
        let high = maximum.map { (isMaximumExclusive ? "below " : "at most ") + plain($0) }
        return [low, high].compactMap { $0 }.joined(separator: " and ")
    }

    private func plain(_ value: Double) -> String {
        Int64(exactly: value).map { String($0) } ?? value.description
    }
}
