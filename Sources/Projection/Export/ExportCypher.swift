internal import JSON
internal import Neo4j
internal import Packs

/// The Cypher of the degree export.
struct ExportCypher: Sendable {
    static let relationshipTypes =
        "CALL db.relationshipTypes() YIELD relationshipType RETURN relationshipType AS type"

    private let keyLabel: String

    init(graph: GraphProjection) throws(CypherIdentifierError) {
        keyLabel = try CypherIdentifier.quoted(graph.keyLabel)
    }

    /// Answered by the store's counters, without a look at the edges.
    func countEdges(type: String) throws(CypherIdentifierError) -> String {
        "MATCH ()-[r:\(try CypherIdentifier.quoted(type))]->() RETURN count(r) AS edges"
    }

    /// A page of nodes after `$p.after`: id, then a count for each type, in order. The far node is
    /// anonymous, so that the planner reads degrees; a loop counts once.
    func degrees(types: [String]) throws(CypherIdentifierError) -> String {
        var counts: [String] = []
        for type in types {
            counts.append("COUNT { (n)-[:\(try CypherIdentifier.quoted(type))]-() }")
        }
        return """
            MATCH (n:\(keyLabel)) WHERE n.id > $p.after
            WITH n ORDER BY n.id LIMIT $p.limit
            RETURN n.id AS id, [\(counts.joined(separator: ", "))] AS counts
            """
    }

    static func parameters(after: String, limit: Int64) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.field("after", after)
        json.field("limit", limit)
        json.endObject()
        return json.bytes
    }

    static func parameters(lane: String) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.field("lane", lane)
        json.endObject()
        return json.bytes
    }
}

/// Lines of PostgreSQL's COPY text format: key, degree, counts by type.
enum ExportLines {
    /// Nil for no rows.
    static func make(_ rows: JSONValue, _ types: [String]) -> (lines: [UInt8], last: String)? {
        var lines: [UInt8] = []
        lines.reserveCapacity(rows.count * 64)
        var last: String?
        for row in rows.elements {
            let cells = Array(row.elements)
            guard cells.count == 2, let key = cells[0].string else { continue }
            last = key
            var total: Int64 = 0
            var byType = JSONWriter(capacity: 64)
            byType.beginObject()
            for (type, count) in zip(types, cells[1].elements) {
                guard let number = count.int, number > 0 else { continue }
                total += number
                byType.field(type, number)
            }
            byType.endObject()
            append(Array(key.utf8), to: &lines)
            lines.append(UInt8(ascii: "\t"))
            lines.append(contentsOf: total.description.utf8)
            lines.append(UInt8(ascii: "\t"))
            append(byType.bytes, to: &lines)
            lines.append(UInt8(ascii: "\n"))
        }
        return last.map { (lines, $0) }
    }

    private static func append(_ text: [UInt8], to line: inout [UInt8]) {
        for byte in text {
            switch byte {
            case UInt8(ascii: "\\"): line.append(contentsOf: "\\\\".utf8)
            case UInt8(ascii: "\t"): line.append(contentsOf: "\\t".utf8)
            case UInt8(ascii: "\n"): line.append(contentsOf: "\\n".utf8)
            case UInt8(ascii: "\r"): line.append(contentsOf: "\\r".utf8)
            case 0: continue
            default: line.append(byte)
            }
        }
    }
}
