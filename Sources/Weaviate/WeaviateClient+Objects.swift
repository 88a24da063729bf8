internal import HTTPClient
internal import JSON
package import Runtime

/// What one call of ``WeaviateClient/deleteBatch(className:filter:deadline:)`` did.
package struct WeaviateDeletion: Equatable, Sendable {
    /// Objects the filter matched, at most the server's bound for one call (10,000 by default).
    package let matchCount: Int
    package let deletedCount: Int
    package let failedCount: Int
}

extension WeaviateClient {
    /// Where a listing starts: the least UUID.
    package static let listStart = "00000000-0000-0000-0000-000000000000"

    /// Writes objects, replacing those with the same id whole. On the loop.
    ///
    /// - Returns: For each object in order, nil when it was written, else why not. An object that
    ///   cannot be sent (id, vector) fails alone.
    package func upsert(
        className: String, _ objects: [WeaviateObject], deadline: Deadline
    ) async throws(WeaviateError) -> [WeaviateRejection?] {
        guard WeaviateName.isClass(className) else { throw .invalidRequest }
        if objects.count > configuration.batchObjectCountMax { throw .requestTooLarge }
        var outcomes = objects.map { WeaviateClient.refusal(of: $0) }
        let sendable = objects.indices.filter { outcomes[$0] == nil }
        if sendable.isEmpty { return outcomes }
        let body = WeaviateClient.batchBody(className, sendable.map { objects[$0] })
        let response = try await send(
            .post, "/v1/batch/objects", body: body, access: .write, deadline: deadline)
        let root = try WeaviateClient.document(response, numbers: .decoded, access: .write)
        // One entry an object, in the order of the request.
        guard root.kind == .array, root.count == sendable.count else { throw .outcomeUnknown }
        for (index, entry) in zip(sendable, root.elements) {
            guard entry["id"]?.string?.lowercased() == objects[index].id.lowercased() else {
                throw .outcomeUnknown
            }
            outcomes[index] = WeaviateClient.rejection(of: entry)
        }
        return outcomes
    }

    /// Removes an object; nothing happens when there is none. On the loop.
    package func delete(
        className: String, id: String, deadline: Deadline
    ) async throws(WeaviateError) {
        let path = try WeaviateClient.objectPath(className, id)
        let response = try await send(.delete, path, access: .write, deadline: deadline)
        if !response.isSuccess && response.status != 404 {
            throw WeaviateClient.error(of: response)
        }
    }

    /// Removes what matches, at most the server's bound: repeat until `matchCount` is 0.
    package func deleteBatch(
        className: String, filter: WeaviateFilter, deadline: Deadline
    ) async throws(WeaviateError) -> WeaviateDeletion {
        guard WeaviateName.isClass(className) else { throw .invalidRequest }
        try filter.validate()
        var body = JSONWriter()
        body.beginObject()
        body.key("match")
        body.beginObject()
        body.field("class", className)
        body.key("where")
        filter.write(to: &body)
        body.endObject()
        body.field("output", "minimal")
        body.endObject()
        let response = try await send(
            .delete, "/v1/batch/objects", body: body.bytes, access: .write, deadline: deadline)
        let root = try WeaviateClient.document(response, access: .write)
        guard let results = root["results"], let matches = results["matches"]?.int else {
            throw .outcomeUnknown
        }
        return WeaviateDeletion(
            matchCount: Int(matches), deletedCount: Int(results["successful"]?.int ?? 0),
            failedCount: Int(results["failed"]?.int ?? 0))
    }

    /// One object; nil when there is none. On the loop.
    package func object(
        className: String, id: String, includeVector: Bool = false, deadline: Deadline
    ) async throws(WeaviateError) -> WeaviateStoredObject? {
        let path = try WeaviateClient.objectPath(className, id)
        let response = try await send(
            .get, path + (includeVector ? "?include=vector" : ""), access: .read,
            deadline: deadline)
        if response.status == 404 { return nil }
        let root = try WeaviateClient.document(response, numbers: includeVector ? .decoded : .exact)
        guard let object = WeaviateStoredObject(root) else { throw .invalidResponse }
        return object
    }

    /// A page of objects in the order of their ids. On the loop.
    ///
    /// - Parameters:
    ///   - after: The last id of the page before; ``listStart`` at first.
    ///   - limit: 1...10,000. A shorter page is the last one.
    package func list(
        className: String, after: String = listStart, limit: Int = 500,
        includeVector: Bool = false, deadline: Deadline
    ) async throws(WeaviateError) -> [WeaviateStoredObject] {
        guard WeaviateName.isClass(className), WeaviateName.isObjectID(after),
            (1...WeaviateSearch.limitMax).contains(limit)
        else { throw .invalidRequest }
        let vector = includeVector ? "&include=vector" : ""
        let root = try await read(
            "/v1/objects?class=\(className)&limit=\(limit)&after=\(after)\(vector)",
            numbers: includeVector ? .decoded : .exact, deadline: deadline)
        guard let objects = root["objects"], objects.kind == .array else { throw .invalidResponse }
        return objects.elements.compactMap { WeaviateStoredObject($0) }
    }

    // MARK: Pieces

    private static func objectPath(
        _ className: String, _ id: String
    ) throws(WeaviateError) -> String {
        guard WeaviateName.isClass(className), WeaviateName.isObjectID(id) else {
            throw .invalidRequest
        }
        return "/v1/objects/\(className)/\(id)"
    }

    private static func refusal(of object: WeaviateObject) -> WeaviateRejection? {
        if !WeaviateName.isObjectID(object.id) {
            return WeaviateRejection(code: "invalid_id", kind: .permanent)
        }
        if let vector = object.vector, vector.isEmpty || !vector.allSatisfy(\.isFinite) {
            return WeaviateRejection(code: "invalid_vector", kind: .permanent)
        }
        return nil
    }

    private static func batchBody(_ className: String, _ objects: [WeaviateObject]) -> [UInt8] {
        let floatCount = objects.reduce(0) { $0 + ($1.vector?.count ?? 0) }
        let propertyByteCount = objects.reduce(0) { $0 + $1.properties.count }
        var body = JSONWriter(
            capacity: floatCount * 14 + propertyByteCount + objects.count * 128 + 64)
        body.beginObject()
        body.key("objects")
        body.beginArray()
        for object in objects {
            body.beginObject()
            body.field("class", className)
            body.field("id", object.id)
            body.key("properties")
            body.raw(object.properties)
            if let vector = object.vector {
                body.key("vector")
                body.beginArray()
                for number in vector { body.float(number) }
                body.endArray()
            }
            body.endObject()
        }
        body.endArray()
        body.endObject()
        return body.bytes
    }

    /// Failure is the status or a non-empty list of errors: servers are uneven.
    private static func rejection(of entry: JSONValue) -> WeaviateRejection? {
        let result = entry["result"]
        let message = result?["errors"]?["error"]?.elements.first { _ in true }?["message"]?.string
        if let message { return .classify(message) }
        return result?["status"]?.string == "FAILED" ? .classify("") : nil
    }
}
