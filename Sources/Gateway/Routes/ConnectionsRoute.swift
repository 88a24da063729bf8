internal import HTTPServer
internal import JSON
internal import Packs
internal import Projection

/// `GET /v1/{pack}/{entity}/{id}/connections`: the graph around one row.
extension Gateway {
    func connections(
        _ context: RequestContext, _ pack: ServedPack, _ served: ServedEntity, id: String
    ) async throws(Problem) -> HTTPResponse {
        try requireMethod(context.method, [.get, .head])
        let nodes = pack.pack.graph?.nodes ?? []
        let isNode = nodes.contains { $0.entityPath == served.entity.path }
        guard isNode else {
            throw Problem(.unknownRoute, "Rows of this entity are no nodes of the graph.")
        }
        guard let reader = try stores.readers(pack.pack.name).graph else {
            throw Problem(.unknownRoute)
        }
        let form = try GraphForm(context.request.query)
        try served.requireOwnerType(context.caller.owner)
        try served.requireKeyType(id)
        let found = try await read(
            served.statements.owner(key: id, owner: context.caller.owner), context, served)
        guard found.rowCount > 0 else { throw Problem(.notFound) }
        let query = form.query(keys: [id.lowercased()], owner: found.string(0, 0))
        let lagging = try await lagging(context, pack, [.graph])
        let answer = try await neighbourhood(query, reader, context)
        var writer = JSONWriter(capacity: 4_096)
        writer.beginObject()
        writer.subgraph(answer)
        writer.key("meta")
        writer.beginObject()
        writer.field("source", answer.source)
        writer.field("degraded", answer.degradedReason != nil)
        if let reason = answer.degradedReason { writer.field("reason", reason) }
        writer.names("lagging", lagging)
        writer.field("truncated", answer.isTruncated)
        writer.endObject()
        writer.endObject()
        return HTTPResponse(status: 200, headers: .json, body: .bytes(writer.bytes))
    }

    func neighbourhood(
        _ query: ConnectionsQuery, _ reader: GraphReader, _ context: RequestContext
    ) async throws(Problem) -> Connections {
        do throws(GraphStoreError) {
            return try await reader.connections(query, deadline: context.deadline)
        } catch {
            throw Problem(error)
        }
    }
}

extension JSONWriter {
    /// The members `nodes` and `edges`.
    mutating func subgraph(_ graph: Connections) {
        key("nodes")
        beginArray()
        for node in graph.nodes {
            beginObject()
            field("entity", node.entity)
            field("id", node.key)
            field("depth", node.depth)
            key("properties")
            raw(node.properties)
            endObject()
        }
        endArray()
        key("edges")
        beginArray()
        for edge in graph.edges {
            beginObject()
            field("id", edge.id)
            field("type", edge.type)
            field("from", edge.from)
            field("to", edge.to)
            key("properties")
            raw(edge.properties)
            endObject()
        }
        endArray()
    }

    mutating func names(_ name: String, _ values: [String]) {
        key(name)
        beginArray()
        for value in values { string(value) }
        endArray()
    }
}
