package import Redis
package import Runtime

/// The listeners of one loop, by channel.
///
/// `ChannelRegistry+Opening.swift` has how a stream begins, `+Reading` how it reads the history.
package final class ChannelRegistry: Flushable, @unchecked Sendable {
    package let loop: EventLoop
    let index: Int
    let redis: RedisClient
    let scripts: ChannelScripts
    let limits: EventStreamLimits
    private let hub: ChannelHub
    let streams: StreamCount

    private var channels: [String: LoopChannel] = [:]
    private var listeners: [EventListener] = []
    private(set) var isAvailable = false
    /// Redis has been away for long enough to say so.
    private(set) var isDegraded = false
    private(set) var isDraining = false
    private var lostAtMilliseconds: UInt64
    private var position: UInt64 = 0
    private var requests: [HubRequest] = []
    private var requestNumber: UInt64 = 1
    private var takenNumber: UInt64 = 0
    private var isDirty = false

    var openings: [ObjectIdentifier: Opening] = [:]
    var readers = ReaderQueue()

    private var ticker: LoopTimer?
    private var heartbeatDue = 0.0
    private var heartbeatSlot = 0
    private var droppedCount = 0
    private var droppedLoggedAt: UInt64 = 0

    /// On the loop.
    ///
    /// - Parameters:
    ///   - index: Of the loop in its process, 0 to 63.
    ///   - streams: Shared by all loops of the process.
    package init(
        loop: EventLoop, index: Int, hub: ChannelHub, redis: RedisClient, scripts: ChannelScripts,
        limits: EventStreamLimits, streams: StreamCount
    ) {
        loop.preconditionOnLoop()
        precondition(index < ChannelInterest.loopCountMax, "too many loops")
        self.loop = loop
        self.index = index
        self.hub = hub
        self.redis = redis
        self.scripts = scripts
        self.limits = limits
        self.streams = streams
        lostAtMilliseconds = loop.nowMilliseconds
        hub.attach(self)
        ticker = loop.schedule(every: ChannelRegistry.tickPeriod) { [unowned self] in tick() }
    }

    private static let tickPeriod = Duration.milliseconds(100)

    /// Streams of this loop.
    package var listenerCount: Int { listeners.count }

    /// Channels that one stream may have.
    package var channelCountMax: Int { limits.channelCountMax }
    /// Bytes that one message may have.
    package var messageByteCountMax: Int { scripts.limits.messageByteCountMax }

    /// Reads an id as streams give it; nil for anything else.
    package static func position(_ text: String) -> UInt64? { MessagePairing.id(Array(text.utf8)) }

    /// Publishes, and keeps the message in the history of the channel.
    ///
    /// - Parameter message: On one line.
    /// - Returns: Its id, and how many Redis clients were subscribed; each gateway is one.
    package func publish(
        _ message: [UInt8], on channel: String, deadline: Deadline
    ) async throws(RedisError) -> (id: UInt64, receiverCount: Int64) {
        let reply = try await redis.run(
            scripts.publish, keys: [], arguments: [.text(channel), .bytes(message)],
            deadline: deadline)
        guard let parts = reply.array, parts.count == 2, let id = parts[0].messageID,
            let receiverCount = parts[1].int
        else { throw .rejected(code: "UNEXPECTED") }
        return (id, receiverCount)
    }

    /// Tells all listeners that the gateway stops, and takes no more. The server then ends the
    /// streams; one whose reader is behind is cut, for it would hold up the end.
    package func drain() {
        loop.preconditionOnLoop()
        isDraining = true
        for listener in listeners.reversed() {
            guard let sink = listener.sink else { continue }
            _ = sink.send(StreamNotice.stopping)
            if sink.queuedByteCount > 0 { sink.abort() }
        }
        for opening in openings.values { opening.answer(.unavailable) }
        openings = [:]
        ticker?.cancel()
    }

    // MARK: Who listens to what

    func join(_ listener: EventListener, _ names: [String]) {
        listener.slot = Int32(listeners.count)
        listeners.append(listener)
        listener.memberships.reserveCapacity(names.count)
        for name in names {
            let channel = channels[name] ?? wanted(name)
            channel.add(listener)
        }
    }

    private func wanted(_ name: String) -> LoopChannel {
        let channel = LoopChannel(name, requestNumber: requestNumber)
        channels[name] = channel
        request(.want(name))
        return channel
    }

    /// Forgets a listener. May be called more than once.
    func leave(_ listener: EventListener) {
        if listener.hasEnded { return }
        listener.hasEnded = true
        listener.sink = nil
        streams.end()
        for (channel, slot) in listener.memberships {
            channel.remove(at: slot)
            if channel.listeners.isEmpty {
                channels[channel.name] = nil
                request(.unwant(channel.name))
            }
        }
        listener.memberships = []
        let last = listeners.removeLast()
        if last !== listener {
            listeners[Int(listener.slot)] = last
            last.slot = listener.slot
        }
    }

    private func request(_ request: HubRequest) {
        requests.append(request)
        if !isDirty { loop.flushSoon(self) }
        isDirty = true
    }

    package func flush() {
        isDirty = false
        hub.submit(requests, number: requestNumber, from: index)
        requests = []
        requestNumber += 1
    }

    // MARK: From the hub

    func deliver(_ messages: [HubMessage]) {
        for message in messages {
            switch message {
            case .event(let event): deliver(event)
            case .took(let number): takenNumber = number
            case .inForce(let name): inForce(name)
            case .refused(let name): refused(name)
            case .position(let id): position = max(position, id)
            case .available:
                isAvailable = true
                isDegraded = false
            case .lost: lost()
            }
        }
    }

    private func deliver(_ event: ChannelEvent) {
        position = max(position, event.id)
        guard let channel = channels[event.channel] else { return }
        // From the end: one that is dropped is replaced by the last.
        for slot in stride(from: channel.listeners.count - 1, through: 0, by: -1)
        where slot < channel.listeners.count {
            let listener = channel.listeners[slot]
            if listener.feed.take(event, limits) { write(event.bytes, to: listener) }
        }
    }

    private func inForce(_ name: String) {
        guard let channel = channels[name], !channel.isInForce,
            channel.requestNumber <= takenNumber
        else { return }
        channel.isInForce = true
        for listener in channel.listeners where listener.feed.confirmed() { isConfirmed(listener) }
    }

    private func isConfirmed(_ listener: EventListener) {
        if let opening = openings.removeValue(forKey: ObjectIdentifier(listener)) {
            opening.answer(.confirmed)
        } else if listener.sink != nil {
            read(listener)
        }
    }

    private func refused(_ name: String) {
        guard let channel = channels[name] else { return }
        for listener in channel.listeners.reversed() {
            if let opening = openings.removeValue(forKey: ObjectIdentifier(listener)) {
                opening.answer(.unavailable)
            }
            listener.sink?.close()
        }
    }

    private func lost() {
        isAvailable = false
        lostAtMilliseconds = loop.nowMilliseconds
        for channel in channels.values { channel.isInForce = false }
        for listener in listeners {
            listener.feed.lost(channelCount: listener.memberships.count, position: position)
        }
        readers.removeWaiting()
    }

    // MARK: Writing

    /// - Returns: False if the listener has gone, or was too slow and is told so.
    @discardableResult
    func write(_ bytes: [UInt8], to listener: EventListener) -> Bool {
        guard let sink = listener.sink else { return false }
        let queued = sink.queuedByteCount
        if queued > 0, queued + bytes.count > limits.queueByteCountMax {
            droppedCount += 1
            // After what is queued: a client that catches up reads why.
            if sink.send(StreamNotice.dropped) { sink.close() }
            return false
        }
        if sink.send(bytes) { return true }
        if queued > 0 { droppedCount += 1 }
        return false
    }

    // MARK: Time

    private func tick() {
        let now = loop.nowMilliseconds
        expireOpenings(now)
        if !isAvailable, !isDegraded,
            now - lostAtMilliseconds >= limits.degradedAfter.wholeMilliseconds
        {
            isDegraded = true
            for listener in listeners.reversed() where listener.sink != nil {
                if write(StreamNotice.degraded, to: listener) { listener.isDegraded = true }
            }
        }
        beat()
        if droppedCount > 0, now - droppedLoggedAt >= 1_000 {
            Log.warning("slow readers were dropped", ("count", String(droppedCount)))
            droppedCount = 0
            droppedLoggedAt = now
        }
    }

    /// Gives a sign of life to as many listeners as are due: each gets one in each interval.
    private func beat() {
        let share = ChannelRegistry.tickPeriod.inSeconds / limits.heartbeat.inSeconds
        heartbeatDue = min(heartbeatDue + Double(listeners.count) * share, Double(listeners.count))
        guard heartbeatDue >= 1 else { return }
        let marker = isAvailable && position > 0 ? ServerSentEvent.heartbeat(position) : nil
        while heartbeatDue >= 1 {
            heartbeatDue -= 1
            heartbeatSlot -= 1
            if heartbeatSlot < 0 || heartbeatSlot >= listeners.count {
                heartbeatSlot = listeners.count - 1
            }
            if heartbeatSlot < 0 { return }
            let listener = listeners[heartbeatSlot]
            if listener.sink == nil { continue }
            if let marker, listener.feed.isLive, listener.feed.cursor <= position {
                listener.feed.advance(to: position)
                write(marker, to: listener)
            } else {
                write(ServerSentEvent.comment, to: listener)
            }
        }
    }
}
