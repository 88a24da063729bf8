import ClientTestSupport
@testable import Redis
import Runtime
import Testing

@Suite("RedisClient against a stub server")
struct RedisClientStubTests {
    /// Reads commands and answers `PING` with `+PONG`; anything else is `answer`'s business.
    private func makeServer(
        _ answer: @escaping @Sendable (StubConnection, String) -> Bool
    ) -> StubServer {
        StubServer { connection in
            while let text = connection.receive() {
                if text.contains("PING") {
                    connection.send("+PONG\r\n")
                } else if !answer(connection, text) {
                    return
                }
            }
        }
    }

    private func run<Value: Sendable>(
        _ server: StubServer, password: String? = nil,
        configure: @escaping @Sendable (inout RedisConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (RedisClient) async -> Value
    ) async -> Value {
        let port = Int(server.port)
        return await onLoop { loop in
            let address = RedisAddress(
                endpoint: .tcp(host: "127.0.0.1", port: port), password: password)
            var configuration = RedisConfiguration(address: address)
            // A busy machine may keep the server's thread waiting.
            configuration.connectTimeout = .seconds(30)
            configure(&configuration)
            let client = RedisClient(loop: loop, configuration: configuration)
            defer { client.close() }
            return await body(client)
        }
    }

    @Test("the connection ends after a command was sent: it fails and is not sent again")
    func lost() async {
        let count = Lock(0)
        let server = makeServer { connection, text in
            if text.contains("GET") {
                connection.send("$1\r\nx\r\n")
                return true
            }
            count.withLock { $0 += 1 }
            return false
        }
        defer { server.stop() }
        let outcomes = await run(server) { client in
            [await outcome(client, ["INCR", "a"]), await outcome(client, ["GET", "a"])]
        }
        #expect(outcomes[0] == .failure(.connectionLost(mayHaveBeenApplied: true)))
        #expect(outcomes[1] == .success(.bytes([UInt8(ascii: "x")])))
        #expect(count.withLock { $0 } == 1)
        #expect(server.connectionCount == 2)
    }

    @Test("no reply in time; the late reply does not answer the next command")
    func slow() async {
        let server = makeServer { connection, text in
            if text.contains("SLOW") { return true }
            connection.send(text.contains("FIRST") ? ":0\r\n" : ":1\r\n:2\r\n")
            return true
        }
        defer { server.stop() }
        let outcomes = await run(server) { client in
            [
                // Once it is answered the connection stands, so that the next one is sent in time.
                await outcome(client, ["FIRST"]),
                await outcome(client, ["SLOW"], within: .milliseconds(300)),
                await outcome(client, ["NEXT"]),
            ]
        }
        #expect(outcomes[0] == .success(.integer(0)))
        #expect(outcomes[1] == .failure(.timedOut(mayHaveBeenApplied: true)))
        #expect(outcomes[2] == .success(.integer(2)))
    }

    @Test("a connection that owes replies is closed")
    func stalled() async {
        let server = makeServer { _, _ in true }
        defer { server.stop() }
        let outcomes = await run(server, configure: { $0.stallTimeout = .milliseconds(100) }) {
            client in
            [await outcome(client, ["A"], within: .seconds(30))]
        }
        #expect(outcomes == [.failure(.connectionLost(mayHaveBeenApplied: true))])
    }

    @Test("nobody listens: fails at once, and again while it waits")
    func refused() async {
        let server = StubServer { _ in }
        server.stop()
        let outcomes = await run(server) { client in
            [await outcome(client, ["A"]), await outcome(client, ["B"])]
        }
        #expect(outcomes == [.failure(.unreachable), .failure(.unreachable)])
    }

    @Test("an unknown host")
    func unknownHost() async {
        let result = await onLoop { loop in
            let address = RedisAddress(endpoint: .tcp(host: "nothing.invalid", port: 1))
            let client = RedisClient(loop: loop, configuration: .init(address: address))
            defer { client.close() }
            return await outcome(client, ["A"])
        }
        #expect(result == .failure(.unreachable))
    }

    @Test("a server that never answers the login")
    func silentLogin() async {
        let server = StubServer { $0.waitForClose() }
        defer { server.stop() }
        let result = await run(server, configure: { $0.connectTimeout = .milliseconds(100) }) {
            await outcome($0, ["A"], within: .seconds(30))
        }
        #expect(result == .failure(.unreachable))
    }

    @Test("login replies", arguments: [
        ("-WRONGPASS invalid\r\n-NOAUTH required\r\n", RedisError.unauthorized),
        ("+OK\r\n-LOADING Redis is loading\r\n", .unreachable),
        ("nonsense\r\n", .unreachable),
    ])
    func login(_ answer: String, _ expected: RedisError) async {
        let server = StubServer { connection in
            _ = connection.receive()
            connection.send(answer)
            connection.waitForClose()
        }
        defer { server.stop() }
        let result = await run(server, password: "wrong") { await outcome($0, ["A"]) }
        #expect(result == .failure(expected))
    }

    @Test("cancellation and closing answer the caller")
    func cancellation() async {
        let isReceived = Lock(0)
        let server = makeServer { _, _ in
            isReceived.withLock { $0 += 1 }
            return true
        }
        defer { server.stop() }
        let outcomes = await run(server) { client in
            let outcomes = Lock([Result<RedisReply, RedisError>]())
            let tasks = ["A", "B"].map { word in
                client.loop.spawn {
                    let result = await outcome(client, [word], within: .seconds(60))
                    outcomes.withLock { $0.append(result) }
                }
            }
            while isReceived.withLock({ $0 }) == 0 {
                try? await client.loop.sleep(for: .milliseconds(2))
            }
            tasks[0].cancel()
            await tasks[0].value
            client.close()
            await tasks[1].value
            return outcomes.withLock { $0 }
        }
        let cancelled = Result<RedisReply, RedisError>.failure(.cancelled(mayHaveBeenApplied: true))
        #expect(outcomes == [cancelled, cancelled])
    }

    @Test("the queue is bounded, and a deadline ends the wait unsent")
    func queue() async {
        let server = makeServer { _, _ in true }
        defer { server.stop() }
        let outcomes = await run(
            server,
            configure: {
                $0.inFlightMax = 1
                $0.queueMax = 1
            },
            { client in
                try? await client.ping(deadline: .after(.seconds(9)))
                return await withTaskGroup(of: (Int, Result<RedisReply, RedisError>).self) {
                    group in
                    for index in 0..<3 {
                        group.addTask {
                            (index, await outcome(client, ["X"], within: .milliseconds(100)))
                        }
                    }
                    return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
                }
            })
        #expect(outcomes[0] == .failure(.timedOut(mayHaveBeenApplied: true)))
        #expect(outcomes[1] == .failure(.timedOut(mayHaveBeenApplied: false)))
        #expect(outcomes[2] == .failure(.overloaded))
    }

    @Test("a command that would take the connection over, and one too long")
    func refusals() async {
        let server = makeServer { _, _ in true }
        defer { server.stop() }
        let outcomes = await run(server, configure: { $0.commandByteCountMax = 100 }) { client in
            [
                await outcome(client, ["SUBSCRIBE", "a"]),
                await outcome(client, ["SET", "a", String(repeating: "x", count: 100)]),
            ]
        }
        #expect(outcomes == [.failure(.commandRefused), .failure(.commandTooLarge)])
        #expect(server.connectionCount == 0)
    }
}

func outcome(
    _ client: RedisClient, _ words: [String], within: Duration = .seconds(10)
) async -> Result<RedisReply, RedisError> {
    do throws(RedisError) {
        return .success(try await client.command(words, deadline: .after(within)))
    } catch {
        return .failure(error)
    }
}
