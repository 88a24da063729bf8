/// Something about a schema that is not understood, or about a value that does not fit one.
package struct JSONSchemaError: Equatable, Sendable {
    /// Members and indexes joined by dots; empty for the whole.
    package var path: String
    /// Never carries a value.
    package var message: String
}

extension JSONSchema {
    /// Compiles a schema.
    ///
    /// - Returns: The schema, or everything in it that is not understood: a keyword that is ignored
    ///   would let values through that its writer means to refuse.
    package static func compile(
        _ root: JSONValue
    ) -> (schema: JSONSchema?, errors: [JSONSchemaError]) {
        var compiler = JSONSchemaCompiler()
        let schema = compiler.schema(root, "", depth: 1)
        return compiler.errors.isEmpty ? (schema, []) : (nil, compiler.errors)
    }
}

private struct JSONSchemaCompiler {
    var errors: [JSONSchemaError] = []

    private static let keywords: Set<String> = [
        "type", "enum", "const", "required", "properties", "additionalProperties", "items",
        "minItems", "maxItems", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
        "minLength", "maxLength", "minProperties", "maxProperties", "title", "description",
    ]

    mutating func schema(_ value: JSONValue, _ path: String, depth: Int) -> JSONSchema {
        guard value.kind == .object else {
            complain(path, "a schema must be an object")
            return JSONSchema()
        }
        guard depth <= JSONSchema.depthMax else {
            complain(path, "schemas nest deeper than \(JSONSchema.depthMax)")
            return JSONSchema()
        }
        for (keyword, _) in value.members where !JSONSchemaCompiler.keywords.contains(keyword) {
            complain(join(path, keyword), "this keyword is not supported")
        }
        return JSONSchema(
            types: types(value["type"], join(path, "type")), allowed: allowed(value, path),
            properties: properties(value, path, depth: depth),
            additional: additional(value["additionalProperties"], path, depth: depth),
            items: value["items"].map { schema($0, join(path, "items"), depth: depth + 1) },
            itemCount: counts(value, "minItems", "maxItems", path),
            memberCount: counts(value, "minProperties", "maxProperties", path),
            length: counts(value, "minLength", "maxLength", path), number: numbers(value, path))
    }

    private mutating func types(_ value: JSONValue?, _ path: String) -> JSONTypes {
        guard let value else { return .all }
        let names = value.kind == .array ? value.elements.map(\.string) : [value.string]
        var types: JSONTypes = []
        for name in names {
            guard let found = JSONTypes.names.first(where: { $0.name == name }) else {
                complain(path, "there is no such type")
                return .all
            }
            types.insert(found.type)
        }
        if types.contains(.number) { types.insert(.integer) }
        if types.isEmpty { complain(path, "it must name a type") }
        return types
    }

    private mutating func allowed(_ value: JSONValue, _ path: String) -> [JSONSchema.Scalar]? {
        var lists: [[JSONSchema.Scalar]] = []
        if let list = value["enum"] {
            if list.kind != .array || list.count == 0 {
                complain(join(path, "enum"), "it must be a list that is not empty")
            }
            lists.append(list.elements.compactMap { scalar($0, join(path, "enum")) })
        }
        if let const = value["const"] {
            lists.append([const].compactMap { scalar($0, join(path, "const")) })
        }
        guard let first = lists.first else { return nil }
        return lists.count == 1 ? first : first.filter { lists[1].contains($0) }
    }

    private mutating func scalar(_ value: JSONValue, _ path: String) -> JSONSchema.Scalar? {
        if let scalar = JSONSchema.Scalar(value) { return scalar }
        complain(path, "objects and lists are not supported here")
        return nil
    }

    private mutating func properties(
        _ value: JSONValue, _ path: String, depth: Int
    ) -> [JSONSchema.Property] {
        var required: [String] = []
        if let list = value["required"] {
            required = list.elements.compactMap(\.string)
            if list.kind != .array || required.count != list.count {
                complain(join(path, "required"), "it must be a list of names")
            }
        }
        var found: [JSONSchema.Property] = []
        if let members = value["properties"] {
            if members.kind != .object {
                complain(join(path, "properties"), "it must be an object")
            }
            for (name, member) in members.members {
                let place = join(join(path, "properties"), name)
                found.append(
                    .init(
                        name: name, bytes: Array(name.utf8),
                        schema: schema(member, place, depth: depth + 1),
                        isRequired: required.contains(name)))
            }
        }
        for name in required where !found.contains(where: { $0.name == name }) {
            found.append(
                .init(name: name, bytes: Array(name.utf8), schema: JSONSchema(), isRequired: true))
        }
        return found
    }

    private mutating func additional(
        _ value: JSONValue?, _ path: String, depth: Int
    ) -> JSONSchema.Additional {
        guard let value else { return .any }
        if let isAllowed = value.bool { return isAllowed ? .any : .none }
        return .matching(schema(value, join(path, "additionalProperties"), depth: depth + 1))
    }

    private mutating func counts(
        _ value: JSONValue, _ minimum: String, _ maximum: String, _ path: String
    ) -> JSONBounds {
        func count(_ name: String, _ errors: inout [JSONSchemaError]) -> Double? {
            guard let value = value[name] else { return nil }
            if let count = value.int, count >= 0 { return Double(count) }
            errors.append(.init(path: join(path, name), message: "it must be a whole number"))
            return nil
        }
        return JSONBounds(
            minimum: count(minimum, &errors), maximum: count(maximum, &errors))
    }

    private mutating func numbers(_ value: JSONValue, _ path: String) -> JSONBounds {
        func number(_ name: String, _ errors: inout [JSONSchemaError]) -> Double? {
            guard let value = value[name] else { return nil }
            if let number = value.double { return number }
            errors.append(.init(path: join(path, name), message: "it must be a number"))
            return nil
        }
        var bounds = JSONBounds(
            minimum: number("minimum", &errors), maximum: number("maximum", &errors))
        if let low = number("exclusiveMinimum", &errors), low >= bounds.minimum ?? -.infinity {
            bounds.minimum = low
            bounds.isMinimumExclusive = true
        }
        if let high = number("exclusiveMaximum", &errors), high <= bounds.maximum ?? .infinity {
            bounds.maximum = high
            bounds.isMaximumExclusive = true
        }
        return bounds
    }

    private mutating func complain(_ path: String, _ message: String) {
        errors.append(JSONSchemaError(path: path, message: message))
    }
}

extension JSONSchema.Scalar {
    init?(_ value: JSONValue) {
        switch value.kind {
        case .null: self = .null
        case .bool: self = .bool(value.bool == true)
        case .string: self = .string(value.string ?? "")
        case .number:
            guard let number = value.double else { return nil }
            self = .number(number)
        case .array, .object: return nil
        }
    }
}

func join(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
