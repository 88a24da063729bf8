internal import HTTPClient
package import JSON
package import Runtime

/// What ``WeaviateClient/ensureClass(_:deadline:)`` did.
package enum WeaviateClassChange: Equatable, Sendable {
    case created
    /// The class was there; these properties were missing and were added.
    case kept(addedProperties: [String])
}

extension WeaviateClient {
    /// The definition of a class as the server holds it; nil when there is none. On the loop.
    package func schemaClass(
        _ name: String, deadline: Deadline
    ) async throws(WeaviateError) -> JSONValue? {
        guard WeaviateName.isClass(name) else { throw .invalidRequest }
        let response = try await send(.get, "/v1/schema/\(name)", access: .read, deadline: deadline)
        if response.status == 404 { return nil }
        return try WeaviateClient.document(response)
    }

    /// Names of all classes. On the loop.
    package func classNames(deadline: Deadline) async throws(WeaviateError) -> [String] {
        let root = try await read("/v1/schema", deadline: deadline)
        return root["classes"]?.elements.compactMap { $0["class"]?.string } ?? []
    }

    /// Makes the class exist with at least the defined properties; safe when several gateways start
    /// at once. On the loop.
    ///
    /// - Parameter definition: One class as the body of `POST /v1/schema`.
    /// - Throws: ``WeaviateError/schemaMismatch(className:property:)`` when the class exists with
    ///   another vectorizer, or a property with another type: types cannot change in place.
    package func ensureClass(
        _ definition: [UInt8], deadline: Deadline
    ) async throws(WeaviateError) -> WeaviateClassChange {
        guard let document = try? JSONDocument.parse(definition),
            let name = document.root["class"]?.string, WeaviateName.isClass(name)
        else { throw .invalidRequest }
        if let existing = try await schemaClass(name, deadline: deadline) {
            return try await complete(existing, document.root, name, deadline)
        }
        let response = try await send(
            .post, "/v1/schema", body: definition, access: .write, deadline: deadline)
        if response.isSuccess { return .created }
        // Another gateway may have been first.
        if let existing = try await schemaClass(name, deadline: deadline) {
            return try await complete(existing, document.root, name, deadline)
        }
        throw WeaviateClient.error(of: response)
    }

    /// Removes a class with all its objects; nothing happens when there is none. On the loop.
    package func deleteClass(_ name: String, deadline: Deadline) async throws(WeaviateError) {
        guard WeaviateName.isClass(name) else { throw .invalidRequest }
        let response = try await send(
            .delete, "/v1/schema/\(name)", access: .write, deadline: deadline)
        if !response.isSuccess && response.status != 404 {
            throw WeaviateClient.error(of: response)
        }
    }

    private func complete(
        _ existing: JSONValue, _ wanted: JSONValue, _ name: String, _ deadline: Deadline
    ) async throws(WeaviateError) -> WeaviateClassChange {
        if let vectorizer = wanted["vectorizer"]?.string,
            existing["vectorizer"]?.string != vectorizer
        {
            throw .schemaMismatch(className: name, property: nil)
        }
        var typesByName: [String: [String]] = [:]
        for property in existing["properties"].map({ Array($0.elements) }) ?? [] {
            guard let name = property["name"]?.string else { continue }
            typesByName[name] = WeaviateClient.dataType(property)
        }
        var added: [String] = []
        for property in wanted["properties"].map({ Array($0.elements) }) ?? [] {
            guard let propertyName = property["name"]?.string else { throw .invalidRequest }
            if let types = typesByName[propertyName] {
                if types == WeaviateClient.dataType(property) { continue }
                throw .schemaMismatch(className: name, property: propertyName)
            }
            try await addProperty(property, propertyName, to: name, deadline)
            added.append(propertyName)
        }
        return .kept(addedProperties: added)
    }

    private func addProperty(
        _ property: JSONValue, _ propertyName: String, to name: String, _ deadline: Deadline
    ) async throws(WeaviateError) {
        let response = try await send(
            .post, "/v1/schema/\(name)/properties", body: property.serialized(), access: .write,
            deadline: deadline)
        if response.isSuccess { return }
        // Another gateway may have been first.
        let now = try await schemaClass(name, deadline: deadline)
        let isThere = now?["properties"]?.elements.contains { each in
            each["name"]?.string == propertyName
                && WeaviateClient.dataType(each) == WeaviateClient.dataType(property)
        }
        if isThere != true { throw WeaviateClient.error(of: response) }
    }

    private static func dataType(_ property: JSONValue) -> [String] {
        property["dataType"]?.elements.compactMap(\.string) ?? []
    }
}
