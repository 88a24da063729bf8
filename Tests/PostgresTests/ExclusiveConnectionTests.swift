import Postgres
import Runtime
import Testing

@Suite("Exclusive connections on a real server")
struct ExclusiveConnectionTests {
    private struct Own: Error {}

    private static let sleeping = """
        SELECT count(*) FROM pg_stat_activity
        WHERE query LIKE 'SELECT pg_sleep(31)%' AND state = 'active'
        """

    @Test("a deadline cancels the statement in the server, and the connection is used again")
    func cancelAtDeadline() async throws {
        let change: (inout PostgresLimits) -> Void = {
            $0.exclusiveConnectionCountMax = 1
        }
        let (error, sleeping, isSame) = try await TestServer.run(table: "cancel", change) {
            loop, client in
            let backend = try await client.exclusiveBackend()
            let error = await postgresError {
                try await client.withConnection(deadline: .after(.milliseconds(100))) {
                    try await $0.query(Statement(unnamed: "SELECT pg_sleep(31), 'deadline'"))
                }
            }
            let sleeping = try await client.withConnection(deadline: .soon) {
                let sql = ExclusiveConnectionTests.sleeping + " AND query LIKE '%deadline%'"
                return try await $0.query(Statement(unnamed: sql)).int(0, 0)
            }
            return (error, sleeping, try await client.exclusiveBackend() == backend)
        }
        guard case .timedOut(mayHaveBeenApplied: false) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(sleeping == 0)
        #expect(isSame)
    }

    @Test("a cancelled task cancels its statement in the server")
    func cancelledTask() async throws {
        let (error, isGone) = try await TestServer.run(table: "cancelledtask") { loop, client in
            let result = Lock<PostgresError?>(nil)
            let task = loop.spawn {
                let error = await postgresError {
                    try await client.withConnection(deadline: .soon) {
                        try await $0.query(Statement(unnamed: "SELECT pg_sleep(31), 'task'"))
                    }
                }
                result.withLock { $0 = error }
            }
            let isRunning = try await loop.waits {
                try await client.value(
                    ExclusiveConnectionTests.sleeping + " AND query LIKE '%task%'") == "1"
            }
            #expect(isRunning)
            task.cancel()
            await task.value
            let gone = try await client.value(
                ExclusiveConnectionTests.sleeping + " AND query LIKE '%task%'")
            return (result.withLock { $0 }, gone == "0")
        }
        guard case .cancelled(mayHaveBeenApplied: false) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(isGone)
    }

    @Test("a transaction commits when its body returns and rolls back when it throws")
    func transactions() async throws {
        let (ids, levels) = try await TestServer.run(table: "transactions") { loop, client in
            let insert = Statement("insert", "INSERT INTO fourfold_tests.transactions VALUES ($1)")
            return try await client.withConnection(deadline: .soon) { connection in
                try await connection.transaction { try await connection.query(insert, [.int(1)]) }
                try? await connection.transaction {
                    _ = try await connection.query(insert, [.int(2)])
                    throw Own()
                }
                let swallowed = await postgresError {
                    try await connection.transaction {
                        _ = try await connection.query(insert, [.int(3)])
                        _ = try? await connection.query(insert, [.int(3)])
                    }
                }
                let level = try await connection.transaction(
                    isolation: .repeatableRead, readOnly: true
                ) {
                    try await connection.query(
                        Statement(
                            unnamed: """
                                SELECT current_setting('transaction_isolation')
                                  || ' ' || current_setting('transaction_read_only')
                                """)
                    ).string(0, 0)
                }
                let rows = try await connection.query(
                    Statement(
                        unnamed: """
                            SELECT string_agg(id::text, ',') FROM fourfold_tests.transactions
                            """))
                return (rows.string(0, 0), [swallowed?.serverError?.sqlState, level])
            }
        }
        #expect(ids == "1")
        #expect(levels == ["25P02", "repeatable read on"])
    }

    @Test("a deadline inside a transaction rolls it back, and the connection is used again")
    func deadlineInTransaction() async throws {
        let change: (inout PostgresLimits) -> Void = {
            $0.exclusiveConnectionCountMax = 1
        }
        let (rows, isSame) = try await TestServer.run(table: "txdeadline", change) { loop, client in
            let backend = try await client.exclusiveBackend()
            _ = await postgresError {
                let deadline = Deadline.after(.milliseconds(100))
                try await client.withConnection(deadline: deadline) { connection in
                    try await connection.transaction {
                        _ = try await connection.query(
                            Statement(unnamed: "INSERT INTO fourfold_tests.txdeadline VALUES (1)"))
                        _ = try await connection.query(Statement(unnamed: "SELECT pg_sleep(30)"))
                    }
                }
            }
            let rows = try await client.withConnection(deadline: .soon) {
                try await $0.query(
                    Statement(unnamed: "SELECT count(*) FROM fourfold_tests.txdeadline")).int(0, 0)
            }
            return (rows, try await client.exclusiveBackend() == backend)
        }
        #expect(rows == 0)
        #expect(isSame)
    }

    @Test("a statement that is estimated high is not compiled, which would take a second")
    func compilation() async throws {
        let plan = try await TestServer.run(table: "compilation") { loop, client in
            try await client.withConnection(deadline: .soon) {
                try await $0.query(
                    Statement(
                        unnamed: """
                            EXPLAIN (ANALYZE) SELECT FROM generate_series(1, 1) AS a,
                              generate_series(1, 1) AS b, generate_series(1, 1) AS c
                            """))
            }
        }
        let lines = (0..<plan.rowCount).map { plan.string($0, 0) ?? "" }
        #expect(lines.contains { $0.contains("cost=") })
        #expect(!lines.contains { $0.contains("JIT") })
    }

