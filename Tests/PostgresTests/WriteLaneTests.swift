import Postgres
import Runtime
import Testing

@Suite("WriteLane on a real server")
struct WriteLaneTests {
    private static func insert(into table: String) -> Statement {
        Statement(
            "insert",
            """
            INSERT INTO fourfold_tests.\(table) VALUES ($1, $2)
            RETURNING id, pg_current_xact_id()
            """)
    }

    private enum Written: Equatable, Sendable {
        case transaction(String)
        case failed(String)
    }

    /// Writes all of `ids` at once; the outcome of each, in the order of `ids`.
    private static func write(
        _ ids: [Int], with statement: Statement, _ client: PostgresClient,
        deadline: Deadline = .soon, owner: String? = nil
    ) async -> [Written] {
        await withTaskGroup(of: (Int, Written).self) { group in
            for (index, id) in ids.enumerated() {
                group.addTask {
                    do throws(PostgresError) {
                        let result = try await client.write(
                            statement, [.int(Int64(id)), .text("n\(id)")], deadline: deadline,
                            client: owner)
                        return (index, .transaction(result.string(0, 1) ?? ""))
                    } catch {
                        return (index, .failed(error.serverError?.sqlState ?? "\(error)"))
                    }
                }
            }
            let all = await group.reduce(into: [Int: Written]()) { $0[$1.0] = $1.1 }
            return ids.indices.compactMap { all[$0] }
        }
    }

    @Test("writes that wait together commit together")
    func sharedTransaction() async throws {
        let one: (inout PostgresLimits) -> Void = { $0.writeConnectionCount = 1 }
        let (written, batches) = try await TestServer.run(table: "together", one) {
            loop, client in
            let insert = WriteLaneTests.insert(into: "together")
            _ = try await client.write(insert, [.int(0), .null], deadline: .soon)
            let before = client.statistics.committedBatches
            // While it runs, the others gather behind it.
            async let slow = client.write(
                Statement(unnamed: "SELECT pg_sleep(0.3)"), deadline: .soon)
            #expect(try await loop.waits { client.statistics.writesInFlight == 1 })
            let written = await WriteLaneTests.write(Array(1...10), with: insert, client)
            _ = try await slow
            return (written, client.statistics.committedBatches - before)
        }
        #expect(batches == 2)
        #expect(Set(written.map { "\($0)" }).count == 1)
        guard case .transaction = written.first else {
            Issue.record("\(written)")
            return
        }
    }

    @Test("one failing write fails alone; the others commit, each exactly once")
    func failureInBatch() async throws {
        let (written, rows, statistics) = try await TestServer.run(table: "failing") {
            loop, client in
            let insert = WriteLaneTests.insert(into: "failing")
            _ = try await client.write(insert, [.int(7), .null], deadline: .soon)
            let written = await WriteLaneTests.write(Array(1...20), with: insert, client)
            let rows = try await client.value("SELECT count(*) FROM fourfold_tests.failing")
            return (written, rows, client.statistics)
        }
        #expect(rows == "20")
        #expect(statistics.failedBatches >= 1)
        for (index, outcome) in written.enumerated() {
            let id = index + 1
            if id == 7 {
                #expect(outcome == .failed("23505"))
            } else if case .failed(let state) = outcome {
                Issue.record("\(id) failed with \(state)")
            }
        }
    }

    @Test("two writes of the same row in one batch: one wins, one gets the violation")
    func conflictInsideBatch() async throws {
        let written = try await TestServer.run(table: "twice") { loop, client in
            let insert = WriteLaneTests.insert(into: "twice")
            return await WriteLaneTests.write([1, 1, 2], with: insert, client)
        }
        #expect(written.filter { $0 == .failed("23505") }.count == 1)
    }

