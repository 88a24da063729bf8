import HTTPClient
import JSON
import Neo4j
import Packs
import Postgres
import Projection
import Runtime
import Testing
import Weaviate

extension StoreTests {
    /// The same questions to both adapters of each kind.
    @Suite("Store conformance")
    struct StoreConformanceTests {}
}

extension StoreTests.StoreConformanceTests {
    struct Walk: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var depth = 1
        var types: [String] = []
        var direction = ConnectionsQuery.Direction.both
        var limit = 100
        var owner: String? = ProjectionFixture.owner
        /// `depth:name`
        let nodes: [String]
        let edges: [String]
        var isTruncated = false
    }

    /// A chain 1 -> 2 -> 3 -> 4 -> 5 -> 6 of NEAR, 1 -> 7 and 8 -> 1 of FAR, 2 is a part of 1,
    /// 9 belongs to another owner and hangs on 1, a loop on 2.
    static let walks: [Walk] = [
        Walk(
            testDescription: "one step, both ways",
            nodes: ["1:n2", "1:n7", "1:n8"],
            edges: ["n1-PTEST_FAR-n7", "n1-PTEST_NEAR-n2", "n2-PTEST_PART-n1", "n8-PTEST_FAR-n1"]),
        Walk(
            testDescription: "outward", direction: .out, nodes: ["1:n2", "1:n7"],
            edges: ["n1-PTEST_FAR-n7", "n1-PTEST_NEAR-n2"]),
        Walk(
            testDescription: "inward", direction: .in, nodes: ["1:n2", "1:n8"],
            edges: ["n2-PTEST_PART-n1", "n8-PTEST_FAR-n1"]),
        Walk(
            testDescription: "one type, three deep", depth: 3, types: ["PTEST_NEAR"],
            nodes: ["1:n2", "2:n3", "3:n4"],
            edges: [
                "n1-PTEST_NEAR-n2", "n2-PTEST_NEAR-n2", "n2-PTEST_NEAR-n3", "n3-PTEST_NEAR-n4",
            ]),
        Walk(
            testDescription: "as deep as it goes", depth: 5, types: ["PTEST_NEAR"],
            direction: .out, nodes: ["1:n2", "2:n3", "3:n4", "4:n5", "5:n6"],
            edges: [
                "n1-PTEST_NEAR-n2", "n2-PTEST_NEAR-n2", "n2-PTEST_NEAR-n3", "n3-PTEST_NEAR-n4",
                "n4-PTEST_NEAR-n5", "n5-PTEST_NEAR-n6",
            ]),
        Walk(
            testDescription: "a limit cuts by depth, then key", depth: 2, limit: 2,
            nodes: ["1:n2", "1:n7"],
            edges: [
                "n1-PTEST_FAR-n7", "n1-PTEST_NEAR-n2", "n2-PTEST_NEAR-n2", "n2-PTEST_PART-n1",
            ], isTruncated: true),
        Walk(
            testDescription: "a type that is nowhere", types: ["PTEST_NOWHERE"], nodes: [],
            edges: []),
        Walk(
            testDescription: "a type that is Cypher",
            types: ["X`]-(m) DETACH DELETE m //"], nodes: [], edges: []),
        Walk(
            testDescription: "every owner", types: ["PTEST_FAR"], owner: nil,
            nodes: ["1:n7", "1:n8", "1:n9"],
            edges: ["n1-PTEST_FAR-n7", "n1-PTEST_FAR-n9", "n8-PTEST_FAR-n1"]),
    ]

    private static let graphRows = """
        INSERT INTO ptest.things (id, name)
        SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'n' || n
        FROM generate_series(1, 8) AS n;
        INSERT INTO ptest.things (id, name, owner)
        VALUES ('\(id(9))', 'n9', '\(id(999))');
        UPDATE ptest.things SET parts = '{\(id(2))}' WHERE name = 'n1';
        INSERT INTO ptest.links (id, type, from_id, to_id, owner) VALUES
            ('\(id(21))', 'PTEST_NEAR', '\(id(1))', '\(id(2))', '\(ProjectionFixture.owner)'),
            ('\(id(22))', 'PTEST_NEAR', '\(id(2))', '\(id(3))', '\(ProjectionFixture.owner)'),
            ('\(id(23))', 'PTEST_NEAR', '\(id(3))', '\(id(4))', '\(ProjectionFixture.owner)'),
            ('\(id(24))', 'PTEST_NEAR', '\(id(4))', '\(id(5))', '\(ProjectionFixture.owner)'),
            ('\(id(25))', 'PTEST_NEAR', '\(id(5))', '\(id(6))', '\(ProjectionFixture.owner)'),
            ('\(id(26))', 'PTEST_FAR', '\(id(1))', '\(id(7))', '\(ProjectionFixture.owner)'),
            ('\(id(27))', 'PTEST_FAR', '\(id(8))', '\(id(1))', '\(ProjectionFixture.owner)'),
            ('\(id(28))', 'PTEST_FAR', '\(id(1))', '\(id(9))', '\(id(999))'),
            ('\(id(29))', 'PTEST_NEAR', '\(id(2))', '\(id(2))', '\(ProjectionFixture.owner)');
        """

    @Test("connections of both graph adapters")
    func connections() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql(Self.graphRows)
            try await fixture.withGraphLane { _ in try await fixture.caughtUp() }
            for neo4j in [fixture.neo4j, nil] {
                let reader = try GraphReader(
                    pack: ProjectionFixture.makePack(), graph: ProjectionFixture.graph,
                    postgres: fixture.postgres, neo4j: neo4j)
                for walk in Self.walks { try await check(walk, reader) }
            }
        }
    }

    private func check(_ walk: Walk, _ reader: GraphReader) async throws {
        let query = ConnectionsQuery(
            keys: [id(1)], owner: walk.owner, depth: walk.depth, types: walk.types,
            direction: walk.direction, limit: walk.limit)
        let answer = try await reader.connections(query, deadline: .after(.seconds(20)))
        let what = Comment("\(walk.testDescription), \(answer.source)")
        var names = [id(1): "n1"]
        for node in answer.nodes {
            names[node.key] = try JSONDocument.parse(node.properties).root["name"]?.string
        }
        #expect(answer.nodes.map { "\($0.depth):\(names[$0.key] ?? "")" } == walk.nodes, what)
        let edges = answer.edges.map {
            "\(names[$0.from] ?? "?")-\($0.type)-\(names[$0.to] ?? "?")"
        }
        #expect(edges.sorted() == walk.edges, what)
        #expect(answer.isTruncated == walk.isTruncated, what)
        #expect(answer.nodes.allSatisfy { $0.entity == "things" }, what)
        #expect(answer.degradedReason == nil, what)
    }

    @Test("a graph store that is away: the embedded one answers and says why")
    func graphFallback() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql(Self.graphRows)
            let away = Neo4jClient(
                client: fixture.http,
                configuration: Neo4jConfiguration(url: "http://127.0.0.1:1"))
            let reader = try GraphReader(
                pack: ProjectionFixture.makePack(), graph: ProjectionFixture.graph,
                postgres: fixture.postgres, neo4j: away)
            for _ in 0..<8 {
                let answer = try await reader.connections(
                    ConnectionsQuery(keys: [id(1)], owner: ProjectionFixture.owner),
                    deadline: .after(.seconds(5)))
                #expect(answer.nodes.count == 3)
                #expect(answer.source == "postgres")
                let reasons = ["unreachable", "breaker_open"]
                #expect(answer.degradedReason.map(reasons.contains) == true)
            }
            #expect(away.breakerState != .closed)
        }
    }

    // MARK: Vectors

    private static let texts = """
        INSERT INTO ptest.things (id, name) VALUES
            ('\(id(1))', 'gardening in spring with grandmother'),
            ('\(id(2))', 'the garden needs water'),
            ('\(id(3))', 'quarterly tax forms'),
            ('\(id(4))', 'notes about string theory; {Get{X}} "quoted"');
        INSERT INTO ptest.things (id, name, owner)
        VALUES ('\(id(5))', 'gardening in spring', '\(id(999))');
        """

    @Test("search of both vector adapters")
    func search() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.resetWeaviate()
            try await fixture.sql(Self.texts)
            try await fixture.withVectorLane(HashingEmbedder()) { _ in
                try await fixture.caughtUp("vector")
            }
            for weaviate in [fixture.weaviate, nil] {
                let reader = VectorReader(
                    pack: ProjectionFixture.makePack(), postgres: fixture.postgres,
                    weaviate: weaviate, embedder: HashingEmbedder())
                try await checkSearch(reader, weaviate == nil ? "postgres" : "weaviate")
            }
        }
    }

    private func checkSearch(_ reader: VectorReader, _ source: String) async throws {
        let soon = Deadline.after(.seconds(20))
        func query(_ mode: VectorQuery.Mode, _ text: String, limit: Int = 10) -> VectorQuery {
            VectorQuery(
                classes: [ProjectionFixture.vectorClass], owner: ProjectionFixture.owner,
                mode: mode, text: text, limit: limit)
        }
        for mode in VectorQuery.Mode.allCases {
            let what = Comment("\(mode), \(source)")
            let answer = try await reader.search(query(mode, "gardening spring"), deadline: soon)
            #expect(answer.source == source, what)
            #expect(answer.degradedReason == nil, what)
            #expect(answer.hits.first?.key == id(1), what)
            #expect(answer.hits.first?.entity == "things", what)
            #expect(!answer.hits.contains { $0.key == id(5) }, "another owner's, \(what)")
            #expect(answer.hits == RelativeScoreFusion.ranked(answer.hits), what)
            let one = try await reader.search(
                query(mode, "gardening spring", limit: 1), deadline: soon)
            #expect(one.hits.count == 1, what)
            let hostile = try await reader.search(
                query(mode, "\"}) {_additional{id}} } # ' \\ garden' | ! & <->"), deadline: soon)
            #expect(hostile.hits.contains { $0.key == id(2) }, what)
        }
        let all = try await reader.search(query(.vector, "garden"), deadline: soon)
        #expect(all.hits.count == 4)
        #expect(all.hits.first?.key == id(2))
        let none = try await reader.search(query(.keyword, "zebra"), deadline: soon)
        #expect(none.hits.isEmpty)
        let empty = try await reader.search(query(.hybrid, "…"), deadline: soon)
        #expect(empty.hits.isEmpty)
    }

    @Test("a vector store that is away: the kept vectors answer and say why")
    func vectorFallback() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.resetWeaviate()
            try await fixture.sql(Self.texts)
            try await fixture.withVectorLane(HashingEmbedder()) { _ in
                try await fixture.caughtUp("vector")
            }
            let away = WeaviateClient(
                client: fixture.http,
                configuration: WeaviateConfiguration(url: "http://127.0.0.1:1"))
            let reader = VectorReader(
                pack: ProjectionFixture.makePack(), postgres: fixture.postgres, weaviate: away,
                embedder: HashingEmbedder())
            let answer = try await reader.search(
                VectorQuery(
                    classes: [ProjectionFixture.vectorClass], owner: ProjectionFixture.owner,
                    mode: .hybrid, text: "garden"), deadline: .after(.seconds(5)))
            #expect(answer.source == "postgres")
            #expect(answer.degradedReason == "unreachable")
            #expect(answer.hits.first?.key == id(2))
        }
    }
}
