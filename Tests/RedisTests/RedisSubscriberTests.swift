import ClientTestSupport
@testable import Redis
import Runtime
import Testing

/// Notes what a subscriber tells. On its loop.
private final class Listener: RedisSubscriberDelegate, @unchecked Sendable {
    var confirmed: [String] = []
    var messages: [String] = []
    var refused: [String] = []
    var lostCount = 0

    func subscriberConfirmed(_ channel: String) { confirmed.append(channel) }
    func subscriberReceived(_ channel: String, _ payload: [UInt8]) {
        messages.append(channel + "=" + String(decoding: payload, as: UTF8.self))
    }
    func subscriberRefused(_ channel: String) { refused.append(channel) }
    func subscriberLost() { lostCount += 1 }
}

/// A subscriber, a client and the server they talk to. On one loop.
private struct Setting: Sendable {
    let subscriber: RedisSubscriber
    let client: RedisClient
    let listener: Listener
    let server: RedisServerProcess
    var loop: EventLoop { client.loop }

    @discardableResult
    func command(_ words: [String]) async -> RedisReply? {
        try? await outcome(client, words).get()
    }

    /// Waits until the condition holds; false after a while.
    func until(_ condition: () -> Bool) async -> Bool {
        for _ in 0..<5_000 {
            if condition() { return true }
            try? await loop.sleep(for: .milliseconds(2))
        }
        return condition()
    }
}

