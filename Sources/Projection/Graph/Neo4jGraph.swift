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

    /// By edge set: the properties that hold moments.
    private let dateTimes: [String: Set<String>]

    package init(neo4j: Neo4jClient, graph: GraphProjection) throws(CypherIdentifierError) {
        self.neo4j = neo4j
        keyLabel = try CypherIdentifier.quoted(graph.keyLabel)
        dateTimes = Dictionary(
            graph.edges.map { ($0.name, Set($0.dateTimeProperties)) }, uniquingKeysWith: { $1 })
    }

    package func neighbours(
        of frontier: [String], seen: [String], _ query: ConnectionsQuery, limit: Int,
        deadline: Deadline
    ) async throws(GraphStoreError) -> [String] {
        guard let pattern = pattern(query) else { return [] }
        let statement = """
            UNWIND $p.frontier AS key
            MATCH (a:\(keyLabel) {id: key})\(pattern)(b:\(keyLabel))
            WHERE NOT b.id IN $p.seen \(ownerCondition(query, "b"))
            WITH DISTINCT b.id AS key ORDER BY key LIMIT $p.limit
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
        guard let pattern = pattern(query) else { return [] }
        // Both ends may be sources: DISTINCT keeps an edge that is met from both sides once.
        let statement = """
            UNWIND $p.sources AS key
            MATCH (a:\(keyLabel) {id: key})\(pattern)(b:\(keyLabel))
            WHERE b.id IN $p.keys \(ownerCondition(query, "b"))
            WITH DISTINCT r, coalesce(r.id, elementId(r)) AS id ORDER BY id LIMIT $p.limit
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
                properties: properties(cells[4]))
        }
    }

    // MARK: Text

    /// Nil where no relationship can have any of the types.
    private func pattern(_ query: ConnectionsQuery) -> String? {
        let names = query.types.sorted().compactMap { try? CypherIdentifier.quoted($0) }
        if names.isEmpty && !query.types.isEmpty { return nil }
        let types = names.isEmpty ? "" : ":" + names.joined(separator: "|")
        switch query.direction {
        case .out: return "-[r\(types)]->"
        case .in: return "<-[r\(types)]-"
        case .both: return "-[r\(types)]-"
        }
    }

    private func ownerCondition(_ query: ConnectionsQuery, _ node: String) -> String {
        query.owner == nil ? "" : "AND (\(node).user_id = $p.owner OR \(node).user_id IS NULL)"
    }

    private func properties(_ value: JSONValue) -> [UInt8] {
        let set = value["edge_set"]?.string?.split(separator: "/").last.map(String.init)
        let moments = set.flatMap { dateTimes[$0] } ?? []
        var json = JSONWriter()
        json.beginObject()
        for (key, value) in value.members.sorted(by: { $0.key < $1.key })
        where !Neo4jGraph.ownProperties.contains(key) {
            json.key(key)
            if moments.contains(key), let text = value.string {
                json.string(Neo4jGraph.withMicroseconds(text))
            } else {
                json.value(value)
            }
        }
        json.endObject()
        return json.bytes
    }

    /// As the views write a moment: Neo4j leaves zeros at the end of a fraction out.
    private static func withMicroseconds(_ moment: String) -> String {
        guard moment.last == "Z" else { return moment }
        let parts = moment.dropLast().split(separator: ".", maxSplits: 1)
        let fraction = parts.count == 2 ? parts[1] : ""
        guard fraction.count < 6 else { return moment }
        return parts[0] + "." + fraction + String(repeating: "0", count: 6 - fraction.count) + "Z"
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
