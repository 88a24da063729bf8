import ClientTestSupport
import HTTPClient
import JSON
import Packs
import Projection
import Runtime
import Testing

extension StoreTests {
    /// Writes are not planned anew when the store has grown, so the first plan must be the best.
    @Suite("Plans of writes")
    struct WritePlanTests {
        private static let label = "WritePlanKey"
        private static let set = EdgeSet(
            name: "s", view: "v", anchorPath: "a", types: ["WRITE_PLAN_A", "WRITE_PLAN_B"])
        private static let lookUps: Set<String> = [
            "NodeUniqueIndexSeek(Locking)", "NodeUniqueIndexSeek", "DirectedRelationshipIndexSeek",
        ]

        @Test("in an empty store every write looks up by indexes alone")
        func indexes() async throws {
            let cypher = try CypherStatements(keyLabel: Self.label)
            let node = NodeProjection(label: "WritePlanThing", view: "v", entityPath: "a")
            let nodes = try cypher.upsertNodes(node, of: [node.label, "WritePlanOther"])
            let stale = try cypher.deleteStaleEdges(Self.set)
            let edges = try cypher.upsertEdges(Self.set, type: "WRITE_PLAN_A")
            let deletions = try cypher.deleteNodes(label: node.label)
            let writes = [[nodes], [stale], [edges], [deletions], [nodes, stale, edges]]
                .map(CypherStatements.write)
            try await ProjectionFixture.run { fixture in
                let indexes = try Self.set.types.map { try cypher.anchorIndex(type: $0) }
                try await fixture.neo4j.applySchema(
                    cypher.constraints + indexes, deadline: .after(.seconds(60)))
                for write in writes {
                    let scans = try await operators(of: write, fixture)
                        .filter { $0.contains("Scan") || $0.contains("Seek") }
                    #expect(scans.count > 1, "the fence and what is written")
                    #expect(Set(scans).isSubset(of: Self.lookUps), "\(scans) in \(write)")
                }
            }
        }

        private func operators(
            of statement: String, _ fixture: ProjectionFixture
        ) async throws -> [String] {
            var body = JSONWriter()
            body.beginObject()
            let prefix = "CYPHER replan=skip"
            #expect(statement.hasPrefix(prefix))
            body.field("statement", "\(prefix) EXPLAIN\(statement.dropFirst(prefix.count))")
            body.key("parameters")
            body.raw(#"{"p":{"lane":"l","revision":1,"separator":"-","parts":[]}}"#)
            body.endObject()
            let url = try storeURL("FOURFOLD_TEST_NEO4J_URL")
            let answer = try await fixture.http.send(
                HTTPClientRequest(
                    .post, "\(url)/db/neo4j/query/v2",
                    headers: [("Content-Type", "application/json")], body: body.bytes,
                    deadline: .after(.seconds(30))))
            let root = try JSONDocument.parse(answer.body).root
            var names: [String] = []
            var left = [try #require(root["queryPlan"])]
            while let each = left.popLast() {
                // `Name@database`
                let name = try #require(each["operatorType"]?.string)
                names.append(String(name.prefix { $0 != "@" }))
                if let children = each["children"] { left += Array(children.elements) }
            }
            return names
        }
    }
}
