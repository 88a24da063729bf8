import ClientTestSupport
@testable import Redis
import Runtime
import Testing

@Suite("Scripts and calls without a task, against a server of their own")
struct RedisScriptTests {
    private static let set = RedisScript(
        name: "set",
        source: "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])")

    /// Runs `body` with a client of a new server.
    private func withClient<Value: Sendable>(
        _ arguments: [String] = [],
        _ body: @escaping @Sendable (RedisClient) async throws(RedisError) -> Value
    ) async throws -> Value {
        let server = try RedisServerProcess(arguments)
        defer { server.stop() }
        let configuration = server.configuration
        try await server.waitUntilReady(configuration)
        let result = await onLoop { loop -> Result<Value, RedisError> in
            let client = RedisClient(loop: loop, configuration: configuration)
            defer { client.close() }
            do throws(RedisError) {
                return .success(try await body(client))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static var soon: Deadline { .after(.seconds(30)) }

    @Test("the digest is the name that Redis gives the script")
    func digest() async throws {
        let name = try await withClient { client async throws(RedisError) in
            try await client.command(["SCRIPT", "LOAD", Self.set.source], deadline: Self.soon)
        }
        #expect(name.string == Self.set.digest)
    }

    @Test("a script is sent by its source where Redis does not know it, and again after a flush")
    func unknown() async throws {
        let (replies, calls) = try await withClient { client async throws(RedisError) in
            var replies: [RedisReply] = []
            for round in 0..<4 {
                if round == 2 {
                    _ = try await client.command(["SCRIPT", "FLUSH"], deadline: Self.soon)
                }
                let value = RedisArgument.bytes([0, 13, 10, UInt8(round)])
                replies.append(
                    try await client.run(
                        Self.set, keys: ["k\(round)"], arguments: [value], deadline: Self.soon))
            }
            let statistics = try await client.command(
                ["INFO", "commandstats"], deadline: Self.soon)
            return (replies, statistics.string ?? "")
        }
        #expect(replies == (0..<4).map { .bytes([0, 13, 10, $0]) })
        #expect(calls.contains("cmdstat_eval:calls=2,"))
        #expect(calls.contains("cmdstat_evalsha:calls=4,"))
    }

    @Test("what is sent at most once by digest and once by source keeps its deadline")
    func deadlineAndCancellation() async {
        let server = StubServer { connection in
            while let text = connection.receive() {
                if text.contains("PING") { connection.send("+PONG\r\n") }
                if text.contains("EVALSHA") { connection.send("-NOSCRIPT No\r\n") }
            }
        }
        defer { server.stop() }
        let port = Int(server.port)
        let results = await onLoop { loop in
            let address = RedisAddress(endpoint: .tcp(host: "127.0.0.1", port: port))
            let client = RedisClient(loop: loop, configuration: .init(address: address))
            defer { client.close() }
            let results = Lock([RedisError?]())
            client.run(Self.set, keys: ["a"], deadline: .after(.milliseconds(200))) { result in
                results.withLock { $0.append(result.failure) }
            }
            let call = client.run(Self.set, keys: ["a"], deadline: .after(.seconds(60))) {
                result in results.withLock { $0.append(result.failure) }
            }
            while results.withLock({ $0.isEmpty }) {
                try? await loop.sleep(for: .milliseconds(2))
            }
            call.cancel()
            call.cancel()
            return results.withLock { $0 }
        }
        let expected: [RedisError] = [
            .timedOut(mayHaveBeenApplied: true), .cancelled(mayHaveBeenApplied: true),
        ]
        #expect(results == expected)
    }

    @Test("calls without a task: replies, refusals, and closing answers the rest")
    func callbacks() async throws {
        let results = try await withClient { client async throws(RedisError) in
            let results = Lock([String]())
            let note = { @Sendable (name: String, result: Result<RedisReply, RedisError>) in
                let text = result.failure?.code ?? (try? result.get())?.string ?? "none"
                results.withLock { $0.append(name + " " + text) }
            }
            client.command(["SET", "a", "1"], deadline: Self.soon) { note("set", $0) }
            client.command(["LPUSH", "a", "1"], deadline: Self.soon) { note("push", $0) }
            client.command(["SELECT", "1"], deadline: Self.soon) { note("select", $0) }
            client.command(["GET", "a"], deadline: Deadline(nanoseconds: 1)) { note("late", $0) }
            client.pipeline([["MULTI"], ["GET", "a"], ["EXEC"]], deadline: Self.soon) {
                note("exec", .success((try? $0.get())?.last?.array?[0] ?? .null))
            }
            _ = try await client.command(["GET", "a"], deadline: Self.soon)
            client.command(["GET", "a"], deadline: Self.soon) { note("closed", $0) }
            client.close()
            client.command(["GET", "a"], deadline: Self.soon) { note("after", $0) }
            return results.withLock { $0 }
        }
        #expect(results == [
            "select command_refused", "late timed_out", "set OK", "push WRONGTYPE", "exec 1",
            "closed cancelled", "after cancelled",
        ])
    }

    struct ErrorCase: CustomTestStringConvertible, Sendable {
        let source: String
        let code: String
        var testDescription: String { source }
    }

    static let errors = [
        ErrorCase(source: "return redis.call('LPUSH', 'l', 1)", code: "WRONGTYPE"),
        ErrorCase(source: "return redis.pcall('LPUSH', 'l', 1)", code: "WRONGTYPE"),
        ErrorCase(source: "return redis.error_reply('CONFLICT is newer')", code: "CONFLICT"),
        ErrorCase(source: "return redis.error_reply('TOO_LARGE it is')", code: "TOO_LARGE"),
        // Redis takes a single word for the message.
        ErrorCase(source: "return redis.error_reply('TOO_LARGE')", code: "ERR"),
        ErrorCase(source: "return {err = 'STALE no'}", code: "STALE"),
        ErrorCase(source: "return redis.error_reply('no code')", code: "ERR"),
        ErrorCase(source: "error('secret')", code: "ERR"),
        ErrorCase(source: "return nosuch.thing", code: "ERR"),
        ErrorCase(source: "this is no Lua", code: "ERR"),
        ErrorCase(source: "redis.call('NONSENSE')", code: "ERR"),
    ]

    @Test("an error inside a script keeps its code")
    func scriptErrors() async throws {
        let codes = try await withClient { client async throws(RedisError) in
            _ = try await client.command(["SET", "l", "1"], deadline: Self.soon)
            var codes: [String] = []
            for each in Self.errors {
                codes.append(await code(client, each.source))
            }
            return codes
        }
        #expect(codes == Self.errors.map(\.code))
    }

    @Test("out of memory, in a script and outside")
    func outOfMemory() async throws {
        let codes = try await withClient(["--maxmemory", "100kb"]) {
            client async throws(RedisError) in
            [
                await outcome(client, ["SET", "a", "1"]).failure?.code,
                await code(client, "return redis.call('SET', 'a', '1')"),
                await code(client, "#!lua\nreturn redis.call('SET', 'a', '1')"),
            ]
        }
        #expect(codes == ["OOM", "OOM", "OOM"])
    }

    @Test("a replica refuses writes, in a script and outside")
    func readOnly() async throws {
        let codes = try await withClient(["--replicaof", "127.0.0.1 1"]) {
            client async throws(RedisError) in
            [
                await outcome(client, ["SET", "a", "1"]).failure?.code,
                await code(client, "return redis.call('SET', 'a', '1')"),
            ]
        }
        #expect(codes == ["READONLY", "READONLY"])
    }
}

/// The code of the error that a script answers.
private func code(_ client: RedisClient, _ source: String) async -> String {
    let script = RedisScript(name: "test", source: source)
    do throws(RedisError) {
        _ = try await client.run(script, keys: [], deadline: .after(.seconds(30)))
        return "none"
    } catch {
        return error.code
    }
}

extension Result {
    var failure: Failure? {
        if case .failure(let error) = self { return error }
        return nil
    }
}
