import ClientTestSupport
@testable import Redis
import Runtime
import Testing

@Suite("RedisClient against a real server", .serialized)
struct RedisClientTests {
    static let prefix = "fourfold-client-test:"

    /// Runs `body` with a client of the real store, then removes this suite's keys.
    private func withClient<Value: Sendable>(
        _ body: @escaping @Sendable (RedisClient) async throws(RedisError) -> Value
    ) async throws -> Value {
        let address = try RedisAddress.parse(storeURL("FOURFOLD_TEST_REDIS_URL"))
        let result = await onLoop { loop -> Result<Value, RedisError> in
            let client = RedisClient(loop: loop, configuration: .init(address: address))
            defer { client.close() }
            do throws(RedisError) {
                let value = try await body(client)
                let keys = try await client.command(
                    ["KEYS", Self.prefix + "*"], deadline: Self.soon)
                let names = (keys.array ?? []).compactMap(\.string)
                if !names.isEmpty {
                    _ = try await client.command(["DEL"] + names, deadline: Self.soon)
                }
                return .success(value)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    static var soon: Deadline { .after(.seconds(30)) }

    @Test("kinds of replies, and bytes that are no text")
    func replies() async throws {
        let key = Self.prefix + "a"
        let replies = try await withClient { client async throws(RedisError) in
            let bytes: [UInt8] = [0, 13, 10, 255]
            return [
                try await client.command(
                    [Array("SET".utf8), Array(key.utf8), bytes], deadline: Self.soon),
                try await client.command(["GET", key], deadline: Self.soon),
                try await client.command(["GET", key + "none"], deadline: Self.soon),
                try await client.command(["STRLEN", key], deadline: Self.soon),
                try await client.command(["MGET", key, key + "none"], deadline: Self.soon),
            ]
        }
        let bytes = RedisReply.bytes([0, 13, 10, 255])
        #expect(replies == [.status("OK"), bytes, .null, .integer(4), .array([bytes, .null])])
    }

    @Test("an error reply throws its code alone")
    func errors() async throws {
        let key = Self.prefix + "list"
        let results = try await withClient { client async throws(RedisError) in
            _ = try await client.command(["RPUSH", key, "a"], deadline: Self.soon)
            return [await outcome(client, ["GET", key]), await outcome(client, ["NONSENSE", "x"])]
        }
        #expect(results == [
            .failure(.rejected(code: "WRONGTYPE")), .failure(.rejected(code: "ERR")),
        ])
    }

    @Test("many callers share the connection and each gets its own reply")
    func many() async throws {
        let wrong = try await withClient { client async throws(RedisError) in
            await withTaskGroup(of: Bool.self) { group in
                for index in 0..<2_000 {
                    group.addTask {
                        await outcome(client, ["ECHO", "\(index)"], within: .seconds(60))
                            == .success(.bytes(Array("\(index)".utf8)))
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 0 : 1) }
            }
        }
        #expect(wrong == 0)
    }

    @Test("a transaction goes in one piece; errors inside are values")
    func transaction() async throws {
        let key = Self.prefix + "t"
        let replies = try await withClient { client async throws(RedisError) in
            try await client.pipeline(
                [["MULTI"], ["SET", key, "1"], ["INCR", key], ["LPUSH", key, "x"], ["EXEC"]],
                deadline: Self.soon)
        }
        let results = RedisReply.array([.status("OK"), .integer(2), .error(code: "WRONGTYPE")])
        #expect(replies.last == results)
    }

    @Test("a killed connection is opened again")
    func reconnect() async throws {
        let address = try RedisAddress.parse(storeURL("FOURFOLD_TEST_REDIS_URL"))
        let (lost, after) = try await withClient { client async throws(RedisError) in
            let id = try await client.command(["CLIENT", "ID"], deadline: Self.soon).int ?? 0
            let killer = RedisClient(
                loop: client.loop, configuration: RedisConfiguration(address: address))
            defer { killer.close() }
            _ = try await killer.command(["CLIENT", "KILL", "ID", "\(id)"], deadline: Self.soon)
            while client.isConnected { try? await client.loop.sleep(for: .milliseconds(2)) }
            try await client.ping(deadline: Self.soon)
            let newID = try await client.command(["CLIENT", "ID"], deadline: Self.soon).int ?? 0
            return (id, newID)
        }
        #expect(lost != 0 && after != 0 && lost != after)
    }

    @Test("a database is selected, and one that is not there is refused")
    func database() async throws {
        var address = try RedisAddress.parse(storeURL("FOURFOLD_TEST_REDIS_URL"))
        address.database = 9
        var absent = address
        absent.database = 99_999
        let addresses = [address, absent]
        let key = Self.prefix + "db"
        let results = await onLoop { loop in
            var results: [Result<RedisReply, RedisError>] = []
            for address in addresses {
                let client = RedisClient(loop: loop, configuration: .init(address: address))
                results.append(await outcome(client, ["SET", key, "9", "PX", "60000"]))
                results.append(await outcome(client, ["DEL", key]))
                client.close()
            }
            return results
        }
        #expect(results == [
            .success(.status("OK")), .success(.integer(1)), .failure(.unauthorized),
            .failure(.unauthorized),
        ])
    }

    @Test("a large value goes out and comes back")
    func large() async throws {
        let key = Self.prefix + "large"
        let value = String(repeating: "0123456789", count: 500_000)
        let reply = try await withClient { client async throws(RedisError) in
            _ = try await client.command(["SET", key, value], deadline: Self.soon)
            return try await client.command(["GET", key], deadline: Self.soon)
        }
        #expect(reply.string?.utf8.count == 5_000_000)
        #expect(reply.string == value)
    }
}
