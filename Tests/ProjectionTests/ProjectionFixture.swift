import ClientTestSupport
import Glibc
import HTTPClient
import JSON
import Neo4j
import Packs
import Postgres
import Projection
import Runtime
import Testing
import Weaviate

/// A database of its own with a small pack, and clients for the stores.
final class ProjectionFixture: @unchecked Sendable {
    static let pack = "ptest"
    static let keyLabel = "ProjectionTestKey"
    static let owner = "00000000-0000-4000-8000-0000000000aa"

    let loop: EventLoop
    let postgres: PostgresClient
    let neo4j: Neo4jClient
    let weaviate: WeaviateClient
    let http: HTTPClient

    private init(loop: EventLoop, postgres: PostgresClient) throws {
        self.loop = loop
        self.postgres = postgres
        http = HTTPClient(loop: loop)
        neo4j = Neo4jClient(
            client: http,
            configuration: Neo4jConfiguration(
                url: try storeURL("FOURFOLD_TEST_NEO4J_URL"),
                user: environment("FOURFOLD_TEST_NEO4J_USER"),
                password: environment("FOURFOLD_TEST_NEO4J_PASSWORD") ?? ""))
        weaviate = WeaviateClient(
            client: http,
            configuration: WeaviateConfiguration(
                url: try storeURL("FOURFOLD_TEST_WEAVIATE_URL"),
                apiKey: environment("FOURFOLD_TEST_WEAVIATE_API_KEY")))
    }

