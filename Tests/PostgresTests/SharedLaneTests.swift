import Postgres
import Runtime
import Testing

@Suite("SharedLane on a real server")
struct SharedLaneTests {
    @Test(
        "a failing statement inside a pipeline fails alone, also among reads that share a sync",
        arguments: [false, true])
    func errorInTheMiddle(isReadOnly: Bool) async throws {
        let answers = try await TestServer.run(try TestServer.configuration()) { loop, client in
            let divide = Statement(
                "divide", "SELECT (100 / $1::int)::text", isReadOnly: isReadOnly)
            return await withTaskGroup(of: (Int, String).self) { group in
                for divisor in [1, 2, 0, 4, 5] {
                    group.addTask {
                        do throws(PostgresError) {
                            let result = try await client.query(
                                divide, [.int(Int64(divisor))], deadline: .soon)
                            return (divisor, result.string(0, 0) ?? "NULL")
                        } catch {
                            return (divisor, error.serverError?.sqlState ?? "?")
                        }
                    }
                }
                return await group.reduce(into: [Int: String]()) { $0[$1.0] = $1.1 }
            }
        }
        #expect(answers == [1: "100", 2: "50", 0: "22012", 4: "25", 5: "20"])
    }

    @Test(
        "ten thousand concurrent statements are each answered once, with their own answer",
        arguments: [false, true])
    func manyConcurrent(isReadOnly: Bool) async throws {
        var configuration = try TestServer.configuration()
        configuration.limits.queryQueueCountMax = 20_000
        let wrong = try await TestServer.run(configuration) { loop, client in
            let echo = Statement("echo", "SELECT $1::text", isReadOnly: isReadOnly)
            return try await withThrowingTaskGroup(of: Bool.self) { group in
                for id in 0..<10_000 {
                    group.addTask {
                        let result = try await client.query(
                            echo, [.int(Int64(id))], deadline: .soon)
                        return result.string(0, 0) == "\(id)"
                    }
                }
                var wrong = 10_000
                for try await isRight in group where isRight { wrong -= 1 }
                return wrong
            }
        }
        #expect(wrong == 0)
    }

    @Test("parameters of every kind arrive as they are")
    func parameters() async throws {
        let values = try await TestServer.run(try TestServer.configuration()) { loop, client in
            let result = try await client.query(
                Statement(
                    "kinds",
                    "SELECT $1::text, $2::int8, $3::bool, $4::float8, $5::jsonb, $6::text"),
                [
                    .null, .int(.min), .bool(true), .double(0.1), .bytes(Array(#"{"a":1}"#.utf8)),
                    .text("'; DROP TABLE x; -- é"),
                ], deadline: .soon)
            return (0..<6).map { result.string(0, $0) ?? "NULL" }
        }
        #expect(
            values == [
                "NULL", "-9223372036854775808", "t", "0.1", #"{"a": 1}"#, "'; DROP TABLE x; -- é",
            ])
    }

    @Test("NUL and invalid UTF-8 are refused with 22021", arguments: [[0x61, 0, 0x62], [0xff]])
    func badText(_ bytes: [UInt8]) async throws {
        let error = try await TestServer.run(try TestServer.configuration()) { loop, client in
            await postgresError {
                _ = try await client.query(
                    Statement("bad", "SELECT $1::text"), [.bytes(bytes)], deadline: .soon)
            }
        }
        #expect(error?.serverError?.sqlState == "22021")
    }

    @Test("a callback gets the answer, or the reason why there is none")
    func callback() async throws {
        let answers = try await TestServer.run(try TestServer.configuration()) { loop, client in
            var answers: [String] = []
            for divisor in [4, 0] {
                answers.append(
                    await withUnsafeContinuation { done in
                        client.query(
                            Statement("quarter", "SELECT 100 / $1::int", isReadOnly: true),
                            [.int(Int64(divisor))], deadline: .soon
                        ) { answer in
                            switch answer {
                            case .success(let result):
                                done.resume(returning: result.string(0, 0) ?? "NULL")
                            case .failure(let error):
                                done.resume(returning: error.serverError?.sqlState ?? "?")
                            }
                        }
                    })
            }
            return answers
        }
        #expect(answers == ["25", "22012"])
    }

    @Test("reads of one turn share a transaction, other statements have their own")
    func sharedSync() async throws {
        let counts = try await TestServer.run(try TestServer.configuration()) { loop, client in
            _ = try await client.value("SELECT 1")
            var counts: [Int] = []
            for isReadOnly in [true, false] {
                let begun = Statement("begun", "SELECT now()::text", isReadOnly: isReadOnly)
                let times = try await withThrowingTaskGroup(of: String?.self) { group in
                    for _ in 0..<40 {
                        group.addTask {
                            try await client.query(begun, deadline: .soon).string(0, 0)
                        }
                    }
                    return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
                }
                counts.append(times.count)
            }
            return counts
        }
        // 40 reads are a full segment of 32 and one of 8.
        #expect(counts == [2, 40])
    }

    @Test("a statement whose plan went stale is prepared again and answers")
    func stalePlan() async throws {
        let columns = try await TestServer.run(table: "stale") { loop, client in
            let read = Statement("read", "SELECT * FROM fourfold_tests.stale")
            let before = try await client.query(read, deadline: .soon).columnCount
            try await client.execute("ALTER TABLE fourfold_tests.stale ADD COLUMN more text")
            async let first = client.query(read, deadline: .soon)
            async let second = client.query(read, deadline: .soon)
            return [before, try await first.columnCount, try await second.columnCount]
        }
        #expect(columns == [2, 3, 3])
    }

    @Test("a statement that was deallocated behind our back is prepared again")
    func deallocated() async throws {
        let value = try await TestServer.run(try TestServer.configuration()) { loop, client in
            let one = Statement("one", "SELECT 1")
            _ = try await client.query(one, deadline: .soon)
            _ = try await client.query(Statement(unnamed: "DEALLOCATE ALL"), deadline: .soon)
            return try await client.query(one, deadline: .soon).int(0, 0)
        }
        #expect(value == 1)
    }

    @Test("a passed deadline fails only its caller")
    func deadline() async throws {
        let (error, after) = try await TestServer.run(try TestServer.configuration()) {
            loop, client in
            let error = await postgresError {
                _ = try await client.query(
                    Statement(unnamed: "SELECT pg_sleep(0.5)", isReadOnly: true),
                    deadline: .after(.milliseconds(30)))
            }
            return (error, try await client.value("SELECT 'on'"))
        }
        guard case .timedOut(mayHaveBeenApplied: false) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(after == "on")
    }

    @Test("a full queue refuses at once")
    func overloaded() async throws {
        var configuration = try TestServer.configuration()
        configuration.limits.inFlightCountMax = 1
        configuration.limits.queryQueueCountMax = 2
        let refused = try await TestServer.run(configuration) { loop, client in
            _ = try await client.value("SELECT 1")
            return await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<5 {
                    group.addTask {
                        let error = await postgresError {
                            _ = try await client.value("SELECT pg_sleep(0.05)")
                        }
                        if case .overloaded = error { return true }
                        return false
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
        }
        #expect(refused == 2)
    }
}
