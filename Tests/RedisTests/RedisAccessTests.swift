import ClientTestSupport
@testable import Redis
import Runtime
import Testing

@Suite("The access rules that docs/OPERATING.md gives")
struct RedisAccessTests {
    /// The words of the rule in the document.
    private static func rule() throws -> [String] {
        let path = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let text = try readFile("/" + path + "/docs/OPERATING.md")
        let line = text.split(separator: "\n").first { $0.hasPrefix("user fourfold on ") }
        return try #require(line).split(separator: " ").map(String.init)
    }

    static let allowed: [[String]] = [
        ["SET", "fourfold:a", "1", "PX", "60000"], ["GET", "fourfold:a"], ["TTL", "fourfold:a"],
        ["MGET", "fourfold:a", "fourfold:b"], ["INCRBY", "fourfold:n", "2"],
        ["EXPIRE", "fourfold:a", "9"], ["DEL", "fourfold:a"], ["UNLINK", "fourfold:a"],
        ["LPUSH", "fourfold:l", "a"], ["LREM", "fourfold:l", "0", "a"],
        ["LTRIM", "fourfold:l", "0", "9"], ["LRANGE", "fourfold:l", "0", "9"],
        ["HSET", "fourfold:h", "a", "1"], ["HGETALL", "fourfold:h"],
        ["ZADD", "fourfold:z", "1", "a"], ["ZRANGE", "fourfold:z", "0", "9"],
        ["XADD", "fourfold:x", "MAXLEN", "~", "9", "*", "a", "1"],
        ["XRANGE", "fourfold:x", "-", "+"], ["XLEN", "fourfold:x"],
        ["XTRIM", "fourfold:x", "MAXLEN", "0"],
        ["XREAD", "COUNT", "1", "STREAMS", "fourfold:x", "0"], ["XINFO", "STREAM", "fourfold:x"],
        ["XGROUP", "CREATE", "fourfold:x", "g", "0"],
        ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "fourfold:x", ">"],
        ["PUBLISH", "fourfold:c", "1"], ["PUBSUB", "NUMSUB", "fourfold:c"],
        ["SCAN", "0", "MATCH", "fourfold:*"], ["TIME"], ["INFO", "server"], ["PING"],
        ["EVAL", "return {redis.call('TIME'), redis.call('SET', KEYS[1], 1)}", "1", "fourfold:a"],
        ["SCRIPT", "LOAD", "return 1"],
    ]

    static let forbidden: [[String]] = [
        ["KEYS", "*"], ["FLUSHALL"], ["FLUSHDB"], ["CONFIG", "GET", "*"], ["ACL", "LIST"],
        ["SHUTDOWN"], ["CLIENT", "KILL", "TYPE", "normal"],
        ["SAVE"], ["REPLICAOF", "NO", "ONE"], ["SORT", "fourfold:l"],
        ["GET", "elsewhere"], ["SET", "elsewhere", "1"], ["PUBLISH", "elsewhere", "1"],
        ["EVAL", "return redis.call('GET', KEYS[1])", "1", "elsewhere"],
        ["EVAL", "return redis.call('GET', 'elsewhere')", "0"],
        ["EVAL", "return redis.call('FLUSHALL')", "0"],
    ]

    @Test("they allow what the gateway does, and nothing dangerous")
    func rules() async throws {
        let server = try RedisServerProcess(["--user"] + Self.rule().dropFirst())
        defer { server.stop() }
        try await server.waitUntilReady(server.configuration)
        var configuration = server.configuration
        configuration.address.user = "fourfold"
        configuration.address.password = "password"
        configuration.address.database = 1
        let limited = configuration
        let (refused, accepted) = await onLoop { loop in
            let client = RedisClient(loop: loop, configuration: limited)
            defer { client.close() }
            var refused: [String] = []
            for words in Self.allowed {
                guard let error = await outcome(client, words).failure else { continue }
                refused.append("\(words): \(error.code)")
            }
            var accepted: [String] = []
            for words in Self.forbidden {
                let code = await outcome(client, words).failure?.code
                if code != "NOPERM" { accepted.append("\(words): \(code ?? "done")") }
            }
            return (refused, accepted)
        }
        #expect(refused == [])
        #expect(accepted == [])
    }

    @Test("a script finds its digest unknown and is sent again; a subscriber gets its channels")
    func scriptsAndChannels() async throws {
        let server = try RedisServerProcess(["--user"] + Self.rule().dropFirst())
        defer { server.stop() }
        try await server.waitUntilReady(server.configuration)
        var configuration = server.configuration
        configuration.address.user = "fourfold"
        configuration.address.password = "password"
        let limited = configuration
        let (reply, received, refused) = await onLoop { loop in
            let listener = AccessListener()
            let client = RedisClient(loop: loop, configuration: limited)
            let subscriber = RedisSubscriber(
                loop: loop, configuration: limited, delegate: listener)
            defer {
                client.close()
                subscriber.close()
            }
            subscriber.subscribe(["fourfold:c", "elsewhere"])
            let script = RedisScript(
                name: "publish", source: "return redis.call('PUBLISH', ARGV[1], ARGV[2])")
            for _ in 0..<2_500 where listener.told < 2 {
                try? await loop.sleep(for: .milliseconds(2))
            }
            let reply = try? await client.run(
                script, keys: [], arguments: ["fourfold:c", 7], deadline: .after(.seconds(30)))
            for _ in 0..<2_500 where listener.received.isEmpty {
                try? await loop.sleep(for: .milliseconds(2))
            }
            return (reply, listener.received, listener.refused)
        }
        #expect(reply == .integer(1))
        #expect(received == ["fourfold:c=7"])
        #expect(refused == ["elsewhere"])
    }
}

private final class AccessListener: RedisSubscriberDelegate {
    var told = 0
    var received: [String] = []
    var refused: [String] = []

    func subscriberConfirmed(_ channel: String) { told += 1 }
    func subscriberReceived(_ channel: String, _ payload: [UInt8]) {
        received.append(channel + "=" + String(decoding: payload, as: UTF8.self))
    }
    func subscriberRefused(_ channel: String) {
        told += 1
        refused.append(channel)
    }
    func subscriberLost() {}
}
