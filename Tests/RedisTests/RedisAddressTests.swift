@testable import Redis
import Testing

@Suite("Redis addresses, commands, replies and link")
struct RedisAddressTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let url: String
        let expected: Result<RedisAddress, RedisAddressError>
        var testDescription: String { url }

        init(_ url: String, _ address: RedisAddress) {
            self.url = url
            expected = .success(address)
        }

        init(_ url: String, _ error: RedisAddressError) {
            self.url = url
            expected = .failure(error)
        }
    }

    private static func tcp(
        _ host: String, _ port: Int = 6_379, user: String? = nil, password: String? = nil,
        database: Int = 0, usesTLS: Bool = false
    ) -> RedisAddress {
        RedisAddress(
            endpoint: .tcp(host: host, port: port), user: user, password: password,
            database: database, usesTLS: usesTLS)
    }

    static let cases: [Case] = [
        Case("redis://localhost", tcp("localhost")),
        Case("redis://localhost/", tcp("localhost")),
        Case("REDIS://h:1/2", tcp("h", 1, database: 2)),
        Case("redis://:secret@h:6380/15", tcp("h", 6_380, password: "secret", database: 15)),
        Case("redis://me:s%40%3A%2Fx@h", tcp("h", user: "me", password: "s@:/x")),
        Case("redis://me:a@b@h", tcp("h", user: "me", password: "a@b")),
        Case("redis://[::1]:7/3", tcp("::1", 7, database: 3)),
        Case("redis://[::1]", tcp("::1")),
        Case("unix:/run/redis.sock", RedisAddress(endpoint: .unix(path: "/run/redis.sock"))),
        Case(
            "unix:///run/redis.sock?db=4",
            RedisAddress(endpoint: .unix(path: "/run/redis.sock"), database: 4)),
        Case("rediss://h", tcp("h", usesTLS: true)),
        Case(
            "rediss://me:a@h:1/2",
            tcp("h", 1, user: "me", password: "a", database: 2, usesTLS: true)),
        Case("rediss:/run/redis.sock", .malformed),
        Case("http://h", .unsupportedScheme),
        Case("", .malformed),
        Case("redis", .malformed),
        Case("redis:h", .malformed),
        Case("redis://", .malformed),
        Case("redis://me@h", .malformed),
        Case("redis://:%zz@h", .malformed),
        Case("redis://:%ff@h", .malformed),
        Case("redis://h h", .malformed),
        Case("redis://h?x=1", .malformed),
        Case("redis://[::1", .malformed),
        Case("redis://[::1]x", .malformed),
        Case("redis://h:0", .invalidPort),
        Case("redis://h:65536", .invalidPort),
        Case("redis://h:", .invalidPort),
        Case("redis://h/x", .invalidDatabase),
        Case("redis://h/-1", .invalidDatabase),
        Case("redis://h/99999999999", .invalidDatabase),
        Case("unix:relative", .malformed),
        Case("unix:/a?x=1", .malformed),
        Case("unix:/" + String(repeating: "x", count: 107), .malformed),
    ]

    @Test("URLs", arguments: cases)
    func url(_ each: Case) {
        let actual = Result { () throws(RedisAddressError) in try RedisAddress.parse(each.url) }
        #expect(actual == each.expected)
    }

    @Test("commands on the wire")
    func encoding() {
        var command: RedisCommand = ["SET", "ü\r\n"]
        command.append([0, 255])
        command.append(Int64(-7))
        let expected =
            Array("*4\r\n$3\r\nSET\r\n$4\r\nü\r\n\r\n$2\r\n".utf8) + [0, 255]
            + Array("\r\n$2\r\n-7\r\n".utf8)
        #expect(command.encoded == expected)
    }

    static let shareable: [([RedisCommand], Bool)] = [
        ([["GET", "a"]], true),
        ([["subscribe", "a"]], false),
        ([["GET", "a"], ["BLPOP", "a", "0"]], false),
        ([["MULTI"], ["SET", "a", "1"], ["EXEC"]], true),
        ([["multi"], ["exec"]], true),
        ([["MULTI"]], false),
        ([["MULTI"], ["SET", "a", "1"]], false),
        ([["EXEC"]], false),
        ([["MULTI"], ["EXEC"], ["MULTI"], ["EXEC"]], false),
        ([["WATCH", "a"]], false),
        ([[]], false),
    ]

    @Test("what may share a connection", arguments: shareable)
    func sharing(_ commands: [RedisCommand], _ expected: Bool) {
        #expect(RedisCommand.areShareable(commands) == expected)
    }

    @Test("codes of error replies", arguments: [
        ("WRONGTYPE Operation against a key", "WRONGTYPE"), ("ERR unknown command 'x'", "ERR"),
        ("secret value", "ERR"), ("", "ERR"), ("NOSCRIPT", "NOSCRIPT"),
        ("ERR ACL failure in script: No permissions to access a key", "NOPERM"),
    ])
    func errorCode(_ message: String, _ expected: String) {
        #expect(RedisReply.errorCode(message.utf8) == expected)
    }

    @Test("waiting times", arguments: [
        (1, 0.0, 50), (2, 0, 100), (3, 0, 200), (8, 0, 5_000), (1_000, 0, 5_000), (1, 0.5, 40),
    ])
    func backoff(_ failureCount: Int, _ random: Double, _ milliseconds: Int) {
        var backoff = RedisBackoff()
        backoff.jitter = 0.4
        let delay = backoff.delay(failureCount: failureCount, random: random)
        #expect(abs((delay - .milliseconds(milliseconds)).components.attoseconds) < 1_000_000)
        #expect((delay - .milliseconds(milliseconds)).components.seconds == 0)
    }

    @Test("a link connects when wanted, again at once when it worked, else after a while")
    func link() {
        var backoff = RedisBackoff()
        backoff.jitter = 0
        var link = RedisLink(backoff)
        #expect(link.want() == .connect)
        #expect(link.want() == .none)
        #expect(link.lost(random: 0, wasUseful: false) == .retry(after: .milliseconds(50)))
        #expect(link.state == .waiting)
        #expect(link.want() == .none)
        #expect(link.retry() == .connect)
        #expect(link.lost(random: 0, wasUseful: false) == .retry(after: .milliseconds(100)))
        #expect(link.retry() == .connect)
        link.opened()
        #expect(link.state == .ready)
        #expect(link.lost(random: 0, wasUseful: true) == .connect)
        #expect(link.lost(random: 0, wasUseful: false) == .retry(after: .milliseconds(50)))
        link.close()
        #expect(link.retry() == .none)
        #expect(link.lost(random: 0, wasUseful: false) == .none)
        #expect(link.want() == .none)
    }
}
