import JSON
import Neo4j
import Packs
import Projection
import Runtime
import Testing

extension StoreTests {
    @Suite("Connections export")
    struct ConnectionsExportTests {}
}

extension StoreTests.ConnectionsExportTests {
    private static let rows = """
        INSERT INTO ptest.things (id, name, parts) VALUES
            ('\(id(1))', 'a', '{}'), ('\(id(2))', 'b', '{\(id(1))}'), ('\(id(3))', 'c', '{}');
        INSERT INTO ptest.links (id, type, from_id, to_id) VALUES
            ('\(id(21))', 'PTEST_NEAR', '\(id(1))', '\(id(2))'),
            ('\(id(22))', 'PTEST_FAR', '\(id(1))', '\(id(2))'),
            ('\(id(23))', 'PTEST_NEAR', '\(id(2))', '\(id(2))');
        """

    private static let read = """
        SELECT string_agg(t.name || ' ' || c.degree || ' ' || c.by_type, '; ' ORDER BY t.name)
        FROM ptest.connections AS c JOIN ptest.things AS t ON t.id = c.entity_id
        """

    private func run(
        _ fixture: ProjectionFixture, _ neo4j: Neo4jClient?, pageNodeCount: Int64 = 10_000
    ) async throws -> ConnectionsExportSummary {
        let export = try ConnectionsExport(
            pack: ProjectionFixture.makePack(), postgres: fixture.postgres, neo4j: neo4j,
            pageNodeCount: pageNodeCount)
        return try await export.run(deadline: .after(.seconds(60)))
    }

    @Test("counts what is in the graph, other tools' edges too; safe to repeat")
    func counts() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql(Self.rows)
            try await fixture.withGraphLane { _ in try await fixture.caughtUp() }
            try await fixture.cypher(
                """
                MATCH (a:ProjectionTestThing {name: 'a'}), (c:ProjectionTestThing {name: 'c'})
                CREATE (c)-[:PTEST_OTHER]->(a)
                CREATE (:\(ProjectionFixture.keyLabel) {id: 'not a uuid'})-[:PTEST_OTHER]->(a)
                CREATE (:\(ProjectionFixture.keyLabel) {id: '\(id(77))'})
                """)
            let summary = try await run(fixture, fixture.neo4j)
            #expect(
                try await fixture.value(Self.read)
                    == """
                    a 4 {"PTEST_NEAR": 1, "PTEST_PART": 1, "PTEST_OTHER": 2}; \
                    b 3 {"PTEST_NEAR": 2, "PTEST_PART": 1}; c 1 {"PTEST_OTHER": 1}
                    """)
            #expect(summary.nodes == 5)
            #expect(summary.unknown == 2)
            #expect(summary.changed == 3)
            #expect(summary.watermark > 0)
            let again = try await run(fixture, fixture.neo4j)
            #expect(again.changed == 0)
            let json = try JSONDocument.parse(again.json).root
            #expect(
                json.members.map(\.key) == [
                    "pack", "exported_at", "watermark", "nodes", "edges", "changed", "unknown",
                    "seconds",
                ])
            #expect(try await fixture.value("SELECT count(*) FROM fourfold.exports") == "2")
        }
    }

    @Test("pages of keys: every node once, whatever a page holds", arguments: 1...6)
    func pages(_ pageNodeCount: Int64) async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql(Self.rows)
            try await fixture.sql(
                "INSERT INTO ptest.things (id, name) VALUES ('\(id(4))', 'd'), ('\(id(5))', 'e')")
            try await fixture.withGraphLane { _ in try await fixture.caughtUp() }
            let summary = try await run(fixture, fixture.neo4j, pageNodeCount: pageNodeCount)
            #expect(summary.nodes == 5)
            #expect(
                try await fixture.value(Self.read)
                    == """
                    a 2 {"PTEST_NEAR": 1, "PTEST_PART": 1}; \
                    b 3 {"PTEST_NEAR": 2, "PTEST_PART": 1}; c 0 {}; d 0 {}; e 0 {}
                    """)
        }
    }

    static let incomplete: [(what: String, cypher: String, sql: String)] = [
        ("emptied", "MATCH (n) WHERE n:ProjectionTestThing OR n:Fence DETACH DELETE n", ""),
        ("another store", "MATCH (f:Fence {id: 'ptest/graph'}) SET f.store = 'other'", ""),
        ("being reconciled", "", "UPDATE fourfold.lanes SET resync = true"),
    ]

    @Test("a graph that is not filled is refused, the old numbers stay", arguments: incomplete)
    func incompleteGraph(_ each: (what: String, cypher: String, sql: String)) async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql(Self.rows)
            try await fixture.withGraphLane { _ in try await fixture.caughtUp() }
            _ = try await run(fixture, fixture.neo4j)
            let before = try await fixture.value(Self.read)
            if !each.cypher.isEmpty { try await fixture.cypher(each.cypher) }
            if !each.sql.isEmpty { try await fixture.sql(each.sql) }
            await #expect(throws: LaneError.self) { _ = try await run(fixture, fixture.neo4j) }
            #expect(try await fixture.value(Self.read) == before)
            #expect(try await fixture.value("SELECT count(*) FROM fourfold.exports") == "1")
        }
    }

    @Test("without Neo4j the embedded graph is counted")
    func embedded() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql(Self.rows)
            let summary = try await run(fixture, nil)
            #expect(
                try await fixture.value(Self.read)
                    == """
                    a 2 {"PTEST_NEAR": 1, "PTEST_PART": 1}; \
                    b 3 {"PTEST_NEAR": 2, "PTEST_PART": 1}; c 0 {}
                    """)
            #expect(summary.nodes == 3)
            #expect(summary.edges == 3)
            #expect(summary.unknown == 0)
            try await fixture.sql(
                "DELETE FROM ptest.links; DELETE FROM ptest.things WHERE name = 'c'")
            let next = try await run(fixture, nil)
            #expect(next.changed == 3)
        }
    }

    @Test("Neo4j down: the old numbers stay")
    func down() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql(Self.rows)
            _ = try await run(fixture, nil)
            let before = try await fixture.value(Self.read)
            try await fixture.sql("DELETE FROM ptest.links")
            let away = Neo4jClient(
                client: fixture.http,
                configuration: Neo4jConfiguration(url: "http://127.0.0.1:1"))
            await #expect(throws: LaneError.self) { _ = try await run(fixture, away) }
            #expect(try await fixture.value(Self.read) == before)
            #expect(try await fixture.value("SELECT count(*) FROM fourfold.exports") == "1")
        }
    }

    @Test("two exports at once: one waits")
    func twice() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql(Self.rows)
            async let first = run(fixture, nil)
            async let second = run(fixture, nil)
            let changed = try await [first.changed, second.changed].sorted()
            #expect(changed == [0, 3])
        }
    }
}