    /// Runs `body` on a loop of its own, in a fresh database.
    static func run(
        _ body: @escaping @Sendable (ProjectionFixture) async throws -> Void
    ) async throws {
        let database = "fourfold_projection_\(UInt32.random(in: 0 ... .max))"
        let url = try storeURL("FOURFOLD_TEST_DATABASE_URL")
        let result = await onLoop { loop -> Result<Void, any Error> in
            let admin = PostgresClient(
                loop: loop, configuration: PostgresConfiguration(connectionString: url))
            defer { admin.close() }
            do {
                try await admin.execute("CREATE DATABASE \(database)")
                let postgres = PostgresClient(
                    loop: loop,
                    configuration: PostgresConfiguration(
                        connectionString: replaceDatabase(url, database)))
                let fixture = try ProjectionFixture(loop: loop, postgres: postgres)
                let outcome: Result<Void, any Error>
                do {
                    try await fixture.prepare()
                    outcome = .success(try await body(fixture))
                } catch {
                    outcome = .failure(error)
                }
                postgres.close()
                fixture.http.close()
                try await admin.execute("DROP DATABASE \(database) WITH (FORCE)")
                return outcome
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    private func prepare() async throws {
        for file in engineFiles() { try await postgres.execute(readFile(file)) }
        try await postgres.execute(ProjectionFixture.schema)
        try await cypher("MATCH (n:\(ProjectionFixture.keyLabel)) DETACH DELETE n")
        try await cypher("MATCH (n:Fence) WHERE n.id STARTS WITH 'ptest/' DELETE n")
    }

    /// Things with tags and parts, and links between them.
    private static let schema = """
        CREATE SCHEMA ptest;
        CREATE TABLE ptest.things (
            id uuid PRIMARY KEY, owner uuid NOT NULL DEFAULT '\(owner)', name text NOT NULL,
            parts uuid[] NOT NULL DEFAULT '{}', extra jsonb NOT NULL DEFAULT '{}');
        CREATE TABLE ptest.tags (id uuid PRIMARY KEY, name text NOT NULL);
        CREATE TABLE ptest.taggings (
            id uuid PRIMARY KEY, thing_id uuid NOT NULL, tag_id uuid NOT NULL);
        CREATE TABLE ptest.links (
            id uuid PRIMARY KEY, type text NOT NULL, from_id uuid NOT NULL, to_id uuid NOT NULL,
            owner uuid NOT NULL DEFAULT '\(owner)');
        CREATE VIEW ptest.node_thing AS
        SELECT t.id AS key, t.owner, jsonb_build_object(
            'name', t.name, 'made_at', '2026-01-02T03:04:05Z', 'tags', (
                SELECT coalesce(jsonb_agg(g.name ORDER BY g.name), '[]')
                FROM ptest.taggings AS a JOIN ptest.tags AS g ON g.id = a.tag_id
                WHERE a.thing_id = t.id)) || t.extra AS properties
        FROM ptest.things AS t;
        CREATE VIEW ptest.edge_link AS
        SELECT id AS key, id AS anchor, type, from_id AS from_key, to_id AS to_key, owner,
            '{}'::jsonb AS properties FROM ptest.links;
        CREATE VIEW ptest.edge_part AS
        SELECT t.id || ':' || p.id AS key, t.id AS anchor, 'PTEST_PART' AS type,
            p.id AS from_key, t.id AS to_key, t.owner, '{}'::jsonb AS properties
        FROM ptest.things AS t CROSS JOIN LATERAL unnest(t.parts) AS u(id)
        JOIN ptest.things AS p ON p.id = u.id;
        CREATE VIEW ptest.vector_thing AS
        SELECT t.id AS key, t.owner, jsonb_build_object(
            'userId', t.owner, 'name', t.name) || t.extra AS properties, t.name AS text
        FROM ptest.things AS t;
        CREATE TABLE ptest.connections (
            entity_id uuid PRIMARY KEY, degree bigint NOT NULL, by_type jsonb NOT NULL,
            exported_at timestamptz NOT NULL);
        CREATE FUNCTION ptest.known() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RETURN CASE WHEN EXISTS (SELECT FROM ptest.things WHERE id = NEW.entity_id)
                THEN NEW END;
        END $$;
        CREATE TRIGGER known BEFORE INSERT ON ptest.connections
            FOR EACH ROW EXECUTE FUNCTION ptest.known();
        SELECT fourfold.install_capture('ptest', 'things', 'ptest', 'things', 'id', 'owner');
        SELECT fourfold.install_capture('ptest', 'tags', 'ptest', 'tags', 'id');
        SELECT fourfold.install_capture(
            'ptest', 'taggings', 'ptest', 'taggings', 'id', NULL, '{thing_id}');
        SELECT fourfold.install_capture('ptest', 'links', 'ptest', 'links', 'id', 'owner');
        """

    static let graph = GraphProjection(
        keyLabel: keyLabel,
        nodes: [
            NodeProjection(
                label: "ProjectionTestThing", view: "node_thing", entityPath: "things",
                dateTimeProperties: ["made_at"])
        ],
        edges: [
            EdgeSet(
                name: "link", view: "edge_link", anchorPath: "links",
                types: ["PTEST_NEAR", "PTEST_FAR"]),
            EdgeSet(name: "part", view: "edge_part", anchorPath: "things", types: ["PTEST_PART"]),
        ])

    static let vectorClass = VectorClass(
        name: "ProjectionTestThing", view: "vector_thing", entityPath: "things",
        ownerProperty: "userId",
        definition: """
            {"class":"ProjectionTestThing","vectorizer":"none",
             "vectorIndexConfig":{"distance":"cosine"},
             "properties":[
               {"name":"userId","dataType":["uuid"]},
               {"name":"name","dataType":["text"],"tokenization":"word"}]}
            """)

    static func makePack() -> Pack {
        Pack(
            name: pack, title: "A pack for tests", entities: [], ownerPath: nil, graph: graph,
            vectors: VectorProjection(classes: [vectorClass]),
            dirtyRules: [
                DirtyRule(
                    sourcePath: "tags", targetPath: "things",
                    sql: """
                        SELECT a.thing_id FROM changed AS c
                        JOIN ptest.taggings AS a ON a.tag_id = c.key::uuid
                        """),
                DirtyRule(
                    sourcePath: "taggings", targetPath: "things",
                    sql: "SELECT (c.columns ->> 'thing_id')::uuid FROM changed AS c"),
                DirtyRule(
                    sourcePath: "things", targetPath: "things",
                    sql: """
                        SELECT t.id FROM changed AS c
                        JOIN ptest.things AS t ON t.parts @> ARRAY[c.key::uuid]
                        WHERE c.op = 'i'
                        """),
            ],
            export: ConnectionsExportRule(
                table: "connections", keyColumn: "entity_id", excludedTypes: ["PTEST_FAR"]),
            cypher: [], document: [])
    }
}

// MARK: Doing and looking

extension ProjectionFixture {
    static var configuration: LaneConfiguration {
        var configuration = LaneConfiguration()
        configuration.pollPeriod = .milliseconds(10)
        configuration.leasePollPeriod = .milliseconds(100)
        configuration.parkedBackoff = LaneBackoff(base: .milliseconds(200))
        configuration.parkedPollPeriod = .milliseconds(100)
        configuration.storeWriteTimeout = .milliseconds(300)
        return configuration
    }

    func graphLane(
        holder: String = "first", _ configuration: LaneConfiguration = configuration,
        probe: any LaneProbe = NoProbe()
    ) throws -> LaneRunner<GraphLaneStore> {
        let pack = ProjectionFixture.makePack()
        let store = try GraphLaneStore(
            pack: pack, graph: ProjectionFixture.graph, neo4j: neo4j, postgres: postgres)
        return LaneRunner(
            pack: pack, loop: loop, postgres: postgres, store: store, holder: holder,
            configuration: configuration, probe: probe)
    }

    /// Starts a graph lane, runs `body`, stops the lane.
    func withGraphLane(
        _ configuration: LaneConfiguration = configuration, probe: any LaneProbe = NoProbe(),
        _ body: (LaneRunner<GraphLaneStore>) async throws -> Void
    ) async throws {
        let lane = try graphLane(configuration, probe: probe)
        lane.start()
        do {
            try await body(lane)
        } catch {
            await lane.stop()
            throw error
        }
        await lane.stop()
    }

    func sql(_ text: String) async throws { try await postgres.execute(text) }

    func value(_ text: String) async throws -> String? {
        try await postgres.query(Statement(unnamed: text), deadline: .after(.seconds(20)))
            .string(0, 0)
    }

    @discardableResult
    func cypher(_ text: String) async throws -> [[String]] {
        let result = try await neo4j.run(text, access: .write, deadline: .after(.seconds(30)))
        return result.rows.elements.map { row in
            row.elements.map { $0.string ?? String(decoding: $0.serialized(), as: UTF8.self) }
        }
    }

    /// Names of the things in the graph, in order.
    func names() async throws -> [String] {
        try await cypher("MATCH (n:ProjectionTestThing) RETURN n.name ORDER BY n.name")
            .map { $0[0] }
    }

    /// `from-TYPE-to` by name, in order.
    func edges() async throws -> [String] {
        try await cypher(
            """
            MATCH (a:ProjectionTestThing)-[r]->(b:ProjectionTestThing)
            RETURN a.name + '-' + type(r) + '-' + b.name AS edge ORDER BY edge
            """
        ).map { $0[0] }
    }

    /// Waits until `condition` holds, at most 30 s.
    func eventually(
        _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
        _ condition: () async throws -> Bool
    ) async throws {
        let deadline = Deadline.after(.seconds(30))
        while !deadline.hasPassed {
            if try await condition() { return }
            try await loop.sleep(for: .milliseconds(10))
        }
        Issue.record(what, sourceLocation: sourceLocation)
        throw NotReached()
    }

    /// Waits until the lane has applied all that is committed now.
    func caughtUp(_ lane: String = "graph") async throws {
        try await eventually("the lane \(lane) did not catch up") {
            try await value(
                """
                SELECT EXISTS (SELECT FROM fourfold.lanes AS l WHERE l.lane = '\(lane)'
                    AND NOT l.resync
                    AND NOT EXISTS (SELECT FROM fourfold.outbox_pending('ptest', '\(lane)')))
                """) == "t"
        }
    }
}

struct NotReached: Error {}

/// `id(7)` is a UUID that ends in 7.
func id(_ number: Int) -> String {
    let text = String(number)
    return "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - text.count) + text
}

extension PostgresClient {
    func execute(_ sql: String) async throws {
        try await withConnection(deadline: .after(.seconds(60))) { _ = try await $0.simple(sql) }
    }
}

func engineFiles() -> [String] {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let folder = "/\(root)/schemas/fourfold"
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name.hasSuffix(".sql") { names.append("\(folder)/\(name)") }
    }
    return names.sorted()
}

func readFile(_ path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = fread(&buffer, 1, buffer.count, file)
        if count == 0 { break }
        bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
}

/// Another database of the same server.
func replaceDatabase(_ url: String, _ name: String) -> String {
    let query = url.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    guard let slash = query[0].lastIndex(of: "/") else { return url }
    let tail = query.count > 1 ? "?\(query[1])" : ""
    return "\(query[0][...slash])\(name)\(tail)"
}
