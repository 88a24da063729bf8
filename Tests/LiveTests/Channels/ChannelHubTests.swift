import ClientTestSupport
import Redis
import Runtime
import Testing

@testable import Live

/// Keeps what a listener gets. On the loop of the listener.
private final class Sink: EventSink, @unchecked Sendable {
    private(set) var text = ""
    private(set) var isClosed = false
    var queuedByteCount = 0
    private var closed: (@Sendable () -> Void)?

    func send(_ bytes: [UInt8]) -> Bool {
        if isClosed { return false }
        text += String(decoding: bytes, as: UTF8.self)
        return true
    }

    func waitUntilWritable() async -> Bool {
        queuedByteCount = 0
        return !isClosed
    }

    func close() {
        isClosed = true
        closed?()
        closed = nil
    }

    func abort() { close() }
    func onClosed(_ body: @escaping @Sendable () -> Void) { closed = body }

    /// The data of all events, without notices.
    var data: [String] {
        text.split(separator: "\n").filter { $0.hasPrefix("data: ") && !$0.contains("reason") }
            .map { String($0.dropFirst(6)) }
    }
}

/// A hub on its own loop, a registry on this one, and a client.
private struct Setting: Sendable {
    let loop: EventLoop
    let hub: ChannelHub
    let registry: ChannelRegistry
    let client: RedisClient
    let streams: StreamCount
    /// Of this test alone: others use the same Redis.
    let channel = "test:\(UInt64.random(in: 0 ... .max))"

    var deadline: Deadline { .after(.seconds(10)) }

    func listen(_ names: [String], after id: UInt64? = nil) async throws -> Sink {
        let opening = try await registry.open(names, after: id, deadline: deadline)
        let sink = Sink()
        opening.begin(sink)
        return sink
    }

    @discardableResult
    func publish(_ text: String, on name: String) async throws -> UInt64 {
        try await registry.publish(Array(text.utf8), on: name, deadline: deadline).id
    }

    /// Waits until the condition holds; false after a while.
    func until(_ condition: () -> Bool) async -> Bool {
        for _ in 0..<2_500 {
            if condition() { return true }
            try? await loop.sleep(for: .milliseconds(2))
        }
        return condition()
    }
}

@Suite("ChannelHub against a real Redis")
struct ChannelHubTests {
    private func withHub(
        _ limits: EventStreamLimits = .init(), _ channels: ChannelLimits = .init(),
        _ body: @escaping @Sendable (Setting) async throws -> Void
    ) async throws {
        let redis = RedisConfiguration(
            address: try RedisAddress.parse(try storeURL("FOURFOLD_TEST_REDIS_URL")))
        let hubLoop = EventLoop()
        let thread = hubLoop.startThread(name: "hub")
        let scripts = ChannelScripts(channels)
        let hub = ChannelHub(loop: hubLoop, redis: redis, scripts: scripts, limits: limits)
        hubLoop.submit { hub.start() }
        let failure = await onLoop { loop -> (any Error)? in
            let client = RedisClient(loop: loop, configuration: redis)
            let streams = StreamCount(max: limits.streamCountMax)
            let registry = ChannelRegistry(
                loop: loop, index: 0, hub: hub, redis: client, scripts: scripts, limits: limits,
                streams: streams)
            defer {
                registry.drain()
                client.close()
            }
            do {
                try await body(
                    Setting(
                        loop: loop, hub: hub, registry: registry, client: client, streams: streams))
                return nil
            } catch {
                return error
            }
        }
        hubLoop.submit { hub.stop() }
        hubLoop.stop()
        thread.join()
        if let failure { throw failure }
    }

    @Test("messages of several channels come in order, foreign ones without an id")
    func live() async throws {
        try await withHub { hub in
            let (one, two) = (hub.channel + ":1", hub.channel + ":2")
            let sink = try await hub.listen([one, two])
            let id = try await hub.publish("a", on: one)
            try await hub.publish("b", on: two)
            _ = try await hub.client.command(["PUBLISH", one, "c"], deadline: hub.deadline)
            try await hub.publish("d", on: one)
            #expect(await hub.until { sink.data.count == 4 })
            #expect(sink.data == ["a", "b", "c", "d"])
            #expect(sink.text.contains("id: \(id)\nevent: \(one)\ndata: a\n\n"))
            #expect(sink.text.contains("\n\nevent: \(one)\ndata: c\n\n"))
        }
    }

    @Test("a history longer than a page comes whole, then what is live")
    func pages() async throws {
        var limits = EventStreamLimits()
        limits.pageCountMax = 6
        limits.pageByteCountMax = 20
        try await withHub(limits) { hub in
            let names = (0..<3).map { hub.channel + ":\($0)" }
            let first = try await hub.publish("first", on: names[0])
            for number in 0..<60 { try await hub.publish("n\(number)", on: names[number % 3]) }
            let sink = try await hub.listen(names, after: first)
            try await hub.publish("live", on: names[1])
            #expect(await hub.until { sink.data.count == 61 })
            #expect(sink.data == (0..<60).map { "n\($0)" } + ["live"])
        }
    }

