/// One stream of events, on its loop.
///
/// There are tens of thousands of these: every byte counts.
final class EventListener: @unchecked Sendable {
    var feed = ListenerFeed(cursor: 0)
    /// Nil before the head of the answer was sent, and after the end.
    var sink: (any EventSink)?
    /// Its channels, and its place among the listeners of each.
    var memberships: [(channel: LoopChannel, slot: Int32)] = []
    /// Its place among all listeners of the loop.
    var slot: Int32 = 0
    var hasEnded = false
    /// It was told that Redis is away.
    var isDegraded = false

    var channelNames: [String] { memberships.map(\.channel.name) }
}

/// A channel with listeners on one loop.
final class LoopChannel {
    let name: String
    var listeners: [EventListener] = []
    /// Messages are received.
    var isInForce = false
    /// Of the request that asked for it: what the hub says before it took that is about an earlier
    /// life of the channel.
    let requestNumber: UInt64

    init(_ name: String, requestNumber: UInt64) {
        self.name = name
        self.requestNumber = requestNumber
    }

    func add(_ listener: EventListener) {
        listener.memberships.append((self, Int32(listeners.count)))
        listeners.append(listener)
        if !isInForce { listener.feed.add() }
    }

    /// Removes the listener at a place; the last one takes it.
    func remove(at slot: Int32) {
        let last = listeners.removeLast()
        if Int(slot) == listeners.count { return }
        listeners[Int(slot)] = last
        let place = last.memberships.firstIndex { $0.channel === self }
        if let place { last.memberships[place].slot = slot }
    }
}