@Suite("RedisSubscriber against a server of its own")
struct RedisSubscriberTests {
    private func withSubscriber<Value: Sendable>(
        _ arguments: [String] = [], user: (name: String, password: String)? = nil,
        configure: @escaping @Sendable (inout RedisConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (Setting) async -> Value
    ) async throws -> Value {
        let server = try RedisServerProcess(arguments)
        defer { server.stop() }
        let plain = server.configuration
        try await server.waitUntilReady(plain)
        return await onLoop { loop in
            var configuration = plain
            configuration.address.user = user?.name
            configuration.address.password = user?.password
            configure(&configuration)
            let listener = Listener()
            let setting = Setting(
                subscriber: RedisSubscriber(
                    loop: loop, configuration: configuration, delegate: listener),
                client: RedisClient(loop: loop, configuration: plain), listener: listener,
                server: server)
            defer {
                setting.subscriber.close()
                setting.client.close()
            }
            return await body(setting)
        }
    }

    @Test("messages in the order of the wire, from the confirmation to the farewell")
    func order() async throws {
        try await withSubscriber { setting in
            let (subscriber, listener) = (setting.subscriber, setting.listener)
            subscriber.subscribe(["a", "b:ü"])
            #expect(await setting.until { listener.confirmed.count == 2 })
            #expect(Set(listener.confirmed) == ["a", "b:ü"])
            for number in 0..<500 {
                setting.client.command(
                    ["PUBLISH", number % 2 == 0 ? "a" : "b:ü", number.description],
                    deadline: .after(.seconds(30))) { _ in }
            }
            #expect(await setting.until { listener.messages.count == 500 })
            let expected = (0..<500).map { ($0 % 2 == 0 ? "a=" : "b:ü=") + $0.description }
            let isSame = listener.messages == expected
            #expect(isSame)
            subscriber.unsubscribe(["a"])
            await setting.command(["PUBLISH", "a", "late"])
            await setting.command(["PUBLISH", "b:ü", "end"])
            #expect(await setting.until { listener.messages.count == 501 })
            #expect(listener.messages.last == "b:ü=end")
            let counts = await setting.command(["PUBSUB", "NUMSUB", "a", "b:ü"])
            #expect(counts?.array?[1] == .integer(0))
            #expect(counts?.array?[3] == .integer(1))
        }
    }

    @Test("10,000 channels, and all of them again after the connection was killed")
    func many() async throws {
        try await withSubscriber { setting in
            let (subscriber, listener) = (setting.subscriber, setting.listener)
            let names = (0..<10_000).map { "channel:\($0):changes" }
            subscriber.subscribe(names)
            #expect(await setting.until { listener.confirmed.count == names.count })
            var isSame = Set(listener.confirmed) == Set(names)
            #expect(isSame)
            subscriber.unsubscribe(Array(names[..<100]))
            listener.confirmed = []
            await setting.command(["CLIENT", "KILL", "TYPE", "pubsub"])
            #expect(await setting.until { listener.confirmed.count == 9_900 })
            isSame = Set(listener.confirmed) == Set(names[100...])
            #expect(isSame)
            #expect(listener.lostCount == 1)
            for name in names[100...] {
                setting.client.command(
                    ["PUBLISH", name, "x"], deadline: .after(.seconds(30))) { _ in }
                if setting.client.pendingCount > 1_000 { await setting.command(["PING"]) }
            }
            #expect(await setting.until { listener.messages.count == 9_900 })
            isSame = listener.messages == names[100...].map { $0 + "=x" }
            #expect(isSame)
        }
    }

    @Test("the server is restarted")
    func restart() async throws {
        try await withSubscriber { setting in
            let (subscriber, listener) = (setting.subscriber, setting.listener)
            subscriber.subscribe(["a"])
            #expect(await setting.until { listener.confirmed == ["a"] })
            setting.server.kill()
            #expect(await setting.until { listener.lostCount == 1 && !subscriber.isConnected })
            subscriber.subscribe(["b"])
            #expect((try? setting.server.start()) != nil)
            #expect(await setting.until { listener.confirmed.count == 3 })
            #expect(Set(listener.confirmed[1...]) == ["a", "b"])
            #expect(listener.lostCount == 1)
            await setting.command(["PUBLISH", "a", "1"])
            #expect(await setting.until { listener.messages == ["a=1"] })
        }
    }

    @Test("PING keeps an idle connection, with channels and without")
    func idle() async throws {
        let configure = { @Sendable (configuration: inout RedisConfiguration) in
            configuration.subscriptions.pingInterval = .milliseconds(20)
            configuration.stallTimeout = .milliseconds(200)
        }
        try await withSubscriber(configure: configure) { setting in
            let (subscriber, listener) = (setting.subscriber, setting.listener)
            subscriber.subscribe(["a"])
            #expect(await setting.until { listener.confirmed == ["a"] })
            try? await setting.loop.sleep(for: .milliseconds(500))
            subscriber.unsubscribe(["a"])
            try? await setting.loop.sleep(for: .milliseconds(500))
            #expect(listener.lostCount == 0)
            #expect(subscriber.isConnected)
        }
    }

    @Test("a peer that has gone silent is noticed")
    func silence() async {
        let server = StubServer { connection in
            while let text = connection.receive() {
                if text.contains("SUBSCRIBE") {
                    connection.send("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n")
                    connection.waitForClose()
                } else {
                    connection.send("+PONG\r\n")
                }
            }
        }
        defer { server.stop() }
        let port = Int(server.port)
        let counts = await onLoop { loop in
            let address = RedisAddress(endpoint: .tcp(host: "127.0.0.1", port: port))
            var configuration = RedisConfiguration(address: address)
            configuration.subscriptions.pingInterval = .milliseconds(50)
            configuration.stallTimeout = .milliseconds(100)
            let listener = Listener()
            let subscriber = RedisSubscriber(
                loop: loop, configuration: configuration, delegate: listener)
            defer { subscriber.close() }
            subscriber.subscribe(["a"])
            while listener.confirmed.count < 2 { try? await loop.sleep(for: .milliseconds(5)) }
            return [listener.lostCount, listener.confirmed.count]
        }
        #expect(counts == [1, 2])
    }

    @Test("a channel that the user may not have is refused, its neighbours are not")
    func refused() async throws {
        let rule = "user limited on >secret +@all -@dangerous resetchannels &open:*"
        let words = ["--user"] + rule.split(separator: " ").dropFirst().map(String.init)
        try await withSubscriber(words, user: ("limited", "secret")) { setting in
            let (subscriber, listener) = (setting.subscriber, setting.listener)
            let names = (0..<100).map { "open:\($0)" }
            subscriber.subscribe(names + ["closed"] + ["open:last"])
            #expect(await setting.until { listener.confirmed.count == 101 })
            #expect(await setting.until { listener.refused == ["closed"] })
            #expect(subscriber.wantedCount == 101)
            #expect(listener.lostCount == 0)
        }
    }

    @Test("nothing is told after it was closed")
    func closed() async throws {
        try await withSubscriber { setting in
            let (subscriber, listener) = (setting.subscriber, setting.listener)
            subscriber.subscribe(["a"])
            #expect(await setting.until { listener.confirmed == ["a"] })
            subscriber.close()
            #expect(!subscriber.subscribe(["b"]))
            await setting.command(["PUBLISH", "a", "1"])
            try? await setting.loop.sleep(for: .milliseconds(50))
            #expect(listener.messages.isEmpty)
            #expect(listener.lostCount == 0)
        }
    }
}
