import ClientTestSupport
import Glibc
import Redis
import Runtime
import Testing

@testable import Live

@Suite("RateLimit")
struct RateLimitTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        /// Requests and seconds; nil where it is no limit.
        let expected: [Int]?

        init(_ text: String, _ expected: [Int]?) {
            testDescription = text
            self.expected = expected
        }
    }

    static let cases: [Case] = [
        Case("600/60s", [600, 60]), Case("1/1s", [1, 1]), Case("10/2m", [10, 120]),
        Case("5000/1h", [5_000, 3_600]), Case("1/1d", [1, 86_400]), Case("10000/1s", [10_000, 1]),
        Case("1000000/1h", [1_000_000, 3_600]),
        Case("10001/1s", nil), Case("0/1s", nil), Case("1/0s", nil), Case("1/2d", nil),
        Case("1000001/1d", nil), Case("1/60", nil), Case("1", nil), Case("/1s", nil),
        Case("1/s", nil), Case("-1/1s", nil), Case("+1/1s", nil), Case("1/1s/1s", nil),
        Case("1 / 1s", nil), Case("99999999999999999999/1s", nil), Case("", nil),
    ]

    @Test("what is a limit", arguments: cases)
    func parse(_ each: Case) {
        let limit = RateLimit(each.testDescription)
        #expect(limit.map { [$0.requestCount, $0.periodSeconds] } == each.expected)
    }

    @Test("the interval is rounded up, so that no more pass than allowed")
    func interval() {
        #expect(RateLimit("600/60s")?.intervalMicroseconds == 100_000)
        #expect(RateLimit("7/60s")?.intervalMicroseconds == 8_571_429)
    }
}

@Suite("RateLimiter against a real server")
struct RateLimiterTests {
    /// Runs `body` with limiters of one loop and keys of its own.
    private func withRedis<Value: Sendable>(
        _ body: @escaping @Sendable (RedisClient, String) async -> Value
    ) async throws -> Value {
        let address = try RedisAddress.parse(storeURL("FOURFOLD_TEST_REDIS_URL"))
        let key = "fourfold-limit-test:\(UInt64.random(in: 0...UInt64.max))"
        return await onLoop { loop in
            let client = RedisClient(loop: loop, configuration: .init(address: address))
            let value = await body(client, key)
            let keys = ["", ":a", ":b"].map { key + $0 }
            _ = try? await client.command(["DEL"] + keys, deadline: .after(.seconds(5)))
            client.close()
            return value
        }
    }

    private static func limiter(_ client: RedisClient) -> RateLimiter {
        RateLimiter(redis: client, timeout: .seconds(10), notice: RareNotice())
    }

    private static func charge(
        _ key: String, _ count: Int, _ seconds: Int, name: String = "client"
    ) -> RateLimitCharge {
        guard let limit = RateLimit(requestCount: count, periodSeconds: seconds) else {
            preconditionFailure("no limit")
        }
        return RateLimitCharge(name: name, key: key, limit: limit)
    }

    @Test("exactly N of M at once, over several connections", arguments: [1, 7, 100, 999])
    func exact(_ count: Int) async throws {
        let address = try RedisAddress.parse(storeURL("FOURFOLD_TEST_REDIS_URL"))
        let key = "fourfold-limit-test:\(UInt64.random(in: 0...UInt64.max))"
        let allowed = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    await onLoop { loop in
                        let client = RedisClient(
                            loop: loop, configuration: .init(address: address))
                        let limiter = Self.limiter(client)
                        let charge = Self.charge(key, count, 86_400)
                        var allowed = 0
                        for _ in 0..<(count / 2 + 1) {
                            let verdict = await limiter.check([charge])
                            if !verdict.isRefused && !verdict.standings.isEmpty { allowed += 1 }
                        }
                        client.close()
                        return allowed
                    }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(allowed == count)
        _ = try await withRedis { client, _ in
            try? await client.command(["DEL", key], deadline: .after(.seconds(5)))
        }
    }

    @Test("what is left, when it is full, when it allows")
    func standings() async throws {
        let verdicts = try await withRedis { client, key in
            let limiter = Self.limiter(client)
            var verdicts: [RateLimitVerdict] = []
            for _ in 0..<4 { verdicts.append(await limiter.check([Self.charge(key, 3, 30)])) }
            return verdicts
        }
        #expect(verdicts.map(\.isRefused) == [false, false, false, true])
        #expect(verdicts.map { $0.standings.first?.remaining } == [2, 1, 0, 0])
        #expect(verdicts.map(\.policy) == Array(repeating: "\"client\";q=3;w=30", count: 4))
        try #require(verdicts.allSatisfy { $0.standings.count == 1 })
        #expect(verdicts[0].rateLimit == "\"client\";r=2;t=10")
        #expect(verdicts[3].rateLimit == "\"client\";r=0;t=30")
        #expect(verdicts[3].retryAfterSeconds == 10)
    }