    @Test("messages that are published while the history is read come once and in order")
    func whileReading() async throws {
        var limits = EventStreamLimits()
        limits.pageCountMax = 4
        limits.heldCountMax = 5
        try await withHub(limits) { hub in
            let first = try await hub.publish("first", on: hub.channel)
            for number in 0..<40 { try await hub.publish("n\(number)", on: hub.channel) }
            let sink = try await hub.listen([hub.channel], after: first)
            for number in 40..<80 { try await hub.publish("n\(number)", on: hub.channel) }
            #expect(await hub.until { sink.data.count >= 80 })
            #expect(sink.data == (0..<80).map { "n\($0)" })
        }
    }

    @Test("an id from the future is refused, one that is too old resets")
    func ids() async throws {
        var channels = ChannelLimits()
        channels.historyCountMax = 2
        try await withHub(.init(), channels) { hub in
            let first = try await hub.publish("a", on: hub.channel)
            for text in ["b", "c", "d"] { try await hub.publish(text, on: hub.channel) }
            await #expect(throws: EventStreamError.future) {
                _ = try await hub.listen([hub.channel], after: 9_999_999_999_999_999)
            }
            let sink = try await hub.listen([hub.channel], after: first)
            #expect(sink.text.contains("event: reset\ndata: {\"reason\":\"trimmed\"}\n\n"))
            try await hub.publish("e", on: hub.channel)
            #expect(await hub.until { sink.data == ["e"] })
        }
    }

    @Test("one that does not read is told and dropped")
    func slow() async throws {
        try await withHub { hub in
            let sink = try await hub.listen([hub.channel])
            sink.queuedByteCount = EventStreamLimits().queueByteCountMax
            try await hub.publish("a", on: hub.channel)
            #expect(await hub.until { sink.isClosed })
            #expect(sink.text.hasSuffix("event: dropped\ndata: {\"reason\":\"slow_reader\"}\n\n"))
            #expect(hub.registry.listenerCount == 0 && hub.streams.value == 0)
        }
    }

    @Test("streams are counted, and one that never begins is not kept")
    func count() async throws {
        var limits = EventStreamLimits()
        limits.streamCountMax = 1
        try await withHub(limits) { hub in
            do {
                let opening = try await hub.registry.open(
                    [hub.channel], after: nil, deadline: hub.deadline)
                #expect(hub.streams.value == 1)
                await #expect(throws: EventStreamError.tooMany) {
                    _ = try await hub.listen([hub.channel])
                }
                withExtendedLifetime(opening) {}
            }
            #expect(await hub.until { hub.streams.value == 0 })
            let sink = try await hub.listen([hub.channel])
            sink.close()
            #expect(hub.streams.value == 0)
        }
    }

    @Test("heartbeats move the position of silent streams")
    func heartbeat() async throws {
        var limits = EventStreamLimits()
        limits.heartbeat = .milliseconds(100)
        try await withHub(limits) { hub in
            let sink = try await hub.listen([hub.channel])
            #expect(await hub.until { sink.text.components(":\nid: ") > 3 })
            #expect(sink.data.isEmpty)
        }
    }

    @Test("a stream that cannot begin says so")
    func unavailable() async throws {
        var limits = EventStreamLimits()
        limits.openTimeout = .milliseconds(300)
        let nowhere = RedisConfiguration(
            address: RedisAddress(endpoint: .tcp(host: "127.0.0.1", port: 1)))
        let scripts = ChannelScripts(.init())
        let fixed = limits
        let error = await onLoop { loop -> EventStreamError? in
            let hub = ChannelHub(loop: loop, redis: nowhere, scripts: scripts, limits: fixed)
            hub.start()
            let client = RedisClient(loop: loop, configuration: nowhere)
            let registry = ChannelRegistry(
                loop: loop, index: 0, hub: hub, redis: client, scripts: scripts, limits: fixed,
                streams: StreamCount(max: 1))
            defer {
                registry.drain()
                hub.stop()
                client.close()
            }
            do throws(EventStreamError) {
                _ = try await registry.open(["a"], after: nil, deadline: .after(.seconds(5)))
                return nil
            } catch {
                return error
            }
        }
        #expect(error == .unavailable)
    }
}

extension String {
    /// How often a part occurs.
    fileprivate func components(_ part: String) -> Int {
        var (count, rest) = (0, self[...])
        while let start = rest.firstIndex(of: part[part.startIndex]) {
            if rest[start...].hasPrefix(part) { count += 1 }
            rest = rest[rest.index(after: start)...]
        }
        return count
    }
}
