internal import JSON

/// A condition on objects, for searches and for deletion by filter.
package indirect enum WeaviateFilter: Sendable {
    package enum Comparison: String, Sendable {
        case equal = "Equal"
        case notEqual = "NotEqual"
        case greaterThan = "GreaterThan"
        case greaterThanEqual = "GreaterThanEqual"
        case lessThan = "LessThan"
        case lessThanEqual = "LessThanEqual"
        case like = "Like"
    }

    package enum Value: Sendable {
        /// Also for properties of type `uuid`.
        case text(String)
        case int(Int64)
        case number(Double)
        case bool(Bool)
        /// RFC 3339 with an offset.
        case date(String)
    }

    /// Equality on `text` compares tokens: an owner needs `uuid` or tokenization `field`.
    case compare(property: String, Comparison, Value)
    /// One of the texts; `id` as property takes object ids.
    case containsAny(property: String, [String])
    /// Needs `indexNullState` on the class.
    case isNull(property: String, Bool)
    case all([WeaviateFilter])
    case any([WeaviateFilter])

    /// Nesting of `all` and `any`, and conditions in all.
    static let depthMax = 8
    static let conditionCountMax = 10_000

    /// Checks names, numbers and bounds.
    func validate() throws(WeaviateError) {
        var conditionCount = 0
        try validate(depth: 1, &conditionCount)
    }

    private func validate(depth: Int, _ conditionCount: inout Int) throws(WeaviateError) {
        if depth > WeaviateFilter.depthMax { throw .invalidRequest }
        switch self {
        case .all(let operands), .any(let operands):
            if operands.isEmpty { throw .invalidRequest }
            for operand in operands { try operand.validate(depth: depth + 1, &conditionCount) }
        case .compare(let property, _, let value):
            conditionCount += 1
            if !WeaviateName.isProperty(property) { throw .invalidRequest }
            if case .number(let number) = value, !number.isFinite { throw .invalidRequest }
        case .containsAny(let property, let texts):
            conditionCount += texts.count
            if !WeaviateName.isProperty(property) || texts.isEmpty { throw .invalidRequest }
        case .isNull(let property, _):
            conditionCount += 1
            if !WeaviateName.isProperty(property) { throw .invalidRequest }
        }
        if conditionCount > WeaviateFilter.conditionCountMax { throw .invalidRequest }
    }

    /// The form of REST bodies.
    func write(to json: inout JSONWriter) {
        json.beginObject()
        switch self {
        case .all(let operands): write("And", operands, to: &json)
        case .any(let operands): write("Or", operands, to: &json)
        case .compare(let property, let comparison, let value):
            write(property, comparison.rawValue, to: &json)
            json.key(value.key)
            value.write(to: &json)
        case .containsAny(let property, let texts):
            write(property, "ContainsAny", to: &json)
            json.key("valueTextArray")
            json.beginArray()
            for text in texts { json.string(text) }
            json.endArray()
        case .isNull(let property, let isNull):
            write(property, "IsNull", to: &json)
            json.field("valueBoolean", isNull)
        }
        json.endObject()
    }

    private func write(
        _ connective: String, _ operands: [WeaviateFilter], to json: inout JSONWriter
    ) {
        json.field("operator", connective)
        json.key("operands")
        json.beginArray()
        for operand in operands { operand.write(to: &json) }
        json.endArray()
    }

    private func write(_ property: String, _ comparison: String, to json: inout JSONWriter) {
        json.key("path")
        json.beginArray()
        json.string(property)
        json.endArray()
        json.field("operator", comparison)
    }

    /// The form of GraphQL arguments. Validated before.
    var graphQL: String {
        switch self {
        case .all(let operands): WeaviateFilter.graphQL("And", operands)
        case .any(let operands): WeaviateFilter.graphQL("Or", operands)
        case .compare(let property, let comparison, let value):
            "{path:[\"\(property)\"],operator:\(comparison.rawValue),\(value.key):\(value.literal)}"
        case .containsAny(let property, let texts):
            "{path:[\"\(property)\"],operator:ContainsAny,"
                + "valueText:[\(texts.map(graphQLLiteral).joined(separator: ","))]}"
        case .isNull(let property, let isNull):
            "{path:[\"\(property)\"],operator:IsNull,valueBoolean:\(isNull)}"
        }
    }

    private static func graphQL(_ connective: String, _ operands: [WeaviateFilter]) -> String {
        "{operator:\(connective),operands:[\(operands.map(\.graphQL).joined(separator: ","))]}"
    }
}

extension WeaviateFilter.Value {
    fileprivate var key: String {
        switch self {
        case .text: "valueText"
        case .int: "valueInt"
        case .number: "valueNumber"
        case .bool: "valueBoolean"
        case .date: "valueDate"
        }
    }

    fileprivate func write(to json: inout JSONWriter) {
        switch self {
        case .text(let text), .date(let text): json.string(text)
        case .int(let number): json.int(number)
        case .number(let number): json.double(number)
        case .bool(let value): json.bool(value)
        }
    }

    fileprivate var literal: String {
        switch self {
        case .text(let text), .date(let text): graphQLLiteral(text)
        case .int(let number): number.description
        case .number(let number): number.description
        case .bool(let value): value.description
        }
    }
}

/// A string of GraphQL: the escapes of JSON are valid in it.
func graphQLLiteral(_ text: String) -> String {
    var json = JSONWriter()
    json.string(text)
    return String(decoding: json.bytes, as: UTF8.self)
}
