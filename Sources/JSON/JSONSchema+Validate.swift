internal import CYyjson

extension JSONSchema {
    /// Errors that are told of one value, at most.
    package static let errorCountMax = 20

    /// Everything about `value` that does not fit; empty if it fits.
    package func errors(in value: JSONValue) -> [JSONSchemaError] {
        var check = JSONSchemaCheck()
        check.check(value, self)
        return check.errors
    }
}

private struct JSONSchemaCheck {
    var errors: [JSONSchemaError] = []
    /// Where the value stands; made into text only for an error.
    private var path: [PathPiece] = []

    private enum PathPiece {
        case member(JSONValue)
        case named(String)
        case index(Int)
    }

    mutating func check(_ value: JSONValue, _ schema: JSONSchema) {
        guard errors.count < JSONSchema.errorCountMax else { return }
        guard isOneOf(schema.types, value) else {
            return complain("must be \(article(schema.types.text))")
        }
        if let allowed = schema.allowed {
            guard let scalar = JSONSchema.Scalar(value), allowed.contains(scalar) else {
                return complain("is not one of the values that are allowed")
            }
        }
        switch value.kind {
        case .object: checkObject(value, schema)
        case .array: checkArray(value, schema)
        case .string where !schema.length.isEmpty:
            if !schema.length.contains(Double(value.scalarCount)) {
                complain("must have \(schema.length.text) characters")
            }
        case .number where !schema.number.isEmpty:
            if !(value.double.map(schema.number.contains) ?? false) {
                complain("must be \(schema.number.text)")
            }
        default: break
        }
    }

    private mutating func checkObject(_ object: JSONValue, _ schema: JSONSchema) {
        if !schema.memberCount.contains(Double(object.count)) {
            complain("must have \(schema.memberCount.text) members")
        }
        for (key, value) in object.rawMembers {
            guard let property = schema.properties.first(where: { $0.isNamed(key) }) else {
                checkAdditional(key, value, schema)
                continue
            }
            path.append(.named(property.name))
            check(value, property.schema)
            path.removeLast()
        }
        for property in schema.properties where property.isRequired {
            if object.rawMembers.contains(where: { property.isNamed($0.key) }) { continue }
            path.append(.named(property.name))
            complain("is required")
            path.removeLast()
        }
    }

    private mutating func checkAdditional(
        _ key: JSONValue, _ value: JSONValue, _ schema: JSONSchema
    ) {
        if case .any = schema.additional { return }
        path.append(.member(key))
        defer { path.removeLast() }
        switch schema.additional {
        case .any: break
        case .none: complain("is not known here")
        case .matching(let schema): check(value, schema)
        }
    }

    private mutating func checkArray(_ array: JSONValue, _ schema: JSONSchema) {
        if !schema.itemCount.contains(Double(array.count)) {
            complain("must have \(schema.itemCount.text) elements")
        }
        guard let items = schema.items else { return }
        for (index, element) in array.elements.enumerated() {
            path.append(.index(index))
            check(element, items)
            path.removeLast()
        }
    }

    private func isOneOf(_ types: JSONTypes, _ value: JSONValue) -> Bool {
        if types == .all { return true }
        switch value.kind {
        case .null: return types.contains(.null)
        case .bool: return types.contains(.boolean)
        case .string: return types.contains(.string)
        case .array: return types.contains(.array)
        case .object: return types.contains(.object)
        case .number:
            if types.contains(.number) { return true }
            guard types.contains(.integer), let number = value.double else { return false }
            return number == number.rounded()
        }
    }

    private mutating func complain(_ message: String) {
        guard errors.count < JSONSchema.errorCountMax else { return }
        let pieces = path.map { piece in
            switch piece {
            case .named(let name): name
            case .index(let index): String(index)
            // A member's name is the client's own text: no more of it than tells which one.
            case .member(let key): String((key.string ?? "").prefix(60))
            }
        }
        errors.append(.init(path: pieces.joined(separator: "."), message: message))
    }

    private func article(_ types: String) -> String {
        if types.hasPrefix("null") { return types }
        return ("aio".contains(types.first ?? "x") ? "an " : "a ") + types
    }
}

extension JSONSchema.Property {
    fileprivate func isNamed(_ key: JSONValue) -> Bool { bytes.withUnsafeBytes(key.isText) }
}

extension JSONValue {
    /// Unicode scalars of a string; 0 for anything else.
    fileprivate var scalarCount: Int {
        guard yyjson_is_str(value), let text = yyjson_get_str(value) else { return 0 }
        let bytes = UnsafeRawBufferPointer(start: text, count: yyjson_get_len(value))
        return bytes.reduce(0) { $1 & 0xC0 == 0x80 ? $0 : $0 + 1 }
    }
}
