import Postgres
import Runtime
import Testing

@Suite("Lost and missing connections")
struct ConnectionLossTests {
    private static let endOthers = """
        SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE application_name = current_setting('application_name')
          AND pid <> pg_backend_pid()
        """

    @Test(
        "a backend that ends mid-flight fails its statement and is replaced",
        arguments: [true, false])
    func terminated(isReadOnly: Bool) async throws {
        var configuration = try TestServer.configuration()
        configuration.applicationName = "fourfold-loss-\(isReadOnly)"
        let (error, after) = try await TestServer.run(configuration) { loop, client in
            let sleeper = Statement("sleeper", "SELECT pg_sleep(30)", isReadOnly: isReadOnly)
            async let lost = postgresError { _ = try await client.query(sleeper, deadline: .soon) }
            try await client.withConnection(deadline: .soon) { connection in
                let isRunning = try await loop.waits {
                    try await connection.query(
                        Statement(
                            unnamed: """
                                SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'
                                  AND application_name = current_setting('application_name')
                                """)
                    ).rowCount == 1
                }
                #expect(isRunning)
                try await connection.simple(ConnectionLossTests.endOthers)
            }
            let error = await lost
            return (error, try await client.value("SELECT 'again'"))
        }
        guard case .connectionLost(let mayHaveBeenApplied) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(mayHaveBeenApplied == !isReadOnly)
        #expect(after == "again")
    }

    @Test(
        "a backend that ends under an exclusive connection fails its statement",
        arguments: [("SELECT pg_sleep(29)", true), ("BEGIN; SELECT pg_sleep(29)", true)])
    func terminatedExclusive(sql: String, mayHaveBeenApplied: Bool) async throws {
        var configuration = try TestServer.configuration()
        configuration.applicationName = "fourfold-exclusive-loss-\(sql.utf8.count)"
        let error = try await TestServer.run(configuration) { loop, client in
            async let lost = postgresError {
                try await client.withConnection(deadline: .soon) { try await $0.simple(sql) }
            }
            try await client.withConnection(deadline: .soon) { connection in
                let ended = Statement(
                    unnamed: """
                        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE application_name = current_setting('application_name')
                          AND wait_event = 'PgSleep'
                        """)
                let isEnded = try await loop.waits {
                    try await connection.query(ended).rowCount == 1
                }
                #expect(isEnded)
            }
            return await lost
        }
        guard case .connectionLost(mayHaveBeenApplied) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("an idle exclusive connection that the server closed is not handed out")
    func idleLost() async throws {
        var configuration = try TestServer.configuration()
        configuration.applicationName = "fourfold-idle-loss"
        let value = try await TestServer.run(configuration) { loop, client in
            try await client.withConnection(deadline: .soon) { first in
                try await client.withConnection(deadline: .soon) { second in
                    try await second.query(Statement(unnamed: "SELECT 1"))
                }
                #expect(client.statistics.exclusiveIdle == 1)
                try await first.simple(ConnectionLossTests.endOthers)
                let isNoticed = try await loop.waits { client.statistics.exclusiveIdle == 0 }
                #expect(isNoticed)
            }
            return try await client.withConnection(deadline: .soon) { connection in
                try await connection.query(Statement(unnamed: "SELECT 2")).int(0, 0)
            }
        }
        #expect(value == 2)
    }

    @Test(
        "an unreachable server fails callers at once, with the time of the next attempt",
        arguments: [
            "host=127.0.0.1 port=1", "host=localhost port=1", "host=/nowhere port=1",
            "host=no-such-host.invalid", "not a connection string",
        ])
    func unreachable(_ connectionString: String) async throws {
        let configuration = PostgresConfiguration(connectionString: connectionString)
        let errors = try await TestServer.run(configuration) { loop, client in
            var errors: [PostgresError?] = []
            errors.append(await postgresError { _ = try await client.value("SELECT 1") })
            errors.append(
                await postgresError {
                    _ = try await client.write(Statement(unnamed: "SELECT 1"), deadline: .soon)
                })
            errors.append(
                await postgresError { try await client.withConnection(deadline: .soon) { _ in } })
            #expect(client.lastConnectFailure?.message.isEmpty == false)
            return errors
        }
        for error in errors {
            guard case .unreachable(let retryAfter) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(retryAfter <= .seconds(5))
        }
    }
}