    @Test("a transaction left open and settings left behind do not reach the next caller")
    func leftovers() async throws {
        let change: (inout PostgresLimits) -> Void = {
            $0.exclusiveConnectionCountMax = 1
        }
        let values = try await TestServer.run(table: "leftovers", change) { loop, client in
            try await client.withConnection(deadline: .soon) {
                try await $0.simple("SET application_name = 'left'; SET TimeZone = 'Asia/Tokyo'")
            }
            try await client.withConnection(deadline: .soon) {
                try await $0.simple("BEGIN; INSERT INTO fourfold_tests.leftovers VALUES (1)")
            }
            return try await client.withConnection(deadline: .soon) {
                try await $0.query(
                    Statement(
                        unnamed: """
                            SELECT current_setting('TimeZone'), current_setting('application_name'),
                              (SELECT count(*) FROM fourfold_tests.leftovers)
                            """))
            }
        }
        #expect((0..<3).map { values.string(0, $0) } == ["UTC", "fourfold", "0"])
    }

    @Test("callers wait in order for a connection, to their deadline, in a bounded queue")
    func waiting() async throws {
        let change: (inout PostgresLimits) -> Void = {
            $0.exclusiveConnectionCountMax = 1
            $0.exclusiveQueueCountMax = 1
        }
        let (first, second) = try await TestServer.run(table: "waiting", change) {
            loop, client in
            try await client.withConnection(deadline: .soon) { _ in
                async let waiting = postgresError {
                    try await client.withConnection(deadline: .after(.seconds(2))) { _ in }
                }
                _ = try await loop.waits { client.statistics.exclusiveWaiting == 1 }
                let refused = await postgresError {
                    try await client.withConnection(deadline: .soon) { _ in }
                }
                return (await waiting, refused)
            }
        }
        guard case .timedOut(mayHaveBeenApplied: false) = first, case .overloaded = second else {
            Issue.record("\(String(describing: first)) \(String(describing: second))")
            return
        }
    }

    @Test("COPY loads many chunks, whatever their borders")
    func copy() async throws {
        let (copied, sum) = try await TestServer.run(table: "copied") { loop, client in
            try await client.withConnection(deadline: .soon) { connection in
                var remaining = 20_000
                var rest: [UInt8] = []
                let copied = try await connection.copyIn(
                    "COPY fourfold_tests.copied FROM STDIN"
                ) {
                    guard remaining > 0 || !rest.isEmpty else { return nil }
                    while rest.count < 5_000, remaining > 0 {
                        rest += Array("\(remaining)\tnote of row \(remaining)\n".utf8)
                        remaining -= 1
                    }
                    let chunk = Array(rest.prefix(4_999))
                    rest.removeFirst(chunk.count)
                    return chunk
                }
                let sum = try await connection.query(
                    Statement(unnamed: "SELECT sum(id) FROM fourfold_tests.copied"))
                return (copied, sum.int(0, 0))
            }
        }
        #expect(copied == 20_000)
        #expect(sum == 200_010_000)
    }

    @Test("COPY waits for room in the socket, and only as long as there is none")
    func copyBeyondTheSocketBuffer() async throws {
        let chunkByteCount = 4 << 20
        let (copied, length) = try await TestServer.run(table: "copiedlarge") { loop, client in
            try await client.withConnection(deadline: .soon) { connection in
                var number = 0
                let copied = try await connection.copyIn(
                    "COPY fourfold_tests.copiedlarge FROM STDIN"
                ) {
                    number += 1
                    if number > 12 { return nil }
                    let text = [UInt8](repeating: UInt8(ascii: "x"), count: chunkByteCount)
                    return Array("\(number)\t".utf8) + text + [UInt8(ascii: "\n")]
                }
                let length = try await connection.query(
                    Statement(
                        unnamed: "SELECT sum(length(note)) FROM fourfold_tests.copiedlarge"))
                return (copied, length.int(0, 0))
            }
        }
        #expect(copied == 12)
        #expect(length == 12 * Int64(chunkByteCount))
    }

    @Test("a COPY that fails on either side copies nothing, and the connection goes on")
    func failedCopy() async throws {
        let (state, rows) = try await TestServer.run(table: "copyfails") { loop, client in
            try await client.withConnection(deadline: .soon) { connection in
                let sql = "COPY fourfold_tests.copyfails FROM STDIN"
                var chunks = ["1\ta\n", "no number\tb\n", "2\tc\n"].map { Array($0.utf8) }
                let refused = await postgresError {
                    _ = try await connection.copyIn(sql) {
                        chunks.isEmpty ? nil : chunks.removeFirst()
                    }
                }
                var isFirst = true
                await #expect(throws: Own.self) {
                    try await connection.copyIn(sql) {
                        defer { isFirst = false }
                        if isFirst { return Array("5\td\n".utf8) }
                        throw Own()
                    }
                }
                let rows = try await connection.query(
                    Statement(unnamed: "SELECT count(*) FROM fourfold_tests.copyfails"))
                return (refused?.serverError?.sqlState, rows.int(0, 0))
            }
        }
        #expect(state == "22P02")
        #expect(rows == 0)
    }

    @Test("the error names what was violated")
    func errorFields() async throws {
        let error = try await TestServer.run(table: "fields") { loop, client in
            await postgresError {
                try await client.execute("INSERT INTO fourfold_tests.fields VALUES (1), (1)")
            }?.serverError
        }
        #expect(error?.sqlState == "23505")
        #expect(error?.severity == "ERROR")
        #expect(error?.constraint == "fields_pkey")
        #expect(error?.table == "fields")
        #expect(error?.schema == "fourfold_tests")
    }
}