    @Test("one limit that refuses keeps the others uncounted")
    func several() async throws {
        let verdicts = try await withRedis { client, key in
            let limiter = Self.limiter(client)
            let charges = [
                Self.charge(key + ":a", 5, 60), Self.charge(key + ":b", 1, 60, name: "owner"),
            ]
            var verdicts: [RateLimitVerdict] = []
            for _ in 0..<3 { verdicts.append(await limiter.check(charges)) }
            verdicts.append(await limiter.check([charges[0]]))
            return verdicts
        }
        #expect(verdicts.map(\.isRefused) == [false, true, true, false])
        #expect(verdicts.map { $0.standings.first?.remaining } == [4, 4, 4, 3])
        #expect(verdicts[1].retryAfterSeconds == 60)
    }

    @Test("values that are none of ours and clocks that were set back")
    func strangeValues() async throws {
        let far = String((epochMilliseconds() + 1_000_000_000) * 1_000)
        let values = [("nonsense", false), ("-5", false), ("nan", false), ("inf", true)]
        for (value, isRefused) in values + [(far, true)] {
            let verdict = try await withRedis { client, key in
                _ = try? await client.command(
                    ["SET", key, value], deadline: .after(.seconds(5)))
                return await Self.limiter(client).check([Self.charge(key, 2, 20)])
            }
            #expect(verdict.isRefused == isRefused, "\(value)")
            #expect(verdict.standings.count == 1, "\(value)")
            #expect(verdict.retryAfterSeconds <= 10)
        }
    }

    @Test(
        "a key beyond an empty allowance is refused no longer than one",
        arguments: ["inf", "9e99"])
    func farKeys(_ value: String) async throws {
        let verdicts = try await withRedis { client, key in
            _ = try? await client.command(["SET", key, value], deadline: .after(.seconds(5)))
            let limiter = Self.limiter(client)
            let charges = [Self.charge(key, 10, 1)]
            let first = await limiter.check(charges)
            try? await client.loop.sleep(for: .milliseconds(110))
            return [first, await limiter.check(charges)]
        }
        #expect(verdicts.map(\.isRefused) == [true, false])
    }

    @Test("the key goes when its allowance is full")
    func expiry() async throws {
        let milliseconds = try await withRedis { client, key in
            _ = await Self.limiter(client).check([Self.charge(key, 2, 20)])
            return try? await client.command(["PTTL", key], deadline: .after(.seconds(5))).int
        }
        #expect((9_000...10_000).contains(milliseconds ?? 0))
    }

    @Test("a store that is away is asked three times, then left alone")
    func away() async throws {
        let took = await onLoop { loop in
            let address = RedisAddress(
                endpoint: .unix(path: "/nowhere/redis.sock"), user: nil, password: nil, database: 0)
            let client = RedisClient(loop: loop, configuration: .init(address: address))
            let limiter = RateLimiter(redis: client, notice: RareNotice())
            let start = monotonicNanoseconds()
            for _ in 0..<1_000 {
                let verdict = await limiter.check([Self.charge("x", 1, 1)])
                if verdict != .uncounted { return UInt64.max }
            }
            client.close()
            return monotonicNanoseconds() - start
        }
        #expect(took < 2_000_000_000)
    }
}

@Suite("StorePatience")
struct StorePatienceTests {
    @Test("three failures in a row pause it, one after the pause again, a success forgives")
    func pauses() {
        let second: UInt64 = 1_000_000_000
        var patience = StorePatience()
        patience.failed(now: 0)
        patience.failed(now: 0)
        #expect(patience.mayAsk(now: 0))
        patience.failed(now: 10)
        #expect(!patience.mayAsk(now: 11))
        #expect(!patience.mayAsk(now: second + 9))
        #expect(patience.mayAsk(now: second + 10))
        patience.failed(now: 2 * second)
        #expect(!patience.mayAsk(now: 2 * second + 1))
        patience.succeeded()
        patience.failed(now: 4 * second)
        #expect(patience.mayAsk(now: 4 * second + 1))
    }
}
