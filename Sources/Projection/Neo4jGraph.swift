internal import JSON
package import Neo4j
package import Packs
package import Runtime

/// The graph as Neo4j holds it, edges of other tools included. Belongs to the client's loop.
package struct Neo4jGraph: GraphStore {
    /// Properties of an edge that are the lane's own.
    private static let ownProperties: Set<String> = [
        "id", "anchor", "edge_set", "user_id", "revision", "applied_at",
    ]

    package let storeName = "neo4j"
    private let neo4j: Neo4jClient
    private let keyLabel: String

    package init(neo4j: Neo4jClient, graph: GraphProjection) throws(CypherIdentifierError) {
        self.neo4j = neo4j
        keyLabel = try CypherIdentifier.quoted(graph.keyLabel)
    }

    package func neighbours(
        of frontier: [String], seen: [String], _ query: ConnectionsQuery, limit: Int,
        deadline: Deadline
    ) async throws(GraphStoreError) -> [String] {
        let statement = """
            UNWIND $frontier AS key
            MATCH (a:\(keyLabel) {id: key})\(try pattern(query))(b:\(keyLabel))
            WHERE NOT b.id IN $seen \(ownerCondition(query, "b"))
            WITH DISTINCT b.id AS key ORDER BY key LIMIT $limit
            RETURN key
            """
        let result = try await run(
            statement, ["frontier": frontier, "seen": seen], query, limit, deadline)
        return result.rows.elements.compactMap { $0.elements.first { _ in true }?.string }
    }

    package func edges(
        from sources: [String], within keys: [String], _ query: ConnectionsQuery, limit: Int,
        deadline: Deadline
    ) async throws(GraphStoreError) -> [GraphEdge] {
        // Both ends may be sources: DISTINCT keeps an edge that is met from both sides once.
        let statement = """
            UNWIND $sources AS key
            MATCH (a:\(keyLabel) {id: key})\(try pattern(query))(b:\(keyLabel))
            WHERE b.id IN $keys \(ownerCondition(query, "b"))
            WITH DISTINCT r, coalesce(r.id, elementId(r)) AS id ORDER BY id LIMIT $limit
            RETURN id, type(r), startNode(r).id, endNode(r).id, properties(r)
            """
        let result = try await run(
            statement, ["sources": sources, "keys": keys], query, limit, deadline)
        return result.rows.elements.compactMap { row in
            let cells = Array(row.elements)
            guard cells.count == 5, let id = cells[0].string, let type = cells[1].string,
                let from = cells[2].string, let to = cells[3].string
            else { return nil }
            return GraphEdge(
                id: id, type: type, from: from, to: to,
                properties: Neo4jGraph.properties(cells[4]))
        }
    }

    // MARK: Text

    private func pattern(_ query: ConnectionsQuery) throws(GraphStoreError) -> String {
        var types = ""
        do throws(CypherIdentifierError) {
            for type in query.types.sorted() {
                types += (types.isEmpty ? ":" : "|") + (try CypherIdentifier.quoted(type))
            }
        } catch {
            throw .refused(code: "invalid_type")
        }
        switch query.direction {
        case .out: return "-[r\(types)]->"
        case .in: return "<-[r\(types)]-"
        case .both: return "-[r\(types)]-"
        }
    }

    private func ownerCondition(_ query: ConnectionsQuery, _ node: String) -> String {
        query.owner == nil ? "" : "AND (\(node).user_id = $owner OR \(node).user_id IS NULL)"
    }

    private static func properties(_ value: JSONValue) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        for (key, value) in value.members.sorted(by: { $0.key < $1.key })
        where !ownProperties.contains(key) {
            json.key(key)
            json.value(value)
        }
        json.endObject()
        return json.bytes
    }

    private func run(
        _ statement: String, _ lists: [String: [String]], _ query: ConnectionsQuery, _ limit: Int,
        _ deadline: Deadline
    ) async throws(GraphStoreError) -> Neo4jResult {
        var json = JSONWriter()
        json.beginObject()
        for (name, texts) in lists {
            json.key(name)
            json.beginArray()
            for text in texts { json.string(text) }
            json.endArray()
        }
        json.field("limit", limit)
        json.field("owner", query.owner)
        json.endObject()
        do throws(Neo4jError) {
            return try await neo4j.run(
                statement, parameters: json.bytes, access: .read, deadline: deadline)
        } catch {
            switch error {
            case .rejected(let rejection) where !rejection.kind.isRetryable:
                throw .refused(code: error.code)
            default: throw .unavailable(code: error.code)
            }
        }
    }
}