    @Test("identical writes are all executed")
    func identicalWrites() async throws {
        let count = try await TestServer.run(table: "identical") { loop, client in
            _ = try await client.write(
                Statement(unnamed: "INSERT INTO fourfold_tests.identical VALUES (1, '0')"),
                deadline: .soon)
            let increment = Statement(
                "increment",
                "UPDATE fourfold_tests.identical SET note = (note::int + 1)::text WHERE id = 1")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<500 {
                    group.addTask { _ = try await client.write(increment, deadline: .soon) }
                }
                try await group.waitForAll()
            }
            return try await client.value("SELECT note FROM fourfold_tests.identical")
        }
        #expect(count == "500")
    }

    @Test("a violation found only at the commit is answered, and others commit")
    func deferredConstraint() async throws {
        let (written, rows) = try await TestServer.run(table: "deferred") { loop, client in
            try await client.execute(
                """
                ALTER TABLE fourfold_tests.deferred ADD COLUMN parent bigint
                REFERENCES fourfold_tests.deferred DEFERRABLE INITIALLY DEFERRED
                """)
            let insert = Statement(
                "insert",
                """
                INSERT INTO fourfold_tests.deferred VALUES ($1, $2, $1)
                RETURNING id, pg_current_xact_id()
                """)
            let orphan = Statement(
                "orphan", "INSERT INTO fourfold_tests.deferred VALUES ($1, $2, 999)")
            async let good = WriteLaneTests.write([1, 2, 3, 4], with: insert, client)
            async let bad = WriteLaneTests.write([5], with: orphan, client)
            let written = await good + bad
            return (written, try await client.value("SELECT count(*) FROM fourfold_tests.deferred"))
        }
        #expect(written.last == .failed("23503"))
        #expect(rows == "4")
    }

    @Test("a write that waits for a lock leaves its batch and succeeds when the lock is free")
    func lockWait() async throws {
        let (others, locked, waitedFor) = try await TestServer.run(table: "locks") {
            loop, client in
            let insert = WriteLaneTests.insert(into: "locks")
            _ = try await client.write(insert, [.int(1), .text("old")], deadline: .soon)
            let update = Statement(
                "update",
                "UPDATE fourfold_tests.locks SET note = 'new' WHERE id = $1 RETURNING note")
            return try await client.withConnection(deadline: .soon) { holder in
                _ = try await holder.simple(
                    "BEGIN; SELECT FROM fourfold_tests.locks WHERE id = 1 FOR UPDATE")
                async let locked = client.write(update, [.int(1)], deadline: .soon)
                async let others = WriteLaneTests.write(Array(10...15), with: insert, client)
                let written = await others
                let waiting = try await loop.waits {
                    try await client.value(
                        """
                        SELECT count(*) FROM pg_stat_activity
                        WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE fourfold_tests.locks%'
                        """) == "1"
                }
                try await holder.simple("COMMIT")
                return (written, try await locked.string(0, 0), waiting)
            }
        }
        #expect(others.allSatisfy { if case .transaction = $0 { true } else { false } })
        #expect(locked == "new")
        #expect(waitedFor)
    }

    @Test("a write whose lock never comes is cancelled at its deadline and has no effect")
    func lockDeadline() async throws {
        let (error, note) = try await TestServer.run(table: "lockdeadline") { loop, client in
            let insert = WriteLaneTests.insert(into: "lockdeadline")
            _ = try await client.write(insert, [.int(1), .text("old")], deadline: .soon)
            let error = try await client.withConnection(deadline: .soon) { holder in
                _ = try await holder.simple(
                    "BEGIN; SELECT FROM fourfold_tests.lockdeadline WHERE id = 1 FOR UPDATE")
                let error = await postgresError {
                    _ = try await client.write(
                        Statement(unnamed: "UPDATE fourfold_tests.lockdeadline SET note = 'new'"),
                        deadline: .after(.milliseconds(200)))
                }
                try await holder.simple("COMMIT")
                return error
            }
            return (error, try await client.value("SELECT note FROM fourfold_tests.lockdeadline"))
        }
        guard case .timedOut(mayHaveBeenApplied: false) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(note == "old")
    }

    @Test("a slow write leaves its batch and succeeds")
    func slowWrite() async throws {
        let change: (inout PostgresLimits) -> Void = {
            $0.batchStatementTimeout = .milliseconds(50)
        }
        let rows = try await TestServer.run(table: "slow", change) { loop, client in
            let insert = WriteLaneTests.insert(into: "slow")
            async let others = WriteLaneTests.write(Array(1...5), with: insert, client)
            _ = try await client.write(
                Statement(
                    unnamed: "INSERT INTO fourfold_tests.slow SELECT 99, pg_sleep(0.2)::text"),
                deadline: .soon)
            _ = await others
            return try await client.value("SELECT count(*) FROM fourfold_tests.slow")
        }
        #expect(rows == "6")
    }

    @Test("a write plan that went stale is prepared again and answers")
    func staleWritePlan() async throws {
        let counts = try await TestServer.run(table: "stalewrite") { loop, client in
            let insert = Statement(
                "insert", "INSERT INTO fourfold_tests.stalewrite VALUES ($1) RETURNING *")
            var counts: [Int] = []
            for id in 1...4 {
                counts.append(
                    try await client.write(insert, [.int(Int64(id))], deadline: .soon).columnCount)
            }
            try await client.execute("ALTER TABLE fourfold_tests.stalewrite ADD COLUMN more text")
            counts.append(
                try await client.write(insert, [.int(9)], deadline: .soon).columnCount)
            return counts
        }
        #expect(counts == [2, 2, 2, 2, 3])
    }

    @Test("when backends end, acknowledged writes are there and none runs twice")
    func terminatedWhileWriting() async throws {
        let (acknowledged, present) = try await TestServer.run(table: "killed") { loop, client in
            let insert = WriteLaneTests.insert(into: "killed")
            let killer = loop.spawn {
                for _ in 0..<10 {
                    try? await loop.sleep(for: .milliseconds(20))
                    _ = try? await client.withConnection(deadline: .soon) { connection in
                        try await connection.query(
                            Statement(
                                unnamed: """
                                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                                    WHERE query LIKE 'INSERT INTO fourfold_tests.killed%'
                                    """))
                    }
                }
            }
            var written: [Int] = []
            for round in 0..<40 {
                let ids = Array(round * 50..<round * 50 + 50)
                let outcomes = await WriteLaneTests.write(ids, with: insert, client)
                for (id, outcome) in zip(ids, outcomes) {
                    if case .transaction = outcome { written.append(id) }
                    // A second execution would have failed with a violation.
                    if case .failed(let error) = outcome {
                        #expect(error == "connectionLost(mayHaveBeenApplied: true)")
                    }
                }
                try await loop.sleep(for: .milliseconds(5))
            }
            await killer.value
            let list = written.map(String.init).joined(separator: ",")
            let present = try await client.value(
                "SELECT count(*) FROM fourfold_tests.killed WHERE id IN (\(list))")
            return (written.count, present)
        }
        #expect(acknowledged > 0)
        #expect(present == "\(acknowledged)")
    }
}
