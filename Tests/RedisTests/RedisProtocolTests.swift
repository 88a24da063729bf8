import ClientTestSupport
@testable import Redis
import Runtime
import Testing

@Suite("Servers that break the protocol")
struct RedisProtocolTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let answer: String
        /// Sent again and again after it, until the client closes.
        let more: String
        init(_ description: String, _ answer: String, then more: String = "") {
            testDescription = description
            self.answer = answer
            self.more = more
        }
    }

    private static let block = String(repeating: "x", count: 65_536)

    static let cases = [
        Case("garbage", "hello\r\n"),
        Case("garbage after half a line", "+OK\u{0}\u{1}"),
        Case("half a reply", "$10\r\nabc"),
        Case("nothing at all", ""),
        Case("a bulk string of 10 GB", "$10000000000\r\n", then: block),
        Case("a bulk string longer than 2^63", "$99999999999999999999\r\n"),
        Case("a bulk string of a negative length", "$-5\r\n"),
        Case("a line that does not end", "+", then: block),
        Case("an array of 2^31 elements", "*2147483647\r\n"),
        Case("an array of 2^62 elements", "*4611686018427387904\r\n"),
        Case("an array of a negative length", "*-5\r\n"),
        Case(
            "many small elements", "*131071\r\n", then: String(repeating: ":1\r\n", count: 4_096)),
        Case("arrays in arrays", String(repeating: "*1\r\n", count: 17)),
        Case(
            "arrays in arrays without end", "*1\r\n",
            then: String(repeating: "*1\r\n", count: 99)),
        Case("an integer that is none", ":12a\r\n"),
        Case("a map of RESP3", "%1\r\n+a\r\n+b\r\n"),
        Case("a push of RESP3", ">1\r\n+a\r\n"),
        Case("a double of RESP3", ",1.5\r\n"),
        Case("a truth value of RESP3", "#t\r\n"),
        Case("nil of RESP3 in an array of a set", "*1\r\n~1\r\n_\r\n"),
        Case("a string with its encoding", "=15\r\ntxt:Some string\r\n"),
    ]

    /// Answers the login, then each further command by `answer`, and closes.
    private func makeServer(_ each: Case) -> StubServer {
        StubServer { connection in
            _ = connection.receive()
            connection.send("+PONG\r\n")
            guard connection.receive() != nil else { return }
            connection.send(each.answer)
            var count = 0
            while !each.more.isEmpty && count < 1_000 {
                connection.send(each.more)
                count += 1
            }
        }
    }

    private func outcomes(
        _ port: UInt16, _ words: [[String]], within: Duration = .seconds(20)
    ) async -> [Result<RedisReply, RedisError>] {
        await onLoop { loop in
            let address = RedisAddress(endpoint: .tcp(host: "127.0.0.1", port: Int(port)))
            var configuration = RedisConfiguration(address: address)
            configuration.connectTimeout = .seconds(30)
            configuration.replies.byteCountMax = 1 << 20
            let client = RedisClient(loop: loop, configuration: configuration)
            defer { client.close() }
            var outcomes: [Result<RedisReply, RedisError>] = []
            for words in words { outcomes.append(await outcome(client, words, within: within)) }
            return outcomes
        }
    }

    @Test("the connection is closed and the caller told", arguments: cases)
    func broken(_ each: Case) async {
        let server = makeServer(each)
        defer { server.stop() }
        let outcomes = await outcomes(server.port, [["GET", "a"]])
        #expect(outcomes == [.failure(.connectionLost(mayHaveBeenApplied: true))])
    }

    @Test("within the limits nothing is refused", arguments: [
        (String(repeating: "*1\r\n", count: 16) + ":7\r\n", 16),
        ("*3\r\n*0\r\n*-1\r\n$-1\r\n", 1),
    ])
    func whole(_ answer: String, _ depth: Int) async {
        let server = makeServer(Case("whole", answer))
        defer { server.stop() }
        var reply = try? await outcomes(server.port, [["GET", "a"]])[0].get()
        for _ in 0..<depth { reply = reply?.array?.first }
        #expect(reply == (depth == 16 ? .integer(7) : .array([])))
    }

    @Test("a reply before there was a command answers none; attempts come with growing pauses")
    func unasked() async {
        let server = StubServer { connection in
            _ = connection.receive()
            connection.send("+PONG\r\n+OK\r\n")
            connection.waitForClose()
        }
        defer { server.stop() }
        let port = Int(server.port)
        let failures = await onLoop { loop in
            let address = RedisAddress(endpoint: .tcp(host: "127.0.0.1", port: port))
            let client = RedisClient(loop: loop, configuration: .init(address: address))
            defer { client.close() }
            let first = await outcome(client, ["GET", "a"]).failure
            try? await loop.sleep(for: .milliseconds(400))
            return first
        }
        #expect(failures?.isRetryable == true)
        #expect((2...8).contains(server.connectionCount))
    }

    @Test("a reply too many after a regular one")
    func tooMany() async {
        let server = StubServer { connection in
            while let text = connection.receive() {
                connection.send(text.contains("GET") ? "+1\r\n+2\r\n" : "+PONG\r\n")
            }
        }
        defer { server.stop() }
        let outcomes = await outcomes(server.port, [["GET", "a"], ["GET", "a"], ["GET", "a"]])
        #expect(outcomes == Array(repeating: .success(.status("1")), count: 3))
        #expect(server.connectionCount >= 3)
    }

    @Test("replies come in pieces of one byte")
    func pieces() async {
        let server = StubServer { connection in
            _ = connection.receive()
            connection.send("+PONG\r\n")
            while connection.receive() != nil {
                for byte in "*2\r\n$2\r\n\r\n\r\n:-5\r\n".utf8 {
                    connection.send(String(decoding: [byte], as: UTF8.self))
                }
            }
        }
        defer { server.stop() }
        let outcomes = await outcomes(server.port, [["GET", "a"]])
        #expect(outcomes == [.success(.array([.bytes([13, 10]), .integer(-5)]))])
    }
}
