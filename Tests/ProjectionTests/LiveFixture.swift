import ClientTestSupport
import Glibc
import JSON
import Packs
import Postgres
import Projection
import Redis
import Runtime
import Testing

/// A database of its own with a small pack that is told, cached and configured, and Redis.
final class LiveFixture: @unchecked Sendable {
    static let owner = "00000000-0000-4000-8000-0000000000aa"
    static let channel = "ltest:\(owner):things"
    static let laneKey = "fourfold:lane:ltest:live"

    let loop: EventLoop
    let postgres: PostgresClient
    let redis: RedisClient
    let pack: Pack

    private init(loop: EventLoop, postgres: PostgresClient, redis: RedisClient, pack: Pack) {
        self.loop = loop
        self.postgres = postgres
        self.redis = redis
        self.pack = pack
    }

    /// Runs `body` on a loop of its own, in a fresh database.
    static func run(
        _ body: @escaping @Sendable (LiveFixture) async throws -> Void
    ) async throws {
        let database = "fourfold_live_\(UInt32.random(in: 0 ... .max))"
        let url = try storeURL("FOURFOLD_TEST_DATABASE_URL")
        let redisURL = try storeURL("FOURFOLD_TEST_REDIS_URL")
        let address = try RedisAddress.parse(redisURL)
        let pack = try makePack()
        let result = await onLoop { loop -> Result<Void, any Error> in
            let admin = PostgresClient(
                loop: loop, configuration: PostgresConfiguration(connectionString: url))
            let redis = RedisClient(
                loop: loop, configuration: RedisConfiguration(address: address))
            defer { admin.close() }
            do {
                try await admin.execute("CREATE DATABASE \(database)")
                let postgres = PostgresClient(
                    loop: loop,
                    configuration: PostgresConfiguration(
                        connectionString: replaceDatabase(url, database)))
                let fixture = LiveFixture(
                    loop: loop, postgres: postgres, redis: redis, pack: pack)
                let outcome: Result<Void, any Error>
                do {
                    try await fixture.prepare()
                    outcome = .success(try await body(fixture))
                } catch {
                    outcome = .failure(error)
                }
                postgres.close()
                redis.close()
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
        try await postgres.execute(LiveFixture.schema)
        let problems = try await postgres.query(
            Statement(unnamed: "SELECT place, problem FROM fourfold.pack_problems($1::jsonb)"),
            [.bytes(pack.document)], deadline: .after(.seconds(20)))
        for row in 0..<problems.rowCount {
            Issue.record("\(problems.string(row, 0) ?? ""): \(problems.string(row, 1) ?? "")")
        }
        _ = try await postgres.query(
            Statement(unnamed: "SELECT fourfold.install_pack($1::jsonb)"),
            [.bytes(pack.document)], deadline: .after(.seconds(20)))
        try await command(["DEL", LiveFixture.laneKey, "fourfold:config:ltest"])
        try await command(["DEL", "ltest:config:all", "fourfold:channel:\(LiveFixture.channel)"])
    }

    /// Things that are told and cached, a view of them that is cached too, and settings.
    private static let schema = """
        CREATE SCHEMA ltest;
        CREATE TABLE ltest.things (
            id uuid PRIMARY KEY, owner uuid NOT NULL DEFAULT '\(owner)', name text NOT NULL,
            kind uuid);
        CREATE TABLE ltest.kinds (id uuid PRIMARY KEY, name text NOT NULL);
        CREATE TABLE ltest.settings (name text PRIMARY KEY, value int NOT NULL);
        INSERT INTO ltest.settings VALUES ('size', 1);
        CREATE VIEW ltest.all_things AS SELECT id, owner FROM ltest.things;
        CREATE VIEW ltest.message_thing AS
        SELECT t.id AS key, t.owner, jsonb_build_object('thing', t.id, 'name', t.name, 'kind', (
            SELECT k.name FROM ltest.kinds AS k WHERE k.id = t.kind)) AS message
        FROM ltest.things AS t;
        CREATE VIEW ltest.cache_thing AS
        SELECT id AS key, owner, jsonb_build_object('name', name) AS value FROM ltest.things;
        CREATE VIEW ltest.live_configuration AS
        SELECT 'all' AS name, (SELECT jsonb_object_agg(name, value) FROM ltest.settings) AS value;
        """

    private static let manifest = """
        {"name": "ltest", "owner": {"entity": "owners", "column": "owner", "place": "who"},
         "entities": {"things": {}, "kinds": {}, "settings": {},
           "all-things": {"view": "all_things", "key": "id"}},
         "dirty": [
           {"on": ["kinds"], "of": "things", "lanes": ["live"],
            "keys": "SELECT t.id FROM changed AS c JOIN ltest.things AS t ON t.kind = c.key::uuid"},
           {"on": ["things"], "of": "all-things", "lanes": ["live"],
            "keys": "SELECT c.key FROM changed AS c"}],
         "channels": {"ltest:{who}:things": {"changes": [
           {"of": "things", "view": "message_thing", "key": "thing"}]}, "ltest:config": {}},
         "caches": {"one": {"of": "things", "key": "ltest:{id}:one", "ttl": "1h",
             "view": "cache_thing"},
           "all": {"of": "all-things", "key": "ltest:{id}:all", "ttl": "1h",
             "view": "cache_thing"}},
         "configuration": {"view": "live_configuration", "key": "ltest:config:{name}",
           "channel": "ltest:config", "on": ["settings"]}}
        """

    private static func makePack() throws -> Pack {
        var template = Array("/tmp/fourfold-live-XXXXXX".utf8CString)
        let root = mkdtemp(&template).map { String(cString: $0) } ?? ""
        mkdir("\(root)/schemas", 0o755)
        mkdir("\(root)/schemas/ltest", 0o755)
        let path = "\(root)/schemas/ltest/pack.json"
        let file = open(path, O_WRONLY | O_CREAT, 0o644)
        let bytes = Array(manifest.utf8)
        precondition(write(file, bytes, bytes.count) == bytes.count, "short write")
        close(file)
        defer {
            unlink(path)
            for folder in ["/schemas/ltest", "/schemas", ""] { rmdir(root + folder) }
        }
        return try PackCompiler(files: PackFiles(root: root)).check("ltest")
    }
}

// MARK: Doing and looking

extension LiveFixture {
    func store(_ limits: LiveLaneLimits = .init()) -> LiveLaneStore {
        LiveLaneStore(pack: pack, postgres: postgres, redis: redis, limits: limits)
    }

    func lane(
        holder: String = "first",
        _ configuration: LaneConfiguration = ProjectionFixture.configuration,
        probe: any LaneProbe = NoProbe()
    ) -> LaneRunner<LiveLaneStore> {
        LaneRunner(
            pack: pack, loop: loop, postgres: postgres, store: store(), holder: holder,
            configuration: configuration, probe: probe)
    }

    func withLane(_ body: (LaneRunner<LiveLaneStore>) async throws -> Void) async throws {
        let lane = lane()
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
    func command(_ words: [String]) async throws -> RedisReply {
        try await redis.command(words, deadline: .after(.seconds(10)))
    }

    /// `action name` of every message in the order in which they were published.
    func told() async throws -> [String] {
        let entries = try await command(
            ["XRANGE", "fourfold:channel:\(LiveFixture.channel)", "-", "+"])
        return (entries.array ?? []).compactMap { entry in
            guard let text = entry.array?[1].array?[1].string,
                let root = try? JSONDocument.parse(Array(text.utf8)).root
            else { return nil }
            let name = root["name"]?.string ?? String(root["thing"]?.string?.suffix(1) ?? "")
            return "\(root["action"]?.string ?? "") \(name)"
        }
    }

    func add(_ numbers: ClosedRange<Int>) async throws {
        try await sql(
            """
            INSERT INTO ltest.things (id, name) SELECT
                ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'n' || n
            FROM generate_series(\(numbers.lowerBound), \(numbers.upperBound)) AS n
            """)
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

    /// Waits until the lane has told all that is committed now.
    func caughtUp() async throws {
        try await eventually("the lane did not catch up") {
            try await value(
                """
                SELECT EXISTS (SELECT FROM fourfold.lanes AS l WHERE l.lane = 'live'
                    AND NOT l.resync AND l.goal IS NULL
                    AND NOT EXISTS (SELECT FROM fourfold.outbox_pending('ltest', 'live')))
                """) == "t"
        }
    }

    func read(_ chunk: LaneChunk, _ store: LiveLaneStore) async throws -> LiveLaneStore.Work {
        try await postgres.withConnection(deadline: .after(.seconds(20))) { connection in
            try await store.read(chunk, on: connection)
        }
    }
}
