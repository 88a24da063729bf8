import Neo4j
import Packs
import Projection
import Testing

@Suite("CypherStatements")
struct CypherStatementsTests {
    private let cypher: CypherStatements

    init() throws { cypher = try CypherStatements(keyLabel: "Key") }

    @Test("a node statement: fence first, then one static text")
    func nodes() throws {
        let node = NodeProjection(
            label: "Thing", view: "v", entityPath: "things", dateTimeProperties: ["made_at"],
            points: [PointProperty(name: "place", longitude: "lng", latitude: "lat")])
        let text = try cypher.upsertNodes(node, of: ["Thing", "Other`"])
        #expect(
            text == """
                CYPHER replan=skip
                MATCH (fence:Fence {id: $p.lane})
                SET fence.`_lock` = true REMOVE fence.`_lock`
                WITH fence WHERE fence.revision <= $p.revision
                SET fence.revision = $p.revision
                WITH fence
                UNWIND $p.rows AS row
                MERGE (n:`Key` {id: row.id})
                SET n = row.properties
                REMOVE n:`Other```
                SET n:`Thing`, n.id = row.id, n.user_id = row.owner, n.revision = $p.revision, \
                n.applied_at = datetime(), n.`made_at` = datetime(row.properties.`made_at`), \
                n.`place` = point({longitude: row.properties.`lng`, \
                latitude: row.properties.`lat`})
                RETURN count(*) AS written
                """)
        #expect(try cypher.upsertNodes(node, of: ["Thing", "Other`"]) == text)
    }

    @Test("names are quoted", arguments: ["A`B", "A B", "a-b", "Ünï"])
    func quoting(_ label: String) throws {
        let quoted = "`" + label.split(separator: "`").joined(separator: "``") + "`"
        #expect(try cypher.deleteNodes(label: label).contains("n:\(quoted)"))
        let set = EdgeSet(name: "s", view: "v", anchorPath: "a", types: [label])
        #expect(try cypher.upsertEdges(set, type: label).contains("[r:\(quoted) {id: row.id}]"))
        #expect(try cypher.deleteStaleEdges(set).contains("[r:\(quoted) {anchor: row.anchor}]"))
    }

    @Test("names that cannot be quoted are refused", arguments: ["", "a\\u0060b", "a\nb"])
    func refused(_ label: String) {
        #expect(throws: CypherIdentifierError.self) { try cypher.deleteNodes(label: label) }
        #expect(throws: CypherIdentifierError.self) { try cypher.anchorIndex(type: label) }
    }

    @Test("every write starts with the fence; schema names differ where names differ")
    func fences() throws {
        let set = EdgeSet(name: "s", view: "v", anchorPath: "a", types: ["T", "U"])
        let writes = [
            try cypher.deleteNodes(label: "L"), try cypher.upsertEdges(set, type: "T"),
            try cypher.deleteStaleEdges(set),
        ]
        let prefix = "CYPHER replan=skip\nMATCH (fence:Fence {id: $p.lane})\n"
        for write in writes { #expect(write.hasPrefix(prefix)) }
        #expect(try cypher.anchorIndex(type: "A B") != cypher.anchorIndex(type: "A-B"))
    }
}
