import Testing

@testable import Live

@Suite("ListenerFeed")
struct ListenerFeedTests {
    private func event(_ id: UInt64, _ byteCount: Int = 1) -> ChannelEvent {
        ChannelEvent(channel: "a", id: id, message: [UInt8](repeating: 120, count: byteCount))
    }

    private func feed(after id: UInt64) -> ListenerFeed {
        var feed = ListenerFeed(cursor: 0)
        feed.resume(after: id)
        return feed
    }

    private let limits = EventStreamLimits()

    @Test("it waits for every channel")
    func confirmation() {
        var feed = ListenerFeed(cursor: 0)
        #expect(feed.isConfirmed)
        feed.add()
        feed.add()
        #expect(!feed.isConfirmed)
        let first = feed.confirmed()
        let second = feed.confirmed()
        let third = feed.confirmed()
        #expect(!first && second && !third)
        #expect(feed.isConfirmed)
    }

    @Test("what arrives while the history is read comes after it, once")
    func held() throws {
        var feed = feed(after: 10)
        for id in [9, 11, 12, 0, 13] as [UInt64] {
            let isNow = feed.take(event(id), limits)
            #expect(!isNow)
        }
        feed.advance(to: 12)
        let live = feed.goLive()
        let events = try #require(live)
        #expect(events.map(\.id) == [0, 13])
        #expect(feed.cursor == 13 && feed.isLive)
    }

    @Test("live, ids only grow and foreign messages always pass")
    func live() {
        var feed = feed(after: 10)
        _ = feed.goLive()
        let taken = ([11, 11, 0, 10, 0, 14, 13] as [UInt64]).map { feed.take(event($0), limits) }
        #expect(taken == [true, false, true, false, true, true, false])
        #expect(feed.cursor == 14)
    }

    @Test("more than may be held is read from the history instead")
    func overflow() throws {
        var limits = limits
        limits.heldCountMax = 2
        var feed = feed(after: 10)
        for id in 11...14 as ClosedRange<UInt64> { _ = feed.take(event(id), limits) }
        let again = feed.goLive()
        #expect(again == nil)
        #expect(feed.phase == .reading && feed.cursor == 10)
        // Read anew: 15 arrives meanwhile, the history has the rest.
        _ = feed.take(event(15), limits)
        feed.advance(to: 14)
        let live = feed.goLive()
        let events = try #require(live)
        #expect(events.map(\.id) == [15])
    }

    @Test("bytes are bounded as well")
    func overflowBytes() {
        var limits = limits
        limits.queueByteCountMax = 2_000
        var feed = feed(after: 10)
        _ = feed.take(event(11, 600), limits)
        _ = feed.take(event(12, 600), limits)
        let again = feed.goLive()
        #expect(again == nil)
    }

    @Test("a lost subscription begins anew, from what was delivered")
    func lost() {
        var feed = feed(after: 10)
        _ = feed.goLive()
        _ = feed.take(event(11), limits)
        let generation = feed.generation
        feed.lost(channelCount: 2, position: 20)
        #expect(feed.phase == .waiting(channelCount: 2))
        #expect(feed.cursor == 20 && feed.generation != generation)
        let isNow = feed.take(event(21), limits)
        #expect(!isNow)
        // Not yet live: the position of others says nothing about this one.
        feed.beginReading()
        feed.lost(channelCount: 2, position: 30)
        #expect(feed.cursor == 20)
    }

    @Test("a message of another client is held until all channels are back, for no history has it")
    func foreign() throws {
        var feed = feed(after: 10)
        _ = feed.goLive()
        feed.lost(channelCount: 2, position: 20)
        _ = feed.confirmed()
        for id in [0, 21] as [UInt64] {
            let isNow = feed.take(event(id), limits)
            #expect(!isNow)
        }
        // Lost once more before the second was back.
        feed.lost(channelCount: 2, position: 20)
        _ = feed.confirmed()
        _ = feed.confirmed()
        feed.beginReading()
        _ = feed.take(event(22), limits)
        let live = feed.goLive()
        #expect(live.map { $0.map(\.id) } == [0, 22])
    }

    @Test("what overflowed before a loss does not stop the holding after it")
    func foreignAfterOverflow() {
        var limits = limits
        limits.heldCountMax = 2
        var feed = feed(after: 10)
        for id in 11...14 as ClosedRange<UInt64> { _ = feed.take(event(id), limits) }
        feed.lost(channelCount: 2, position: 20)
        _ = feed.confirmed()
        _ = feed.take(event(0), limits)
        _ = feed.confirmed()
        feed.beginReading()
        let live = feed.goLive()
        #expect(live.map { $0.map(\.id) } == [0])
    }

    @Test("messages of other clients that are held while waiting are bounded")
    func foreignBound() throws {
        var limits = limits
        limits.heldCountMax = 2
        var feed = ListenerFeed(cursor: 0)
        feed.add()
        for _ in 0..<3 { _ = feed.take(event(0), limits) }
        _ = feed.confirmed()
        feed.resume(after: 10)
        let live = feed.goLive()
        #expect(live.map(\.count) == 0)
    }

    @Test("a reset may go back")
    func rewind() {
        var feed = feed(after: 10)
        feed.rewind(to: 5)
        _ = feed.goLive()
        let isNow = feed.take(event(6), limits)
        #expect(isNow)
    }
}
