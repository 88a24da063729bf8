import Neo4j
import Postgres
import Projection
import Runtime
import Testing

extension StoreTests {
    @Suite("Graph lane")
    struct GraphLaneTests {}
}

extension StoreTests.GraphLaneTests {
    @Test("rows that were there, and changes, reach the graph")
    func follows() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql("INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'old')")
            try await fixture.withGraphLane { _ in
                try await fixture.caughtUp()
                #expect(try await fixture.names() == ["old"])
                try await fixture.sql(
                    """
                    INSERT INTO ptest.things (id, name, parts)
                    VALUES ('\(id(2))', 'new', '{\(id(1))}');
                    INSERT INTO ptest.links (id, type, from_id, to_id)
                    VALUES ('\(id(3))', 'PTEST_NEAR', '\(id(1))', '\(id(2))');
                    UPDATE ptest.things SET name = 'older' WHERE id = '\(id(1))';
                    """)
                try await fixture.caughtUp()
                #expect(try await fixture.names() == ["new", "older"])
                #expect(
                    try await fixture.edges() == ["older-PTEST_NEAR-new", "older-PTEST_PART-new"])
                try await fixture.sql("DELETE FROM ptest.things WHERE id = '\(id(1))'")
                try await fixture.sql("DELETE FROM ptest.links")
                try await fixture.caughtUp()
                #expect(try await fixture.names() == ["new"])
                #expect(try await fixture.edges() == [])
                let typed = try await fixture.cypher(
                    """
                    MATCH (n:ProjectionTestThing) RETURN n.made_at.year, n.user_id, n.id,
                        n.revision > 0, n.applied_at IS NOT NULL
                    """)
                #expect(
                    typed == [["2026", ProjectionFixture.owner, id(2), "true", "true"]])
            }
        }
    }

    @Test("having the store plan every statement writes nothing")
    func prepares() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql("INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'a')")
            try await fixture.withGraphLane { _ in try await fixture.caughtUp() }
            let store = try GraphLaneStore(
                pack: ProjectionFixture.makePack(), graph: ProjectionFixture.graph,
                neo4j: fixture.neo4j, postgres: fixture.postgres)
            _ = try await store.identify(deadline: .after(.seconds(30)))
            let graph = "MATCH (n) RETURN elementId(n), properties(n) ORDER BY elementId(n)"
            let before = try await fixture.cypher(graph)
            var count = 0
            while !store.isPrepared {
                await store.prepareNext(deadline: .after(.seconds(30)))
                count += 1
            }
            // Things with their parts, their deletion; for links what is stale and two types.
            #expect(count == 5)
            #expect(try await fixture.cypher(graph) == before)
        }
    }

    @Test("a store has nothing of ours until the lane has written, whatever others wrote")
    func holdsNothing() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql("INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'a')")
            try await fixture.cypher("CREATE (:\(ProjectionFixture.keyLabel) {id: 'theirs'})")
            let store = try fixture.graphStore()
            #expect(try await store.holdsNothing(deadline: .after(.seconds(30))))
            try await fixture.withGraphLane { _ in try await fixture.caughtUp() }
            #expect(try await !store.holdsNothing(deadline: .after(.seconds(30))))
        }
    }

    @Test("an element removed from an array removes its edge; another tool's edge stays")
    func arrayElement() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql(
                """
                INSERT INTO ptest.things (id, name, parts) VALUES
                    ('\(id(1))', 'a', '{}'), ('\(id(2))', 'b', '{}'),
                    ('\(id(3))', 'c', '{\(id(1)),\(id(2))}')
                """)
            try await fixture.withGraphLane { _ in
                try await fixture.caughtUp()
                try await fixture.cypher(
                    """
                    MATCH (a:ProjectionTestThing {name: 'a'}), (c:ProjectionTestThing {name: 'c'})
                    MERGE (a)-[:PTEST_PART]->(c) MERGE (c)-[:PTEST_OTHER]->(a)
                    CREATE (a)-[:PTEST_PART {made_by: 'hand'}]->(c)
                    """)
                try await fixture.sql("UPDATE ptest.things SET parts = '{}' WHERE name = 'c'")
                try await fixture.caughtUp()
                #expect(
                    try await fixture.edges() == ["a-PTEST_PART-c", "c-PTEST_OTHER-a"])
            }
        }
    }

    @Test("an edge that changes its ends or type is moved, not doubled")
    func movedEdge() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql(
                """
                INSERT INTO ptest.things (id, name) VALUES
                    ('\(id(1))', 'a'), ('\(id(2))', 'b'), ('\(id(3))', 'c');
                INSERT INTO ptest.links (id, type, from_id, to_id)
                VALUES ('\(id(9))', 'PTEST_NEAR', '\(id(1))', '\(id(2))');
                """)
            try await fixture.withGraphLane { _ in
                try await fixture.caughtUp()
                try await fixture.sql("UPDATE ptest.links SET to_id = '\(id(3))'")
                try await fixture.caughtUp()
                #expect(try await fixture.edges() == ["a-PTEST_NEAR-c"])
                try await fixture.sql("UPDATE ptest.links SET type = 'PTEST_FAR'")
                try await fixture.caughtUp()
                #expect(try await fixture.edges() == ["a-PTEST_FAR-c"])
            }
        }
    }

    @Test("a page boundary inside one large transaction; edges whose ends come pages later")
    func pageBoundary() async throws {
        try await ProjectionFixture.run { fixture in
            var configuration = ProjectionFixture.configuration
            configuration.pageRowCountMax = 7
            configuration.chunkKeyCountMax = 3
            try await fixture.withGraphLane(configuration) { _ in
                try await fixture.caughtUp()
                try await fixture.sql(
                    """
                    BEGIN;
                    INSERT INTO ptest.links (id, type, from_id, to_id)
                    SELECT gen_random_uuid(), 'PTEST_NEAR',
                        ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid,
                        ('00000000-0000-4000-8000-' || lpad((n % 50 + 1)::text, 12, '0'))::uuid
                    FROM generate_series(1, 50) AS n;
                    INSERT INTO ptest.things (id, name)
                    SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid,
                        'n' || n FROM generate_series(1, 50) AS n;
                    COMMIT;
                    """)
                try await fixture.caughtUp()
                #expect(try await fixture.names().count == 50)
                #expect(try await fixture.edges().count == 50)
                #expect(try await fixture.value("SELECT count(*) FROM fourfold.parked") == "0")
            }
        }
    }

    @Test("TRUNCATE empties the graph of the entity and of nothing else")
    func truncate() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql(
                """
                INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'a'), ('\(id(2))', 'b');
                INSERT INTO ptest.links (id, type, from_id, to_id)
                VALUES ('\(id(9))', 'PTEST_NEAR', '\(id(1))', '\(id(2))');
                """)
            try await fixture.withGraphLane { _ in
                try await fixture.caughtUp()
                try await fixture.sql("TRUNCATE ptest.links")
                try await fixture.caughtUp()
                #expect(try await fixture.edges() == [])
                #expect(try await fixture.names() == ["a", "b"])
                try await fixture.sql(
                    """
                    BEGIN; TRUNCATE ptest.things;
                    INSERT INTO ptest.things (id, name) VALUES ('\(id(2))', 'again'); COMMIT;
                    """)
                try await fixture.caughtUp()
                #expect(try await fixture.names() == ["again"])
            }
        }
    }

    @Test("a key that the store refuses is parked; the others go on; it comes back when mended")
    func poison() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.withGraphLane { _ in
                try await fixture.caughtUp()
                try await fixture.sql(
                    """
                    INSERT INTO ptest.things (id, name, extra)
                    SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'n' || n,
                        CASE WHEN n = 13 THEN '{"bad": [1, {"a": 2}]}' ELSE '{}' END::jsonb
                    FROM generate_series(1, 40) AS n
                    """)
                let xid = try await fixture.value("SELECT max(xid) FROM fourfold.outbox")
                try await fixture.caughtUp()
                #expect(try await fixture.names().count == 39)
                let parked = try await fixture.value(
                    "SELECT entity || ' ' || key || ' ' || error FROM fourfold.parked")
                #expect(parked == "things \(id(13)) Neo.ClientError.Statement.TypeError")
                #expect(
                    try await fixture.value(
                        "SELECT fourfold.lane_has_applied('ptest', 'graph', '\(xid ?? "")')")
                        == "f")
                try await fixture.sql(
                    "UPDATE ptest.things SET extra = '{}' WHERE name = 'n13'")
                try await fixture.caughtUp()
                try await fixture.eventually("the key was not taken out") {
                    try await fixture.value("SELECT count(*) FROM fourfold.parked") == "0"
                }
                #expect(try await fixture.names().count == 40)
            }
        }
    }

    @Test("nodes and edges of an entity are written by one statement")
    func together() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.withGraphLane { _ in
                try await fixture.caughtUp()
                // New with an edge, and one that gets an edge later.
                for sql in [
                    "INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'a')",
                    """
                    INSERT INTO ptest.things (id, name, parts)
                    VALUES ('\(id(2))', 'b', '{\(id(1))}')
                    """,
                    "UPDATE ptest.things SET parts = '{\(id(2))}' WHERE id = '\(id(1))'",
                ] {
                    try await fixture.sql(sql)
                    try await fixture.caughtUp()
                }
                // A statement has one time and one revision.
                let same = try await fixture.cypher(
                    """
                    MATCH ()-[r:PTEST_PART]->(n)
                    RETURN n.name, n.applied_at = r.applied_at, n.revision = r.revision
                    ORDER BY n.name
                    """)
                #expect(same == [["a", "true", "true"], ["b", "true", "true"]])
            }
        }
    }

    @Test("what the store refuses of an entity does not keep back what was sent with it")
    func poisonTogether() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.withGraphLane { _ in
                try await fixture.caughtUp()
                try await fixture.sql(
                    """
                    INSERT INTO ptest.things (id, name, parts, extra)
                    VALUES ('\(id(1))', 'a', '{}', '{}'), ('\(id(2))', 'b', '{\(id(1))}', '{}'),
                        ('\(id(3))', 'bad', '{\(id(1))}', '{"bad": [1, {"a": 2}]}')
                    """)
                try await fixture.caughtUp()
                #expect(try await fixture.names() == ["a", "b"])
                #expect(try await fixture.edges() == ["a-PTEST_PART-b"])
                #expect(
                    try await fixture.value("SELECT string_agg(key, ',') FROM fourfold.parked")
                        == id(3))
                try await fixture.sql("UPDATE ptest.things SET extra = '{}' WHERE name = 'bad'")
                try await fixture.caughtUp()
                #expect(try await fixture.names() == ["a", "b", "bad"])
                #expect(try await fixture.edges() == ["a-PTEST_PART-b", "a-PTEST_PART-bad"])
            }
        }
    }

    static let faults: [(what: String, extra: String, view: String, code: String)] = [
        (
            "a value that Cypher cannot read", #"{"made_at": "10000-01-01T00:00:00Z"}"#, "",
            "Neo.ClientError.Statement.SyntaxError"
        ),
        (
            "a view that cannot be read for it", #"{"zero": 0}"#,
            "|| CASE WHEN extra ? 'zero' THEN jsonb_build_object('of', 1 / (extra ->> 'zero')::int)"
                + " ELSE '{}' END", "postgres_22012"
        ),
    ]

    @Test("a row at fault is parked, alone, and told apart from a store at fault",
        arguments: faults)
    func rowFault(_ each: (what: String, extra: String, view: String, code: String)) async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql(
                """
                CREATE OR REPLACE VIEW ptest.node_thing AS
                SELECT id AS key, owner, jsonb_build_object(
                    'name', name, 'made_at', '2026-01-02T03:04:05Z') || extra \(each.view)
                    AS properties
                FROM ptest.things
                """)
            let numbers = "generate_series(1, 40) AS n"
            let key = "('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid"
            try await fixture.withGraphLane { _ in
                try await fixture.caughtUp()
                try await fixture.sql(
                    """
                    INSERT INTO ptest.things (id, name, extra)
                    SELECT \(key), 'n' || n,
                        CASE WHEN n = 13 THEN '\(each.extra)' ELSE '{}' END::jsonb
                    FROM \(numbers)
                    """)
                try await fixture.caughtUp()
                #expect(try await fixture.names().count == 39)
                #expect(
                    try await fixture.value(
                        "SELECT string_agg(key || ' ' || error, ',') FROM fourfold.parked")
                        == "\(id(13)) \(each.code)")
                // What is reconciled meets the same row.
                try await fixture.sql("UPDATE fourfold.lanes SET resync = true, goal = NULL")
            }
            try await fixture.withGraphLane { _ in
                try await fixture.caughtUp()
                #expect(try await fixture.names().count == 39)
                try await fixture.sql("UPDATE ptest.things SET extra = '{}' WHERE name = 'n13'")
                try await fixture.caughtUp()
                #expect(try await fixture.names().count == 40)
                #expect(try await fixture.value("SELECT count(*) FROM fourfold.parked") == "0")
            }
        }
    }

    @Test("a parked key is tried again by itself")
    func parkedRetry() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.withGraphLane { _ in
                try await fixture.caughtUp()
                try await fixture.sql(
                    """
                    INSERT INTO ptest.things (id, name, extra)
                    VALUES ('\(id(1))', 'a', '{"bad": [1, {"a": 2}]}')
                    """)
                try await fixture.caughtUp()
                try await fixture.eventually("no second attempt") {
                    try await fixture.value("SELECT attempts >= 2 FROM fourfold.parked") == "t"
                }
                // The mended row makes no outbox row, so only the retry can find it.
                try await fixture.sql(
                    """
                    SET session_replication_role = replica;
                    UPDATE ptest.things SET extra = '{}'
                    """)
                try await fixture.eventually("the retry did not apply it") {
                    try await fixture.value("SELECT count(*) FROM fourfold.parked") == "0"
                }
                #expect(try await fixture.names() == ["a"])
            }
        }
    }
}
