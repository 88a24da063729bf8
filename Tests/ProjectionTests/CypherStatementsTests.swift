import Neo4j
import Packs
import Projection
import Testing

@Suite("CypherStatements")
struct CypherStatementsTests {
    private let cypher: CypherStatements

    init() throws { cypher = try CypherStatements(keyLabel: "Key") }

    @Test("a statement: the fence first, then each part with its rows, and their counts")
    func write() throws {
        let node = NodeProjection(
            label: "Thing", view: "v", entityPath: "things", dateTimeProperties: ["made_at"],
            points: [PointProperty(name: "place", longitude: "lng", latitude: "lat")])
        let text = CypherStatements.write([
            try cypher.upsertNodes(node, of: ["Thing", "Other`"]),
            try cypher.deleteNodes(label: "Thing"),
        ])
        #expect(
            text == """
                CYPHER replan=skip
                MATCH (fence:Fence {id: $p.lane})
                SET fence.`_lock` = true REMOVE fence.`_lock`
                WITH fence WHERE fence.revision <= $p.revision
                SET fence.revision = $p.revision
                WITH fence
                CALL () {
                WITH $p.parts[0] AS part
                UNWIND part.rows AS row
                MERGE (n:`Key` {id: row.id})
                SET n = row.properties
                REMOVE n:`Other```
                SET n:`Thing`, n.id = row.id, n.user_id = row.owner, n.revision = $p.revision, \
                n.applied_at = datetime(), n.`made_at` = datetime(row.properties.`made_at`), \
                n.`place` = point({longitude: row.properties.`lng`, \
                latitude: row.properties.`lat`})
                RETURN count(*) AS written_0
                }
                CALL () {
                WITH $p.parts[1] AS part
                UNWIND part.rows AS id
                OPTIONAL MATCH (n:`Key` {id: id}) WHERE n:`Thing`
                DETACH DELETE n
                RETURN count(*) AS written_1
                }
                RETURN [written_0, written_1] AS written
                """)
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

    @Test("schema names differ where names differ")
    func schemaNames() throws {
        #expect(try cypher.anchorIndex(type: "A B") != cypher.anchorIndex(type: "A-B"))
    }
}
