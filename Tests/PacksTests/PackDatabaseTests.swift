import Glibc
import Packs
import Postgres
import Runtime
import Testing

/// Needs `FOURFOLD_TEST_DATABASE_URL`: a URL of a user who may create databases.
@Suite("Packs on PostgreSQL", .serialized)
struct PackDatabaseTests {
    /// The engine's own scripts, from this checkout.
    private static let root = #filePath.split(separator: "/").dropLast(3)
        .map { "/\($0)" }.joined()

    private static func engineFiles() -> [String: String] {
        var files: [String: String] = [:]
        for name in TextFile.list("\(root)/schemas/fourfold") ?? [] {
            let path = "schemas/fourfold/\(name)"
            files[path] = try? TextFile.read("\(root)/\(path)")
        }
        return files
    }

    /// Runs `body` with a connection to a database of its own.
    private func withDatabase<Result: Sendable>(
        _ body: @escaping @Sendable (PostgresConnection, PackFolder) async throws -> Result
    ) async throws -> Result {
        let url = try #require(
            getenv("FOURFOLD_TEST_DATABASE_URL").map { String(cString: $0) },
            "set FOURFOLD_TEST_DATABASE_URL")
        let name = "packs_\(getpid())_\(UInt32.random(in: 0...UInt32.max))"
        let loop = EventLoop()
        let thread = loop.startThread(name: "packs-test")
        defer {
            loop.stop()
            thread.join()
        }
        nonisolated(unsafe) let folder = PackFolder(
            SmallPack.files.merging(Self.engineFiles()) { first, _ in first })
        let outcome: Swift.Result<Result, any Error> = await withCheckedContinuation { caller in
            loop.spawn {
                do {
                    let admin = PostgresClient(
                        loop: loop, configuration: PostgresConfiguration(connectionString: url))
                    defer { admin.close() }
                    let deadline = Deadline.after(.seconds(60))
                    try await admin.withConnection(deadline: deadline) { connection in
                        _ = try await connection.simple("CREATE DATABASE \(name)")
                        let own = PostgresClient(
                            loop: loop,
                            configuration: PostgresConfiguration(
                                connectionString: databaseURL(url, name)))
                        do {
                            let result = try await own.withConnection(deadline: deadline) {
                                try await body($0, folder)
                            }
                            caller.resume(returning: .success(result))
                        } catch {
                            caller.resume(returning: .failure(error))
                        }
                        own.close()
                        _ = try await connection.simple("DROP DATABASE \(name) WITH (FORCE)")
                    }
                } catch {
                    Issue.record(error)
                }
            }
        }
        return try outcome.get()
    }

    @Test("migrations run once, in order; a changed one is refused and nothing of it stays")
    func migrations() async throws {
        try await withDatabase { connection, folder in
            let migrator = Migrator(files: folder.files)
            let first = try await migrator.run(packs: ["shop"], on: connection)
            #expect(first.applied.last == "schemas/shop/001_all.sql")
            #expect(first.applied == first.applied.sorted())
            let second = try await migrator.run(packs: ["shop"], on: connection)
            #expect(second.applied.isEmpty && second.skippedCount == first.applied.count)

            folder.write(
                "schemas/shop/002_broken.sql", "CREATE TABLE shop.half (a int); SELECT 1/0;")
            await #expect(throws: PackFailure.self) {
                try await migrator.run(packs: ["shop"], on: connection)
            }
            let half = try await connection.query(
                Statement(unnamed: "SELECT to_regclass('shop.half') IS NULL"))
            #expect(half.bool(0, 0) == true)

            folder.write("schemas/shop/001_all.sql", SmallPack.sql + "-- changed")
            do throws(PackFailure) {
                _ = try await migrator.run(packs: ["shop"], on: connection)
                Issue.record("a changed script was accepted")
            } catch {
                guard case .pack(let error) = error else { throw error }
                #expect(error.problems.first?.message == "it was applied and has changed since")
            }
        }
    }

    @Test("the catalog fills in what the pack does not say")
    func compile() async throws {
        try await withDatabase { connection, folder in
            _ = try await Migrator(files: folder.files).run(packs: ["shop"], on: connection)
            let pack = try await PackCompiler(files: folder.files).compile("shop", on: connection)
            let things = try #require(pack.entity("things"))
            #expect(things.keyColumn == "thing_id" && things.ownerColumn == "owner_id")
            #expect(things.comment == "What is sold")
            #expect(things.column("secret")?.isWriteOnly == true)
            #expect(things.column("size")?.isGenerated == true)
            #expect(things.column("tags")?.isArray == true)
            #expect(things.column("name")?.type == "character varying(20)")
            #expect(things.column("owner_id")?.isIndexed == true)
            #expect(things.column("tags")?.isIndexed == false)
            let keys = Set(things.uniqueKeys.map { $0.joined(separator: ",") })
            #expect(keys == ["thing_id", "owner_id,name"])
            #expect(pack.entity("owners")?.isOwnerEntity == true)

            let changed = try await PackCompiler.installCapture(pack, on: connection)
            #expect(changed == ["owners", "things"])
            #expect(try await PackCompiler.installCapture(pack, on: connection).isEmpty)
        }
    }

    @Test("a view that reads a table without a dirty entry is refused, with all other mistakes")
    func refused() async throws {
        try await withDatabase { connection, folder in
            _ = try await Migrator(files: folder.files).run(packs: ["shop"], on: connection)
            folder.write("schemas/shop/pack.json", SmallPack.manifestWithoutDirty)
            do throws(PackFailure) {
                _ = try await PackCompiler(files: folder.files).compile("shop", on: connection)
                Issue.record("the pack was accepted")
            } catch {
                guard case .pack(let error) = error else { throw error }
                #expect(error.problems.contains { $0.place == "graph.nodes.Thing" })
            }
        }
    }
}

/// The URL of another database of the same server.
private func databaseURL(_ url: String, _ name: String) -> String {
    let parts = url.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    var path = parts[0].split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    path[path.count - 1] = name
    return path.joined(separator: "/") + (parts.count > 1 ? "?\(parts[1])" : "")
}
