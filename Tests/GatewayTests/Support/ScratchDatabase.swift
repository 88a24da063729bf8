import Glibc
import Packs
import Postgres
import Runtime

@testable import Gateway

/// A schema of its own on a real server, with the table of ``Things``.
struct ScratchDatabase: Sendable {
    struct Missing: Error, CustomStringConvertible {
        let description = "FOURFOLD_TEST_DATABASE_URL must name a PostgreSQL server for tests"
    }

    let client: PostgresClient
    let entity: Entity

    var statements: EntityStatements { EntityStatements(entity, pack: "tests") }

    static func run(
        _ body: @escaping @Sendable (ScratchDatabase) async throws -> Void
    ) async throws {
        guard let url = getenv("FOURFOLD_TEST_DATABASE_URL") else { throw Missing() }
        let configuration = PostgresConfiguration(connectionString: String(cString: url))
        let loop = EventLoop()
        let thread = loop.startThread(name: "test")
        defer {
            loop.stop()
            thread.join()
        }
        try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Void, any Error>) in
            loop.spawn {
                let client = PostgresClient(loop: loop, configuration: configuration)
                do {
                    try await run(client, body)
                    client.close()
                    continuation.resume()
                } catch {
                    client.close()
                    continuation.resume(throwing: error)
                }
            }
        }
    }

    private static func run(
        _ client: PostgresClient,
        _ body: (ScratchDatabase) async throws -> Void
    ) async throws {
        let schema = "things_\(UInt64.random(in: 1...UInt64.max))"
        let database = ScratchDatabase(client: client, entity: Things.entity(schema: schema))
        // Suites run side by side, and `CREATE OR REPLACE` does not wait for its like.
        try await database.execute(
            "SELECT pg_advisory_xact_lock(424242); CREATE SCHEMA IF NOT EXISTS fourfold;"
                + script("090_merge_patch.sql") + script("091_refuse.sql")
                + Things.ddl(schema: schema)
        )
        do {
            try await body(database)
        } catch {
            try await database.execute("DROP SCHEMA \(schema) CASCADE")
            throw error
        }
        try await database.execute("DROP SCHEMA \(schema) CASCADE")
    }

    private static func script(_ name: String) throws -> String {
        let folders = #filePath.split(separator: "/").dropLast(4)
        return try TextFile.read("/\(folders.joined(separator: "/"))/schemas/fourfold/\(name)")
    }

    func execute(_ sql: String) async throws {
        try await client.withConnection(deadline: .after(.seconds(20))) { connection in
            try await connection.simple(sql)
        }
    }

    func run(_ query: PlannedQuery) async throws(PostgresError) -> PostgresResult {
        do {
            return try await client.withConnection(deadline: .after(.seconds(20))) { connection in
                try await connection.query(query.statement, query.parameters)
            }
        } catch let error as PostgresError {
            throw error
        } catch {
            throw .overloaded
        }
    }

    /// The problem that a refused statement becomes; nil if it was not refused.
    func refusal(_ query: PlannedQuery) async -> Problem? {
        do throws(PostgresError) {
            _ = try await run(query)
            return nil
        } catch {
            return Problem(error, entity: entity)
        }
    }

    /// The first value of the first row.
    func value(_ sql: String) async throws -> String? {
        let result = try await run(PlannedQuery(Statement(unnamed: sql), []))
        return result.rowCount > 0 ? result.string(0, 0) : nil
    }

    var table: String { entity.qualifiedName }

    func insert(_ rows: String) async throws {
        try await execute(
            "INSERT INTO \(table) SELECT * FROM jsonb_populate_recordset(NULL::\(table), '\(rows)')"
        )
    }
}
