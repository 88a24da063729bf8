import Glibc
import Postgres
import Runtime
import Testing

/// The real server that integration tests run against.
enum TestServer {
    struct Missing: Error, CustomStringConvertible {
        let description = "FOURFOLD_TEST_DATABASE_URL must name a PostgreSQL server for tests"
    }

    static func configuration() throws -> PostgresConfiguration {
        guard let url = getenv("FOURFOLD_TEST_DATABASE_URL") else { throw Missing() }
        var configuration = PostgresConfiguration(connectionString: String(cString: url))
        // A busy machine must not look like a server that does not answer.
        configuration.limits.cancelGrace = .seconds(10)
        return configuration
    }

    /// Runs `body` with a client on a loop of its own.
    static func run<Result: Sendable>(
        _ configuration: PostgresConfiguration,
        _ body: @escaping @Sendable (EventLoop, PostgresClient) async throws -> Result
    ) async throws -> Result {
        let loop = EventLoop()
        let thread = loop.startThread(name: "test")
        defer {
            loop.stop()
            thread.join()
        }
        return try await withCheckedThrowingContinuation { continuation in
            loop.spawn {
                let client = PostgresClient(loop: loop, configuration: configuration)
                do {
                    let result = try await body(loop, client)
                    client.close()
                    continuation.resume(returning: result)
                } catch {
                    client.close()
                    continuation.resume(throwing: error)
                }
            }
        }
    }

    /// Runs `body` with a client and a table `(id bigint PRIMARY KEY, note text)` of its own.
    static func run<Result: Sendable>(
        table: String, _ change: (inout PostgresLimits) -> Void = { _ in },
        _ body: @escaping @Sendable (EventLoop, PostgresClient) async throws -> Result
    ) async throws -> Result {
        var configuration = try configuration()
        change(&configuration.limits)
        return try await run(configuration) { loop, client in
            try await client.withConnection(deadline: .soon) { connection in
                try await connection.simple(
                    """
                    -- IF NOT EXISTS does not see a schema that another test is just making.
                    SELECT pg_advisory_xact_lock(7465737473);
                    CREATE SCHEMA IF NOT EXISTS fourfold_tests;
                    DROP TABLE IF EXISTS fourfold_tests.\(table);
                    CREATE TABLE fourfold_tests.\(table) (id bigint PRIMARY KEY, note text);
                    """)
            }
            return try await body(loop, client)
        }
    }
}

extension Deadline {
    static var soon: Deadline { .after(.seconds(20)) }
}

extension EventLoop {
    /// Waits until `condition` holds, at most 10 s.
    func waits(until condition: () async throws -> Bool) async throws -> Bool {
        for _ in 0..<1_000 {
            if try await condition() { return true }
            try await sleep(for: .milliseconds(10))
        }
        return false
    }
}

extension PostgresClient {
    /// The only value of a query's only row.
    func value(_ sql: String) async throws -> String? {
        let result = try await query(Statement(unnamed: sql), deadline: .soon)
        return result.string(0, 0)
    }

    /// The server process behind the exclusive connection.
    func exclusiveBackend() async throws -> Int64? {
        try await withConnection(deadline: .soon) {
            try await $0.query(Statement(unnamed: "SELECT pg_backend_pid()")).int(0, 0)
        }
    }

    func execute(_ sql: String) async throws {
        try await withConnection(deadline: .soon) { _ = try await $0.simple(sql) }
    }
}

/// The error that `body` throws.
func postgresError<R>(_ body: () async throws -> R) async -> PostgresError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? PostgresError
    }
}
